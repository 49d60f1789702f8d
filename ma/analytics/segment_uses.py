"""What refers to what: which rules speak of a segment or of an own field, read from the stored JSON.

Without parsing, so that a rule that is no longer valid still counts as a user of what it names.
"""

from collections.abc import Callable, Collection, Iterator

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.models import Segment

ATTRIBUTE = "attribute:"


def segments_using(session: Session, segment_id: int) -> pd.DataFrame:
    """The segments whose rule uses a segment, by name: segment_id, name."""
    return _users(session, lambda leaf: leaf.get("in_segment") == segment_id)


def segments_with_attribute(session: Session, attribute_id: int) -> pd.DataFrame:
    """The segments whose rule uses an own field, by name: segment_id, name."""
    field = f"{ATTRIBUTE}{attribute_id}"
    return _users(session, lambda leaf: leaf.get("field") == field)


def named_segments(rule: object) -> set[int]:
    """The ids of the segments that a stored rule names, valid or not."""
    return {leaf["in_segment"] for leaf in _objects(rule) if isinstance(leaf.get("in_segment"), int)}


def used_lists(session: Session, segment_id: int, lists: Collection[int]) -> set[int]:
    """Those of `lists` that a segment's rule comes to, itself or by way of segments not among them."""
    seen, waiting = {segment_id}, {segment_id}
    while waiting:
        rules = session.scalars(select(Segment.rule).where(Segment.id.in_(waiting)))
        used = set().union(*map(named_segments, rules)) - seen
        seen |= used
        waiting = used.difference(lists)
    return seen.intersection(lists) - {segment_id}


def in_order(rules: dict[int, dict | None]) -> list[int]:
    """The ids with each segment after those that its rule uses. A circle is cut somewhere."""
    placed: dict[int, None] = {}
    for first in rules:
        # By hand and not by recursion: a chain of segments may be long.
        path: list[tuple[int, Iterator[int]]] = [(first, _used(rules, first))]
        open_now = {first}
        while path:
            one, rest = path[-1]
            following = next((other for other in rest if other not in placed and other not in open_now), None)
            if following is None:
                path.pop()
                open_now.discard(one)
                placed[one] = None
            else:
                path.append((following, _used(rules, following)))
                open_now.add(following)
    return list(placed)


def _used(rules: dict[int, dict | None], segment_id: int) -> Iterator[int]:
    return iter(sorted(named_segments(rules[segment_id]) & rules.keys()))


def _users(session: Session, names: Callable[[dict], bool]) -> pd.DataFrame:
    rows = session.execute(
        select(Segment.id, Segment.name, Segment.rule).where(~Segment.static).order_by(Segment.name_folded)
    )
    found = [(row.id, row.name) for row in rows if any(names(leaf) for leaf in _objects(row.rule))]
    return pd.DataFrame(found, columns=["segment_id", "name"]).astype({"segment_id": "int64", "name": "str"})


def _objects(rule: object) -> Iterator[dict]:
    waiting = [rule]
    while waiting:
        match waiting.pop():
            case dict() as one:
                yield one
                waiting.extend(one.values())
            case list() as several:
                waiting.extend(several)

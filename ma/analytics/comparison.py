"""Segments beside each other: how they overlap, how their people differ, and sets made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Literal

import pandas as pd
from sqlalchemy import BigInteger, Select, case, cast, func, literal, select
from sqlalchemy.orm import Session

from ma.analytics.differences import differences_of
from ma.analytics.frames import read
from ma.analytics.rates import ratio
from ma.db.counting import COUNT, counted
from ma.errors import InvalidInput, NotFound
from ma.models import Customer, Segment, SegmentMember

FEWEST, MOST = 2, 6
Part = Literal["in", "out", "any"]


@dataclass(frozen=True)
class Comparison:
    """Segments compared: the frames of the functions so named."""

    sizes: pd.DataFrame
    regions: pd.DataFrame
    pairs: pd.DataFrame
    differences: pd.DataFrame


def compare(session: Session, segment_ids: Sequence[int], *, as_of: datetime) -> Comparison:
    """Two to six segments beside each other, by their members at their last refresh.

    Raises InvalidInput for fewer, more or the same twice, NotFound for one that is not there.
    """
    names = _names(session, segment_ids)
    overlap = _overlap(session, names, as_of)
    return Comparison(
        sizes=_sizes(session, names, overlap),
        regions=_regions(names, overlap),
        pairs=_pairs(names, overlap),
        differences=differences_of(session, names, _members(names, as_of), as_of=as_of),
    )


def sizes(session: Session, *, as_of: datetime, segment_ids: list[int]) -> pd.DataFrame:
    """How many are in each segment: segment_id, segment, people, only_here (in none of the other ones given),
    refreshed_at. Deleted customers are never counted."""
    names = _names(session, segment_ids)
    return _sizes(session, names, _overlap(session, names, as_of))


def regions(session: Session, *, as_of: datetime, segment_ids: list[int]) -> pd.DataFrame:
    """How many are in exactly which of the segments: a row for each combination that occurs, the most first.

    segment_ids (text, "3,7"), segments (their names), number (of segments), people, share (of all who are in
    at least one). Everybody in at least one is in exactly one row.
    """
    names = _names(session, segment_ids)
    frame = _regions(names, _overlap(session, names, as_of))
    return frame.assign(segment_ids=[",".join(map(str, ids)) for ids in frame["segment_ids"]])


def pairs(session: Session, *, as_of: datetime, segment_ids: list[int]) -> pd.DataFrame:
    """How much each two of the segments share: one row for each ordered pair.

    first_id, first, second_id, second, both (people in both), share_of_first (both ÷ people of the first),
    jaccard (both ÷ people in at least one of the two). NaN where that is nobody.
    """
    names = _names(session, segment_ids)
    return _pairs(names, _overlap(session, names, as_of))


def differences(session: Session, *, as_of: datetime, segment_ids: list[int]) -> pd.DataFrame:
    """How the people of each segment differ from all other customers; columns as in `differences_of`."""
    names = _names(session, segment_ids)
    return differences_of(session, names, _members(names, as_of), as_of=as_of)


# Sets as rules


def combined_rule(parts: dict[int, Part]) -> dict:
    """The rule of those who are in the segments marked "in" and in none marked "out"; "any" does not matter.

    Raises InvalidInput where no segment is marked "in".
    """
    inside = [segment_id for segment_id, part in parts.items() if part == "in"]
    outside = [segment_id for segment_id, part in parts.items() if part == "out"]
    if not inside:
        raise InvalidInput({"parts": "Choose at least one segment whose people belong to the new one."})
    return {"all": [*map(_in, inside), *([{"none": list(map(_in, outside))}] if outside else [])]}


def set_rule(operation: str, segment_ids: Sequence[int]) -> dict:
    """The rule of a set operation over segments, in their order.

    "union": in at least one; "intersection": in all; "difference": in the first and in no other; "only_one":
    in exactly one. Raises InvalidInput for another operation or fewer than two segments.
    """
    ids = list(dict.fromkeys(segment_ids))
    if len(ids) < FEWEST:
        raise InvalidInput({"segments": "Choose at least two segments."})
    match operation:
        case "union":
            return {"any": list(map(_in, ids))}
        case "intersection":
            return {"all": list(map(_in, ids))}
        case "difference":
            return combined_rule({one: "out" if i else "in" for i, one in enumerate(ids)})
        case "only_one":
            alone = [combined_rule({one: "in" if one == only else "out" for one in ids}) for only in ids]
            return {"any": alone}
    known = "union, intersection, difference, only_one"
    raise InvalidInput({"operation": f"There is no set operation '{operation}'. Use one of {known}."})


def _in(segment_id: int) -> dict:
    return {"in_segment": segment_id}


# Members


def _names(session: Session, segment_ids: Sequence[int]) -> dict[int, str]:
    """The segments' names by id, in the given order."""
    ids = list(segment_ids)
    if not FEWEST <= len(ids) <= MOST or len(set(ids)) < len(ids):
        raise InvalidInput({"segments": f"Choose {FEWEST} to {MOST} different segments to compare."})
    found = dict(session.execute(select(Segment.id, Segment.name).where(Segment.id.in_(ids))).all())
    if gone := [one for one in ids if one not in found]:
        raise NotFound(f"There is no segment {gone[0]}. It may have been deleted; choose another.")
    return {one: found[one] for one in ids}


def _members(names: dict[int, str], as_of: datetime) -> Select:
    """The ids of segments and of the customers in them."""
    return (
        select(SegmentMember.segment_id, SegmentMember.customer_id)
        .join(Customer, Customer.id == SegmentMember.customer_id)
        .where(
            SegmentMember.segment_id.in_(list(names)),
            SegmentMember.entered_at <= as_of,
            Customer.deleted_at.is_(None),
        )
    )


def _overlap(session: Session, names: dict[int, str], as_of: datetime) -> pd.DataFrame:
    """How many customers are in which segments: mask (a bit for each segment, in order), people."""
    members = _members(names, as_of).subquery()
    bits = case({one: literal(1 << i) for i, one in enumerate(names)}, value=members.c.segment_id)
    each = select(cast(func.sum(bits), BigInteger).label("mask")).group_by(members.c.customer_id)
    return counted(session, each)


def _sizes(session: Session, names: dict[int, str], overlap: pd.DataFrame) -> pd.DataFrame:
    rows = select(Segment.id.label("segment_id"), Segment.name.label("segment"), Segment.refreshed_at)
    frame = read(session, rows.where(Segment.id.in_(list(names))))
    frame = frame.set_index("segment_id").loc[list(names)].reset_index()
    mask, people = overlap["mask"].to_numpy(), overlap[COUNT].to_numpy()
    frame.insert(2, "people", [int(people[mask >> i & 1 == 1].sum()) for i in range(len(names))])
    frame.insert(3, "only_here", [int(people[mask == 1 << i].sum()) for i in range(len(names))])
    return frame


def _regions(names: dict[int, str], overlap: pd.DataFrame) -> pd.DataFrame:
    inside = [[one for i, one in enumerate(names) if mask >> i & 1] for mask in overlap["mask"]]
    frame = pd.DataFrame(
        {
            "segment_ids": pd.Series([tuple(ids) for ids in inside], dtype=object),
            "segments": pd.Series([" and ".join(names[one] for one in ids) for ids in inside], dtype=object),
            "number": pd.Series([len(ids) for ids in inside], dtype="int64"),
            "people": overlap[COUNT],
        }
    )
    frame["share"] = ratio(frame["people"], pd.Series(frame["people"].sum(), index=frame.index))
    # Equal ones: fewer segments first, then in the order of the segments.
    return frame.sort_values(["people", "number"], ascending=[False, True], kind="stable", ignore_index=True)


def _pairs(names: dict[int, str], overlap: pd.DataFrame) -> pd.DataFrame:
    mask, people = overlap["mask"].to_numpy(), overlap[COUNT].to_numpy()
    inside = {one: mask >> i & 1 == 1 for i, one in enumerate(names)}
    size = {one: int(people[there].sum()) for one, there in inside.items()}
    rows = []
    for first, second in combinations(names, 2):
        both = int(people[inside[first] & inside[second]].sum())
        rows += [
            (a, names[a], b, names[b], both, size[a], size[b]) for a, b in ((first, second), (second, first))
        ]
    columns = ["first_id", "first", "second_id", "second", "both", "size_a", "size_b"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["share_of_first"] = ratio(frame["both"], frame["size_a"])
    frame["jaccard"] = ratio(frame["both"], frame["size_a"] + frame["size_b"] - frame["both"])
    order = {one: i for i, one in enumerate(names)}
    frame = frame.sort_values(["first_id", "second_id"], key=lambda ids: ids.map(order), ignore_index=True)
    return frame.drop(columns=["size_a", "size_b"])

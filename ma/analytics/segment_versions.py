"""The rules that a segment has had, and what changed from one to another."""

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.analytics.catalogue import catalogue
from ma.analytics.frames import read
from ma.analytics.segments import rule_problem, sentence
from ma.analytics.workspace import workspace
from ma.errors import NotFound
from ma.models import SegmentRefresh, SegmentVersion
from ma.rules.check import parse
from ma.rules.difference import Change, Kind, differences
from ma.rules.nodes import Match, Node
from ma.rules.to_english import phrase

_HOW_MANY = {Match.ALL: "all of them", Match.ANY: "any of them", Match.NONE: "none of them"}


def versions(session: Session, *, segment_id: int) -> pd.DataFrame:
    """Every rule that a segment has had, the newest first.

    One row each: number, at, actor, sentence, problem (why the rule is no longer valid, missing where it is),
    restored (Int64, the older version it brought back, NA mostly) and size (Int64, at the last refresh by
    this rule; NA where there was none).
    """
    rows = select(SegmentVersion.__table__).where(SegmentVersion.segment_id == segment_id)
    frame = read(session, rows.order_by(SegmentVersion.number))
    currency, known = workspace(session).currency, catalogue(session)
    rules = frame.pop("rule")
    frame["at"] = pd.to_datetime(frame["at"], utc=True)
    frame["sentence"] = [sentence(rule, currency=currency, catalogue=known) for rule in rules]
    frame["problem"] = pd.Series([rule_problem(rule, known) for rule in rules], dtype="str")
    frame["size"] = frame["number"].map(_sizes(session, segment_id)).astype("Int64")
    frame["restored"] = frame["restored"].astype("Int64")
    columns = ["number", "at", "actor", "sentence", "problem", "restored", "size"]
    return frame[columns].iloc[::-1].reset_index(drop=True)


def version_rule(session: Session, *, segment_id: int, number: int) -> dict:
    """The rule of one version, as JSON. Raises NotFound."""
    wanted = (SegmentVersion.segment_id == segment_id, SegmentVersion.number == number)
    rule = session.scalar(select(SegmentVersion.rule).where(*wanted))
    if rule is None:
        raise NotFound(f"This segment has no version {number}. Reload to see those it has.")
    return rule


def changes(session: Session, *, segment_id: int, older: int, newer: int) -> pd.DataFrame:
    """What turns one version of a segment's rule into another, a row for each change, in English.

    change: added, removed, changed, moved, or how many must hold; before and after (missing where there is
    none); place: the group it is in as it reads now, missing at the top. No row where the rules say the same.

    Raises NotFound, and InvalidRule where one of them speaks of what is no longer there.
    """
    currency, known = workspace(session).currency, catalogue(session)
    nodes = [
        parse(version_rule(session, segment_id=segment_id, number=number), known) for number in (older, newer)
    ]

    def words(node: Node | None) -> str | None:
        return None if node is None else phrase(node, currency=currency, catalogue=known)

    found = [_told(change, words) for change in differences(*nodes)]
    return pd.DataFrame(found, columns=["change", "before", "after", "place"]).astype("str")


def _told(change: Change, words) -> dict:
    before, after = words(change.before), words(change.after)
    if change.kind is Kind.HOW_MANY:
        before, after = _HOW_MANY[change.before.match], _HOW_MANY[change.after.match]
    inner = change.inside[-1] if change.inside else None
    place = None if inner is None else words(inner)
    return {"change": change.kind.value, "before": before, "after": after, "place": place}


def _sizes(session: Session, segment_id: int) -> dict[int, int]:
    """The size at the last refresh by each version, by its number."""
    rows = select(SegmentRefresh.rule_number, SegmentRefresh.size).where(
        SegmentRefresh.segment_id == segment_id, SegmentRefresh.rule_number.is_not(None)
    )
    return dict(session.execute(rows.order_by(SegmentRefresh.id)).all())

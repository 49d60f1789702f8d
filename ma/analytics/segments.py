"""Segments: whom a rule chooses, who was in at the last refresh, and how the size changed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import BigInteger, Select, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from ma.analytics.catalogue import catalogue
from ma.analytics.customers import SORTS
from ma.analytics.frames import read
from ma.analytics.missing_data import Undecided, undecided
from ma.analytics.workspace import workspace
from ma.errors import InvalidInput, InvalidRule, NotFound
from ma.models import (
    Campaign,
    CampaignExclusion,
    Customer,
    Segment,
    SegmentMember,
    SegmentRefresh,
    SegmentVersion,
)
from ma.rules import to_sql
from ma.rules.catalogue import STANDARD as EVERYWHERE
from ma.rules.catalogue import Catalogue
from ma.rules.check import parse
from ma.rules.nodes import Node
from ma.rules.to_english import english
from ma.types import Channel

Rule = Node | dict | str
_SEGMENT = Segment.__table__
HISTORY_LENGTH = 60
STATIC = "Static list"
_LISTED = [
    "segment_id", "name", "description", "rule", "size", "refreshed_at", "stale", "created_by", "created_at",
    "updated_at", "static", "refresh_error", "problem",
]  # fmt: skip
# The rule that a segment has, and the one that its last refresh used.
_NEWEST = (
    select(func.max(SegmentVersion.number)).where(SegmentVersion.segment_id == Segment.id).scalar_subquery()
)
_USED = (
    select(SegmentRefresh.rule_number)
    .where(SegmentRefresh.segment_id == Segment.id)
    .order_by(SegmentRefresh.as_of.desc(), SegmentRefresh.id.desc())
    .limit(1)
    .scalar_subquery()
)
_OTHER = or_(Segment.refreshed_at.is_(None), _NEWEST.is_distinct_from(_USED))
_STALE = and_(~Segment.static, _OTHER).label("stale")


def segments(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """All segments by name, as of their last refresh; none is evaluated.

    One row each: segment_id, name, description, rule (the English sentence, or “Static list”), size (Int64,
    NA before the first refresh), refreshed_at, stale (the rule was changed since), created_by, created_at,
    updated_at, static, refresh_error (why the last attempt to refresh it failed, missing where it did not),
    problem (why its rule cannot be evaluated any more, missing where it can).
    """
    rows = segment_rows(session, as_of=as_of)
    frame = pd.DataFrame(rows, columns=_LISTED)
    for name in ("refreshed_at", "created_at", "updated_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    types = {"stale": bool, "static": bool, "size": "Int64", "problem": "str", "refresh_error": "str"}
    return frame.astype(types)


def segment_rows(
    session: Session, *, as_of: datetime, after: int | None = None, limit: int | None = None
) -> list[dict]:
    """The rows of `segments` as plain values: all by name, or at most so many by id behind `after`."""
    query = select(
        Segment.id.label("segment_id"),
        Segment.name,
        Segment.description,
        Segment.rule,
        Segment.size,
        Segment.refreshed_at,
        Segment.created_by,
        Segment.created_at,
        Segment.updated_at,
        Segment.static,
        Segment.refresh_error,
        _STALE,
    ).where(Segment.created_at <= as_of)
    if limit is None:
        query = query.order_by(Segment.name_folded)
    else:
        query = query.where(Segment.id > (after or 0)).order_by(Segment.id).limit(limit)
    found = session.execute(query).mappings().all()
    currency, known = workspace(session).currency, catalogue(session)
    rows = []
    for row in found:
        words, problem = _told(row["rule"], currency, known)
        values = {**row, "rule": words, "problem": problem}
        rows.append({name: values[name] for name in _LISTED})
    return rows


def sentence(rule: dict | str | None, *, currency: str, catalogue: Catalogue = EVERYWHERE) -> str:
    """Who is in a segment, in English; `rule` is None for a static list.

    Of a rule that is no longer valid, what is wrong with it and where that is repaired.
    """
    return _told(rule, currency, catalogue)[0]


def rule_problem(rule: dict | None, catalogue: Catalogue) -> str | None:
    """Why a stored rule cannot be evaluated any more; None where it can."""
    try:
        if rule is not None:
            parse(rule, catalogue)
    except InvalidRule as error:
        return str(error)
    return None


def _told(rule: dict | str | None, currency: str, known: Catalogue) -> tuple[str, str | None]:
    if rule is None:
        return STATIC, None
    try:
        return english(parse(rule, known), currency=currency, catalogue=known), None
    except InvalidRule as error:
        return f"This rule is no longer valid. {error} Open the segment and edit its rule.", str(error)


@dataclass(frozen=True)
class SegmentInfo:
    """One segment. `rule` is its JSON, None for a static list; `size` is None before the first refresh.

    `stale`: its people may not be those its rule chooses, because it has another one since, or no refresh.
    """

    segment_id: int
    version: int
    name: str
    description: str
    rule: dict | None
    size: int | None
    refreshed_at: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    static: bool = False
    refresh_error: str | None = None
    stale: bool = False


def segment(session: Session, segment_id: int) -> SegmentInfo:
    """One segment. Raises NotFound."""
    row = session.execute(select(_SEGMENT, _STALE).where(_SEGMENT.c.id == segment_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no segment {segment_id}. It may have been deleted; go back to the list.")
    return SegmentInfo(
        segment_id=row.id,
        version=row.version,
        name=row.name,
        description=row.description,
        rule=row.rule,
        size=row.size,
        refreshed_at=row.refreshed_at,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        static=row.static,
        refresh_error=row.refresh_error,
        stale=row.stale,
    )


def count(session: Session, rule: Rule, *, as_of: datetime) -> int:
    """How many customers a rule chooses. Raises InvalidRule."""
    chosen = _chosen(session, rule, as_of)
    return session.scalar(select(func.count()).select_from(Customer).where(*chosen))


@dataclass(frozen=True)
class Audience:
    """How many a rule chooses out of everybody, and whom of these missing data decides."""

    people: int
    everybody: int
    undecided: Undecided


def audience(session: Session, rule: Rule, *, as_of: datetime) -> Audience:
    """How many customers a rule chooses, and how many are in or left out for want of data."""
    known = catalogue(session)
    node = _node(rule, known)
    when = {"as_of": as_of, "timezone": workspace(session).timezone, "catalogue": known}
    counts = select(func.count().filter(to_sql.condition(node, **when)), func.count())
    people, everybody = session.execute(counts.select_from(Customer).where(to_sql.present())).one()
    return Audience(people, everybody, undecided(session, node, as_of=as_of, catalogue=known))


def people(
    session: Session,
    rule: Rule,
    *,
    as_of: datetime,
    limit: int | None = None,
    offset: int = 0,
    sort: str = "name",
    descending: bool = False,
) -> pd.DataFrame:
    """The customers whom a rule chooses, one row each.

    customer_id, name, email, city, country, orders, spend_minor, last_order_at, engagement. Missing values
    sort last. Raises InvalidRule, and InvalidInput for a sort that `customers.SORTS` has not.
    """
    rows = (
        _people(_SHORT)
        .where(*_chosen(session, rule, as_of))
        .order_by(*_order(sort, descending), Customer.id)
        .limit(limit)
        .offset(offset)
    )
    return _tidy(read(session, rows))


def sample(session: Session, rule: Rule, *, as_of: datetime, size: int = 10) -> pd.DataFrame:
    """Some of the people a rule chooses, the same ones each time. Columns as in `people`."""
    rows = (
        _people(_SHORT)
        .where(*_chosen(session, rule, as_of))
        .order_by(Customer.split_bucket, Customer.id)
        .limit(size)
    )
    return _tidy(read(session, rows))


def members(
    session: Session,
    *,
    as_of: datetime,
    segment_id: int,
    limit: int | None = None,
    offset: int = 0,
    sort: str = "",
    descending: bool = False,
    after: int = 0,
) -> pd.DataFrame:
    """Everybody who was in a segment at its last refresh, by id; customers deleted since are left out.

    One row each: who they are, what they allow, orders, spend_minor, last_order_at, engagement, and
    entered_at. `after`: only those with a greater id. Raises NotFound for an unknown segment, InvalidInput
    for a sort that `SORTS` has not.
    """
    segment(session, segment_id)
    order = _order(sort, descending) if sort else []
    rows = (
        _people(_LONG)
        .add_columns(SegmentMember.entered_at)
        .join(SegmentMember, SegmentMember.customer_id == Customer.id)
        .where(*_membership(segment_id, as_of), *([SegmentMember.customer_id > after] if after else []))
        .order_by(*order, Customer.id)
        .limit(limit)
        .offset(offset)
    )
    frame = _tidy(read(session, rows))
    return frame.assign(entered_at=pd.to_datetime(frame["entered_at"], utc=True))


def member_count(session: Session, *, as_of: datetime, segment_id: int) -> int:
    """How many people `members` finds."""
    people_in = select(func.count()).select_from(Customer)
    joined = people_in.join(SegmentMember, SegmentMember.customer_id == Customer.id)
    return session.scalar(joined.where(*_membership(segment_id, as_of)))


def these(customer_ids: Iterable[int]) -> Select:
    """A select of the ids of these customers, for putting them on a list or taking them off."""
    return select(Customer.id).where(Customer.id.in_(list(customer_ids)))


def size_history(
    session: Session, *, as_of: datetime, segment_id: int | None = None, limit: int = HISTORY_LENGTH
) -> pd.DataFrame:
    """The latest refreshes of one segment or of all, oldest first.

    segment_id, as_of, size, entered, left, duration_ms; at most `limit` rows for each segment.
    """
    latest = (
        func.row_number()
        .over(partition_by=SegmentRefresh.segment_id, order_by=SegmentRefresh.id.desc())
        .label("place")
    )
    numbered = select(SegmentRefresh, latest).where(SegmentRefresh.as_of <= as_of)
    if segment_id is not None:
        numbered = numbered.where(SegmentRefresh.segment_id == segment_id)
    refresh = numbered.subquery()
    rows = (
        select(
            refresh.c.segment_id,
            refresh.c.as_of,
            refresh.c.size,
            refresh.c.entered,
            refresh.c.left,
            refresh.c.duration_ms,
        )
        .where(refresh.c.place <= limit)
        .order_by(refresh.c.segment_id, refresh.c.id)
    )
    frame = read(session, rows)
    return frame.assign(as_of=pd.to_datetime(frame["as_of"], utc=True))


def used_by(session: Session, segment_id: int) -> pd.DataFrame:
    """The campaigns that go to a segment or leave it out, by name: campaign_id, name, status."""
    leaving_out = select(CampaignExclusion.campaign_id).where(CampaignExclusion.segment_id == segment_id)
    rows = (
        select(Campaign.id.label("campaign_id"), Campaign.name, Campaign.status)
        .where(or_(Campaign.segment_id == segment_id, Campaign.id.in_(leaving_out)))
        .order_by(Campaign.name_folded)
    )
    return read(session, rows)


def _order(sort: str, descending: bool) -> list:
    if sort not in SORTS:
        raise InvalidInput({"sort": f"People cannot be sorted by '{sort}'. Use one of {', '.join(SORTS)}."})
    return [(column.desc() if descending else column.asc()).nulls_last() for column in SORTS[sort]]


def _membership(segment_id: int, as_of: datetime) -> tuple:
    return (
        SegmentMember.segment_id == segment_id,
        SegmentMember.entered_at <= as_of,
        Customer.deleted_at.is_(None),
    )


def _node(rule: Rule, known: Catalogue) -> Node:
    return parse(rule, known) if isinstance(rule, dict | str) else rule


def _chosen(session: Session, rule: Rule, as_of: datetime) -> tuple:
    known = catalogue(session)
    timezone = workspace(session).timezone
    chosen = to_sql.chosen(_node(rule, known), as_of=as_of, timezone=timezone, catalogue=known)
    return to_sql.present(), chosen


_SHORT = (Customer.first_name, Customer.last_name, Customer.email, Customer.city, Customer.country)
_LONG = (
    Customer.external_id,
    *_SHORT,
    Customer.phone,
    Customer.postal_code,
    *(getattr(Customer, f"consent_{channel}") for channel in Channel),
)


def _people(columns: Iterable) -> Select:
    return select(
        Customer.id.label("customer_id"),
        *columns,
        Customer.orders,
        cast(Customer.spend_minor, BigInteger).label("spend_minor"),
        Customer.last_order_at,
        Customer.engagement,
    )


def _tidy(frame: pd.DataFrame) -> pd.DataFrame:
    names = frame["first_name"].fillna("").astype(str) + " " + frame["last_name"].fillna("").astype(str)
    names = names.str.strip()
    frame = frame.assign(last_order_at=pd.to_datetime(frame["last_order_at"], utc=True))
    frame.insert(1, "name", names.where(names != "", None))
    if "external_id" not in frame:
        frame = frame.drop(columns=["first_name", "last_name"])
    return frame.astype({"engagement": "Float64"})

"""What the data have in a field or measure of rules: its values with how often, and how its numbers lie."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from ma.analytics.workspace import workspace
from ma.clock import local_day
from ma.errors import InvalidInput
from ma.models import Category, Customer, Purchase, PurchaseLine
from ma.rules.catalogue import STANDARD, Catalogue
from ma.rules.events import LINE_FIELDS, MEASURES, EventKind
from ma.rules.facts import field_fact
from ma.rules.fields import Field, Kind

MOST_VALUES = 200
# Of larger tables only so many of the newest rows are read: a list to choose from must not take seconds.
MOST_ROWS = 200_000
MOST_PEOPLE = 20_000
BINS = 12


@dataclass(frozen=True)
class Choices:
    """The values of a field, the commonest first.

    `frame` has value (str) and count (int): customers, or for an event's field its rows. Where not `exact`
    only the newest `rows` were read, and the counts are of those. `complete`: there is no other value.
    """

    frame: pd.DataFrame
    rows: int
    exact: bool
    complete: bool


def choices(
    session: Session, field: str, *, event: str | None = None, catalogue: Catalogue = STANDARD
) -> Choices:
    """The values that a field of the profile, or of an event, has in the data.

    Raises InvalidInput for a field without a list of values.
    """
    fields = catalogue.events[event].fields if event else catalogue.fields
    if field not in fields or not fields[field].suggests:
        raise InvalidInput({"field": f"'{field}' has no list of values."})
    if event:
        rows = _of_event(fields[field], catalogue.events[event]).limit(MOST_ROWS)
    else:
        rows = _of_profile(fields[field])
    read, count = rows.subquery(), func.count()
    counted = (
        select(read.c.value, count.label("count"), func.sum(count).over().label("rows"))
        .group_by(read.c.value)
        .order_by(read.c.value.is_(None), count.desc(), read.c.value)
        .limit(MOST_VALUES)
    )
    frame = pd.DataFrame(session.execute(counted).all(), columns=["value", "count", "rows"])
    total = int(frame["rows"].iloc[0]) if len(frame) else 0
    known = frame.loc[frame["value"].notna(), ["value", "count"]]
    exact = total < MOST_ROWS or (event is None and not _is_long(fields[field]))
    return Choices(known.reset_index(drop=True), total, exact, exact and len(frame) < MOST_VALUES)


def _is_long(field: Field) -> bool:
    """Whether it has as many values as people write, so that counting them all takes long."""
    return field.kind in (Kind.TEXT, Kind.CODE) and field.rows is None


def _of_profile(field: Field) -> Select:
    value = field_fact(field).label("value")
    if field.rows is None:
        rows = select(value).where(Customer.deleted_at.is_(None))
        return rows.order_by(Customer.id.desc()).limit(MOST_ROWS) if _is_long(field) else rows
    theirs = (Customer.id == field.rows.owner, Customer.deleted_at.is_(None))
    return select(value).where(*theirs, *field.rows.where)


def _of_event(field: Field, event: EventKind) -> Select:
    value = field_fact(field).label("value")
    newest = event.owner.class_.id.desc()
    if field.name not in LINE_FIELDS:
        return select(value).where(*event.where).order_by(newest)
    lines = select(value).select_from(PurchaseLine).join(Purchase, Purchase.id == PurchaseLine.purchase_id)
    return (
        lines.outerjoin(Category, Category.id == PurchaseLine.category_id)
        .where(*event.where)
        .order_by(newest)
    )


@dataclass(frozen=True)
class Spread:
    """How the numbers of customers lie.

    `bins` has low, high and customers; the last bin is open to the right where `beyond` is not 0: so many
    have more. `half` and `tenth`: what half of them and a tenth of them have at least. `known` customers were
    looked at; of more than that, a random part (`exact` is False).
    """

    bins: pd.DataFrame
    half: float
    tenth: float
    known: int
    beyond: int
    exact: bool


def spread(
    session: Session,
    *,
    as_of: datetime,
    field: str | None = None,
    event: str | None = None,
    measure: str = "count",
    catalogue: Catalogue = STANDARD,
) -> Spread | None:
    """How a number of the profile lies among customers, or a measure over all events of a kind so far.

    Amounts are in minor units. None where nobody has one. Only customers with at least one such event count.
    """
    if field is not None:
        numbers = _numbers_of_profile(session, catalogue.fields[field], as_of)
    else:
        numbers = _numbers_of_events(session, catalogue.events[event], measure, as_of)
    exact = len(numbers) < MOST_PEOPLE
    numbers = numbers.dropna().to_numpy(dtype=float)
    return _spread(numbers, exact) if len(numbers) else None


def _numbers_of_profile(session: Session, field: Field, as_of: datetime) -> pd.Series:
    rows = select(field.column).where(Customer.deleted_at.is_(None), field.column.is_not(None))
    if field.rows is not None:
        rows = rows.where(Customer.id == field.rows.owner, *field.rows.where)
    rows = rows.order_by(Customer.split_bucket, Customer.id).limit(MOST_PEOPLE)
    found = pd.Series(session.scalars(rows).all(), dtype=object)
    if field.kind is not Kind.AGE or found.empty:
        return found
    today = local_day(as_of, workspace(session).timezone)
    born = pd.to_datetime(found)
    had = (born.dt.month * 100 + born.dt.day) <= today.month * 100 + today.day
    return today.year - born.dt.year - (~had).astype(int)


def _numbers_of_events(session: Session, event: EventKind, measure: str, as_of: datetime) -> pd.Series:
    some = (
        select(Customer.id)
        .where(Customer.deleted_at.is_(None))
        .order_by(Customer.split_bucket, Customer.id)
        .limit(MOST_PEOPLE)
    )
    owner = event.owner
    rows = (
        select(_measured(event, measure))
        .where(owner.in_(some), event.at <= as_of, *event.where)
        .group_by(owner)
        .order_by(owner)
    )
    found = pd.Series(session.scalars(rows).all(), dtype=object)
    if not measure.startswith("days_since"):
        return found
    zone = workspace(session).timezone
    days = pd.to_datetime(found, utc=True).dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
    return (pd.Timestamp(local_day(as_of, zone)) - days).dt.days


def _measured(event: EventKind, measure: str) -> ColumnElement:
    if MEASURES[measure].of_amount:
        return getattr(func, measure)(event.amount)
    return {"count": func.count, "days_since_last": func.max, "days_since_first": func.min}[measure](event.at)


def _spread(numbers: np.ndarray, exact: bool) -> Spread:
    half, tenth = np.quantile(numbers, [0.5, 0.9], method="inverted_cdf")
    low, high = numbers.min(), np.quantile(numbers, 0.98, method="higher")
    whole = bool(np.all(numbers == np.floor(numbers)))
    if low == high:
        edges = np.array([low, low + 1])
    elif whole and high - low < BINS:
        edges = np.arange(low, high + 2)
    else:
        edges = np.linspace(low, high, BINS + 1)
        edges = np.unique(np.floor(edges)) if whole else edges
        edges[-1] = max(edges[-1], high)
    counts, _ = np.histogram(np.minimum(numbers, high), edges)
    bins = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "customers": counts})
    beyond = int((numbers > high).sum())
    return Spread(bins, float(half), float(tenth), len(numbers), beyond, exact)

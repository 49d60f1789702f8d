"""Cohorts: customers by the calendar month of their first purchase, and how they went on buying."""

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import BigInteger, ColumnElement, Select, case, cast, literal, or_, select
from sqlalchemy.orm import Session

from ma import clock
from ma.analytics.calibration import wilson
from ma.analytics.rates import ratio
from ma.analytics.segments import segment
from ma.analytics.workspace import workspace
from ma.clock import MICROSECOND
from ma.db.cohorts import COLUMNS, cohort_sums
from ma.db.planning import unindexed
from ma.errors import InvalidInput
from ma.models import Customer, Purchase, SegmentMember
from ma.rules.fields import FIELDS, Field, Kind
from ma.rules.to_sql import present

# What a cell of the table can show: the column of `cohorts`, its label and its unit (as in `kpis`).
MEASURES: dict[str, tuple[str, str]] = {
    "retention": ("Retention", "rate"),
    "customers": ("Customers", "people"),
    "orders": ("Orders", "orders"),
    "revenue_minor": ("Revenue", "minor"),
    "cumulative_revenue_per_customer_minor": ("Revenue per customer so far", "minor"),
}
_SALE = "sale"


def filter_fields() -> dict[str, Field]:
    """The profile fields by which cohorts can be filtered: those with a few values, by name."""
    return {name: field for name, field in FIELDS.items() if field.kind is Kind.CHOICE}


def cohorts(
    session: Session,
    *,
    as_of: datetime,
    field: str = "",
    value: str | None = None,
    segment_id: int | None = None,
    newest: int | None = None,
) -> pd.DataFrame:
    """Customers by the month of their first purchase, and what they bought in each month since.

    One row for each cohort and month up to that of `as_of`, oldest cohort first: cohort and month (the first
    days of two calendar months of the workspace's time zone), month_number (0 in the month of the first
    purchase), cohort_customers (people in the cohort), customers (of them, with a purchase in the month),
    orders, revenue_minor (purchases less refunds), retention (customers ÷ cohort_customers),
    cumulative_revenue_per_customer_minor (all revenue up to the month's end ÷ cohort_customers), complete
    (False in the month that is not over: its figures are those so far). Months to come have no row.

    Of everybody who bought and is not deleted; of those with one `value` of a profile field (a name of
    `filter_fields`; "" stands for those of whom it is unknown), of those in a segment at its last refresh.
    `newest`: only the cohorts of so many months up to that of `as_of`.

    Raises InvalidInput for another field or a field without a value, NotFound for an unknown segment.
    Source: docs/metrics.md#cohorts
    """
    chosen = _chosen(session, as_of, field, value, segment_id)
    zone = workspace(session).timezone
    months = _months(session, as_of, zone)
    if not months:
        return _frame(pd.DataFrame(columns=COLUMNS), months, 0)
    starts = [clock.day_start(month, zone) for month in months]
    # The instant as_of itself is counted: a month is over with its last microsecond.
    over = sum(1 for start in starts[1:] if start <= as_of + MICROSECOND)
    over += clock.day_start(_after(months[-1]), zone) <= as_of + MICROSECOND
    return recent(_frame(cohort_sums(session, _facts(as_of, starts, chosen)), months, over), newest)


def retention_curve(
    session: Session,
    *,
    as_of: datetime,
    field: str = "",
    value: str | None = None,
    segment_id: int | None = None,
    newest: int | None = None,
) -> pd.DataFrame:
    """How many of all customers bought again in each month after the first; columns as in `curve_of`.

    Filters as in `cohorts`.
    """
    chosen = {"field": field, "value": value, "segment_id": segment_id, "newest": newest}
    return curve_of(cohorts(session, as_of=as_of, **chosen))


def cohort_summary(
    session: Session,
    *,
    as_of: datetime,
    field: str = "",
    value: str | None = None,
    segment_id: int | None = None,
    newest: int | None = None,
) -> pd.DataFrame:
    """One row per cohort: its size, what it brought so far, and its retention; columns as in `summary_of`.

    Filters as in `cohorts`.
    """
    chosen = {"field": field, "value": value, "segment_id": segment_id, "newest": newest}
    return summary_of(cohorts(session, as_of=as_of, **chosen))


def recent(frame: pd.DataFrame, newest: int | None) -> pd.DataFrame:
    """The rows of the cohorts of so many months up to the present one; None: all."""
    if newest is None or frame.empty:
        return frame
    # Every cohort has a row for the present month.
    since = _number(frame["month"]).max() - newest
    return frame[_number(frame["cohort"]) > since].reset_index(drop=True)


def _number(months: pd.Series) -> pd.Series:
    """Calendar months as numbers that follow each other."""
    return months.dt.year.astype("int64") * 12 + months.dt.month


def curve_of(frame: pd.DataFrame) -> pd.DataFrame:
    """The average retention of cohorts, weighted by their size, from rows of `cohorts`.

    One row for each month number from 1 that at least one cohort has behind it: month_number, cohorts (how
    many have), cohort_customers (people in them), customers (of them, with a purchase in that month),
    retention (customers ÷ cohort_customers), low and high: its 95 % interval (Wilson 1927) over these people.
    """
    known = frame[frame["complete"].astype(bool) & (frame["month_number"] > 0)]
    groups = known.groupby("month_number", sort=True)
    found = groups[["cohort_customers", "customers"]].sum().astype("int64")
    found.insert(0, "cohorts", groups.size().astype("int64"))
    found = found.reset_index().astype({"month_number": "int64"})
    found["retention"] = ratio(found["customers"], found["cohort_customers"])
    ends = [wilson(row.retention, row.cohort_customers) for row in found.itertuples()]
    return found.assign(low=[low for low, _ in ends], high=[high for _, high in ends])


def summary_of(frame: pd.DataFrame, *, months: tuple[int, ...] = (1, 3, 6, 12)) -> pd.DataFrame:
    """One row per cohort from rows of `cohorts`, newest first.

    cohort, cohort_customers, orders, revenue_minor (both to date), revenue_per_customer_minor, complete
    (whether the month of the first purchase is over), and retention_1, retention_3 …: of the months that are
    over, NaN where one is not.
    """
    groups = frame.groupby("cohort", sort=True)
    found = groups[["cohort_customers", "complete"]].first()
    found[["orders", "revenue_minor"]] = groups[["orders", "revenue_minor"]].sum()
    found["revenue_per_customer_minor"] = ratio(found["revenue_minor"], found["cohort_customers"])
    for number in months:
        cells = frame[(frame["month_number"] == number) & frame["complete"].astype(bool)].set_index("cohort")
        found[f"retention_{number}"] = cells["retention"].astype(float).reindex(found.index)
    return found.iloc[::-1].reset_index()


def cohort_rule(
    cohort: date, *, field: str = "", value: str | None = None, segment_id: int | None = None
) -> dict:
    """The rule that chooses a cohort's people, with the filters of `cohorts`."""
    last = _after(cohort) - timedelta(days=1)
    rules = [{"field": "first_order", "operator": "between", "value": [cohort.isoformat(), last.isoformat()]}]
    if field:
        known = {"operator": "eq", "value": value} if value else {"operator": "is_missing"}
        rules.append({"field": field} | known)
    if segment_id is not None:
        rules.append({"in_segment": segment_id})
    return {"all": rules}


def _has(field: Field, value: str) -> ColumnElement:
    """Whether a customer has a value of a field; "": whether it is unknown."""
    column = field.column
    if field.rows is None:
        return column == value if value else or_(column.is_(None), column == "")
    rows = select(field.rows.owner).where(*field.rows.where)
    if value:
        return Customer.id.in_(rows.where(column == value))
    return Customer.id.not_in(rows.where(column.is_not(None), column != ""))


def _chosen(
    session: Session, as_of: datetime, name: str, value: str | None, segment_id: int | None
) -> ColumnElement:
    """Whose purchases count, as a condition on them."""
    conditions = []
    if name:
        if name not in filter_fields():
            known = ", ".join(filter_fields())
            raise InvalidInput({"field": f"Cohorts cannot be filtered by '{name}'. Use one of {known}."})
        if value is None:
            raise InvalidInput({"value": f"Say which {FIELDS[name].label} is meant."})
        conditions.append(_has(FIELDS[name], value))
    if segment_id is not None:
        segment(session, segment_id)
        inside = select(SegmentMember.customer_id).where(
            SegmentMember.segment_id == segment_id, SegmentMember.entered_at <= as_of
        )
        conditions.append(Customer.id.in_(inside))
    if conditions:
        return Purchase.customer_id.in_(select(Customer.id).where(present(), *conditions))
    # Few are deleted: a short list is looked through faster than one of everybody else.
    return Purchase.customer_id.not_in(select(Customer.id).where(Customer.deleted_at.is_not(None)))


def first_purchase(session: Session, *, as_of: datetime) -> datetime | None:
    """When somebody known bought for the first time of all; None where nobody has yet."""
    return session.scalar(
        select(Purchase.at)
        .where(Purchase.kind == _SALE, Purchase.customer_id.is_not(None), Purchase.at <= as_of)
        .order_by(Purchase.at)
        .limit(1)
    )


def _months(session: Session, as_of: datetime, zone: str) -> list[date]:
    """The first days of the calendar months from the first purchase on, up to that of `as_of`."""
    first = first_purchase(session, as_of=as_of)
    if first is None:
        return []
    found, last = [clock.local_day(first, zone).replace(day=1)], clock.local_day(as_of, zone)
    while (following := _after(found[-1])) <= last:
        found.append(following)
    return found


def _after(month: date) -> date:
    """The first day of the next month."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def _facts(as_of: datetime, starts: list[datetime], chosen: ColumnElement) -> Select:
    # Customer by customer: so it takes half as long to count them in numpy.
    return select(
        Purchase.customer_id.label("owner"),
        _month_number(Purchase.at, starts).label("period"),
        case((Purchase.kind == _SALE, 1), else_=0).label("counts"),
        cast(Purchase.amount_minor, BigInteger).label("amount"),
    ).where(Purchase.customer_id.is_not(None), unindexed(Purchase.at) <= as_of, chosen)


def _month_number(at: ColumnElement, starts: list[datetime], first: int = 0) -> ColumnElement:
    """The number of the month in which an instant lies, from those at which the months begin.

    Beginnings of months are instants: no engine needs to know time zones. Cut in halves, so that few of them
    are tested on each row. What lies before the first month is put into it.
    """
    if len(starts) == 1:
        return literal(first)
    middle = len(starts) // 2
    earlier = _month_number(at, starts[:middle], first)
    return case((at < starts[middle], earlier), else_=_month_number(at, starts[middle:], first + middle))


def _frame(sums: pd.DataFrame, months: list[date], over: int) -> pd.DataFrame:
    """Every cohort with every month that has begun; months in which nothing was bought are 0."""
    size = len(months)
    cells = np.zeros((3, size, size), dtype=np.int64)
    first, period = sums["first"].to_numpy(dtype=int), sums["period"].to_numpy(dtype=int)
    for place, name in enumerate(("owners", "facts", "amount")):
        cells[place, first, period] = sums[name].to_numpy(dtype=np.int64)
    rows, columns = np.triu_indices(size)
    people = cells[0].diagonal()[rows]
    there = people > 0
    rows, columns, people = rows[there], columns[there], people[there]
    days = pd.to_datetime(pd.Series(months, dtype=object)).to_numpy()
    found = pd.DataFrame(
        {
            "cohort": days[rows] if size else pd.Series(dtype="datetime64[s]"),
            "month": days[columns] if size else pd.Series(dtype="datetime64[s]"),
            "month_number": columns - rows,
            "cohort_customers": people,
            "customers": cells[0][rows, columns],
            "orders": cells[1][rows, columns],
            "revenue_minor": cells[2][rows, columns],
        }
    )
    found["retention"] = ratio(found["customers"], found["cohort_customers"])
    so_far = found.groupby("cohort")["revenue_minor"].cumsum()
    found["cumulative_revenue_per_customer_minor"] = ratio(so_far, found["cohort_customers"])
    return found.assign(complete=columns < over)

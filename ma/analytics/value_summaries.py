"""What customers bought as the value models see it: how often they came back, how recently, since when.

A purchase here is a calendar day (in the workspace's time zone) with at least one sale: two orders of one
day are one decision to buy. Everything is read once, as days of purchase, and worked out from those.
"""

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd
from sqlalchemy import BigInteger, ColumnElement, Select, case, cast, func, select
from sqlalchemy.orm import Session

from ma.analytics.cohorts import first_purchase
from ma.analytics.workspace import workspace
from ma.clock import MICROSECOND, local_day
from ma.db.days import day_number
from ma.db.planning import unindexed
from ma.db.whole_numbers import columns
from ma.models import Customer, Purchase

WEEK = 7
# A customer's id and a day fit into one whole number, which is read faster than two.
_DAYS = 2**17
_SALE = "sale"
_EPOCH = date(1970, 1, 1)
# So many ids are read at a time: SQLite sends a column as one text, which has a longest length.
_RANGE = 500_000


@dataclass(frozen=True, eq=False)
class PurchaseDays:
    """The days on which customers bought, up to `today`, in the order of customers and then of days.

    One entry for each customer and day: customer_id, day, orders, sales_minor. Days are counted from
    1970-01-01. `refunds_minor`: what was given back in all, by customer, below 0. Deleted customers and
    unknown buyers are left out.
    """

    customer_id: np.ndarray
    day: np.ndarray
    orders: np.ndarray
    sales_minor: np.ndarray
    refunds_minor: pd.Series
    today: int

    @property
    def span(self) -> int:
        """How many days ago the first purchase of all was; 0 where nobody bought."""
        return self.today - int(self.day.min()) if len(self.day) else 0

    def until(self, day: int) -> "PurchaseDays":
        """What one would have seen at the end of an earlier day; what was given back is left out."""
        there = self.day <= day
        parts = (self.customer_id, self.day, self.orders, self.sales_minor)
        return PurchaseDays(*(part[there] for part in parts), pd.Series(dtype="int64"), day)


def summaries(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """Each customer who bought, as the value models see them; whoever never bought has no row.

    customer_id, frequency (days with a sale after the first such day), recency (days from the first to the
    last of them), T (days from the first to that of `as_of`), monetary_value (mean sales of the days after
    the first, in minor units; NaN without one or where they come to nothing), orders, spend_minor (less what
    was given back, as in the profile), days_since_last_order.
    Source: docs/metrics.md#scores
    """
    return summaries_of(purchase_days(session, as_of=as_of))


def calibration_summaries(session: Session, *, as_of: datetime, cut: date) -> pd.DataFrame:
    """Who had bought by the day `cut`, summarised as of then, and how often they came back after it.

    Columns of `held_out_of`.
    """
    days = purchase_days(session, as_of=as_of)
    return held_out_of(days, cut=(cut - _EPOCH).days)


def purchase_days(session: Session, *, as_of: datetime) -> PurchaseDays:
    """All purchases up to an instant, by customer and day."""
    place = workspace(session)
    today = (local_day(as_of, place.timezone) - _EPOCH).days
    first = first_purchase(session, as_of=as_of)
    if first is None:
        nothing = np.empty(0, dtype=np.int64)
        return PurchaseDays(nothing, nothing, nothing, nothing, pd.Series(dtype="int64"), today)
    day = day_number(Purchase.at, timezone=place.timezone, start=first, end=as_of + MICROSECOND)
    low, high = session.execute(select(func.min(Purchase.customer_id), func.max(Purchase.customer_id))).one()
    parts = [
        _grouped(*columns(session, _facts(day, as_of, start, start + _RANGE)))
        for start in range(low, high + 1, _RANGE)
    ]
    arrays = [np.concatenate(part) for part in zip(*(found for found, _ in parts), strict=True)]
    return PurchaseDays(*arrays, pd.concat([refunds for _, refunds in parts]), today)


def _facts(day: ColumnElement, as_of: datetime, first_id: int, end_id: int) -> Select:
    # Few are deleted: a short list is looked through faster than one of everybody else.
    gone = select(Customer.id).where(Customer.deleted_at.is_not(None))
    return select(
        (cast(Purchase.customer_id, BigInteger) * _DAYS + day).label("place"),
        cast(Purchase.amount_minor, BigInteger).label("amount"),
        case((Purchase.kind == _SALE, 1), else_=0).label("sale"),
    ).where(
        Purchase.customer_id >= first_id,
        Purchase.customer_id < end_id,
        unindexed(Purchase.at) <= as_of,
        Purchase.customer_id.not_in(gone),
    )


def _grouped(place: np.ndarray, amount: np.ndarray, sale: np.ndarray) -> tuple[tuple, pd.Series]:
    """(customer_id, day, orders, sales) of the days with a sale, in order; and refunds by customer."""
    sold = sale == 1
    refunds = pd.Series(amount[~sold]).groupby(place[~sold] // _DAYS).sum()
    place, amount = place[sold], amount[sold]
    if len(place) and (np.diff(place) < 0).any():
        order = np.argsort(place, kind="stable")
        place, amount = place[order], amount[order]
    begins = _begins(place)
    customer_id, day = np.divmod(place[begins], _DAYS)
    orders = np.diff(begins, append=len(place))
    return (customer_id, day, orders, _sums(amount, begins)), refunds


def _begins(values: np.ndarray) -> np.ndarray:
    """Where runs of equal values begin."""
    return np.flatnonzero(np.diff(values, prepend=-1))


def _sums(values: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """The sums of the runs that begin there."""
    return np.add.reduceat(values, begins) if len(begins) else values[:0]


def summaries_of(days: PurchaseDays) -> pd.DataFrame:
    """Columns as in `summaries`, from days of purchase."""
    begins = _begins(days.customer_id)
    ends = np.append(begins[1:], len(days.day))[: len(begins)] - 1
    first, last = days.day[begins], days.day[ends]
    frequency, sales = ends - begins, _sums(days.sales_minor, begins)
    repeat = sales - days.sales_minor[begins]
    there = (frequency > 0) & (repeat > 0)
    customer_id = days.customer_id[begins]
    refunds = days.refunds_minor.reindex(customer_id, fill_value=0).to_numpy(dtype=np.int64)
    return pd.DataFrame(
        {
            "customer_id": customer_id,
            "frequency": frequency,
            "recency": last - first,
            "T": days.today - first,
            "monetary_value": np.divide(repeat, frequency, where=there, out=np.full(len(begins), np.nan)),
            "orders": _sums(days.orders, begins),
            "spend_minor": sales + refunds,
            "days_since_last_order": days.today - last,
        }
    )


def held_out_of(days: PurchaseDays, *, cut: int) -> pd.DataFrame:
    """The summaries of who had bought by the end of the day `cut`, and what came after it.

    customer_id, frequency, recency, T and monetary_value as of the cut, and held_out: on how many later days
    they bought.
    """
    before = summaries_of(days.until(cut))
    known = ["customer_id", "frequency", "recency", "T", "monetary_value"]
    begins = _begins(days.customer_id)
    visits = pd.Series(np.diff(begins, append=len(days.day)), index=days.customer_id[begins])
    in_all = visits.reindex(before["customer_id"]).to_numpy()
    return before[known].assign(held_out=in_all - before["frequency"] - 1)


def weekly_of(days: PurchaseDays, *, cut: int) -> pd.DataFrame:
    """How often the customers who had bought by the day `cut` came back, added up week by week.

    One row for each week up to `today`, counted back from it, so that only the first one may be short:
    week (from 1), days (since the first purchase of all, at the week's end), repeats (days of purchase after
    each customer's first, up to then).
    """
    begins = _begins(days.customer_id)
    first = np.repeat(days.day[begins], np.diff(begins, append=len(days.day)))
    repeat = (first <= cut) & (days.day > first)
    weeks = max(-(-days.span // WEEK), 1)
    ago = (days.today - days.day[repeat]) // WEEK
    per_week = np.bincount(weeks - 1 - np.minimum(ago, weeks - 1), minlength=weeks)
    number = np.arange(1, weeks + 1)
    return pd.DataFrame(
        {
            "week": number,
            "days": days.span - WEEK * (weeks - number),
            "repeats": per_week.cumsum(),
        }
    )

"""The key figures of a period, their change, and their course."""

from datetime import date, datetime, timedelta

import pandas as pd
from sqlalchemy import ColumnElement, func, select, union_all
from sqlalchemy.orm import Session

from ma import clock
from ma.analytics.frames import read
from ma.analytics.rates import pooled, pooled_roi
from ma.analytics.results import totals
from ma.analytics.workspace import workspace
from ma.db.days import day_number
from ma.errors import InvalidInput, InvalidPeriod
from ma.models import BehaviourEvent, CampaignResult, Customer, Outcome, Purchase

# name -> (label, unit): the one name of each figure on screens, exports and the command line.
KPIS: dict[str, tuple[str, str]] = {
    "customers": ("Customers", "people"),
    "active": ("Active customers", "people"),
    "revenue": ("Revenue", "minor"),
    "reach": ("Reach", "people"),
    "open_rate": ("Open rate", "rate"),
    "click_rate": ("Click rate", "rate"),
    "conversion_rate": ("Conversion rate", "rate"),
    "roi": ("ROI", "ratio"),
}


def kpis(session: Session, *, as_of: datetime, start: date, end: date) -> pd.DataFrame:
    """The key figures of the days in [start, end) and of the period of the same length before it.

    Where the period is not over, the one before it is cut after the same time: part of a day is compared
    with the same part of a day.

    One row per figure: kpi, label, unit (people; minor = minor units of money; rate and ratio = 0–1),
    value, previous, change (relative for people and money, difference for rates; NaN where unknown),
    base (what the figure is made of: the denominator of a rate, the cost for ROI).

    Raises InvalidPeriod if start >= end. Source: docs/metrics.md#kpis
    """
    if start >= end:
        raise InvalidPeriod(f"The period must start before it ends: {start} is not before {end}.")
    length = end - start
    zone = workspace(session).timezone
    low, high = _bounds(start, end, zone, as_of)
    then_low = clock.day_start(start - length, zone)
    now_values, now_base = _figures(session, as_of, low, high, start, end)
    then_values, _ = _figures(
        session, as_of, then_low, min(then_low + (high - low), low), start - length, start
    )
    rows = []
    for name, (label, unit) in KPIS.items():
        value, previous = now_values[name], then_values[name]
        change = value - previous
        if unit in ("people", "minor"):
            change = change / previous if previous else float("nan")
        rows.append((name, label, unit, value, previous, change, now_base.get(name, float("nan"))))
    return pd.DataFrame(rows, columns=["kpi", "label", "unit", "value", "previous", "change", "base"])


def trend(session: Session, *, as_of: datetime, start: date, end: date, by: str = "day") -> pd.DataFrame:
    """Revenue, orders, active customers and people reached, by day or week, for days in [start, end).

    One row per day (or week, by its first day, counted from `start`): period (date), revenue_minor,
    orders, active (as in the figure of that name), reached (people sent a campaign in it, counted once),
    customers (known by its end).
    Days without anything are 0: the facts are complete up to as_of.

    Raises InvalidPeriod if start >= end, InvalidInput for another `by`.
    """
    if start >= end:
        raise InvalidPeriod(f"The period must start before it ends: {start} is not before {end}.")
    if by not in ("day", "week"):
        raise InvalidInput({"by": f"A trend goes by day or by week, not by '{by}'."})
    days = 7 if by == "week" else 1
    zone = workspace(session).timezone
    first = (start - date(1970, 1, 1)).days
    low, high = _bounds(start, end, zone, as_of)

    def bucket(column) -> ColumnElement:
        return (day_number(column, timezone=zone, start=low, end=max(high, low)) - first) // days

    sold = read(
        session,
        _grouped(
            bucket(Purchase.at),
            func.sum(Purchase.amount_minor).label("revenue_minor"),
            func.count(Purchase.id).filter(Purchase.kind == "sale").label("orders"),
        ).where(Purchase.at >= low, Purchase.at < high),
    )
    acts = _acts(low, high, zone)
    lively = read(
        session,
        select(bucket(acts.c.at).label("bucket"), func.count(acts.c.customer_id.distinct()).label("active"))
        .join(Customer, Customer.id == acts.c.customer_id)
        .where(Customer.deleted_at.is_(None))
        .group_by("bucket"),
    )
    sent = read(
        session,
        _grouped(bucket(Outcome.sent_at), func.count(Outcome.customer_id.distinct()).label("reached")).where(
            *_happened("sent", low, high, zone)
        ),
    )
    count = -(-(end - start).days // days)
    frame = pd.DataFrame({"bucket": range(count)})
    for part in (sold, lively, sent):
        frame = frame.merge(part.astype({"bucket": int}), on="bucket", how="left")
    frame = frame.fillna(0).astype(int)
    frame["customers"] = _customers_by(session, start, days, count)
    frame.insert(0, "period", pd.to_datetime(start) + pd.to_timedelta(frame.pop("bucket") * days, unit="D"))
    return frame


def _customers_by(session: Session, start: date, days: int, count: int) -> list[int]:
    """How many customers were known by the end of each bucket."""
    known = Customer.deleted_at.is_(None)
    joined = read(
        session,
        select(Customer.joined_on, func.count().label("people"))
        .where(known, Customer.joined_on >= start)
        .group_by(Customer.joined_on),
    )
    before = session.scalar(
        select(func.count()).where(known, (Customer.joined_on < start) | Customer.joined_on.is_(None))
    )
    bucket = (pd.to_datetime(joined["joined_on"]) - pd.to_datetime(start)).dt.days // days
    added = joined.groupby(bucket)["people"].sum().reindex(range(count), fill_value=0)
    return (int(before or 0) + added.cumsum()).astype(int).tolist()


def _grouped(bucket: ColumnElement, *figures: ColumnElement):
    return select(bucket.label("bucket"), *figures).group_by("bucket")


def _bounds(start: date, end: date, zone: str, as_of: datetime) -> tuple[datetime, datetime]:
    instant_after = as_of + timedelta(microseconds=1)
    return clock.day_start(start, zone), min(clock.day_start(end, zone), instant_after)


def _figures(
    session: Session, as_of: datetime, low: datetime, high: datetime, start: date, end: date
) -> tuple[dict, dict]:
    """The values and bases of one period. Rates and ROI pool the campaigns launched in it."""
    zone = workspace(session).timezone
    launched = totals(session, as_of=as_of, start=start, end=end)
    values = {
        "customers": _customers(session, end, high),
        "active": _active(session, low, high, zone),
        "revenue": _revenue(session, low, high),
        "reach": _reach(session, low, high, zone),
        "open_rate": pooled(launched, "opened"),
        "click_rate": pooled(launched, "clicked"),
        "conversion_rate": pooled(launched, "converted"),
        "roi": pooled_roi(launched),
    }
    base = {
        "open_rate": _base(launched, "opened"),
        "click_rate": _base(launched, "clicked"),
        "conversion_rate": _base(launched, "converted"),
        "roi": float(launched["cost_minor"].sum()),
    }
    return values, base


def _base(launched: pd.DataFrame, step: str) -> float:
    known = launched[launched[step].notna()]
    return float(known["delivered"].fillna(known["sent"]).sum())


def _customers(session: Session, end: date, high: datetime) -> int:
    joined = (Customer.joined_on < end) | (Customer.joined_on.is_(None) & (Customer.created_at < high))
    query = select(func.count(Customer.id)).where(Customer.deleted_at.is_(None), joined)
    return session.scalar(query) or 0


def _acts(low: datetime, high: datetime, zone: str):
    """Everything that makes a customer active in [low, high): purchases, visits, opens and clicks."""

    def acted(customer_id, at, *where):
        return select(customer_id.label("customer_id"), at.label("at")).where(
            customer_id.is_not(None), *where
        )

    return union_all(
        acted(Purchase.customer_id, Purchase.at, Purchase.at >= low, Purchase.at < high),
        acted(
            BehaviourEvent.customer_id, BehaviourEvent.at, BehaviourEvent.at >= low, BehaviourEvent.at < high
        ),
        acted(Outcome.customer_id, Outcome.opened_at, *_happened("opened", low, high, zone)),
        acted(Outcome.customer_id, Outcome.clicked_at, *_happened("clicked", low, high, zone)),
    ).subquery()


def _happened(step: str, low: datetime, high: datetime, zone: str) -> tuple[ColumnElement, ...]:
    """That a step of an outcome happened in [low, high). Only campaigns that have such days are read."""
    at, people = getattr(Outcome, f"{step}_at"), getattr(CampaignResult, step)
    days = CampaignResult.day.between(clock.local_day(low, zone), clock.local_day(high, zone))
    return (
        Outcome.campaign_id.in_(select(CampaignResult.campaign_id).where(days, people > 0)),
        at >= low,
        at < high,
    )


def _active(session: Session, low: datetime, high: datetime, zone: str) -> int:
    acts = _acts(low, high, zone)
    query = (
        select(func.count(acts.c.customer_id.distinct()))
        .join(Customer, Customer.id == acts.c.customer_id)
        .where(Customer.deleted_at.is_(None))
    )
    return session.scalar(query) or 0


def _revenue(session: Session, low: datetime, high: datetime) -> int:
    query = select(func.sum(Purchase.amount_minor)).where(Purchase.at >= low, Purchase.at < high)
    return int(session.scalar(query) or 0)


def _reach(session: Session, low: datetime, high: datetime, zone: str) -> int:
    query = select(func.count(Outcome.customer_id.distinct())).where(*_happened("sent", low, high, zone))
    return session.scalar(query) or 0

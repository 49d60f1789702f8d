"""One customer as the value models see them, with the interval, and what would change it."""

from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.orm import Session

from ma.analytics.cohorts import first_purchase
from ma.analytics.frames import read
from ma.analytics.value_fit import restored
from ma.analytics.value_models import value_model
from ma.analytics.value_summaries import PurchaseDays, summaries_of
from ma.analytics.workspace import workspace
from ma.clock import MICROSECOND, local_day
from ma.db.days import day_number
from ma.intelligence.summaries import in_weeks
from ma.intelligence.value import HORIZON_WEEKS, expected_value, value_interval
from ma.models import Purchase

SILENT_DAYS = 90
LEVEL = 0.8
_COLUMNS = [
    "case", "repeat_orders", "alive", "churn_risk", "order_chance", "expected_orders", "orders_low",
    "orders_high", "expected_order_minor", "expected_value_minor", "value_low_minor", "value_high_minor",
]  # fmt: skip


def customer_value(session: Session, *, as_of: datetime, customer_id: int) -> pd.DataFrame:
    """What is expected of one customer in the 365 days after the last scoring, and what would change it.

    One row per case: now; order_today (if they had bought on that day; not where they did); silent (if they
    do not buy for 90 more days: expected after those). Each has repeat_orders (days with an order after the
    first one), alive (the chance that they still buy at all), churn_risk (1 less that), order_chance,
    expected_orders with orders_low and orders_high, expected_order_minor, expected_value_minor with
    value_low_minor and value_high_minor: between them lies what they bring in 8 of 10 cases. No rows where
    they had not bought or the model is unfit.
    Source: docs/metrics.md#value-page
    """
    model = value_model(session)
    models = restored(model)
    if models is None or model["as_of"] > as_of:
        return pd.DataFrame(columns=_COLUMNS)
    summary = summary_of(session, customer_id, as_of=model["as_of"])
    if summary.empty:
        return pd.DataFrame(columns=_COLUMNS)
    return cases_of(*models, summary)


def cases_of(purchases, orders, summary: pd.DataFrame) -> pd.DataFrame:
    """Columns as in `customer_value`, from the two fitted models and one customer's summary in days."""
    one = summary.iloc[0]
    worth = float(orders.predict(summary)["expected_order"].iloc[0])
    rows = {"now": one}
    if one["recency"] < one["T"]:
        rows["order_today"] = _with_order(one, worth)
    rows["silent"] = one.copy()
    rows["silent"]["T"] += SILENT_DAYS
    given = in_weeks(pd.DataFrame(list(rows.values()), index=pd.RangeIndex(len(rows))))
    found = expected_value(purchases, orders, given, HORIZON_WEEKS)
    between = value_interval(purchases, orders, given, HORIZON_WEEKS, level=LEVEL)
    return pd.DataFrame(
        {
            "case": list(rows),
            "repeat_orders": given["frequency"].astype("int64"),
            "alive": found["p_alive"],
            "churn_risk": 1.0 - found["p_alive"],
            "order_chance": found["order_chance"],
            "expected_orders": found["expected_purchases"],
            "orders_low": between["orders_low"],
            "orders_high": between["orders_high"],
            "expected_order_minor": found["expected_order"],
            "expected_value_minor": found["expected_value"],
            "value_low_minor": between["value_low"],
            "value_high_minor": between["value_high"],
        }
    )[_COLUMNS].reset_index(drop=True)


def _with_order(one: pd.Series, worth: float) -> pd.Series:
    """The same customer after another order today, worth what is expected of theirs."""
    after = one.copy()
    before = 0.0 if np.isnan(one["monetary_value"]) else one["frequency"] * one["monetary_value"]
    after["frequency"] = one["frequency"] + 1
    after["recency"] = one["T"]
    after["monetary_value"] = (before + worth) / after["frequency"]
    return after


def summary_of(session: Session, customer_id: int, *, as_of: datetime) -> pd.DataFrame:
    """One customer's row of `value_summaries.summaries`, read without the others'; none who never bought."""
    place, first = workspace(session), first_purchase(session, as_of=as_of)
    today = local_day(as_of, place.timezone).toordinal() - _EPOCH
    rows = pd.DataFrame(columns=["day", "orders", "sales_minor"])
    if first is not None:
        day = day_number(Purchase.at, timezone=place.timezone, start=first, end=as_of + MICROSECOND)
        rows = read(
            session,
            select(
                day.label("day"),
                func.count().label("orders"),
                cast(func.sum(Purchase.amount_minor), BigInteger).label("sales_minor"),
            )
            .where(Purchase.customer_id == customer_id, Purchase.kind == "sale", Purchase.at <= as_of)
            .group_by("day")
            .order_by("day"),
        )
    numbers = rows.to_numpy(dtype=np.int64).reshape(-1, 3).T
    nothing = pd.Series(dtype="int64")
    days = PurchaseDays(np.full(len(rows), customer_id), *numbers, nothing, today)
    found = summaries_of(days)[["frequency", "recency", "T", "monetary_value"]]
    return found.astype(float)


_EPOCH = 719_163  # 1970-01-01 as a proleptic ordinal

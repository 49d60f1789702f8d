"""What all customers would bring if fewer were lost or orders were larger, and what a new one brings."""

from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from ma.analytics.value_fit import restored
from ma.analytics.value_models import value_model
from ma.analytics.value_summaries import summaries
from ma.errors import InvalidInput
from ma.intelligence.bgnbd import BetaGeo
from ma.intelligence.gamma_gamma import GammaGamma
from ma.intelligence.summaries import in_weeks
from ma.intelligence.value import HORIZON_WEEKS

# As far as a change can go, in percent. Not below 0: a chance that is near 1 already cannot be raised.
MOST_FEWER_LOST, MOST_LARGER_ORDERS = 90, 100
_CASES = ("As it is", "Fewer lost", "Larger orders", "Both")
_ALIKE = ["frequency", "recency", "T", "customers", "worth_minor"]
_COLUMNS = ["change", "expected_orders", "expected_value_minor", "difference_minor", "difference_share"]


def value_what_if(
    session: Session, *, as_of: datetime, fewer_lost_percent: int = 10, larger_orders_percent: int = 0
) -> pd.DataFrame:
    """The expected value of all customers over 365 days, as it is and changed.

    fewer_lost_percent: from now on the chance of each customer to be gone after a purchase is so much lower.
    larger_orders_percent: so much more is spent with each order. One row each for as it is, either change
    alone, and both: change, expected_orders, expected_value_minor, difference_minor (against as it is, for
    the same customers and parameters), difference_share. No rows without a model.

    Raises InvalidInput for changes out of bounds. Source: docs/metrics.md#what-if
    """
    check(fewer_lost_percent, larger_orders_percent)
    model = value_model(session)
    return changed_of(model, customers_of(session, model), fewer_lost_percent, larger_orders_percent)


def check(fewer_lost_percent: int, larger_orders_percent: int) -> None:
    """Raises InvalidInput for changes out of bounds."""
    asked = {
        "fewer_lost_percent": (fewer_lost_percent, MOST_FEWER_LOST),
        "larger_orders_percent": (larger_orders_percent, MOST_LARGER_ORDERS),
    }
    problems = {
        name: f"Choose a change from 0 to {most} %."
        for name, (percent, most) in asked.items()
        if not 0 <= percent <= most
    }
    if problems:
        raise InvalidInput(problems)


def customers_of(session: Session, model: dict | None) -> pd.DataFrame:
    """The customers of a stored fit, alike ones together; columns of `together`, no rows without a fit."""
    models = restored(model)
    if models is None:
        return pd.DataFrame(columns=_ALIKE)
    return together(summaries(session, as_of=model["as_of"]), models[1])


def together(summary: pd.DataFrame, orders: GammaGamma) -> pd.DataFrame:
    """Customers with the same history of purchases, which are far fewer than customers: one row each.

    frequency, recency and T (as in `summary`: days), customers (how many), worth_minor (what an order of each
    of them is expected to be worth, added up).
    """
    worth = orders.predict(summary)["expected_order"]
    groups = summary.assign(worth_minor=worth).groupby(_ALIKE[:3], sort=False)
    return groups.agg(customers=("worth_minor", "size"), worth_minor=("worth_minor", "sum")).reset_index()


def changed_of(
    model: dict | None, customers: pd.DataFrame, fewer_lost: int, larger_orders: int
) -> pd.DataFrame:
    """Columns as in `value_what_if`, from a stored fit and its `customers_of`."""
    models = restored(model)
    if models is None:
        return pd.DataFrame(columns=_COLUMNS)
    return changed(models[0], customers, fewer_lost, larger_orders)


def changed(purchases: BetaGeo, customers: pd.DataFrame, fewer_lost: int, larger_orders: int) -> pd.DataFrame:
    """Columns as in `value_what_if`, from rows of `together`.

    Of a customer with purchase rate λ who is gone after a purchase with chance p, the expected purchases in a
    time t are (1 − e^(−λpt)) ÷ p. With k·p instead of p that is 1/k times those of the time k·t, whatever λ
    and p are; so the conditional expectation under the change is the model's own for k·t, divided by k. What
    is known of a customer up to now, P(alive) too, stays as it is: the past is not changed.
    """
    now = expected_orders(purchases, customers, 1.0)
    kept = expected_orders(purchases, customers, 1.0 - fewer_lost / 100.0) if fewer_lost else now
    larger = 1.0 + larger_orders / 100.0
    people, worth = (customers[name].to_numpy(dtype=float) for name in ("customers", "worth_minor"))
    rows = [
        (words, float(count @ people), factor * float(count @ worth))
        for words, count, factor in zip(
            _CASES, (now, kept, now, kept), (1.0, 1.0, larger, larger), strict=True
        )
    ]
    found = pd.DataFrame(rows, columns=_COLUMNS[:3])
    base = found["expected_value_minor"].iloc[0]
    found["difference_minor"] = found["expected_value_minor"] - base
    return found.assign(difference_share=found["difference_minor"] / base if base else np.nan)


def expected_orders(purchases: BetaGeo, summary: pd.DataFrame, dropout: float) -> np.ndarray:
    """Of each customer the orders expected in 365 days, where dropout after a purchase is so many times what
    it was; `summary` in days."""
    found = purchases.predict(in_weeks(summary), HORIZON_WEEKS * dropout)["expected_purchases"]
    return found.to_numpy() / dropout


def new_customer_value(session: Session, *, as_of: datetime, margin_percent: int = 100) -> pd.DataFrame:
    """What a new customer is expected to bring, by weeks since the first order.

    week (0 to 52), orders (the first one and those expected after it), revenue_minor (each order at the mean
    of all customers), margin_minor (so many per cent of it). No rows without a model.

    Raises InvalidInput for a margin that is not from 1 to 100. Source: docs/metrics.md#value-page
    """
    if not 1 <= margin_percent <= 100:
        raise InvalidInput({"margin_percent": "Choose a margin from 1 to 100 %."})
    models = restored(value_model(session))
    columns = ["week", "orders", "revenue_minor", "margin_minor"]
    if models is None:
        return pd.DataFrame(columns=columns)
    purchases, orders = models
    weeks = np.arange(53)
    count = 1.0 + purchases.expected_purchases_of_new(weeks)
    nobody = pd.DataFrame({"frequency": [0], "monetary_value": [np.nan]})
    revenue = count * float(orders.predict(nobody)["expected_order"].iloc[0])
    margin = revenue * margin_percent / 100.0
    return pd.DataFrame(dict(zip(columns, (weeks, count, revenue, margin), strict=True)))

"""What-if: against customers simulated one by one, against integrals, and by what cannot be otherwise."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from ma.analytics.value_what_if import (
    HORIZON_WEEKS,
    changed,
    expected_orders,
    new_customer_value,
    together,
    value_what_if,
)
from ma.errors import InvalidInput
from ma.intelligence.bgnbd import BetaGeo
from ma.intelligence.gamma_gamma import GammaGamma
from ma.intelligence.summaries import in_weeks
from ma.intelligence.value import expected_value
from ma.models import ValueModel
from tests.analytics import value_world as world
from tests.analytics.value_world import NOW

# Those of the CDNOW customers (Fader, Hardie & Lee 2005; Fader & Hardie 2013), money in cents.
CDNOW = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
MONEY = {"p": 6.25, "q": 3.74, "v": 1_544.0}
PURCHASES, ORDERS = BetaGeo.of(CDNOW), GammaGamma.of(MONEY)
SUMMARY = pd.DataFrame(
    {
        "frequency": [0, 2, 7, 1, 30],
        "recency": [0, 213, 250, 20, 268],
        "T": [272, 272, 260, 270, 270],
        "monetary_value": [np.nan, 2_235.0, 5_050.0, 1_000.0, 3_300.0],
    }
)

CUSTOMERS = together(SUMMARY, ORDERS)


@pytest.mark.parametrize("fewer_lost", [40, 80])
def test_fewer_lost_is_what_simulated_customers_do(fewer_lost):
    """Customers with a rate and a chance of their own, living through the year purchase by purchase."""
    chance = np.random.default_rng(fewer_lost + 100)
    one, people = in_weeks(SUMMARY.iloc[[1]]), 200_000
    x, age = one["frequency"].iloc[0], one["T"].iloc[0]
    alive = PURCHASES.predict(one, 1.0)["p_alive"].iloc[0]
    # Of somebody who is active after x repeat purchases in that time.
    rate = chance.gamma(CDNOW["r"] + x, 1.0 / (CDNOW["alpha"] + age), people)
    leaves = chance.beta(CDNOW["a"], CDNOW["b"] + x, people) * (1.0 - fewer_lost / 100.0)
    here = chance.random(people) < alive
    bought, time = np.zeros(people), np.zeros(people)
    while here.any():
        time = time + chance.exponential(1.0 / rate)
        here &= time < HORIZON_WEEKS
        bought += here
        here &= chance.random(people) >= leaves
    found = expected_orders(PURCHASES, SUMMARY.iloc[[1]], 1.0 - fewer_lost / 100.0)[0]
    assert found == pytest.approx(bought.mean(), abs=4.0 * bought.std() / np.sqrt(people))
    # The simulation can tell the change from none.
    unchanged = expected_orders(PURCHASES, SUMMARY.iloc[[1]], 1.0)[0]
    assert abs(found - unchanged) > 8.0 * bought.std() / np.sqrt(people)


def test_nothing_changed_is_what_the_model_says():
    base = expected_value(PURCHASES, ORDERS, in_weeks(SUMMARY), HORIZON_WEEKS)
    found = changed(PURCHASES, CUSTOMERS, 0, 0)
    assert found["change"].tolist() == ["As it is", "Fewer lost", "Larger orders", "Both"]
    assert found["expected_orders"].tolist() == pytest.approx([base["expected_purchases"].sum()] * 4)
    assert found["expected_value_minor"].tolist() == pytest.approx([base["expected_value"].sum()] * 4)
    assert found["difference_minor"].tolist() == [0.0] * 4


def test_alike_customers_are_counted_together_and_change_nothing():
    others = SUMMARY.assign(monetary_value=[np.nan, 10.0, 20.0, 30.0, 40.0])
    many = pd.concat([SUMMARY] * 3 + [others], ignore_index=True)
    alike = together(many, ORDERS)
    assert len(alike) == len(SUMMARY)
    assert alike["customers"].tolist() == [4] * len(SUMMARY)
    base = expected_value(PURCHASES, ORDERS, in_weeks(many), HORIZON_WEEKS)
    found = changed(PURCHASES, alike, 0, 0)
    assert found["expected_orders"].iloc[0] == pytest.approx(base["expected_purchases"].sum())
    assert found["expected_value_minor"].iloc[0] == pytest.approx(base["expected_value"].sum())


def test_larger_orders_are_worth_in_proportion_and_both_changes_multiply():
    found = changed(PURCHASES, CUSTOMERS, 20, 15).set_index("change")
    assert found.loc["Larger orders", "difference_share"] == pytest.approx(0.15)
    assert found.loc["Larger orders", "expected_orders"] == found.loc["As it is", "expected_orders"]
    kept = found.loc["Fewer lost", "difference_share"]
    assert found.loc["Both", "difference_share"] == pytest.approx((1 + kept) * 1.15 - 1)
    assert found.loc["Both", "expected_orders"] == found.loc["Fewer lost", "expected_orders"]


def test_the_fewer_are_lost_the_more_is_bought_up_to_never_leaving():
    totals = [expected_orders(PURCHASES, SUMMARY, k) for k in (1.0, 0.7, 0.4, 0.1, 1e-6)]
    assert all((more > less).all() for less, more in pairwise(totals))
    # Nobody leaves any more: active ones buy at their mean rate, (r + x) ÷ (α + T) a week.
    known = in_weeks(SUMMARY)
    rate = (CDNOW["r"] + known["frequency"]) / (CDNOW["alpha"] + known["T"])
    alive = PURCHASES.predict(known, 1.0)["p_alive"]
    assert totals[-1] == pytest.approx((alive * rate * HORIZON_WEEKS).to_numpy(), rel=1e-4)


def stored(session):
    """The model of the CDNOW customers as if it had been fitted here."""
    world.build(session, 1)
    parameters = {
        "purchases": {name: {"value": value, "se": 0.1} for name, value in CDNOW.items()},
        "orders": {name: {"value": value, "se": 0.1} for name, value in MONEY.items()},
    }
    session.add(
        ValueModel(
            as_of=NOW, status="good", problems=[], customers=1, repeat_customers=1, parameters=parameters,
            figures={}, duration_ms=1, created_by="system",
        )
    )  # fmt: skip


def test_what_a_new_customer_brings(database):
    with database.writing() as session:
        stored(session)
    with database.reading() as session:
        found = new_customer_value(session, as_of=NOW, margin_percent=40)
        assert value_what_if(session, as_of=NOW)["expected_value_minor"].tolist() == [0.0] * 4
        for wrong in (0, 101):
            with pytest.raises(InvalidInput):
                new_customer_value(session, as_of=NOW, margin_percent=wrong)
        for wrong in ({"fewer_lost_percent": -1}, {"fewer_lost_percent": 91}, {"larger_orders_percent": 101}):
            with pytest.raises(InvalidInput):
                value_what_if(session, as_of=NOW, **wrong)
    assert found["week"].tolist() == list(range(53))
    mean = MONEY["p"] * MONEY["v"] / (MONEY["q"] - 1)
    assert found.loc[0, ["orders", "revenue_minor", "margin_minor"]].tolist() == pytest.approx(
        [1.0, mean, 0.4 * mean]
    )
    # Repeat purchases of the first year, of customers simulated one by one.
    chance, people = np.random.default_rng(2), 200_000
    rate = chance.gamma(CDNOW["r"], 1.0 / CDNOW["alpha"], people)
    leaves = chance.beta(CDNOW["a"], CDNOW["b"], people)
    bought, time, here = np.zeros(people), np.zeros(people), np.ones(people, dtype=bool)
    while here.any():
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            time = time + chance.exponential(1.0, people) / rate
        here &= time < 52.0
        bought += here
        here &= chance.random(people) >= leaves
    error = bought.std() / np.sqrt(people)
    assert found["orders"].iloc[-1] == pytest.approx(1.0 + bought.mean(), abs=4.0 * error)
    assert (found["revenue_minor"] / found["orders"]).to_numpy() == pytest.approx(np.full(53, mean))

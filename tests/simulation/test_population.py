"""Own figures are shrunk towards what is typical; recency and engagement are measured against it."""

import numpy as np
import pandas as pd
import pytest

from ma.simulation.population import Population, recency, recipients

TYPICAL = Population(
    engagement_mean=40,
    engagement_sd=10,
    recency_mean=0.5,
    recency_sd=0.25,
    order_rate=0.1,
    average_order_minor=2000,
)


def person(**facts):
    known = {"customer_id": 1, "engagement": 40.0, "days_since_last_order": 1.0, "recent_messages": 0}
    return pd.DataFrame([known | {"orders": 0, "spend_minor": 0, "days_observed": 0.0} | facts])


def test_somebody_unknown_is_typical():
    row = recipients(person(), TYPICAL).iloc[0]
    assert row.order_rate == pytest.approx(0.1)
    assert row.average_order_minor == pytest.approx(2000)


def test_own_history_outweighs_the_typical_as_it_grows():
    # By hand: (9 repeats + 0.1 x 30) / (90 + 30) = 0.1; (70,000 + 3 x 2,000) / (10 + 3) = 5,846.15
    row = recipients(person(orders=10, spend_minor=70_000, days_observed=90.0), TYPICAL).iloc[0]
    assert row.order_rate == pytest.approx(0.1)
    assert row.average_order_minor == pytest.approx(5846.1538)
    row = recipients(person(orders=1000, spend_minor=7_000_000, days_observed=3000.0), TYPICAL).iloc[0]
    assert row.order_rate == pytest.approx(0.333, rel=0.01)
    assert row.average_order_minor == pytest.approx(7000, rel=0.01)


def test_refunds_beyond_all_sales_do_not_make_a_negative_order():
    row = recipients(person(orders=1, spend_minor=-5000, days_observed=5.0), TYPICAL).iloc[0]
    assert row.average_order_minor == pytest.approx(3 * 2000 / 4)


def test_recency_is_one_today_one_half_after_thirty_days_and_zero_without_orders():
    assert recency(np.array([0.0, 30.0, np.nan])).tolist() == [1.0, 0.5, 0.0]


def test_scores_are_in_standard_deviations_and_unknown_ones_typical():
    assert TYPICAL.engagement(np.array([50.0, 40.0, np.nan, 1000.0])).tolist() == [1.0, 0.0, 0.0, 3.0]
    assert Population(engagement_sd=0.0).engagement(np.array([99.0])).tolist() == [0.0]

"""Best and worst campaigns: the interval of revenue, which campaigns are compared, and their order."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from ma.analytics import best_worst as ranking
from ma.analytics.best_worst import best_worst
from ma.analytics.results import totals
from ma.errors import InvalidInput
from ma.models import CampaignAggregate
from tests.analytics.result_days import NOW, launched, place


def one(converted, revenue, *, scatter=0.0):
    return pd.DataFrame({"converted": [converted], "revenue_minor": [revenue], "scatter": [scatter]}).astype(
        float
    )


@pytest.mark.parametrize("count", [1, 7, 240])
def test_orders_of_one_amount_have_the_exact_poisson_interval(count):
    low, high = ranking.revenue_interval(one(count, 500 * count))
    # Garwood (1936), by SciPy's chi-square.
    assert low.iloc[0] == pytest.approx(500 * chi2.ppf(0.025, 2 * count) / 2)
    assert high.iloc[0] == pytest.approx(500 * chi2.ppf(0.975, 2 * count + 2) / 2)


def test_amounts_that_scatter_give_fay_and_feuers_interval():
    # Y = Σ amounts, V = Σ amounts²; w: the largest weight, here V ÷ Y.
    amounts = np.array([200, 900, 400, 1500, 1000.0])
    y, v = amounts.sum(), (amounts**2).sum()
    scatter = v / len(amounts) / amounts.mean() ** 2 - 1
    low, high = ranking.revenue_interval(one(len(amounts), y, scatter=scatter))
    w = v / y
    assert low.iloc[0] == pytest.approx(v / (2 * y) * chi2.ppf(0.025, 2 * y**2 / v))
    upper = (v + w**2) / (2 * (y + w)) * chi2.ppf(0.975, 2 * (y + w) ** 2 / (v + w**2))
    assert high.iloc[0] == pytest.approx(upper)


def test_nobody_bought_has_an_upper_end_and_unknown_has_none():
    frame = pd.DataFrame(
        {"converted": [0, 20, np.nan], "revenue_minor": [0, 10_000, np.nan], "scatter": 0.0}, dtype=float
    )
    low, high = ranking.revenue_interval(frame)
    assert (low.iloc[0], high.iloc[0]) == (0, pytest.approx(500 * chi2.ppf(0.975, 2) / 2))
    assert low.isna().tolist() == high.isna().tolist() == [False, False, True]


@pytest.mark.parametrize("orders", [3, 12, 80])
def test_the_interval_covers_the_mean_in_95_of_100_cases(orders):
    rng, sigma = np.random.default_rng(5), 0.8
    count = rng.poisson(orders, 4_000)
    revenue = np.array([rng.lognormal(6, sigma, n).sum() for n in count])
    frame = pd.DataFrame({"converted": count.astype(float), "revenue_minor": revenue})
    low, high = ranking.revenue_interval(frame.assign(scatter=np.exp(sigma**2) - 1))
    truth = orders * np.exp(6 + sigma**2 / 2)
    # A few orders of amounts that lie far apart: 0.93 is then what it can do; it may be careful.
    assert 0.93 <= float(((low <= truth) & (truth <= high)).mean()) <= 0.995


def test_the_scatter_of_amounts_is_found_from_the_sums_of_days():
    rng, sigma = np.random.default_rng(2), 0.7
    rows = []
    for campaign in range(40):
        per_day = rng.integers(1, 9, 30)
        sums = np.array([rng.lognormal(5 + campaign % 3, sigma, n).sum() for n in per_day])
        rows.append(((sums**2 / per_day).sum(), sums.sum(), per_day.sum(), 30))
    days = pd.DataFrame(rows, columns=["squares", "amount", "orders", "days"])
    assert ranking._scatter(days) == pytest.approx(np.exp(sigma**2) - 1, rel=0.1)
    assert ranking._scatter(days.head(0)) == 1.0


SENT = {"sent": 1_000, "delivered": 1_000}


def bought(*amounts_by_day):
    """Days with (orders, revenue)."""
    return [(1 + i, {"converted": n, "revenue_minor": sum_}) for i, (n, sum_) in enumerate(amounts_by_day)]


@pytest.fixture
def world(database):
    with database.writing() as session:
        place(session)
        launched(session, 1, (0, SENT), *bought((40, 40_000), (50, 55_000)), fixed_cost_minor=20_000)
        # Twice as much for each recipient, but from two orders.
        launched(session, 2, (0, {"sent": 10, "delivered": 10}), *bought((2, 2_000)))
        launched(session, 3, (0, SENT), *bought((2, 1_800)), fixed_cost_minor=90_000)
        launched(session, 4, (0, SENT), *bought((90, 90_000)), age_days=14)
        launched(session, 5, (0, SENT), *bought((90, 90_000)), waves=3, waves_sent=2)
        launched(session, 6, (0, SENT), *bought((30, 30_000)), fixed_cost_minor=None, channel="push")
        # Sent late: its last people are still inside their window.
        launched(session, 7, (0, SENT), (50, SENT), *bought((9, 9_000)))
        launched(session, 8, status="running")
        session.add(CampaignAggregate(campaign_id=8, sent=500, converted=25, revenue_minor=20_000))
    return database


def test_only_campaigns_are_compared_whose_window_is_over_and_whose_figure_is_known(world):
    with world.reading() as session:
        by_profit = best_worst(session, as_of=NOW)
        by_revenue = best_worst(session, as_of=NOW, measure="revenue_per_recipient_minor")
        a_day_later = best_worst(session, as_of=NOW + timedelta(days=1))
    assert sorted(by_profit["campaign_id"]) == [1, 2, 3, 8]
    assert sorted(by_revenue["campaign_id"]) == [1, 2, 3, 6, 8]
    # The window of the fourth ends with this day.
    assert sorted(a_day_later["campaign_id"]) == [1, 2, 3, 4, 8]


def test_a_small_campaign_does_not_lead_by_luck(world):
    with world.reading() as session:
        frame = best_worst(session, as_of=NOW, measure="revenue_per_recipient_minor").set_index("campaign_id")
        everything = totals(session, as_of=NOW).set_index("campaign_id")
    assert frame["value"].idxmax() == 2
    assert frame["best"].idxmin() == 1
    assert frame["worst"].idxmin() == 3
    assert sorted(frame["best"]) == sorted(frame["worst"]) == [1, 2, 3, 4, 5]
    assert (frame["low"] <= frame["value"]).all()
    assert (frame["value"] <= frame["high"]).all()
    assert frame.loc[1, "value"] == pytest.approx(95_000 / 1_000)
    for column in ("sent", "converted", "revenue_minor"):
        assert frame[column].tolist() == everything.loc[frame.index, column].tolist()


def test_profit_is_the_revenue_less_the_cost_at_every_end(world):
    with world.reading() as session:
        frame = best_worst(session, as_of=NOW).set_index("campaign_id")
        mature = ranking.mature(session, totals(session, as_of=NOW), as_of=NOW)
    low, high = ranking.revenue_interval(mature)
    low, high = low[mature["campaign_id"] == 1].item(), high[mature["campaign_id"] == 1].item()
    expected = [75_000, low - 20_000, high - 20_000]
    assert frame.loc[1, ["value", "low", "high"]].tolist() == pytest.approx(expected)
    assert frame["worst"].idxmin() == 3


def test_nothing_to_compare_and_nothing_to_compare_by(database):
    with database.writing() as session:
        place(session)
    with database.reading() as session:
        assert best_worst(session, as_of=NOW).empty
        with pytest.raises(InvalidInput, match="profit_minor or"):
            best_worst(session, as_of=NOW, measure="luck")

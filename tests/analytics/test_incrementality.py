"""What sending added, against hand calculation, independent programs and what the simulation knows."""

import math

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from ma.analytics.experiments import experiments
from ma.analytics.incrementality import incrementality
from ma.analytics.roi import roi
from ma.analytics.significance import rate_difference
from ma.settings import DATA
from ma.simulation.draws import chosen
from ma.simulation.funnel import simulate
from ma.simulation.params import load
from ma.types import Arm
from tests.analytics import experiment_world
from tests.analytics.experiment_world import People, add, variants
from tests.services.campaign_world import NOW

customers, session = experiment_world.customers, experiment_world.session


def only(session, **where):
    [row] = incrementality(session, as_of=NOW, **where).to_dict("records")
    return row


def test_every_figure_is_the_hand_calculation(session):
    sent = {"A": People(500, converted=40, amounts=(2_000, 4_000)), "B": People(500, converted=60)}
    arms = sent | {"Held out": People(250, converted=15, amounts=(1_000, 3_000, 5_000))}
    add(session, arms, holdout_share=0.2, variants=variants(B=0.5))
    row = only(session)
    # 100 of 1,000 against 15 of 250: 10 % less 6 %, of 1,000 people.
    assert (row["people_sent"], row["people_held_out"]) == (1_000, 250)
    assert row["rate_difference"] == pytest.approx(0.04)
    assert row["incremental_conversions"] == pytest.approx(40)
    interval = confint_proportions_2indep(100, 1_000, 15, 250, method="newcomb")
    assert (row["rate_low"], row["rate_high"]) == pytest.approx(interval)
    assert row["incremental_conversions_low"] == pytest.approx(1_000 * interval[0])
    # A brought 40 x 3,000, B 60 x 1,000: 180 a person; those held out 15 x 3,000: 180 a person.
    assert row["revenue_minor"] == 180_000
    assert row["incremental_revenue_minor"] == pytest.approx(0, abs=1e-9)
    treated, held = np.zeros(1_000), np.zeros(250)
    treated[:40], treated[500:560] = np.tile([2_000, 4_000], 20), 1_000
    held[:15] = np.tile([1_000, 3_000, 5_000], 5)
    low, high = CompareMeans(DescrStatsW(treated), DescrStatsW(held)).tconfint_diff(usevar="unequal")
    assert row["incremental_revenue_low_minor"] == pytest.approx(1_000 * low)
    assert row["incremental_revenue_high_minor"] == pytest.approx(1_000 * high)
    # 1,000 messages at 10.00: attributed it earned 1,700.00, in truth it lost all it cost.
    assert row["cost_minor"] == 10_000
    assert row["profit_minor"] == 170_000
    assert row["roi"] == pytest.approx(17)
    assert row["incremental_profit_minor"] == pytest.approx(-10_000)
    assert row["incremental_roi"] == pytest.approx(-1)
    assert row["incremental_roi_low"] == pytest.approx((1_000 * low - 10_000) / 10_000)
    assert not row["enough_buyers"]


def test_what_is_attributed_is_what_roi_says(session):
    add(session, {"A": People(300, converted=40), "Held out": People(100, converted=30)}, holdout_share=0.25)
    row, said = only(session), roi(session, as_of=NOW).iloc[0]
    for name in ("cost_minor", "revenue_minor", "profit_minor", "roi"):
        assert row[name] == said[name]
    assert row["enough_buyers"]


def test_harm_is_called_harm(session):
    add(
        session,
        {"A": People(1_000, converted=20), "Held out": People(500, converted=40)},
        holdout_share=1 / 3,
    )
    row, said = only(session), experiments(session, as_of=NOW).iloc[0]
    assert row["incremental_conversions"] == pytest.approx(-60)
    assert row["incremental_conversions_high"] < 0
    assert row["incremental_revenue_high_minor"] < 0
    assert row["incremental_roi_high"] < 0 < row["roi"]
    assert said["holdout_finding"] == "worse"
    assert (
        "It cost conversions: those who were sent it bought less often, 2.0 % against 8.0 %"
        in said["verdict"]
    )
    assert "about 60 people" in said["verdict"]
    assert "fewer" in said["verdict"]


def test_unknown_costs_and_nobody_buying_are_unknown_not_nought(session):
    add(
        session,
        {"A": People(200, converted=9), "Held out": People(50)},
        holdout_share=0.2,
        fixed_cost_minor=None,
    )
    row = only(session)
    assert row["incremental_revenue_minor"] == pytest.approx(9_000)
    for name in ("incremental_profit_minor", "incremental_roi", "roi", "incremental_revenue_low_minor"):
        assert math.isnan(row[name]), name
    assert row["incremental_conversions_low"] < 9 < row["incremental_conversions_high"]


def test_campaigns_without_a_holdout_are_not_in_it(session):
    add(session, {"A": People(50), "B": People(50)}, variants=variants(B=0.5))
    assert incrementality(session, as_of=NOW).empty
    assert "incremental_roi" in incrementality(session, as_of=NOW)


def test_it_finds_what_the_same_people_would_have_done_without_the_message():
    """The simulation knows both: on the same luck, those who are sent it are run again as if held out."""
    params = load(DATA / "benchmarks.csv")["email"].with_effects({"clicked": 3.0, "converted": 4.0})
    count, rng, launches = 2_000, np.random.default_rng(4), 60
    people = pd.DataFrame(
        {
            "customer_id": np.arange(1, count + 1),
            "engagement": rng.uniform(0.0, 100.0, count),
            "days_since_last_order": rng.exponential(60.0, count),
            "recent_messages": 3.0,
            "average_order_minor": 5_000.0,
            "order_rate": 0.02,
        }
    )
    truth, seen = [], []
    for seed in range(launches):
        held = chosen(seed, people["customer_id"].to_numpy(), "holdout", 0.4)
        run = {"seed": seed, "sent_at": NOW, "conversion_window_days": 14}
        sent = simulate(people, params, **run)["converted_at"].notna().to_numpy()
        anyway = simulate(people, params, **run, arm=Arm.HOLDOUT)["converted_at"].notna().to_numpy()
        treated = (~held).sum()
        found = rate_difference(anyway[held].sum(), held.sum(), sent[~held].sum(), treated)
        truth.append((sent[~held].sum() - anyway[~held].sum()) / treated)
        seen.append(found)
    values, usual = [found.value for found in seen], np.mean(truth)
    error = np.std(np.subtract(values, truth), ddof=1) / math.sqrt(launches)
    assert usual > 4 * error
    assert np.mean(values) == pytest.approx(usual, abs=4 * error)
    inside = np.mean([found.low <= usual <= found.high for found in seen])
    assert inside == pytest.approx(0.95, abs=4 * math.sqrt(0.05 * 0.95 / launches))

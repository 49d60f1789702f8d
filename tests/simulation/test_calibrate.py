"""Calibration finds the truth behind simulated campaigns, and says how sure it is."""

import math
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from ma.simulation.beliefs import HISTORY, SIMULATED_HISTORY, from_benchmarks
from ma.simulation.calibrate import PRIOR_CAMPAIGNS, _paule_mandel, band_effects, calibrate
from ma.simulation.cells import cells
from ma.simulation.forecast import Plan, forecast
from ma.simulation.funnel import simulate
from ma.simulation.population import band
from ma.types import ORDER_VALUE, Channel

SENT = datetime(2026, 3, 1, 9, tzinfo=UTC)
WINDOW = 7
PLAN = Plan(conversion_window_days=WINDOW)
NUMBERS = pd.array([0, 1, 2, 3, 4, pd.NA], dtype="Int64")


def counted(campaign, people, outcome, params):
    """The counts of one campaign as a reader of stored outcomes makes them."""
    bands, frames = band(people["engagement"].to_numpy()), []
    for name, step in params.steps.items():
        reached = outcome[f"{step.after}_at"].notna().to_numpy()
        took = reached & outcome[f"{name}_at"].notna().to_numpy()
        if name == "converted":
            took &= ~outcome["organic"].to_numpy()
        counts = {
            key: np.bincount(bands[who], minlength=6) for key, who in (("reached", reached), ("took", took))
        }
        days = WINDOW if name == "converted" else 90
        frames.append(pd.DataFrame(counts | {"band": NUMBERS, "step": name, "days": days}))
    return pd.concat(frames, ignore_index=True).assign(campaign_id=campaign)


def history(people, beliefs, typical, *, campaigns, seed, spread=None):
    """Counts and orders of simulated campaigns whose typical shifts are known."""
    rng, counts, orders = np.random.default_rng(seed), [], []
    for number in range(campaigns):
        shifts = {
            name: typical.get(name, 0.0) + (belief.spread if spread is None else spread) * rng.normal()
            for name, belief in beliefs.figures().items()
        }
        params = beliefs.at(shifts)
        outcome = simulate(
            people, params, seed=1000 * seed + number, sent_at=SENT, conversion_window_days=WINDOW
        )
        counts.append(counted(number, people, outcome, params))
        converted = outcome["converted_at"].notna().to_numpy()
        expected = people["average_order_minor"].to_numpy()[converted].sum()
        orders.append((number, converted.sum(), outcome["revenue_minor"].sum(), expected))
    columns = ["campaign_id", "conversions", "revenue_minor", "expected_minor"]
    return pd.concat(counts, ignore_index=True), pd.DataFrame(orders, columns=columns)


@pytest.fixture
def sms(channels):
    return from_benchmarks(channels[Channel.SMS])


def test_intervals_hold_the_truth_as_often_as_they_say(sms, typical):
    """50 workspaces, each with a truth of its own drawn from what is believed, seen in 5 campaigns."""
    people, scores, next_ones = typical.head(400), [], []
    grouped = cells(people, sms.params.population)
    usual = forecast(grouped, sms, PLAN).table()
    for seed in range(50):
        rng = np.random.default_rng(seed)
        truth = {name: belief.drawn(rng.normal(), 0.0) for name, belief in sms.figures().items()}
        found = calibrate(sms, *history(people, sms, truth, campaigns=5, seed=seed))
        known = {**found.steps, ORDER_VALUE: found.order_value}
        next_ones.append(_next_campaign(people, grouped, sms, found, truth, seed, usual))
        scores.append([(belief.shift - truth[name]) / belief.sd for name, belief in known.items()])
    inside = np.abs(np.array(scores)) < 1.96
    # 250 intervals: 95 % give or take, a little more since the usual spread happens to be the true one here.
    assert 0.92 < inside.mean() < 0.995
    assert inside.mean(axis=0).min() >= 0.86
    assert np.abs(np.mean(scores, axis=0)).max() < 0.5

    # And what that makes of the next campaign: 80 % intervals, 150 of them, narrower than without history.
    held, width = np.mean(next_ones, axis=0)
    assert 0.68 < held < 0.92
    assert 0.4 < width < 0.85


def _next_campaign(people, grouped, sms, found, truth, seed, usual):
    """How many of three 80 % intervals hold what a sixth campaign brings, and their width against `usual`."""
    effects = np.random.default_rng(10_000 + seed).normal(size=len(truth))
    shifts = {
        name: truth[name] + belief.spread * effect
        for (name, belief), effect in zip(sms.figures().items(), effects, strict=True)
    }
    outcome = simulate(
        people, sms.at(shifts), seed=1000 * seed + 999, sent_at=SENT, conversion_window_days=WINDOW
    )
    table = forecast(grouped, found, PLAN, draws=500).table()
    held, width = [], []
    for name, known in (
        ("delivered", outcome["delivered_at"].count()),
        ("clicked", outcome["clicked_at"].count()),
        ("revenue_minor", outcome["revenue_minor"].sum()),
    ):
        low, high = table.loc[name, "p10"], table.loc[name, "p90"]
        held.append((low < known < high) + 0.5 * (known in (low, high)))
        width.append((high - low) / (usual.loc[name, "p90"] - usual.loc[name, "p10"]))
    return np.mean(held), np.mean(width)


def test_many_large_campaigns_give_the_truth_its_spread_and_the_bands(channels, typical):
    beliefs = from_benchmarks(channels[Channel.EMAIL])
    truth, bands = {"opened": 0.6, "clicked": -0.4, ORDER_VALUE: 0.2}, (-0.3, 0.1, 0.0, 0.1, 0.4)
    world = beliefs.with_bands({"opened": bands})
    counts, orders = history(typical.head(8_000), world, truth, campaigns=25, seed=1, spread=0.4)
    found = calibrate(beliefs, counts, orders, source=SIMULATED_HISTORY)
    opened = found.steps["opened"]
    assert opened.shift == pytest.approx(0.6, abs=0.25)
    assert opened.sd == pytest.approx(0.4 / math.sqrt(25), rel=0.25)
    assert opened.spread == pytest.approx(0.4, rel=0.25)
    # How bands differ from each other, not their level: that is the shift's.
    assert np.diff(opened.bands) == pytest.approx(np.diff(bands), abs=0.15)
    assert found.steps["clicked"].shift == pytest.approx(-0.4, abs=0.25)
    assert found.order_value.shift == pytest.approx(0.2, abs=0.25)
    assert (opened.source, opened.campaigns) == (SIMULATED_HISTORY, 25)
    assert opened.people == counts.loc[counts["step"] == "opened", "reached"].sum()


def test_conversions_cut_off_by_a_short_window_are_not_taken_for_a_low_rate(channels, typical):
    beliefs = from_benchmarks(channels[Channel.DIRECT_MAIL])
    counts, _ = history(typical.head(20_000), beliefs, {}, campaigns=6, seed=2, spread=0.0)
    found = calibrate(beliefs, counts).steps["converted"]
    assert abs(found.shift) < 2 * found.sd
    # Within 7 days only a quarter of the answers have come: watched for ever, that would be a low rate.
    blind = calibrate(beliefs, counts.drop(columns="days")).steps["converted"]
    assert blind.shift < -0.8


def test_assumed_effects_of_variants_are_not_learned_as_the_channels_rate(sms, typical):
    people, params = typical.head(20_000), sms.params.with_effects({"clicked": 0.5})
    outcomes = [simulate(people, params, seed=s, sent_at=SENT, conversion_window_days=WINDOW) for s in (1, 2)]
    counts = pd.concat([counted(number, people, outcome, params) for number, outcome in enumerate(outcomes)])
    lifted = calibrate(sms, counts.assign(lift=np.where(counts["step"] == "clicked", 0.5, 0.0)))
    assert lifted.steps["clicked"].shift == pytest.approx(0.0, abs=0.06)
    assert calibrate(sms, counts).steps["clicked"].shift > 0.3


def test_a_tired_audience_is_not_taken_for_a_bad_channel(channels, typical):
    beliefs = from_benchmarks(channels[Channel.EMAIL])
    tired = typical.head(20_000).assign(recent_messages=15.0)
    counts, _ = history(tired, beliefs, {}, campaigns=4, seed=3, spread=0.0)
    effects = band_effects(cells(tired, beliefs.params.population), beliefs.params)
    found = calibrate(beliefs, counts.merge(effects, on=["step", "band"])).steps["opened"]
    assert found.shift == pytest.approx(0.0, abs=0.06)
    assert calibrate(beliefs, counts).steps["opened"].shift < -0.4


def rows(reached, took, step="clicked"):
    """One campaign per pair of counts, of people whose band is unknown."""
    return pd.DataFrame(
        {"campaign_id": range(len(reached)), "step": step, "reached": reached, "took": took}
    ).assign(band=pd.array([pd.NA] * len(reached), dtype="Int64"))


def test_nobody_or_everybody_taking_a_step_moves_the_belief_and_stays_finite(sms):
    none = calibrate(sms, rows([2_000] * 3, [0] * 3)).steps["clicked"]
    every = calibrate(sms, rows([50] * 3, [50] * 3)).steps["clicked"]
    assert -5 < none.shift < -0.5
    assert 0.3 < every.shift < 5
    assert all(math.isfinite(value) for value in (none.sd, none.spread, every.sd, every.spread))


def test_a_rare_step_in_small_campaigns_that_differ_much_is_not_taken_for_a_less_rare_one(sms):
    # Nothing but the intercept counts for people without a score: so truth is drawn with numpy alone.
    rng, reached = np.random.default_rng(8), np.full(1_500, 500)
    odds = sms.params.intercepts()["unsubscribed"] + 0.5 + 0.6 * rng.normal(size=1_500)
    took = rng.binomial(reached, 1 / (1 + np.exp(-odds)))
    found = calibrate(sms, rows(reached, took, step="unsubscribed")).steps["unsubscribed"]
    assert found.shift == pytest.approx(0.5, abs=0.03)
    assert found.spread == pytest.approx(0.6, abs=0.06)


def test_three_people_hardly_move_a_belief_and_a_million_almost_set_it(sms, typical):
    prior = sms.steps["clicked"]
    few = calibrate(sms, rows([3], [1])).steps["clicked"]
    assert abs(few.shift) < prior.sd / 2
    assert few.sd < prior.sd
    many = calibrate(sms, rows([100_000] * 40, [20_000] * 40)).steps["clicked"]
    params = sms.at({"clicked": many.shift}).with_rates(delivered=1.0)
    outcome = simulate(
        typical.assign(engagement=np.nan), params, seed=1, sent_at=SENT, conversion_window_days=WINDOW
    )
    assert outcome["clicked_at"].notna().mean() == pytest.approx(0.2, abs=0.005)
    # 40 campaigns that agree: the spread is nearly all what the prior's four campaigns say.
    assert many.spread == pytest.approx(prior.spread * math.sqrt(PRIOR_CAMPAIGNS / 43), rel=0.1)


def test_steps_nobody_was_counted_in_stay_as_they_were(sms):
    found = calibrate(sms, rows([500], [40]))
    assert found.steps["clicked"].source == HISTORY
    assert found.steps["converted"] == sms.steps["converted"]
    assert found.order_value == sms.order_value
    assert calibrate(sms, rows([], [])) == sms
    assert calibrate(sms, rows([0], [0])) == sms


def test_counts_that_cannot_be_are_refused(sms):
    with pytest.raises(ValueError, match="no step 'opened'"):
        calibrate(sms, rows([10], [1], step="opened"))
    with pytest.raises(ValueError, match="unique people"):
        calibrate(sms, rows([10], [11]))


def test_orders_are_pooled_by_hand(sms):
    # One campaign, 100 orders at 1.5 times what was expected. By hand, sigma 1: the variance of the logarithm
    # is v = ln(1 + (e - 1) / 100) = 0.017037; its weight, with freedom 4 and spread 0.15, is (4 - 2) / 4 /
    # (0.017037 + 0.0225) = 12.6463, the prior's 1 / 0.2^2 = 25; (12.6463 x (0.405465 + 0.0085185)) / 37.6463
    # = 0.139067, sd 1 / sqrt(37.6463) = 0.162981.
    orders = pd.DataFrame(
        {"campaign_id": [1], "conversions": [100], "revenue_minor": [750_000], "expected_minor": [500_000]}
    )
    found = calibrate(sms, rows([], []), orders).order_value
    assert found.shift == pytest.approx(0.139067, abs=1e-5)
    assert found.sd == pytest.approx(0.162981, abs=1e-5)


def test_the_variance_between_estimates_is_that_of_statsmodels():
    # statsmodels 0.15, meta_analysis._fit_tau_iterative (Paule-Mandel) on these six.
    y, v = np.array([0.10, 0.30, 0.35, 0.65, 0.45, 0.15]), np.array([0.003, 0.003, 0.005, 0.01, 0.05, 0.01])
    assert _paule_mandel(y, v) == pytest.approx(0.031209359526, abs=1e-9)
    assert _paule_mandel(y, v + 1.0) == 0.0

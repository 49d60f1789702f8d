"""The simulated funnel hits its baselines, keeps its order and shares its luck."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from ma.settings import DATA
from ma.simulation.funnel import TIMES, simulate
from ma.simulation.params import load, logistic
from ma.simulation.population import band
from ma.types import ORDER_VALUE, STEPS, Arm, Channel

SENT = datetime(2026, 3, 1, 9, tzinfo=UTC)


def run(people, params, *, seed=5, window=30, arm=Arm.TREATED, at=SENT):
    return simulate(people, params, seed=seed, sent_at=at, conversion_window_days=window, arm=arm)


def share(outcome, step, of):
    """How many of those with `of` have `step`, and its standard error."""
    base = outcome[outcome[f"{of}_at"].notna()]
    rate = base[f"{step}_at"].notna().mean()
    return rate, math.sqrt(rate * (1 - rate) / len(base))


@pytest.mark.parametrize("channel", list(Channel))
def test_a_typical_audience_has_the_baseline_rates(channels, typical, channel):
    params = replace(channels[channel], organic_share=0.0)
    # The baseline counts conversions whenever they come; those later than the window are lost.
    outcome = pd.concat(run(typical, params, seed=seed, window=90) for seed in range(5))
    for name, step in params.steps.items():
        rate, error = share(outcome, name, step.after)
        in_time = NormalDist().cdf(math.log(90 * 86_400 / step.median_seconds) / step.sigma)
        assert rate == pytest.approx(step.rate * in_time, abs=3.5 * error), name


@pytest.mark.parametrize("channel", list(Channel))
def test_steps_that_the_channel_cannot_observe_are_empty(channels, typical, channel):
    outcome = run(typical.head(20_000), channels[channel])
    known = {f"{step}_at" for step in STEPS[channel]}
    for column in ("sent_at", "delivered_at", "opened_at", "clicked_at", "converted_at"):
        assert outcome[column].notna().any() == (column in known)
    assert outcome["bounced_at"].notna().any() == ("delivered_at" in known)


def test_times_follow_each_other_and_conversions_lie_within_the_window(channels, typical):
    outcome = run(typical, channels[Channel.EMAIL], window=3)
    chain = ["sent_at", "delivered_at", "opened_at", "clicked_at"]
    for before, after in pairwise(chain):
        reached = outcome[outcome[after].notna()]
        assert (reached[after] > reached[before]).all()
    caused = outcome[outcome["converted_at"].notna() & ~outcome["organic"]]
    assert (caused["converted_at"] > caused["clicked_at"]).all()
    converted = outcome["converted_at"].dropna()
    assert (converted > outcome["sent_at"].iloc[0]).all()
    assert (converted <= SENT + timedelta(days=3)).all()
    for side in ("unsubscribed_at", "complained_at"):
        reached = outcome[outcome[side].notna()]
        assert (reached[side] > reached["opened_at"]).all()
    assert (outcome["bounced_at"].notna() ^ outcome["delivered_at"].notna()).all()


def test_order_and_chunks_do_not_matter(channels, typical):
    people = typical.head(30_000)
    whole = run(people, channels[Channel.EMAIL])
    chunks = [run(people.iloc[i : i + 7_000], channels[Channel.EMAIL]) for i in range(0, 30_000, 7_000)]
    pd.testing.assert_frame_equal(pd.concat(chunks, ignore_index=True), whole)
    backwards = run(people.iloc[::-1], channels[Channel.EMAIL]).iloc[::-1].reset_index(drop=True)
    pd.testing.assert_frame_equal(backwards, whole)


def test_an_engaged_audience_opens_more_and_a_tired_one_less(channels, typical):
    def opened(**changed):
        outcome = run(typical.assign(**changed), channels[Channel.EMAIL])
        return outcome["opened_at"].notna()

    usual = opened()
    assert opened(engagement=typical["engagement"] + 20).mean() > usual.mean() * 1.3
    tired = opened(recent_messages=20)
    assert tired.mean() < usual.mean() * 0.7
    # Shared luck: nobody opens because of being tired.
    assert not (tired & ~usual).any()


def test_a_longer_window_only_adds_conversions(channels, typical):
    short, long = (run(typical, channels[Channel.DIRECT_MAIL], window=days) for days in (7, 30))
    assert short["converted_at"].notna().sum() < long["converted_at"].notna().sum()
    both = short["converted_at"].notna()
    assert (short.loc[both, "converted_at"] == long.loc[both, "converted_at"]).all()


def test_held_out_people_convert_exactly_as_they_would_have_anyway(channels, typical):
    nothing = channels[Channel.SMS].with_rates(converted=0.0)
    treated, held = run(typical, nothing), run(typical, nothing, arm=Arm.HOLDOUT)
    columns = ["customer_id", "converted_at", "organic", "revenue_minor"]
    pd.testing.assert_frame_equal(treated[columns], held[columns])
    assert held["organic"].sum() > 100
    assert held[[column for column in TIMES if column != "converted_at"]].isna().all(axis=None)


def test_organic_conversions_follow_each_persons_own_rate(channels, typical):
    params = channels[Channel.EMAIL]
    held = run(typical, params, window=30, arm=Arm.HOLDOUT)
    expected = 1 - math.exp(-0.05 * params.organic_share * 30)
    error = math.sqrt(expected * (1 - expected) / len(typical))
    assert held["converted_at"].notna().mean() == pytest.approx(expected, abs=4 * error)
    assert run(typical.assign(order_rate=0.0), params, arm=Arm.HOLDOUT)["converted_at"].isna().all()


def test_without_an_effect_treated_and_holdout_differ_by_chance_only(channels, typical):
    """A/A: of 200 campaigns that do nothing, about 5 % look significant at 5 %."""
    people = typical.head(4_000).assign(order_rate=4.0)
    nothing = channels[Channel.SMS].with_rates(converted=0.0)
    alarms = 0
    for seed in range(200):
        treated = run(people.iloc[:2_000], nothing, seed=seed)["converted_at"].notna().mean()
        held = run(people.iloc[2_000:], nothing, seed=seed, arm=Arm.HOLDOUT)["converted_at"].notna().mean()
        pooled = (treated + held) / 2
        alarms += abs(treated - held) > 1.96 * math.sqrt(2 * pooled * (1 - pooled) / 2_000)
    assert 2 <= alarms <= 20  # binomial(200, 0.05): 99.8 % lie here


def test_revenue_is_about_the_persons_own_average_order(channels, typical):
    params = channels[Channel.DIRECT_MAIL].with_rates(converted=0.9)
    outcome = run(typical, params, window=90)
    converted = outcome["converted_at"].notna()
    revenue = outcome.loc[converted, "revenue_minor"]
    assert (outcome.loc[~converted, "revenue_minor"] == 0).all()
    assert revenue.min() >= 1
    assert revenue.mean() == pytest.approx(5000, abs=4 * revenue.std() / math.sqrt(len(revenue)))
    # Heavy-tailed: the mean of this log-normal is exp(1/2) = 1.65 medians.
    assert revenue.mean() > revenue.median() * 1.5


def test_nobody_is_a_campaign_too(channels, typical):
    assert run(typical.head(0), channels[Channel.EMAIL]).empty


def changed(params, name, **values):
    """The same channel with one step changed."""
    return replace(params, steps={**params.steps, name: replace(params.steps[name], **values)})


def test_a_shift_and_bands_move_the_log_odds(channels, typical):
    params = channels[Channel.EMAIL]
    step, bands = params.steps["opened"], (-1.0, 0.0, 0.5, 0.0, 1.0)
    people = typical.assign(days_since_last_order=30.0, engagement=typical["engagement"].clip(0, 100))
    moved = changed(params, "opened", shift=0.4, bands=bands)
    outcome = run(people, moved)
    delivered = outcome["delivered_at"].notna().to_numpy()
    engagement = params.population.engagement(people["engagement"].to_numpy())
    number = band(people["engagement"].to_numpy())
    odds = params.intercepts()["opened"] + step.engagement * engagement + 0.4 + np.array(bands)[number]
    for which in range(5):
        who = delivered & (number == which)
        rate, expected = outcome["opened_at"].notna()[who].mean(), logistic(odds[who]).mean()
        assert rate == pytest.approx(expected, abs=4 * math.sqrt(expected / who.sum())), which


def test_an_unknown_score_belongs_to_no_band(channels, typical):
    people, params = typical.head(20_000).assign(engagement=np.nan), channels[Channel.EMAIL]
    with_bands = changed(params, "opened", bands=(2.0,) * 5)
    pd.testing.assert_frame_equal(run(people, with_bands), run(people, params))


def test_a_shift_moves_a_step_that_everybody_takes_alike(channels, typical):
    params = channels[Channel.EMAIL]
    rate = run(typical, changed(params, "delivered", shift=-3.0))["delivered_at"].notna().mean()
    assert rate == pytest.approx(float(logistic(math.log(0.9955 / 0.0045) - 3.0)), abs=0.002)


def test_an_effect_multiplies_a_step_and_what_orders_bring(channels, typical):
    params = channels[Channel.SMS]
    usual = run(typical, params)
    better = run(typical, params.with_effects({"clicked": 0.3, ORDER_VALUE: 0.5}))
    assert better["clicked_at"].count() == pytest.approx(1.3 * usual["clicked_at"].count(), rel=0.03)
    # Shared luck: everybody who clicked still does, and orders bring half as much again.
    both = usual["converted_at"].notna()
    assert better.loc[usual["clicked_at"].notna(), "clicked_at"].notna().all()
    ratio = better.loc[both, "revenue_minor"].sum() / usual.loc[both, "revenue_minor"].sum()
    assert ratio == pytest.approx(1.5, abs=0.001)


def test_effects_of_a_variant_do_not_reach_people_held_out(channels, typical):
    params = channels[Channel.SMS]
    better = params.with_effects({"clicked": 0.3, "converted": 0.5, ORDER_VALUE: 0.5})
    held = run(typical, params, arm=Arm.HOLDOUT)
    pd.testing.assert_frame_equal(run(typical, better, arm=Arm.HOLDOUT), held)
    # What the channel's orders bring is no effect: it is so for everybody.
    dearer = run(typical, replace(params, order_value=2.0), arm=Arm.HOLDOUT)
    assert dearer["revenue_minor"].sum() == pytest.approx(2 * held["revenue_minor"].sum(), rel=0.001)


# From version 1, before there were shifts, bands and effects.
FIRST_VERSION = {
    Channel.EMAIL: "7460b61adc29e9e1",
    Channel.SMS: "f883136659f3a7e1",
    Channel.PUSH: "6e6323975e24c80e",
    Channel.DIRECT_MAIL: "430f0469b5c29d79",
    Channel.ADS: "5bde725059fc7501",
}


@pytest.mark.parametrize("channel", list(Channel))
def test_the_same_seed_and_parameters_give_what_they_always_gave(channel):
    """Frozen: another hash means another VERSION, since stored launches could no longer be replayed."""
    ids = np.arange(1, 3_001)
    people = pd.DataFrame(
        {
            "customer_id": ids,
            "engagement": np.where(ids % 7 == 0, np.nan, ids % 101),
            "days_since_last_order": np.where(ids % 5 == 0, np.nan, ids % 200),
            "recent_messages": ids % 9,
            "average_order_minor": 1000.0 + ids,
            "order_rate": ids % 10 / 10,
        }
    )
    outcome = run(people, load(DATA / "benchmarks.csv")[channel])
    found = blake2b(digest_size=8)
    for name in outcome:
        found.update(outcome[name].astype("int64").to_numpy().tobytes())
    assert found.hexdigest() == FIRST_VERSION[channel]

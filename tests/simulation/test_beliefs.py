"""Beliefs are stored and loaded, and what the world does is drawn from them."""

import json
import math

import numpy as np
import pytest

from ma.simulation.beliefs import BENCHMARK, SIMULATED_HISTORY, Z90, Beliefs, StepBelief, from_benchmarks
from ma.types import ORDER_VALUE, ORGANIC, Channel


@pytest.fixture
def beliefs(channels):
    return from_benchmarks(channels[Channel.EMAIL])


def test_without_history_the_benchmark_is_the_middle_and_everything_is_in_doubt(channels):
    for channel in Channel:
        found = from_benchmarks(channels[channel])
        assert list(found.steps) == list(channels[channel].steps)
        for belief in found.steps.values():
            assert (belief.shift, belief.source, belief.campaigns) == (0.0, BENCHMARK, 0)
            assert belief.sd > 0.0
            assert belief.spread > 0.0


def test_the_spread_of_opens_is_that_of_230_real_sends(beliefs):
    # See the comment beside the figures: 0.197 and 0.222 with a linear drift taken out.
    assert (beliefs.steps["opened"].spread, beliefs.steps["clicked"].spread) == (0.20, 0.22)


def test_assumed_doubts_together_are_what_published_order_rates_show(beliefs):
    # Klaviyo 2024: best tenth 5.71 %, median 1.71 %, so one standard deviation is their distance / 1.2816.
    published = (math.log(0.0571 / 0.9429) - math.log(0.0171 / 0.9829)) / Z90
    assumed = math.hypot(*(beliefs.steps[name].sd for name in ("opened", "clicked", "converted")))
    assert assumed == pytest.approx(published, abs=0.05)


def test_beliefs_survive_json(beliefs):
    changed = beliefs.moved({"opened": 0.3})
    opened = StepBelief(0.1, 0.2, 0.3, (0.1, 0.0, -0.1, 0.2, 0.3), SIMULATED_HISTORY, 7, 12_345)
    changed = Beliefs(
        changed.params, {**changed.steps, "opened": opened}, changed.order_value, changed.organic
    )
    assert Beliefs.from_dict(json.loads(json.dumps(changed.to_dict()))) == changed


def test_nothing_in_doubt_is_the_benchmark_whatever_the_luck(beliefs):
    sure = beliefs.certain()
    assert sure.realise(sure.luck(1)) == beliefs.params
    assert sure.realise(sure.luck(2)) == beliefs.params


def test_one_campaign_is_the_typical_one_and_its_own_effect(beliefs):
    luck = dict.fromkeys(beliefs.figures(), (0.0, 0.0))
    luck |= {"opened": (1.0, -2.0), ORDER_VALUE: (0.5, 1.0), ORGANIC: (Z90, 0.0)}
    params = beliefs.realise(luck)
    opened = beliefs.steps["opened"]
    assert params.steps["opened"].shift == pytest.approx(opened.sd - 2.0 * opened.spread)
    assert params.steps["clicked"].shift == 0.0
    assert params.order_value == pytest.approx(math.exp(0.5 * 0.2 + 0.15))
    assert params.organic_share == pytest.approx(2 * beliefs.params.organic_share)


def test_luck_is_a_function_of_the_seed_and_standard_normal(beliefs):
    assert beliefs.luck(5) == beliefs.luck(5)
    draws = np.array([list(beliefs.luck(seed).values()) for seed in range(200)]).reshape(200, -1)
    assert np.abs(draws.mean(axis=0)).max() < 4 / math.sqrt(200)
    assert np.abs(draws.std(axis=0) - 1).max() < 0.2
    between = np.corrcoef(draws.T) - np.eye(draws.shape[1])
    assert np.abs(between).max() < 4.5 / math.sqrt(200)

"""Power and sample size against textbook values and an independent program."""

import math

import numpy as np
import pytest

from ma.simulation.sample_size import detectable_rate, needed_people, power


def test_power_is_that_of_r_and_of_statsmodels():
    # R's documentation of power.prop.test: n = 50, p1 = 0.50, p2 = 0.75 gives power 0.740.
    # statsmodels 0.15, power_proportions_2indep: the same case, and 20,000 against nine times as many.
    assert power(0.5, 0.75, 50, 50) == pytest.approx(0.7401671934536109, abs=1e-9)
    assert power(0.025, 0.02, 20_000, 180_000) == pytest.approx(0.9945016710317713, abs=1e-9)


def test_needed_people_are_those_of_the_textbook():
    # R's documentation: p1 = 0.50, p2 = 0.75, power 0.90 needs n = 76.7 in each arm.
    assert needed_people(0.5, 0.75, target=0.9) == math.ceil(2 * 76.65294)
    # By hand (Fleiss), 10 % against 15 %, power 80 %: z = 1.959964 and 0.841621, p = 0.125;
    # (1.959964 x sqrt(2 x 0.125 x 0.875) + 0.841621 x sqrt(0.09 + 0.1275))^2 / 0.05^2 = 685.5 in each arm.
    assert needed_people(0.10, 0.15) == pytest.approx(2 * 685.5, abs=1)


def test_needed_people_just_reach_the_power():
    for share in (0.5, 0.1):
        people = needed_people(0.02, 0.025, share_b=share)
        assert power(0.02, 0.025, people * (1 - share), people * share) >= 0.8
        assert power(0.02, 0.025, (people - 2) * (1 - share), (people - 2) * share) < 0.8
    assert needed_people(0.02, 0.025, share_b=0.1) > 2 * needed_people(0.02, 0.025)


def test_the_detectable_rate_is_found_with_just_that_power():
    for higher in (True, False):
        rate = detectable_rate(0.05, 3_000, 9_000, higher=higher)
        assert (rate > 0.05) == higher
        assert power(0.05, rate, 3_000, 9_000) == pytest.approx(0.8, abs=1e-6)


def test_the_power_is_how_often_a_simulated_test_finds_the_difference():
    rng, n, rates = np.random.default_rng(4), 1_500, (0.10, 0.13)
    a, b = (rng.binomial(n, rate, 20_000) / n for rate in rates)
    pooled = (a + b) / 2
    found = np.abs(a - b) > 1.959964 * np.sqrt(2 * pooled * (1 - pooled) / n)
    assert found.mean() == pytest.approx(power(*rates, n, n), abs=0.01)


def test_without_a_difference_the_power_is_alpha():
    assert power(0.1, 0.1, 500, 900) == pytest.approx(0.05)
    assert power(0.1, 0.1, 500, 900, alpha=0.01) == pytest.approx(0.01)


def test_what_cannot_be_answered_is_unknown():
    assert math.isnan(power(0.1, 0.2, 0, 100))
    assert math.isnan(needed_people(0.1, 0.1))
    assert math.isnan(needed_people(0.1, 0.2, share_b=1.0))
    assert math.isnan(detectable_rate(0.5, 2, 2))
    assert math.isnan(detectable_rate(0.0, 100, 100, higher=False))
    assert power(0.0, 1.0, 10, 10) == 1.0

"""The calibration curve by hand, against an independent program's intervals, and on chances that are true."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from ma.intelligence.bgnbd import BetaGeo
from ma.intelligence.churn import calibration
from tests.intelligence.customers import purchase_times, summed_up


def test_groups_by_hand():
    found = calibration([0.1, 0.2, 0.8, 0.9], [False, True, True, True], bins=2)
    assert found[["low", "high", "predicted", "observed", "customers"]].to_numpy().tolist() == [
        pytest.approx([0.1, 0.2, 0.15, 0.5, 2]),
        pytest.approx([0.8, 0.9, 0.85, 1.0, 2]),
    ]


def test_intervals_are_wilsons():
    rng = np.random.default_rng(1)
    chance = rng.random(997)
    found = calibration(chance, rng.random(997) < chance)
    low, high = proportion_confint(
        found["observed"] * found["customers"], found["customers"], method="wilson"
    )
    np.testing.assert_allclose(found["observed_low"], low, atol=1e-12)
    np.testing.assert_allclose(found["observed_high"], high, atol=1e-12)


def test_groups_are_of_the_same_size_and_equal_chances_stay_together():
    found = calibration(np.linspace(0.01, 0.99, 1_000), np.zeros(1_000))
    assert found["customers"].tolist() == [100] * 10
    assert (found["low"].iloc[1:].to_numpy() > found["high"].iloc[:-1].to_numpy()).all()
    same = calibration([0.3] * 700 + [0.6] * 300, [True] * 1_000)
    assert same["customers"].tolist() == [700, 300]
    assert same["low"].tolist() == same["high"].tolist() == pytest.approx([0.3, 0.6])


def test_unknown_predictions_are_left_out():
    found = calibration([0.5, np.nan, 0.5], [True, True, False])
    assert found["customers"].tolist() == [2]
    assert len(calibration([], [])) == 0


def test_true_chances_lie_in_nearly_all_intervals_and_wrong_ones_do_not():
    held, wrong = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        chance = rng.beta(0.5, 1.5, 2_000)
        bought = rng.random(2_000) < chance
        for predicted, into in ((chance, held), (chance**1.5, wrong)):
            found = calibration(predicted, bought)
            into.append(found["predicted"].between(found["observed_low"], found["observed_high"]))
    # 95 % of 400: between 92 and 98 % but once in a thousand. Wilson's is a little wide for rare events.
    assert 0.92 < np.mean(held) < 0.985
    assert np.mean(wrong) < 0.6


def test_the_chance_to_buy_is_calibrated_and_that_to_be_active_is_not():
    rng = np.random.default_rng(3)
    parameters, age = {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.5}, rng.uniform(5.0, 52.0, 20_000)
    times = purchase_times(rng, *parameters.values(), age + 20.0)
    predicted = BetaGeo.of(parameters).predict(summed_up(times, age), 20.0)
    later = (times > age[:, None]).any(axis=1)
    good = calibration(predicted["order_chance"], later)
    assert good["predicted"].between(good["observed_low"], good["observed_high"]).sum() >= 8
    active = calibration(predicted["p_alive"], later)
    assert (active["predicted"] > active["observed_high"]).all()

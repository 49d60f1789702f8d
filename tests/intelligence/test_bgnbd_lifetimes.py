"""Both models against lifetimes, an independent program, on customers simulated over a grid of parameters."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest

from ma.intelligence.bgnbd import BetaGeo
from ma.intelligence.gamma_gamma import GammaGamma
from tests.intelligence.customers import simulated

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lifetimes import BetaGeoFitter, GammaGammaFitter

GRID = list(itertools.product((0.3, 1.5), (4.0, 12.0), (0.5, 1.2), (2.5,)))


@pytest.fixture(autouse=True)
def its_warnings_are_its_own():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def theirs(model, kind):
    """lifetimes' model with our parameters."""
    fitter = kind()
    fitter.params_ = model.parameters_
    return fitter


@pytest.mark.parametrize("parameters", GRID, ids=str)
def test_bgnbd_is_fitted_as_lifetimes_fits_it(parameters):
    rows = simulated(5, parameters, 2_000)
    ours = BetaGeo().fit(rows)
    other = BetaGeoFitter().fit(rows["frequency"], rows["recency"], rows["T"])
    # It fits times of its own unit: each repeat purchase's density is in that.
    likelihood = rows["frequency"].sum() * np.log(other._scale) - other._negative_log_likelihood_ * len(rows)
    # Where they differ at all, ours is the likelier one.
    assert ours.log_likelihood_ == pytest.approx(likelihood, rel=1e-7)
    assert ours.log_likelihood_ >= likelihood - 1e-6
    np.testing.assert_allclose(ours.parameters_, other.params_, rtol=5e-3)
    np.testing.assert_allclose(ours.standard_errors_, other.standard_errors_, rtol=5e-2)


@pytest.mark.parametrize("parameters", GRID, ids=str)
def test_bgnbd_predicts_as_lifetimes_does(parameters):
    rows = simulated(8, parameters, 2_000)
    ours = BetaGeo.of(dict(zip(("r", "alpha", "a", "b"), parameters, strict=True)))
    other = theirs(ours, BetaGeoFitter)
    found, known = ours.predict(rows, 26.0), (rows["frequency"], rows["recency"], rows["T"])
    np.testing.assert_allclose(found["p_alive"], other.conditional_probability_alive(*known), rtol=1e-9)
    expected = other.conditional_expected_number_of_purchases_up_to_time(26.0, *known)
    np.testing.assert_allclose(found["expected_purchases"], expected, rtol=1e-7)
    times = np.array([0.5, 8.0, 60.0])
    np.testing.assert_allclose(
        ours.expected_purchases_of_new(times), other.expected_number_of_purchases_up_to_time(times), rtol=1e-7
    )
    new = pd.DataFrame({"frequency": [0], "recency": [0.0], "T": [0.0]})
    chances = ours.purchase_distribution(new, 26.0, 40).loc[0, :10]
    known = [other.probability_of_n_purchases_up_to_time(26.0, n) for n in range(11)]
    np.testing.assert_allclose(chances, known, rtol=1e-7)


@pytest.mark.parametrize(("p", "q", "v"), [(6.25, 3.74, 15.44), (1.5, 6.0, 200.0), (20.0, 2.5, 5.0)])
def test_gamma_gamma_is_fitted_as_lifetimes_fits_it(p, q, v):
    rng = np.random.default_rng(9)
    x = rng.geometric(0.4, 1_500)
    m = rng.gamma(p * x) / (rng.gamma(q, size=1_500) / v) / x
    rows = pd.DataFrame({"frequency": x, "monetary_value": m})
    ours = GammaGamma().fit(rows)
    other = GammaGammaFitter().fit(rows["frequency"], rows["monetary_value"])
    likelihood = -other._negative_log_likelihood_ * len(rows)
    assert ours.log_likelihood_ == pytest.approx(likelihood, rel=1e-7)
    assert ours.log_likelihood_ >= likelihood - 1e-6
    np.testing.assert_allclose(ours.parameters_, other.params_, rtol=1e-2)
    np.testing.assert_allclose(ours.standard_errors_, other.standard_errors_, rtol=5e-2)
    expected = theirs(ours, GammaGammaFitter).conditional_expected_average_profit(x, m)
    np.testing.assert_allclose(ours.predict(rows)["expected_order"], expected, rtol=1e-9)

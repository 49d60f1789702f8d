"""Quantiles against exact sums, the standard library, and figures of an independent program."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from ma.simulation.quantiles import binomial_quantile, lognormal_sum, normal_quantile


def exact(u, n, p):
    """The least k whose cumulated probability reaches u, for each u, by adding up in Python."""
    below, sums = 0.0, []
    for k in range(n + 1):
        ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        below += math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))
        sums.append(below)
    return np.minimum(np.searchsorted(sums, u), n)


def test_normal_quantiles_are_those_of_the_standard_library():
    u = np.concatenate([np.geomspace(1e-12, 0.5, 500), 1.0 - np.geomspace(1e-12, 0.5, 500)])
    known = np.array([NormalDist().inv_cdf(value) for value in u])
    assert np.abs(normal_quantile(u) - known).max() < 1e-8


@pytest.mark.parametrize("n", [1, 7, 60, 5_000])
@pytest.mark.parametrize("p", [1e-4, 0.004, 0.3, 0.5, 0.9, 0.9995])
def test_binomial_quantiles_are_exact_where_few_are_expected_and_near_elsewhere(n, p):
    u = (np.arange(200) + 0.37) / 200.1  # no sum ends exactly there
    found = binomial_quantile(u, n, p)
    known = exact(u, n, p)
    if n * p * (1 - p) < 25:
        assert (found == known).all()
    else:
        assert np.abs(found - known).max() <= 1
        assert (found == known).mean() > 0.95


def test_binomial_quantiles_agree_with_scipy():
    # scipy.stats.binom.ppf, scipy 1.17: (u, n, p) and what it gave.
    known = {
        (0.1, 100_000, 0.2): 19_838,
        (0.5, 100_000, 0.2): 20_000,
        (0.9, 1_000_000, 0.0016): 1_651,
        (0.975, 80, 0.1): 14,
        (0.001, 10_000, 0.9955): 9_933,
        (0.9999, 300, 0.5): 182,
    }
    u, n, p = np.array(list(known)).T
    assert np.abs(binomial_quantile(u, n, p) - list(known.values())).max() <= 1


def test_nobody_never_and_always():
    u = np.array([1e-9, 0.5, 1.0 - 1e-9])
    assert binomial_quantile(u, 0, 0.5).tolist() == [0, 0, 0]
    assert binomial_quantile(u, 100, 0.0).tolist() == [0, 0, 0]
    assert binomial_quantile(u, 100, 1.0).tolist() == [100, 100, 100]
    assert binomial_quantile(np.array([]), 10, 0.5).tolist() == []


def test_more_luck_and_a_higher_rate_never_give_fewer():
    u = np.linspace(0.001, 0.999, 999)
    for n, p in ((40, 0.2), (40_000, 0.2)):
        assert (np.diff(binomial_quantile(u, n, p)) >= 0).all()
        rates = np.linspace(p, p * 1.2, 50)
        assert (np.diff(binomial_quantile(np.full(50, 0.3), n, rates)) >= 0).all()


def test_one_log_normal_amount_is_itself_and_many_have_their_mean_and_variance():
    z, sigma = np.random.default_rng(1).standard_normal(100_000), 1.0
    one = lognormal_sum(z, np.array(1.0), np.array(50.0), np.array(2500.0 * math.e))
    assert np.allclose(one, 50.0 * np.exp(sigma * z - sigma**2 / 2), rtol=1e-12)
    many = lognormal_sum(z, np.array(400.0), np.array(50.0), np.array(2500.0 * math.e))
    assert many.mean() == pytest.approx(20_000, rel=0.001)
    assert many.std() == pytest.approx(50 * math.sqrt(400 * (math.e - 1)), rel=0.01)
    assert lognormal_sum(z[:3], np.zeros(3), np.array(50.0), np.array(2600.0)).tolist() == [0, 0, 0]

"""Inverse distribution functions on numpy columns: a uniform number in, the quantile out.

A forecast needs them vectorised and at once, over draws that each have another n and p, so it starts without
loading a statistics library. Tested against exact sums and figures of an independent program.
"""

import numpy as np

# Acklam's rational approximation of the normal quantile, relative error below 1.2e-9.
_CENTRE = (
    (-3.969683028665376e01, 2.209460984245205e02, -2.759285104469687e02, 1.383577518672690e02,
     -3.066479806614716e01, 2.506628277459239e00),
    (-5.447609879822406e01, 1.615858368580409e02, -1.556989798598866e02, 6.680131188771972e01,
     -1.328068155288572e01, 1.0),
)  # fmt: skip
_TAIL = (
    (-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e00, -2.549732539343734e00,
     4.374664141464968e00, 2.938163982698783e00),
    (7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e00, 3.754408661907416e00, 1.0),
)  # fmt: skip
_TAIL_BEGINS = 0.02425
# From this variance on, the quantile of a binomial is taken from its cumulants, right but for one in some
# draws.
_MANY = 25.0


def normal_quantile(u: np.ndarray) -> np.ndarray:
    """The standard normal quantiles of numbers in (0, 1)."""
    u = np.asarray(u, dtype=np.float64)
    away = u - 0.5
    square = away * away
    found = away * np.polyval(_CENTRE[0], square) / np.polyval(_CENTRE[1], square)
    tail = np.flatnonzero(np.minimum(u, 1.0 - u) < _TAIL_BEGINS)
    if len(tail):
        far = np.sqrt(-2.0 * np.log(np.minimum(u[tail], 1.0 - u[tail])))
        found[tail] = -np.sign(away[tail]) * np.polyval(_TAIL[0], far) / np.polyval(_TAIL[1], far)
    return found


def binomial_quantile(u: np.ndarray, n: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The least k with P(successes among n <= k) >= u, for each of the three columns' rows; floats.

    More luck, more trials or a higher rate never give fewer successes where the sum is exact.
    """
    u, n, p = (np.array(column, dtype=np.float64) for column in np.broadcast_arrays(u, n, p))
    rare = np.minimum(p, 1.0 - p)
    # Failures are counted where they are the rarer of the two, from the other end of the luck.
    luck = np.where(p > 0.5, 1.0 - u, u)
    many = n * rare * (1.0 - rare) >= _MANY
    found = np.empty(len(u))
    found[many] = _from_cumulants(luck[many], n[many], rare[many])
    found[~many] = _from_sums(luck[~many], n[~many], rare[~many])
    return np.where(p > 0.5, n - found, found)


def lognormal_sum(z: np.ndarray, n: np.ndarray, mean: np.ndarray, square: np.ndarray) -> np.ndarray:
    """What n amounts add up to, of which one has this mean and mean square; z is standard normal.

    The log-normal of the sum's own mean and variance (Fenton 1960): exact for one log-normal amount, and for
    many.
    """
    n, mean, square = np.broadcast_arrays(n, mean, square)
    varied = np.divide(square, mean**2, out=np.ones(mean.shape), where=mean > 0.0) - 1.0
    relative = np.maximum(varied, 0.0) / np.maximum(n, 1.0)
    spread = np.log1p(relative)
    return n * mean * np.exp(np.sqrt(spread) * z - spread / 2.0)


def _from_cumulants(u: np.ndarray, n: np.ndarray, p: np.ndarray) -> np.ndarray:
    # Cornish & Fisher 1937, to the fourth cumulant, with the continuity correction.
    z, variance = normal_quantile(u), n * p * (1.0 - p)
    sd = np.sqrt(variance)
    skew, excess = (1.0 - 2.0 * p) / sd, (1.0 - 6.0 * p * (1.0 - p)) / variance
    z2 = z * z
    w = z + skew * (z2 - 1.0) / 6.0 + excess * z * (z2 - 3.0) / 24.0 - skew**2 * z * (2.0 * z2 - 5.0) / 36.0
    return np.clip(np.ceil(n * p + sd * w - 0.5), 0.0, n)


def _from_sums(u: np.ndarray, n: np.ndarray, p: np.ndarray) -> np.ndarray:
    found = np.zeros(len(u))
    term = np.exp(n * np.log1p(-p))
    below, odds = term.copy(), p / (1.0 - p)
    going = np.flatnonzero((u > below) & (n > 0.0) & (p > 0.0))
    k = 0
    # The terms vanish long before; a sum that rounding keeps below u ends there.
    while len(going) and k < 20 * _MANY:
        term[going] *= (n[going] - k) / (k + 1.0) * odds[going]
        below[going] += term[going]
        k += 1
        found[going] = k
        going = going[(u[going] > below[going]) & (k < n[going])]
    return found

"""Purchases expected of an active customer under BG/NBD, for any counts and times without overflow."""

import numpy as np
from scipy.special import betainc, betaln, hyp2f1

# As near as this to a = 1 or a + b + x = 1 the closed form is 0 / 0; over so short a horizon it cancels out.
_NEAR = 1e-4
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)
_TERMS = 2_000


def expected_while_active(
    r: float, alpha: float, a: float, b: float, x: np.ndarray, age: np.ndarray, horizon
) -> np.ndarray:
    """Equation (10) of Fader, Hardie & Lee 2005 without its denominator; of new customers equation (9).

    Euler's transformation of their Gaussian hypergeometric function leaves no power of x in it, so that large
    counts neither overflow nor cancel.
    """
    horizon = np.broadcast_to(np.asarray(horizon, dtype=np.float64), x.shape)
    ahead, total = horizon / (alpha + age), a + b + x - 1.0
    stay = 1.0 / (1.0 + ahead)
    odd = (np.abs(total) < _NEAR) | (abs(a - 1.0) < _NEAR) | (ahead < _NEAR)
    found, rest = np.empty(len(x)), ~odd
    with np.errstate(over="ignore", invalid="ignore"):
        hyper = _hyper(a - 1.0, a + b - 1.0 - r, total[rest], 1.0 - stay[rest])
        scale = total[rest] / (a - 1.0 if rest.any() else 1.0)
        found[rest] = scale * (1.0 - stay[rest] ** (a - 1.0) * hyper)
        found[odd] = _integrated(r, a, b, x[odd], ahead[odd])
    gap = ~np.isfinite(found)
    found[gap] = _summed(r, a, b, x[gap], ahead[gap])
    # No fewer than the chance of one, no more than if nobody ever dropped out: rounding must not pass them.
    return np.clip(found, -np.expm1(-(r + x) * np.log1p(ahead)), (r + x) * ahead)


def _integrated(r: float, a: float, b: float, x: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """The same from the rate of purchases at each instant to come, which has no such points.

    At u the rate is (r + x) E[(1 + p u)^-(r + x + 1)] with p beta (a, b + x); `ahead` is the last u, and the
    nodes lie evenly in ln(1 + (r + x) u), so that any scale is met.
    """
    shape, total = (r + x)[:, None], (a + b + x)[:, None]
    top = np.log1p(shape * ahead[:, None])
    place = top * (_NODES + 1.0) / 2.0
    u = np.expm1(place) / shape
    rate = (1.0 + u) ** -a * _hyper(a, a + b - r - 1.0, np.broadcast_to(total, u.shape), u / (1.0 + u))
    return (top / 2.0 * _WEIGHTS * np.exp(place) * rate).sum(axis=1)


def _summed(r: float, a: float, b: float, x: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """The same as the chances of an nth purchase added up: for a of hundreds, where few are left soon."""
    n, shape, left = np.arange(1.0, _TERMS), (r + x)[:, None], (b + x)[:, None]
    chance = np.exp(betaln(a, left + n - 1.0) - betaln(a, left))
    return (chance * betainc(n, shape, (ahead / (1.0 + ahead))[:, None])).sum(axis=1)


def _hyper(first: float, second: float, third: np.ndarray, z: np.ndarray) -> np.ndarray:
    """2F1(first, second; third; z) with 0 <= z < 1.

    scipy's has no value near z = 1 where `third` is in the thousands; its series is short then.
    """
    found = hyp2f1(first, second, third, z)
    gap = ~np.isfinite(found)
    if gap.any():
        third, z = third[gap], z[gap]
        term = total = np.ones(len(z))
        for n in range(_TERMS):
            term = term * ((first + n) * (second + n) / ((third + n) * (n + 1.0)) * z)
            total = total + term
            if (np.abs(term) <= 1e-17 * np.abs(total)).all():
                break
        found[gap] = total
    return found

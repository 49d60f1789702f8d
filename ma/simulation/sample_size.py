"""How large a test must be, and what it can see: two variants, or people treated against people held out.

The two-sided z-test of two proportions, with the pooled variance where nothing differs and the two own ones
where something does (Fleiss, Levin & Paik, "Statistical Methods for Rates and Proportions", 2003, section
4.2, without the continuity correction); both sides of the test count.
"""

import math
from statistics import NormalDist

_NORMAL = NormalDist()
_MOST = 1e12


def power(rate_a: float, rate_b: float, people_a: float, people_b: float, *, alpha: float = 0.05) -> float:
    """How likely a test with so many people in its arms finds the difference between these two rates."""
    if min(people_a, people_b) <= 0:
        return math.nan
    pooled = (rate_a * people_a + rate_b * people_b) / (people_a + people_b)
    usual = math.sqrt(pooled * (1.0 - pooled) * (1.0 / people_a + 1.0 / people_b))
    own = math.sqrt(rate_a * (1.0 - rate_a) / people_a + rate_b * (1.0 - rate_b) / people_b)
    critical, difference = usual * _NORMAL.inv_cdf(1.0 - alpha / 2.0), abs(rate_b - rate_a)
    if own == 0.0:  # both rates are 0 or 1: chance plays no part
        return float(difference > critical)
    return _NORMAL.cdf((difference - critical) / own) + _NORMAL.cdf((-difference - critical) / own)


def needed_people(
    rate_a: float, rate_b: float, *, share_b: float = 0.5, target: float = 0.8, alpha: float = 0.05
) -> float:
    """How many people both arms need together to find the difference, `share_b` of them in b; NaN if none.

    A whole number, rounded up.
    """
    if rate_a == rate_b or not 0.0 < share_b < 1.0:
        return math.nan

    def enough(people: float) -> bool:
        return power(rate_a, rate_b, people * (1.0 - share_b), people * share_b, alpha=alpha) >= target

    return _least(enough, 2.0, 4.0)


def detectable_rate(
    rate_a: float,
    people_a: float,
    people_b: float,
    *,
    target: float = 0.8,
    alpha: float = 0.05,
    higher: bool = True,
) -> float:
    """The rate in arm b nearest to `rate_a` that such a test finds with this power; NaN if there is none.

    Its distance from `rate_a` is the minimum detectable effect. `higher`: above it, otherwise below.
    """
    end = 1.0 if higher else 0.0

    def seen(part: float) -> bool:
        rate_b = rate_a + part * (end - rate_a)
        return power(rate_a, rate_b, people_a, people_b, alpha=alpha) >= target

    if rate_a == end or min(people_a, people_b) <= 0 or not seen(1.0):
        return math.nan
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2.0
        low, high = (low, middle) if seen(middle) else (middle, high)
    return rate_a + high * (end - rate_a)


def _least(enough, low: float, high: float) -> float:
    while not enough(high):
        low, high = high, high * 2.0
        if high > _MOST:
            return math.nan
    while high - low > 1e-6 * high:
        middle = (low + high) / 2.0
        low, high = (low, middle) if enough(middle) else (middle, high)
    return float(math.ceil(high - 1e-4 * min(high, 1.0)))

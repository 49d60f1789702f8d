"""How sure the figures of a test are: intervals, p-values and chances from counts and sums.

Numbers in, numbers out; statsmodels and SciPy have the formulas. They are imported where they are used,
because that takes a second. Unknown is NaN.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NAN = math.nan
# Two-sided: an interval covers 95 %, a test is wrong in 5 % of the cases in which nothing differs.
ALPHA = 0.05
# Below so many expected people in a cell the normal and chi-square approximations fail (Cochran 1954).
FEWEST_EXPECTED = 5.0
MISMATCH_ALARM, MISMATCH_WARNING = 0.001, 0.01
_GRID = 4_000
_RESAMPLES, _RESAMPLING_SEED = 1_000, 20_260_301
# Beyond so many distinct amounts, the lower ones are put together in groups of neighbours.
_AMOUNTS, _LARGEST = 1_000, 250


@dataclass(frozen=True)
class Estimate:
    """A rate, mean or difference with its 95 % interval; `p_value` of a difference: two-sided."""

    value: float
    low: float
    high: float
    p_value: float = NAN


UNKNOWN = Estimate(NAN, NAN, NAN)


@dataclass(frozen=True)
class Sums:
    """An amount of each person, added up: over how many people, the sum, and the sum of the squares."""

    people: float
    total: float
    squares: float

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.people + other.people, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> float:
        """The amount per person."""
        return self.total / self.people if self.people else NAN

    @property
    def variance(self) -> float:
        """Of the amounts, estimated from this sample; NaN below two people."""
        if self.people < 2:
            return NAN
        return max(self.squares - self.total**2 / self.people, 0.0) / (self.people - 1.0)


def rate(count: float, people: float) -> Estimate:
    """A share of people with Wilson's interval (1927)."""
    from statsmodels.stats.proportion import proportion_confint

    if not people > 0 or math.isnan(count):
        return UNKNOWN
    low, high = proportion_confint(count, people, alpha=ALPHA, method="wilson")
    # Rounding may leave a nought that is not quite one.
    return Estimate(count / people, max(float(low), 0.0), min(float(high), 1.0))


def rate_difference(count_a: float, people_a: float, count_b: float, people_b: float) -> Estimate:
    """Rate of b less rate of a: Newcombe's interval (1998, method 10) and a two-sided p-value.

    The p-value is that of the z-test with pooled variance, as `simulation.sample_size` plans it; Fisher's
    exact one where fewer than FEWEST_EXPECTED people are expected in a cell.
    """
    from scipy.stats import fisher_exact
    from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

    if not min(people_a, people_b) > 0 or math.isnan(count_a + count_b):
        return UNKNOWN
    low, high = confint_proportions_2indep(
        count_b, people_b, count_a, people_a, method="newcomb", compare="diff", alpha=ALPHA
    )
    pooled = (count_a + count_b) / (people_a + people_b)
    if min(pooled, 1.0 - pooled) * min(people_a, people_b) < FEWEST_EXPECTED:
        table = [[int(count_a), int(people_a - count_a)], [int(count_b), int(people_b - count_b)]]
        p_value = fisher_exact(table).pvalue
    else:
        _, p_value = proportions_ztest([count_b, count_a], [people_b, people_a])
    difference = count_b / people_b - count_a / people_a
    return Estimate(difference, float(low), float(high), float(p_value))


def mean(sums: Sums) -> Estimate:
    """An amount per person with Student's interval; no interval where nothing varies."""
    if not sums.variance > 0:
        return Estimate(sums.mean, NAN, NAN)
    half = _t_quantile(sums.people - 1.0) * math.sqrt(sums.variance / sums.people)
    return Estimate(sums.mean, sums.mean - half, sums.mean + half)


def mean_difference(a: Sums, b: Sums) -> Estimate:
    """Amount per person of b less that of a: Welch's interval and p-value (1947), unequal variances.

    Where the amounts of one side do not vary (nobody has bought), only the difference is known: it cannot be
    told from them how much they could vary.
    """
    from scipy.stats import ttest_ind_from_stats

    if not min(a.variance, b.variance) > 0:
        return Estimate(b.mean - a.mean, NAN, NAN)
    each = [sums.variance / sums.people for sums in (a, b)]
    freedom = sum(each) ** 2 / sum(
        square**2 / (sums.people - 1.0) for square, sums in zip(each, (a, b), strict=True)
    )
    half = _t_quantile(freedom) * math.sqrt(sum(each))
    found = ttest_ind_from_stats(
        b.mean, math.sqrt(b.variance), b.people, a.mean, math.sqrt(a.variance), a.people, equal_var=False
    )
    difference = b.mean - a.mean
    return Estimate(difference, difference - half, difference + half, float(found.pvalue))


def detectable_mean_difference(a: Sums, b: Sums, *, target: float = 0.8) -> float:
    """The smallest difference of two amounts per person that such a test finds with this power; about."""
    from scipy.stats import norm

    if not min(a.variance, b.variance) > 0:
        return NAN
    standard_error = math.sqrt(a.variance / a.people + b.variance / b.people)
    return float(norm.ppf(1.0 - ALPHA / 2.0) + norm.ppf(target)) * standard_error


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for there being several (Holm 1979); unknown ones stay and do not count."""
    # Not by multipletests of statsmodels: each call collects all garbage of the process, a third of a second.
    found = np.array(p_values, dtype=float)
    order = np.argsort(found, kind="stable")[: int((~np.isnan(found)).sum())]
    times = np.arange(len(order), 0, -1)
    found[order] = np.minimum(np.maximum.accumulate(found[order] * times), 1.0)
    return found.tolist()


def sample_ratio(groups: Sequence[tuple[Sequence[float], Sequence[float]]]) -> float:
    """The p-value of people being split as planned (chi-square); NaN where too few are expected to tell.

    Each group has the people observed in its parts and the shares planned for them. Groups are drawn apart
    from each other, so their statistics add up.
    """
    from scipy.stats import chi2, chisquare

    statistic, freedom = 0.0, 0
    for observed, shares in groups:
        expected = sum(observed) * np.array(shares) / math.fsum(shares)
        if len(observed) < 2 or expected.min() < FEWEST_EXPECTED:
            return NAN
        statistic += float(chisquare(observed, expected).statistic)
        freedom += len(observed) - 1
    return float(chi2.sf(statistic, freedom)) if freedom else NAN


def probability_best(counts: Sequence[float], people: Sequence[float]) -> list[float]:
    """How likely each of several rates is the highest, given what was seen and nothing known before.

    The posterior of a rate is Beta(1 + took the step, 1 + did not). Over the posterior of each, the chance
    that all others are lower: the exact integral, by the midpoints of 4,000 equally likely values.
    """
    from scipy.stats import beta

    counts, people = np.array(counts, dtype=float), np.array(people, dtype=float)
    if len(counts) < 2 or np.isnan(counts).any() or not (people > 0).all():
        return [NAN] * len(counts)
    posteriors = [beta(1.0 + k, 1.0 + n - k) for k, n in zip(counts, people, strict=True)]
    middles = (np.arange(_GRID) + 0.5) / _GRID
    chances = np.empty(len(posteriors))
    for place, mine in enumerate(posteriors):
        at = mine.ppf(middles)
        lower = [other.cdf(at) for other in (*posteriors[:place], *posteriors[place + 1 :])]
        chances[place] = np.prod(lower, axis=0).mean()
    return (chances / chances.sum()).tolist()


def resampled_means(amounts: np.ndarray, counts: np.ndarray, people: float, *, stream: int = 0) -> np.ndarray:
    """Amounts per person in 1,000 samples drawn anew from these people (bootstrap, Efron 1979).

    amounts: what those brought who brought anything, counts: how many people each; the others of `people`
    brought 0. Other streams have luck of their own. NaN where there is nobody.
    """
    if not people > 0:
        return np.full(_RESAMPLES, NAN)
    rng = np.random.default_rng([_RESAMPLING_SEED, stream])
    amounts, counts = _grouped(np.asarray(amounts, dtype=float), np.asarray(counts, dtype=float))
    shares = np.append(counts, people - counts.sum()) / people
    drawn = rng.multinomial(int(people), shares / shares.sum(), size=_RESAMPLES)
    return drawn[:, :-1] @ amounts / people


def between(draws: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of draws."""
    low, high = np.quantile(draws, [ALPHA / 2.0, 1.0 - ALPHA / 2.0])
    return float(low), float(high)


def _grouped(amounts: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most _AMOUNTS amounts with the same sum: the largest, which decide the spread, stay as they are."""
    if len(amounts) <= _AMOUNTS:
        return amounts, counts
    order = np.argsort(-amounts, kind="stable")
    amounts, counts = amounts[order], counts[order]
    rest = np.arange(len(amounts) - _LARGEST)
    group = np.concatenate([np.arange(_LARGEST), _LARGEST + rest * (_AMOUNTS - _LARGEST) // len(rest)])
    people = np.bincount(group, counts)
    return np.bincount(group, amounts * counts) / people, people


def _t_quantile(freedom: float) -> float:
    from scipy.stats import t

    return float(t.ppf(1.0 - ALPHA / 2.0, freedom))

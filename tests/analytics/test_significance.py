"""Intervals, p-values and chances against published figures, independent programs and simulation."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from ma.analytics import significance
from ma.analytics.incrementality import FEWEST_BUYERS
from ma.analytics.significance import Sums


def sums(values):
    return Sums(len(values), float(values.sum()), float((values**2).sum()))


def revenue(rng, people, *, buying=0.05):
    """What people bring: most of them nothing, some a log-normal amount."""
    return np.where(rng.random(people) < buying, np.round(rng.lognormal(7.0, 0.8, people)), 0.0)


@pytest.mark.parametrize(
    ("count", "people", "low", "high"),
    # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_rates_have_the_intervals_of_newcombes_table(count, people, low, high):
    found = significance.rate(count, people)
    assert found.value == count / people
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_a_difference_of_rates_is_that_of_newcombes_paper():
    # Newcombe, "Interval estimation for the difference between independent proportions", 1998: (a) and (b).
    found = significance.rate_difference(48, 80, 56, 70)
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == (pytest.approx(0.0524, abs=6e-5), pytest.approx(0.3339, abs=6e-5))
    found = significance.rate_difference(3, 10, 9, 10)
    assert (found.low, found.high) == (pytest.approx(0.1705, abs=6e-5), pytest.approx(0.8090, abs=6e-5))


def test_p_values_are_those_of_the_chi_square_test_and_of_fishers_tea():
    found = significance.rate_difference(50, 1_000, 80, 1_200)
    table = [[50, 950], [80, 1_120]]
    assert found.p_value == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue)
    # Fisher 1935: three of four cups right, p = 17/70 one-sided; two-sided 34/70.
    assert significance.rate_difference(1, 4, 3, 4).p_value == pytest.approx(34 / 70)
    assert significance.rate_difference(0, 50, 0, 60).p_value == 1.0
    assert significance.rate_difference(50, 50, 60, 60).p_value == 1.0


def test_turning_a_comparison_round_turns_its_signs():
    one, other = (
        significance.rate_difference(30, 900, 55, 800),
        significance.rate_difference(55, 800, 30, 900),
    )
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert one.p_value == pytest.approx(other.p_value)


def test_welch_is_that_of_scipy_and_statsmodels_on_the_people_themselves():
    rng = np.random.default_rng(1)
    a, b = revenue(rng, 700), revenue(rng, 1_500, buying=0.08)
    found = significance.mean_difference(sums(a), sums(b))
    test = stats.ttest_ind(b, a, equal_var=False)
    assert found.p_value == pytest.approx(test.pvalue, rel=1e-9)
    assert (found.low, found.high) == pytest.approx(tuple(test.confidence_interval(0.95)), rel=1e-9)
    other = CompareMeans(DescrStatsW(b), DescrStatsW(a)).tconfint_diff(usevar="unequal")
    assert (found.low, found.high) == pytest.approx(tuple(map(float, other)), rel=1e-9)
    alone = significance.mean(sums(a))
    assert (alone.low, alone.high) == pytest.approx(
        tuple(map(float, DescrStatsW(a).tconfint_mean())), rel=1e-9
    )


def test_sums_of_two_groups_are_those_of_everybody():
    a, b = np.array([0.0, 3.0, 7.0]), np.array([1.0, 0.0])
    both = sums(a) + sums(b)
    assert both.mean == pytest.approx(np.concatenate([a, b]).mean())
    assert both.variance == pytest.approx(np.concatenate([a, b]).var(ddof=1))


def test_what_cannot_be_known_is_nan():
    assert math.isnan(significance.rate(0, 0).value)
    assert math.isnan(significance.rate(math.nan, 10).low)
    assert math.isnan(significance.rate_difference(1, 0, 1, 10).p_value)
    nobody_bought = significance.mean_difference(Sums(50, 0, 0), Sums(50, 900, 500_000))
    assert nobody_bought.value == 18
    assert math.isnan(nobody_bought.low)
    assert math.isnan(nobody_bought.p_value)
    assert math.isnan(significance.mean(Sums(0, 0, 0)).value)
    assert np.isnan(significance.resampled_means(np.empty(0), np.empty(0), 0)).all()


def test_holm_is_the_hand_calculation():
    # Smallest x 3, the next x 2 but not below, the largest x 1 but not below; unknown ones do not count.
    assert significance.holm([0.01, 0.04, math.nan, 0.03]) == pytest.approx(
        [0.03, 0.06, math.nan, 0.06], nan_ok=True
    )
    assert significance.holm([0.2]) == [0.2]
    assert significance.holm([0.9, 0.6]) == [1.0, 1.0]
    assert significance.holm([]) == []


def test_holm_is_that_of_statsmodels():
    rng = np.random.default_rng(11)
    for _ in range(20):
        p_values = rng.random(rng.integers(1, 8)) ** 2
        assert significance.holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_the_sample_ratio_is_the_hand_calculation():
    # 500 and 560 where 530 each are expected: 2 x 30^2 / 530 = 3.396, one degree of freedom.
    alone = ([500, 560], [0.5, 0.5])
    assert significance.sample_ratio([alone]) == pytest.approx(stats.chi2.sf(2 * 900 / 530, 1))
    # 100 of 1,000 held out where 90 should be: 10^2/90 + 10^2/910.
    other = ([100, 900], [0.09, 0.91])
    both = 2 * 900 / 530 + 100 / 90 + 100 / 910
    assert significance.sample_ratio([alone, other]) == pytest.approx(stats.chi2.sf(both, 2))
    assert math.isnan(significance.sample_ratio([([3, 40], [0.1, 0.9])]))
    assert math.isnan(significance.sample_ratio([]))


def best_of_two(a, n_a, b, n_b):
    """P(rate of b > rate of a) for Beta(1 + k, 1 + n - k): Miller's closed sum (2014)."""
    alpha_a, beta_a, alpha_b, beta_b = 1 + a, 1 + n_a - a, 1 + b, 1 + n_b - b
    i = np.arange(alpha_b)
    from scipy.special import betaln

    terms = betaln(alpha_a + i, beta_a + beta_b) - np.log(beta_b + i) - betaln(1 + i, beta_b)
    return float(np.exp(terms - betaln(alpha_a, beta_a)).sum())


@pytest.mark.parametrize("case", [(30, 1_000, 45, 1_000), (0, 20, 1, 25), (30, 1_000, 3_100, 100_000)])
def test_the_chance_to_be_best_of_two_is_the_exact_integral(case):
    a, n_a, b, n_b = case
    found = significance.probability_best([a, b], [n_a, n_b])
    assert found[1] == pytest.approx(best_of_two(*case), abs=3e-4)
    assert sum(found) == pytest.approx(1.0)


def test_the_chance_to_be_best_of_three_is_how_often_it_is():
    rng, counts, people = np.random.default_rng(5), [40, 52, 50], [1_000, 1_100, 900]
    draws = np.array([rng.beta(1 + k, 1 + n - k, 200_000) for k, n in zip(counts, people, strict=True)])
    often = np.bincount(draws.argmax(axis=0), minlength=3) / 200_000
    assert significance.probability_best(counts, people) == pytest.approx(often, abs=0.004)
    assert np.isnan(significance.probability_best([1], [10])).all()
    assert np.isnan(significance.probability_best([1, 2], [10, 0])).all()


def test_resampling_spreads_as_the_mean_of_these_people_does():
    values = revenue(np.random.default_rng(2), 3_000)
    amounts, counts = np.unique(values[values > 0], return_counts=True)
    drawn = significance.resampled_means(amounts, counts, len(values))
    expected = values.std() / math.sqrt(len(values))
    # Of 1,000 draws the mean is known to a thirtieth of the spread, the spread to a fortieth of itself.
    assert drawn.mean() == pytest.approx(values.mean(), abs=4 * expected / math.sqrt(1_000))
    assert drawn.std() == pytest.approx(expected, rel=0.09)
    other = significance.resampled_means(amounts, counts, len(values), stream=1)
    assert abs(np.corrcoef(drawn, other)[0, 1]) < 0.12
    assert (drawn == significance.resampled_means(amounts, counts, len(values))).all()


def test_many_amounts_are_put_together_without_changing_what_is_drawn():
    values = revenue(np.random.default_rng(3), 400_000)
    amounts, counts = np.unique(values[values > 0], return_counts=True)
    assert len(amounts) > 3_000
    grouped = significance._grouped(amounts, counts)
    assert len(grouped[0]) == 1_000
    assert grouped[0] @ grouped[1] == pytest.approx(values.sum())
    assert grouped[1].sum() == (values > 0).sum()
    assert grouped[0] ** 2 @ grouped[1] == pytest.approx((values**2).sum(), rel=1e-4)
    drawn = significance.resampled_means(amounts, counts, len(values))
    assert drawn.std() == pytest.approx(values.std() / math.sqrt(len(values)), rel=0.09)


# What follows is how often it is wrong, by simulation; each bound is four standard errors away.


def test_of_tests_in_which_nothing_differs_one_in_twenty_finds_something():
    rng, tests, people = np.random.default_rng(7), 800, (900, 700, 800, 600)
    wrong = 0
    for _ in range(tests):
        first, *others = rng.binomial(people, 0.06)
        p_values = [
            significance.rate_difference(first, people[0], count, n).p_value
            for count, n in zip(others, people[1:], strict=True)
        ]
        wrong += min(significance.holm(p_values)) < 0.05
    # Holm keeps the chance of any wrong finding at 5 %; comparisons with one A are alike, so a bit below.
    assert 0.015 < wrong / tests < 0.05 + 4 * math.sqrt(0.05 * 0.95 / tests)


def test_intervals_of_rates_and_differences_cover_what_is_true():
    rng, times = np.random.default_rng(8), 1_200
    inside = np.zeros(2)
    for a, b in zip(rng.binomial(300, 0.05, times), rng.binomial(450, 0.09, times), strict=True):
        rate, gap = significance.rate(a, 300), significance.rate_difference(a, 300, b, 450)
        inside += [rate.low <= 0.05 <= rate.high, gap.low <= 0.04 <= gap.high]
    assert inside / times == pytest.approx([0.95, 0.95], abs=4 * math.sqrt(0.05 * 0.95 / times))


def test_intervals_of_revenue_cover_what_is_true():
    rng, times = np.random.default_rng(9), 1_000
    truth = (0.09 - 0.05) * math.exp(7.0 + 0.8**2 / 2)
    inside = 0
    for _ in range(times):
        a, b = revenue(rng, 1_500), revenue(rng, 1_500, buying=0.09)
        found = significance.mean_difference(sums(a), sums(b))
        inside += found.low <= truth <= found.high
    assert inside / times == pytest.approx(0.95, abs=4 * math.sqrt(0.05 * 0.95 / times))


def test_intervals_of_revenue_of_few_buyers_cover_less_and_of_thirty_nearly_enough():
    rng, times, covered = np.random.default_rng(12), 1_000, []
    for buyers in (6, FEWEST_BUYERS):
        inside = 0
        for _ in range(times):
            a, b = (revenue(rng, people, buying=buyers / 300) for people in (300, 2_700))
            found = significance.mean_difference(sums(a), sums(b))
            inside += found.low <= 0 <= found.high
        covered.append(inside / times)
    assert covered[0] < 0.91
    assert covered[1] > 0.905


def test_people_split_as_planned_raise_an_alarm_as_often_as_promised():
    rng, times, shares = np.random.default_rng(10), 3_000, [0.45, 0.45, 0.1]
    p_values = np.array(
        [significance.sample_ratio([(split, shares)]) for split in rng.multinomial(4_000, shares, times)]
    )
    for level in (0.05, significance.MISMATCH_WARNING, significance.MISMATCH_ALARM):
        assert (p_values < level).mean() == pytest.approx(level, abs=4 * math.sqrt(level / times))
    # And a split that is wrong by three in a hundred does.
    wrong = rng.multinomial(4_000, [0.48, 0.42, 0.1], 50)
    assert np.mean([significance.sample_ratio([(split, shares)]) < 0.01 for split in wrong]) > 0.7

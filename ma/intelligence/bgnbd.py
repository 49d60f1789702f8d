"""How often customers will buy again: the BG/NBD model.

Fader, Hardie & Lee 2005, "'Counting Your Customers' the Easy Way: An Alternative to the Pareto/NBD Model",
Marketing Science 24 (2), 275-284; equations are numbered as there. While active, a customer buys at random
with a rate of their own (over customers gamma: r, alpha); after each repeat purchase they drop out with a
chance of their own (beta: a, b). Nobody tells when they do; whoever has not bought again is still active.
"""

from typing import ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import betainc, betaln, digamma, expit, gammaln, polygamma, xlogy

from ma.intelligence.bgnbd_expectation import expected_while_active
from ma.intelligence.likelihood import MaximumLikelihood, added, maximise
from ma.intelligence.summaries import BadSummary, alike, purchase_columns, weight_column

# With time in units of the mean T. At a bound customers are (nearly) all the same, or the data say nothing.
_LOWER, _UPPER = np.array([1e-3, 1e-4, 1e-3, 1e-3]), np.array([1e3, 1e4, 1e3, 1e4])
_STARTS = ([0.5, 0.5, 1.0, 2.0], [0.2, 0.1, 0.5, 5.0], [3.0, 1.0, 0.3, 0.5])
# Of more distinct rows, some say where to begin.
_MANY, _SOME = 10_000, 5_000


class BetaGeo(MaximumLikelihood):
    """The BG/NBD model in whatever unit of time the summary has; `repeat_customers_`: who bought again."""

    PARAMETERS: ClassVar[list[str]] = ["r", "alpha", "a", "b"]
    repeat_customers_: int

    def fit(self, summary: pd.DataFrame) -> Self:
        """Maximise equation (6) over customers: columns frequency, recency, T and perhaps weight.

        Alike rows are counted together before. Raises BadSummary for impossible rows, and where nobody
        bought again: the model has nothing to learn from then.
        """
        (x, t, age), weight = purchase_columns(summary), weight_column(summary)
        self.customers_ = round(float(weight.sum()))
        self.repeat_customers_ = round(float(weight[x > 0.0].sum()))
        if not self.customers_:
            raise BadSummary("There are no customers in it.")
        if not self.repeat_customers_:
            raise BadSummary("Nobody bought a second time: the model learns from repeat purchases.")
        unit = float(weight @ age / weight.sum())
        first, code = alike(x, t, age)
        rows = np.stack([x[first], t[first] / unit, age[first] / unit, np.bincount(code, weight)])
        starts = _STARTS
        if len(first) > _MANY:
            some = maximise(_Likelihood(*rows[:, :: len(first) // _SOME]), _STARTS, _LOWER, _UPPER)
            starts = (some.parameters, *_STARTS)
        top = maximise(_Likelihood(*rows), starts, _LOWER, _UPPER)
        log_density = -float(weight @ x) * np.log(unit)
        return self._keep(top, units=[1.0, unit, 1.0, 1.0], log_density=log_density)

    def predict(self, summary: pd.DataFrame, horizon: float) -> pd.DataFrame:
        """What each customer will do in the time to come: p_alive, expected_purchases, order_chance.

        p_alive is the chance that they have not dropped out (Fader, Hardie & Lee 2008, "Computing P(alive)
        Using the BG/NBD Model"); expected_purchases is equation (10); order_chance that of any purchase.
        """
        x, t, age = purchase_columns(summary)
        r, alpha, _, _ = self.parameters_
        active = self.chance_active(x, t, age)
        # Given that somebody is active, when they bought last says nothing more.
        first, code = alike(x, age)
        expected = expected_while_active(*self.parameters_, x[first], age[first], horizon)[code]
        some = -np.expm1(-(r + x) * np.log1p(horizon / (alpha + age)))
        columns = {
            "p_alive": active,
            "expected_purchases": active * expected,
            "order_chance": active * some,
        }
        return pd.DataFrame(columns, index=summary.index)

    def expected_purchases_of_new(self, t) -> np.ndarray | float:
        """Equation (9): the repeat purchases expected of somebody new within a time t after their first."""
        times = np.atleast_1d(np.asarray(t, dtype=np.float64))
        zeros = np.zeros(len(times))
        found = expected_while_active(*self.parameters_, zeros, zeros, times)
        return float(found[0]) if np.ndim(t) == 0 else found

    def purchase_distribution(self, summary: pd.DataFrame, horizon: float, most: int) -> pd.DataFrame:
        """The chances that each customer buys n = 0, 1, … times in the time to come; each row adds up to 1.

        Column `most` is the chance of so many or more. Of somebody new (all zeros) it is equation (8).
        """
        x, t, age = purchase_columns(summary)
        active = self.chance_active(x, t, age)
        chances = active[:, None] * self._while_active(x, age, horizon, most)
        chances[:, 0] += 1.0 - active
        return pd.DataFrame(chances, index=summary.index)

    def actual_and_expected_by_frequency(self, summary: pd.DataFrame, most: int = 7) -> pd.DataFrame:
        """Customers by their repeat purchases, and how many the model expects, each over their own T.

        Columns frequency (0 … most, the last one "or more"), actual, expected (the paper's figure 3).
        """
        (x, _, age), weight = purchase_columns(summary), weight_column(summary)
        ages, place = np.unique(age, return_inverse=True)
        customers = np.bincount(place, weight)
        nobody = np.zeros((len(ages), 1))
        chances = self._while_active(nobody[:, 0], nobody[:, 0], ages, most)
        actual = np.bincount(np.minimum(x, most).astype(np.int64), weight, most + 1)
        return pd.DataFrame(
            {"frequency": np.arange(most + 1), "actual": actual, "expected": customers @ chances}
        )

    def expected_cumulative(self, T, times, weight=None) -> pd.Series:
        """Repeat purchases expected in all by each of `times`, counted from when the first customer began.

        T: how long ago each customer began; the largest is the present. Index: times (the tracking plot).
        """
        ages, place = np.unique(np.asarray(T, dtype=np.float64), return_inverse=True)
        customers = np.bincount(place, weight)
        began = ages.max(initial=0.0) - ages
        times = np.asarray(times, dtype=np.float64)
        since, where = np.unique(np.maximum(times[:, None] - began, 0.0), return_inverse=True)
        expected = self.expected_purchases_of_new(since)[where.reshape(len(times), len(ages))]
        return pd.Series(expected @ customers, index=times, name="expected")

    def chance_active(self, x: np.ndarray, t: np.ndarray, age: np.ndarray) -> np.ndarray:
        """P(alive) of customers with these frequencies, recencies and T."""
        r, alpha, a, b = self.parameters_
        again = np.maximum(x, 1.0)
        # log1p: exact where recency is near T, however large alpha is.
        odds = np.log(a / (b + again - 1.0)) + (r + x) * np.log1p((age - t) / (alpha + t))
        return np.where(x > 0.0, expit(-odds), 1.0)

    def _while_active(self, x: np.ndarray, age: np.ndarray, horizon, most: int) -> np.ndarray:
        """Chances of 0 … `most` (or more) purchases of customers who are active; rows x (most + 1).

        The number is that of a gamma-mixed Poisson process, cut off by the beta-mixed geometric one: it is n
        where n purchases come and none of them is the last, or more than n - 1 come and the nth is.
        """
        r, alpha, a, b = self.parameters_
        horizon = np.broadcast_to(np.asarray(horizon, dtype=np.float64), x.shape)
        n = np.arange(most + 1.0)
        shape, reached = (r + x)[:, None], (horizon / (alpha + age + horizon))[:, None]
        stay = np.log1p(horizon / (alpha + age))[:, None]
        rise = xlogy(n, reached)
        exactly = np.exp(gammaln(shape + n) - gammaln(shape) - gammaln(n + 1.0) + rise - shape * stay)
        at_least = np.where(n > 0.0, betainc(np.maximum(n, 1.0), shape, reached), 1.0)
        beyond, none = (b + x)[:, None], betaln(a, b + x)[:, None]
        kept = np.exp(betaln(a, beyond + n) - none)
        before = np.maximum(n - 1.0, 0.0)
        left = np.where(n > 0.0, np.exp(betaln(a + 1.0, beyond + before) - none), 0.0)
        chances = kept * exactly + left * at_least
        chances[:, -1] = (np.exp(betaln(a, beyond + before) - none) * at_least)[:, -1]
        return chances


class _Likelihood:
    """Equation (6) summed over customers, with its derivatives.

    What depends on the frequency alone, or on T alone, is added up by their distinct values; only the
    chance of having dropped out (`odds`, of whoever bought again) needs every row.
    """

    def __init__(self, x: np.ndarray, t: np.ndarray, age: np.ndarray, weight: np.ndarray):
        self.size = float(weight.sum())
        self.counts, count = np.unique(x, return_inverse=True)
        self.of_count = np.bincount(count, weight)
        self.ages, old = np.unique(age, return_inverse=True)
        self.of_age, self.bought_of_age = np.bincount(old, weight), np.bincount(old, weight * x)
        again = x > 0.0
        self.count, self.old, self.weight = count[again], old[again], weight[again]
        self.lasts, self.last = np.unique(t[again], return_inverse=True)

    def _odds(self, parameters: np.ndarray):
        """Logarithm of the odds of having dropped out, ln((alpha + T) / (alpha + recency)), r + x."""
        r, alpha, a, b = parameters
        gap = np.log(alpha + self.ages)[self.old] - np.log(alpha + self.lasts)[self.last]
        total = (r + self.counts)[self.count]
        chance = np.log(a / (b + np.maximum(self.counts, 1.0) - 1.0))[self.count]
        return chance + total * gap, gap, total

    def slope(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """The log-likelihood and its gradient."""
        r, alpha, a, b = parameters
        x, n = self.counts, self.of_count
        bought = r * self.of_age + self.bought_of_age
        odds, gap, total = self._odds(parameters)
        # ln(1 + e^odds) and its slope from one exponential that cannot overflow.
        small = np.exp(-np.abs(odds))
        dropped = self.weight * np.where(odds > 0.0, 1.0, small) / (1.0 + small)
        value = n @ (gammaln(r + x) - gammaln(r) + betaln(a, b + x) - betaln(a, b))
        value += self.size * r * np.log(alpha) - bought @ np.log(alpha + self.ages)
        value += added(self.weight, np.maximum(odds, 0.0) + np.log1p(small))
        nearer = (1.0 / (alpha + self.ages))[self.old] - (1.0 / (alpha + self.lasts))[self.last]
        either = n @ (digamma(a + b) - digamma(a + b + x))
        by_count = np.bincount(self.count, dropped, len(x))
        gradient = [
            n @ (digamma(r + x) - digamma(r)) + self.size * np.log(alpha) + added(dropped, gap)
            - self.of_age @ np.log(alpha + self.ages),
            self.size * r / alpha - bought @ (1.0 / (alpha + self.ages)) + added(dropped, total, nearer),
            either + dropped.sum() / a,
            either + n @ (digamma(b + x) - digamma(b)) - by_count @ (1.0 / (b + np.maximum(x, 1.0) - 1.0)),
        ]  # fmt: skip
        return float(value), np.array(gradient)

    def curvature(self, parameters: np.ndarray) -> np.ndarray:
        """The matrix of second derivatives."""
        r, alpha, a, b = parameters
        x, n = self.counts, self.of_count
        odds, gap, total = self._odds(parameters)
        chance = expit(odds)
        old, last = (1.0 / (alpha + self.ages)), (1.0 / (alpha + self.lasts))
        nearer = old[self.old] - last[self.last]
        after = (1.0 / (b + np.maximum(x, 1.0) - 1.0))[self.count]
        slopes = np.stack([gap, total * nearer, np.full(len(gap), 1.0 / a), -after])
        found = np.einsum("in,jn->ij", slopes * (self.weight * chance * (1.0 - chance)), slopes)
        dropped = self.weight * chance
        bought = r * self.of_age + self.bought_of_age
        either = n @ (_trigamma(a + b) - _trigamma(a + b + x))
        found[0, 0] += n @ (_trigamma(r + x) - _trigamma(r))
        cross = self.size / alpha - self.of_age @ old + added(dropped, nearer)
        found[0, 1] += cross
        found[1, 0] += cross
        found[1, 1] += bought @ old**2 - self.size * r / alpha**2
        found[1, 1] -= added(dropped, total, old[self.old] ** 2 - last[self.last] ** 2)
        found[2:, 2:] += either
        found[2, 2] -= dropped.sum() / a**2
        found[3, 3] += n @ (_trigamma(b + x) - _trigamma(b)) + added(dropped, after, after)
        return found


def _trigamma(values):
    return polygamma(1, values)

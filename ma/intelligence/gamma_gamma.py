"""What an order of each customer is worth: the gamma-gamma model.

Fader & Hardie 2013, "The Gamma-Gamma Model of Monetary Value", http://brucehardie.com/notes/025/; equations
are numbered as there. The amounts of a customer's orders vary around a mean of their own (gamma: shape p),
the means vary over customers (their rate gamma: q, v), and neither depends on how often somebody buys.
"""

from typing import ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import digamma, gammaln, polygamma

from ma.intelligence.likelihood import MaximumLikelihood, added, maximise
from ma.intelligence.summaries import BadSummary, alike, order_columns, weight_column

# The mean over customers is finite only for q above 1.
LEAST_Q = 1.01
# With the mean amount as unit of money.
_LOWER, _UPPER = np.array([1e-2, LEAST_Q, 1e-4]), np.array([1e4, 1e4, 1e5])
_STARTS = ([2.0, 3.0, 1.0], [10.0, 10.0, 1.0], [0.5, 1.5, 0.5])


class GammaGamma(MaximumLikelihood):
    """The gamma-gamma model of the mean amount per repeat purchase; v is in the unit of the amounts."""

    PARAMETERS: ClassVar[list[str]] = ["p", "q", "v"]

    def fit(self, summary: pd.DataFrame) -> Self:
        """Maximise equation (1a): columns frequency, monetary_value (mean of the repeat purchases), weight.

        Rows without a repeat purchase, or whose amount is missing or not above 0, are left out. Raises
        BadSummary where no row is left.
        """
        (x, m), weight = order_columns(summary), weight_column(summary)
        told = (x > 0.0) & (weight > 0.0)
        x, m, weight = x[told], m[told], weight[told]
        self.customers_ = round(float(weight.sum()))
        if not self.customers_:
            raise BadSummary("No repeat purchase has an amount above 0: there is nothing to learn from.")
        unit = float(weight @ m / weight.sum())
        first, code = alike(x, m)
        likelihood = _Likelihood(x[first], m[first] / unit, np.bincount(code, weight))
        top = maximise(likelihood, _STARTS, _LOWER, _UPPER)
        log_density = -float(weight.sum()) * np.log(unit)
        return self._keep(top, units=[1.0, 1.0, unit], log_density=log_density)

    def predict(self, summary: pd.DataFrame) -> pd.DataFrame:
        """The mean amount of each customer's orders to come, equation (5): expected_order.

        It lies between their own mean and that of the population, which it is for whoever has not bought
        again or whose amounts are unknown.
        """
        shape, rate = self.posterior(*order_columns(summary))
        expected = self.parameters_["p"] * rate / (shape - 1.0)
        return pd.DataFrame({"expected_order": expected}, index=summary.index)

    def posterior(self, x: np.ndarray, m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Shape and rate of what is known of each customer's own rate after x orders of m on average."""
        p, q, v = self.parameters_
        return q + p * x, v + x * m


class _Likelihood:
    """Equation (1a) summed over customers, with its derivatives; gamma functions by distinct frequency."""

    def __init__(self, x: np.ndarray, m: np.ndarray, weight: np.ndarray):
        self.size = float(weight.sum())
        self.counts, self.count = np.unique(x, return_inverse=True)
        self.of_count = np.bincount(self.count, weight)
        self.x, self.spent, self.weight = x, x * m, weight
        # The part that no parameter moves: ln(x^(p x) m^(p x - 1)) is p x ln(x m) - ln(m).
        self.logs_spent = added(weight, x, np.log(self.spent))
        self.constant = -added(weight, np.log(m))

    def slope(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """The log-likelihood and its gradient."""
        p, q, v = parameters
        x, n = self.counts, self.of_count
        logs = np.log(self.spent + v)
        value = n @ (gammaln(p * x + q) - gammaln(p * x) - gammaln(q)) + self.size * q * np.log(v)
        value += p * self.logs_spent + self.constant - added(self.weight, p * self.x + q, logs)
        gradient = [
            n @ (x * (digamma(p * x + q) - digamma(p * x)))
            + self.logs_spent
            - added(self.weight, self.x, logs),
            n @ (digamma(p * x + q) - digamma(q)) + self.size * np.log(v) - added(self.weight, logs),
            self.size * q / v - added(self.weight, (p * self.x + q) / (self.spent + v)),
        ]
        return float(value), np.array(gradient)

    def curvature(self, parameters: np.ndarray) -> np.ndarray:
        """The matrix of second derivatives."""
        p, q, v = parameters
        x, n = self.counts, self.of_count
        both, part = polygamma(1, p * x + q), 1.0 / (self.spent + v)
        pp, pq = n @ (x * x * (both - polygamma(1, p * x))), n @ (x * both)
        pv, qq = -added(self.weight, self.x, part), n @ (both - polygamma(1, q))
        qv = self.size / v - added(self.weight, part)
        vv = added(self.weight, p * self.x + q, part, part) - self.size * q / v**2
        return np.array([[pp, pq, pv], [pq, qq, qv], [pv, qv, vv]])

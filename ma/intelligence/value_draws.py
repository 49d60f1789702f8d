"""What a whole base of customers may do: drawn from how uncertain the parameters are, and from chance."""

import numpy as np
import pandas as pd

from ma.intelligence.bgnbd import BetaGeo
from ma.intelligence.bgnbd_expectation import expected_while_active
from ma.intelligence.gamma_gamma import LEAST_Q, GammaGamma
from ma.intelligence.likelihood import MaximumLikelihood
from ma.intelligence.summaries import alike, order_columns, purchase_columns

# Of more customers, so many stand for all.
MOST = 1_000
# numpy draws no number of purchases before a dropout that never comes.
_LEAST_CHANCE = 1e-12


class Base:
    """Customers, or those who stand for `customers` of them, and a horizon."""

    def __init__(self, people: pd.DataFrame, customers: float, horizon: float):
        self.customers, self.horizon = customers, horizon
        self.x, self.t, self.age = purchase_columns(people)
        self.orders, self.amount = order_columns(people)
        self.first, self.code = alike(self.x, self.age)

    def drawn_share(
        self, purchases: BetaGeo, orders: GammaGamma, *, draws: int, rng: np.random.Generator
    ) -> np.ndarray:
        """What all customers buy and spend in each draw, as shares of what is expected; draws x 2.

        A draw's own parameters say the mean. By how much the people then differ from it is simulated, and is
        the smaller part of the sum the more customers there are. NaN where a fit knows no certainty.
        """
        drawn = [_parameters(model, draws, rng) for model in (purchases, orders)]
        found = np.full((draws, 2), np.nan)
        if not all(np.isfinite(each).all() for each in drawn):
            return found
        usual = self._drawn(purchases, orders)
        for place in range(draws):
            of_purchases = dict(zip(BetaGeo.PARAMETERS, drawn[0][place], strict=True))
            of_orders = dict(zip(GammaGamma.PARAMETERS, drawn[1][place], strict=True))
            found[place] = self._drawn(BetaGeo.of(of_purchases), GammaGamma.of(of_orders), rng) / usual
        return found

    def _drawn(
        self, purchases: BetaGeo, orders: GammaGamma, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Purchases and value of these people by these parameters: as expected, or as they may come."""
        active, p = purchases.chance_active(self.x, self.t, self.age), orders.parameters_["p"]
        shape, rate = orders.posterior(self.orders, self.amount)
        of_each = expected_while_active(
            *purchases.parameters_, self.x[self.first], self.age[self.first], self.horizon
        )
        bought = active * of_each[self.code]
        mean = np.array([bought.sum(), (bought * p * rate / (shape - 1.0)).sum()])
        if rng is None:
            return mean
        bought = self._bought(purchases, active, rng)
        spent = rng.gamma(p * bought) * rate / rng.gamma(shape)
        # Those who stand for more differ from their mean by less than each of them alone.
        fewer = np.sqrt(len(self.x) / self.customers)
        return mean + (np.array([bought.sum(), spent.sum()]) - mean) * fewer

    def _bought(self, purchases: BetaGeo, active: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """How often each customer buys, given what they did before."""
        r, alpha, a, b = purchases.parameters_
        come = rng.poisson(rng.gamma(r + self.x) / (alpha + self.age) * self.horizon)
        last = rng.geometric(np.maximum(rng.beta(a, b + self.x), _LEAST_CHANCE))
        return np.minimum(come, last) * (rng.random(len(self.x)) < active)


def evenly(by: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The rows that stand for all: everybody once where they are few, else evenly over the order of `by`."""
    order = np.argsort(by, kind="stable")
    reached = np.cumsum(weight[order])
    customers = float(reached[-1])
    number = min(max(round(customers), 1), MOST)
    return order[np.searchsorted(reached, (np.arange(number) + 0.5) / number * customers)]


def _parameters(model: MaximumLikelihood, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Parameters from the normal distribution of their logarithms around the fit; draws x parameters."""
    values = model.parameters_.to_numpy()
    relative = model.covariance_.to_numpy() / np.outer(values, values)
    if not np.isfinite(relative).all():
        return np.full((draws, len(values)), np.nan)
    drawn = np.exp(rng.multivariate_normal(np.log(values), relative, size=draws, method="eigh"))
    if isinstance(model, GammaGamma):
        # The fit had to have a mean as well.
        drawn[:, 1] = np.maximum(drawn[:, 1], LEAST_Q)
    return drawn

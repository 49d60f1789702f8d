"""What customers will spend over a horizon: the purchase model times the order value model.

Value is undiscounted revenue, not profit. Both models are assumed independent, as in Fader, Hardie & Lee
2005, "RFM and CLV: Using Iso-Value Curves for Customer Base Analysis", Journal of Marketing Research 42 (4).
"""

import numpy as np
import pandas as pd
from scipy.optimize.elementwise import find_root
from scipy.special import betainc, expit

from ma.intelligence.bgnbd import BetaGeo
from ma.intelligence.gamma_gamma import GammaGamma
from ma.intelligence.summaries import DAYS_PER_WEEK, alike, order_columns, purchase_columns, weight_column
from ma.intelligence.value_draws import Base, evenly

HORIZON_DAYS = 365
HORIZON_WEEKS = HORIZON_DAYS / DAYS_PER_WEEK
LEVEL = 0.8
# What is left out of the sum over the number of purchases; and how many rows times purchases at once.
_LEFT_OUT, _AT_ONCE = 1e-10, 500_000
_MOST_PURCHASES = 100_000
# Where the logarithm of an amount lies for certain, in the unit of the order value model's v'.
_FARTHEST = 60.0


def expected_value(
    purchases: BetaGeo, orders: GammaGamma, summary: pd.DataFrame, horizon: float
) -> pd.DataFrame:
    """p_alive, expected_purchases, order_chance, expected_order and their expected_value (revenue).

    One row per customer, with the summary's index; money in the unit of monetary_value.
    """
    frame = purchases.predict(summary, horizon)
    # By position: an index may say the same twice.
    frame["expected_order"] = orders.predict(summary)["expected_order"].to_numpy()
    frame["expected_value"] = frame["expected_purchases"] * frame["expected_order"]
    return frame


def value_interval(
    purchases: BetaGeo, orders: GammaGamma, summary: pd.DataFrame, horizon: float, level: float = LEVEL
) -> pd.DataFrame:
    """Between what each customer's purchases and value will be: the middle `level` of what may happen.

    orders_low, orders_high, value_low, value_high, from the exact distribution given the parameters: the
    number of purchases by chance and by what is unknown of the customer, and of n orders the beta prime sum
    F(s) = P(N = 0) + sum over n of P(N = n) I(s / (s + v'); p n, q'). Meant for some customers: it takes
    about a millisecond for each who buys a few times a year, and twenty for each who buys every other day.
    """
    names = ["orders_low", "orders_high", "value_low", "value_high"]
    x, t, age = purchase_columns(summary)
    first, code = alike(x, t, age, *order_columns(summary))
    # Customers who buy about as often are worked out together.
    first_of = np.argsort(x[first], kind="stable")
    rows, found = summary.iloc[first[first_of]], np.zeros((len(first), 4))
    for begin, chances in _lots(purchases, rows, horizon):
        place = first_of[begin : begin + len(chances)]
        shape, rate = orders.posterior(*order_columns(summary.iloc[first[place]]))
        for column, tail in enumerate(_tails(level)):
            found[place, column] = np.argmax(np.cumsum(chances, axis=1) >= tail - 1e-12, axis=1)
            found[place, column + 2] = _amount(chances, tail, orders.parameters_["p"], shape, rate)
    return pd.DataFrame(found[code], columns=names, index=summary.index)


def total_interval(
    purchases: BetaGeo,
    orders: GammaGamma,
    summary: pd.DataFrame,
    horizon: float,
    level: float = LEVEL,
    *,
    draws: int = 200,
    seed: int = 0,
) -> pd.Series:
    """What all customers together will buy: orders and value, each with _low and _high, and customers.

    Two things are uncertain: the parameters, drawn from the normal distribution of their logarithms around
    the fit, and what the customers then happen to do, which is simulated. Of large bases some thousands
    stand for all. That the models are wrong is in neither: see the check against later purchases. NaN where
    a fit says nothing of its own certainty.
    """
    weight, expected = weight_column(summary), expected_value(purchases, orders, summary, horizon)
    means = weight @ expected[["expected_purchases", "expected_value"]].to_numpy()
    bounds = np.zeros((2, 2))
    if means[0] > 0.0:
        stand = summary.iloc[evenly(expected["expected_value"].to_numpy(), weight)]
        base = Base(stand, float(weight.sum()), horizon)
        share = base.drawn_share(purchases, orders, draws=draws, rng=np.random.default_rng(seed))
        bounds = np.maximum(np.quantile(share, _tails(level), axis=0), 0.0) * means
    return pd.Series(
        {
            "customers": weight.sum(),
            "orders": means[0],
            "orders_low": bounds[0, 0],
            "orders_high": bounds[1, 0],
            "value": means[1],
            "value_low": bounds[0, 1],
            "value_high": bounds[1, 1],
        }
    )


def _tails(level: float) -> tuple[float, float]:
    return (1.0 - level) / 2.0, (1.0 + level) / 2.0


def _lots(purchases: BetaGeo, rows: pd.DataFrame, horizon: float):
    """Lots that fit in memory: where each begins, and the chances of each number of purchases of its rows."""
    at, most = 0, 16
    while at < len(rows):
        lot = rows.iloc[at : at + max(_AT_ONCE // most, 1)]
        chances = purchases.purchase_distribution(lot, horizon, most).to_numpy()
        if chances[:, -1].max() > _LEFT_OUT and most < _MOST_PURCHASES:
            most *= 2
            continue
        yield at, chances
        at += len(lot)


def _amount(chances: np.ndarray, tail: float, p: float, shape: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """The amount that is not exceeded with this probability: 0 where not to buy is that likely already.

    Looked for on ln(s / v'), so that the unit of money does not matter.
    """
    found = np.zeros(len(chances))
    some = np.flatnonzero(chances[:, 0] < tail)
    # Numbers of purchases that nobody of these comes to.
    n = np.flatnonzero((chances[some, 1:] > _LEFT_OUT).any(axis=0)) + 1
    if not len(n):
        return found

    def missing(amount: np.ndarray, row: np.ndarray) -> np.ndarray:
        share = expit(amount)[:, None]
        below = (chances[row[:, None], n] * betainc(p * n, shape[row][:, None], share)).sum(axis=1)
        return chances[row, 0] + below - tail

    ends = np.full(len(some), -_FARTHEST), np.full(len(some), _FARTHEST)
    root = find_root(missing, ends, args=(some,), tolerances={"xrtol": 0.0, "xatol": 1e-9})
    found[some] = rate[some] * np.exp(root.x)
    return found

"""An audience as a few hundred groups of people who are alike, so that a forecast need not ask everybody."""

import numpy as np
import pandas as pd

from ma.simulation.params import TYPICAL_MESSAGES
from ma.simulation.population import Population, band

# Within a cell people answer so much alike that its average stands for them: the expected counts and revenue
# of every channel stay within 0.5 % of those of the people themselves.
_SCORE_STEP, _SCORES = 10.0, 10
_RECENCY_GROUPS = 8
_MESSAGE_STARTS = (2.0, 5.0, 9.0, 16.0)
_MOST_MESSAGES = 30.0
_SAMPLE = 20_000


def cells(people: pd.DataFrame, population: Population) -> pd.DataFrame:
    """Groups of alike recipients (the columns of population.recipients), at most some hundreds.

    One row each: people; band (0-4, or UNKNOWN_BAND); the means of engagement and recency (in standard
    deviations), messages (above TYPICAL_MESSAGES) and order_rate, and their variances (engagement_var and so
    on); order_minor and order_square, mean and mean square of the own average orders; organic_order_minor and
    organic_order_square, the same weighted by order rate: those who buy anyway.
    """
    score, recency, messages = _traits(people, population)
    rate = np.maximum(people["order_rate"].to_numpy(np.float64), 0.0)
    order = np.maximum(people["average_order_minor"].to_numpy(np.float64), 1.0)
    cell, count = _cell(score, recency, messages)
    people_in = np.bincount(cell, minlength=count).astype(np.float64)

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(cell, weights=values, minlength=count)

    rates, some = total(rate), np.maximum(people_in, 1.0)
    frame = pd.DataFrame({"people": people_in.astype(np.int64), "band": total(band(score)) / some})
    traits = {
        "engagement": population.engagement(score),
        "recency": recency,
        "messages": messages - TYPICAL_MESSAGES,
        "order_rate": rate,
    }
    for name, values in traits.items():
        mean = total(values) / some
        frame[name], frame[f"{name}_var"] = mean, np.maximum(total(values * values) / some - mean**2, 0.0)
    for name, values in {"minor": order, "square": order * order}.items():
        own = total(values) / some
        bought = total(rate * values)
        frame[f"order_{name}"] = own
        frame[f"organic_order_{name}"] = np.divide(bought, rates, out=own.copy(), where=rates > 0.0)
    frame["band"] = frame["band"].round().astype(np.int64)
    return frame[frame["people"] > 0].reset_index(drop=True)


def place_of(people: pd.DataFrame, population: Population) -> np.ndarray:
    """The row of `cells(people, population)` in which each of these recipients is counted."""
    cell, count = _cell(*_traits(people, population))
    # Empty cells have no row.
    return (np.cumsum(np.bincount(cell, minlength=count) > 0) - 1)[cell]


def _traits(people: pd.DataFrame, population: Population) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    score = people["engagement"].to_numpy(np.float64, na_value=np.nan)
    recency = population.recency(people["days_since_last_order"].to_numpy(np.float64, na_value=np.nan))
    return score, recency, np.minimum(people["recent_messages"].to_numpy(np.float64), _MOST_MESSAGES)


def _cell(score: np.ndarray, recency: np.ndarray, messages: np.ndarray) -> tuple[np.ndarray, int]:
    """Each person's cell (tens of the score, groups of recency and messages), and how many there can be."""
    tens = np.where(np.isnan(score), _SCORES, np.clip(np.nan_to_num(score) // _SCORE_STEP, 0, _SCORES - 1))
    # Every so many people are enough to see where the groups begin; no randomness, so it is the same again.
    some = recency[:: max(len(recency) // _SAMPLE, 1)]
    starts = np.quantile(some, np.arange(1, _RECENCY_GROUPS) / _RECENCY_GROUPS) if len(some) else []
    groups = np.searchsorted(np.unique(starts), recency, side="right")
    sendings = np.searchsorted(_MESSAGE_STARTS, messages, side="right")
    sizes = len(_MESSAGE_STARTS) + 1
    cell = (tens.astype(np.int64) * _RECENCY_GROUPS + groups) * sizes + sendings
    return cell, (_SCORES + 1) * _RECENCY_GROUPS * sizes

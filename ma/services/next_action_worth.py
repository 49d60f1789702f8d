"""What one message in a channel is expected to cause of each person, over all that is believed."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ma.simulation.beliefs import Beliefs, StepBelief
from ma.simulation.forecast import Plan
from ma.simulation.params import TYPICAL_MESSAGES
from ma.simulation.planner import Candidate, worth
from ma.simulation.population import RECENCY_HALF_DAYS, band, recency, recipients

# People are alike whose scores share a point, whose recency differs by less than 1/200, and who had as many
# messages: what is expected of them differs by 2 % at most.
_RECENCY_STEPS, _MOST_MESSAGES = 200, 30
_HARDLY_EVER = 1e-12


@dataclass(frozen=True)
class Expected:
    """Of each person: the orders that a message causes, and their revenue in minor units."""

    conversions: np.ndarray
    revenue: np.ndarray


def expected(facts: pd.DataFrame, beliefs: Beliefs, *, window_days: int) -> Expected:
    """What a message is expected to cause of people with these facts (see simulation.population.recipients).

    Beyond what they buy anyway, within so many days. The revenue is that of the caused orders at each
    person's own average order, shrunk to the typical one as in forecasts.
    """
    people = recipients(facts, beliefs.params.population)
    grid, place = _alike(people, beliefs)
    plan = Plan(cost_per_thousand_minor=0.0, fixed_cost_minor=0.0, conversion_window_days=window_days)
    each = worth(Candidate(0, grid, beliefs, plan), 1)[:, 0] if len(grid) else np.zeros(0)
    # Of those who would have bought in these days anyway, nothing is caused.
    anyway = beliefs.params.organic_share * _mean(beliefs.organic) * window_days
    value = each[place] * np.exp(-anyway * people["order_rate"].to_numpy(np.float64))
    return Expected(
        conversions=value / (beliefs.params.order_value * _mean(beliefs.order_value)),
        revenue=value * people["average_order_minor"].to_numpy(np.float64),
    )


def _alike(people: pd.DataFrame, beliefs: Beliefs) -> tuple[pd.DataFrame, np.ndarray]:
    """Groups of people of whom the same is expected, as simulation.cells has them, and the group of each.

    What is expected of somebody must not hang on who else is asked for: so groups are fixed, not quantiles.
    """
    population = beliefs.params.population
    score = people["engagement"].to_numpy(np.float64, na_value=np.nan)
    point = np.where(np.isnan(score), 100, np.clip(np.floor(np.nan_to_num(score)), 0, 99)).astype(np.int64)
    days = people["days_since_last_order"].to_numpy(np.float64, na_value=np.nan)
    step = np.rint(recency(days) * _RECENCY_STEPS).astype(np.int64)
    messages = np.minimum(people["recent_messages"].to_numpy(np.int64), _MOST_MESSAGES)
    key = (point * (_RECENCY_STEPS + 1) + step) * (_MOST_MESSAGES + 1) + messages
    there = np.bincount(key, minlength=1)
    kept = np.flatnonzero(there)
    rest, messages = np.divmod(kept, _MOST_MESSAGES + 1)
    point, step = np.divmod(rest, _RECENCY_STEPS + 1)
    score = np.where(point == 100, np.nan, point + 0.5)
    with np.errstate(divide="ignore"):
        days = np.where(step > 0, RECENCY_HALF_DAYS * (_RECENCY_STEPS / step - 1.0), np.nan)
    grid = pd.DataFrame(
        {
            "people": there[kept],
            "band": band(score),
            "engagement": population.engagement(score),
            "recency": population.recency(days),
            "messages": messages - TYPICAL_MESSAGES,
            **dict.fromkeys(("engagement_var", "recency_var", "messages_var"), 0.0),
            # Who buys anyway is taken off person by person.
            "order_rate": _HARDLY_EVER,
            "order_rate_var": 0.0,
            **dict.fromkeys(("order_minor", "order_square"), 1.0),
            **dict.fromkeys(("organic_order_minor", "organic_order_square"), 1.0),
        }
    )
    return grid, (np.cumsum(there > 0) - 1)[key]


def _mean(belief: StepBelief) -> float:
    """The mean of what is believed as a logarithm."""
    return math.exp(belief.shift + (belief.sd**2 + belief.spread**2) / 2.0)

"""How many of those who take a step have taken it within some days: the chain's delays added up.

What a campaign shows is what fell inside its window, so forecast and calibration both need these shares.
"""

from functools import lru_cache

import numpy as np

from ma.simulation.funnel import LONGEST_REACTION
from ma.simulation.params import ChannelParams
from ma.simulation.quantiles import normal_quantile

LONGEST_DAYS = LONGEST_REACTION.total_seconds() / 86_400.0
_POINTS = 16_384


def in_time(params: ChannelParams, days: float) -> dict[str, float]:
    """Of those who take each step sooner or later, the share who did within `days` of sending.

    "sent" is among them, as 1. Nobody acts after LONGEST_REACTION.
    """
    shape = tuple((name, step.after, step.median_seconds, step.sigma) for name, step in params.steps.items())
    limit = min(days, LONGEST_DAYS) * 86_400.0
    waits = _waits(shape)
    shares = {name: np.searchsorted(wait, limit, side="right") / _POINTS for name, wait in waits.items()}
    return {"sent": 1.0} | {name: float(share) for name, share in shares.items()}


@lru_cache(maxsize=64)
def _waits(shape: tuple) -> dict[str, np.ndarray]:
    """For each step, the seconds since sending of a fixed sample of people who take it, in order."""
    reached = {"sent": np.zeros(_POINTS)}
    luck = _spread_out(len(shape))
    for column, (name, after, median, sigma) in enumerate(shape):
        own = np.clip(median * np.exp(sigma * luck[column]), 1.0, LONGEST_DAYS * 86_400.0 + 1.0)
        reached[name] = reached[after] + own
    return {name: np.sort(seconds) for name, seconds in reached.items() if name != "sent"}


def _spread_out(dimensions: int) -> np.ndarray:
    """Standard normals that fill the space evenly, one row per dimension.

    The additive recurrence of Roberts ("The unreasonable effectiveness of quasirandom sequences", 2018),
    whose base is the root of x^(d + 1) = x + 1: errors shrink almost like 1 / n, not like 1 / sqrt(n).
    """
    root = 1.0
    for _ in range(60):
        root = (1.0 + root) ** (1.0 / (dimensions + 1))
    steps = (1.0 / root) ** np.arange(1, dimensions + 1)
    places = (0.5 + np.outer(steps, np.arange(1, _POINTS + 1))) % 1.0
    return normal_quantile(np.clip(places, 1e-12, 1.0 - 1e-12).ravel()).reshape(dimensions, _POINTS)

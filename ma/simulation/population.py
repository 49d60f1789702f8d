"""The people a campaign goes to: what is typical, and each one's own figures, shrunk to it."""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

# How much of a typical customer is mixed into each one's own history. Assumptions, until calibrated.
PRIOR_DAYS = 30.0
PRIOR_ORDERS = 3.0
# Recency is a number from 0 (never bought) to 1 (bought today), one half after this many days. Assumption.
RECENCY_HALF_DAYS = 30.0
# Nobody counts as further than this from typical, in standard deviations.
LIMIT = 3.0
# Where the bands of the engagement score begin; people without a score are in none of them.
BAND_STARTS = (20.0, 40.0, 60.0, 80.0)
BANDS = len(BAND_STARTS) + 1
UNKNOWN_BAND = BANDS


@dataclass(frozen=True)
class Population:
    """What is typical in a workspace. The channel's baseline rates are those of its average customer.

    engagement: score 0-100; recency: see RECENCY_HALF_DAYS; order_rate: repeat orders per day;
    average_order_minor: what an order brings. The defaults are assumptions for a workspace without history.
    """

    engagement_mean: float = 30.0
    engagement_sd: float = 20.0
    recency_mean: float = 0.3
    recency_sd: float = 0.3
    order_rate: float = 4 / 365
    average_order_minor: float = 5000.0

    def to_dict(self) -> dict:
        """Plain numbers, for JSON."""
        return asdict(self)

    def engagement(self, score: np.ndarray) -> np.ndarray:
        """Standard deviations from the typical score, at most 3; an unknown score counts as typical."""
        return _standardised(score, self.engagement_mean, self.engagement_sd)

    def recency(self, days_since_last_order: np.ndarray) -> np.ndarray:
        """Standard deviations from typical recency, at most 3; people who never bought have recency 0."""
        return _standardised(recency(days_since_last_order), self.recency_mean, self.recency_sd)


def band(score: np.ndarray) -> np.ndarray:
    """The band of each engagement score: 0 below 20 to 4 from 80 on, UNKNOWN_BAND for none (NaN)."""
    score = np.asarray(score, dtype=np.float64)
    return np.where(np.isnan(score), UNKNOWN_BAND, np.searchsorted(BAND_STARTS, score, side="right"))


def recency(days_since_last_order: np.ndarray) -> np.ndarray:
    """1 for an order today, one half after RECENCY_HALF_DAYS, 0 for people who never bought (NaN)."""
    days = np.asarray(days_since_last_order, dtype=np.float64)
    return np.nan_to_num(RECENCY_HALF_DAYS / (RECENCY_HALF_DAYS + np.maximum(days, 0.0)), nan=0.0)


def recipients(frame: pd.DataFrame, population: Population) -> pd.DataFrame:
    """The columns that `simulate` wants, from the facts of each person.

    Takes customer_id, engagement, days_since_last_order, recent_messages, orders, spend_minor and
    days_observed (since the first order, or since we know the person). Own figures are shrunk towards
    the population's: somebody with one order is mostly typical, somebody with fifty is themselves.
    """
    orders = frame["orders"].to_numpy(np.float64)
    repeats = np.maximum(orders - 1.0, 0.0)
    observed = np.maximum(frame["days_observed"].to_numpy(np.float64), 0.0)
    spend = np.maximum(frame["spend_minor"].to_numpy(np.float64), 0.0)
    return frame[["customer_id", "engagement", "days_since_last_order", "recent_messages"]].assign(
        order_rate=(repeats + population.order_rate * PRIOR_DAYS) / (observed + PRIOR_DAYS),
        average_order_minor=(spend + population.average_order_minor * PRIOR_ORDERS) / (orders + PRIOR_ORDERS),
    )


def _standardised(values: np.ndarray, mean: float, sd: float) -> np.ndarray:
    if sd < 1e-6:  # everybody is alike, but for rounding
        return np.zeros(len(values))
    scaled = (np.asarray(values, dtype=np.float64) - mean) / sd
    return np.nan_to_num(np.clip(scaled, -LIMIT, LIMIT), nan=0.0)

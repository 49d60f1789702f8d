"""Recency, frequency and monetary scores, and the segments that are named after them.

Scores go by quintiles of everybody who bought, as in Hughes, "Strategic Database Marketing" (1994), but ties
are never parted: customers with the same figure have the same score.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

SCORES = 5


@dataclass(frozen=True)
class RfmSegment:
    """A named part of the grid: which recency scores, and which means of frequency and monetary score.

    Both ranges include their ends; the mean of the two scores is rounded half up.
    """

    name: str
    recency: tuple[int, int]
    frequency_monetary: tuple[int, int]
    meaning: str


SEGMENTS = (
    RfmSegment("Champions", (5, 5), (4, 5), "Bought very recently, often, and for much."),
    RfmSegment("Loyal", (3, 4), (4, 5), "Buy often or for much, and not long ago."),
    RfmSegment("Potential loyalists", (4, 5), (2, 3), "Bought recently, and more than the least."),
    RfmSegment("New customers", (5, 5), (1, 1), "Bought very recently, and little so far."),
    RfmSegment("Promising", (4, 4), (1, 1), "Bought recently, and little so far."),
    RfmSegment("Need attention", (3, 3), (3, 3), "Average in everything."),
    RfmSegment("About to sleep", (3, 3), (1, 2), "Bought some time ago, and little."),
    RfmSegment("Cannot lose them", (1, 2), (5, 5), "Were among the best, and have not bought for long."),
    RfmSegment("At risk", (1, 2), (3, 4), "Used to buy well, and have not for long."),
    RfmSegment("Hibernating", (1, 2), (1, 2), "Bought little, and long ago."),
)


def rfm(frame: pd.DataFrame) -> pd.DataFrame:
    """recency_score, frequency_score and monetary_score (1 to 5, 5 the best), and rfm_segment.

    frame: days_since_last_order, orders, spend_minor; the result has its index. Who never bought (no days, or
    no orders) has no scores and no segment, and does not count among the rest.

    A frequency score of 1 + k says that at least k fifths of the customers ordered less often, a monetary one
    that they spent less; a recency score of 5 - k that at least k fifths bought more recently. With fewer
    than five different figures some scores do not occur: where everybody ordered once, all have 1.
    """
    days, orders, spend = (
        frame[name].to_numpy(np.float64, na_value=np.nan)
        for name in ("days_since_last_order", "orders", "spend_minor")
    )
    bought = ~np.isnan(days) & (orders > 0.0)
    recency = SCORES + 1 - _fifths(days[bought])
    frequency, monetary = _fifths(orders[bought]), _fifths(np.nan_to_num(spend[bought]))
    named = pd.Series(None, index=frame.index, dtype="str")
    named[bought] = _names()[recency - 1, (frequency + monetary + 1) // 2 - 1]
    scores = {"recency_score": recency, "frequency_score": frequency, "monetary_score": monetary}
    columns = {}
    for name, values in scores.items():
        whole = np.zeros(len(frame), dtype=np.int64)
        whole[bought] = values
        columns[name] = pd.arrays.IntegerArray(whole, ~bought)
    return pd.DataFrame(columns, index=frame.index).assign(rfm_segment=named)


def _fifths(values: np.ndarray) -> np.ndarray:
    """1 to 5 by how many fifths of all values are smaller than each."""
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    smaller = np.cumsum(count) - count
    return (1 + SCORES * smaller // len(values))[place]


def _names() -> np.ndarray:
    """The segment's name by recency score - 1 and frequency and monetary score - 1."""
    grid = np.empty((SCORES, SCORES), dtype=object)
    for segment in SEGMENTS:
        rows, columns = segment.recency, segment.frequency_monetary
        grid[rows[0] - 1 : rows[1], columns[0] - 1 : columns[1]] = segment.name
    return grid

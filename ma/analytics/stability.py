"""How stable the shares of bands are: the population stability index, and the bands it is taken over."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from sqlalchemy import ColumnElement, and_

from ma.money import amount

# Shares of fewer people are no ground to compare with.
FEWEST = 30
# Below the one the bands are read as stable, from the other on as shifted (Siddiqi 2006).
STABLE, SHIFTED = 0.1, 0.25
INDEX = ("psi", "psi_by_chance")


@dataclass(frozen=True)
class Band:
    """One band of a measure; `low` belongs to it and `high` does not, None is open."""

    measure: str
    name: str
    low: float | None
    high: float | None

    @property
    def key(self) -> str:
        """Its name among the bands of all measures."""
        return f"{self.measure} {self.name}"

    def holds(self, value: ColumnElement) -> ColumnElement:
        """Whether a value is known and lies in it."""
        conditions = [value.is_not(None)]
        conditions += [] if self.low is None else [value >= self.low]
        conditions += [] if self.high is None else [value < self.high]
        return and_(*conditions)


def bands(limits: list[int], *, currency: str) -> list[Band]:
    """Fixed bands, the same at every moment."""
    edges = [None, 1, *(limit + 1 for limit in limits), None]
    amounts = [Band("spend", _amounts(low, high, currency), low, high) for low, high in pairwise(edges)]
    return [
        *_ranges("age", (None, 18, 25, 35, 45, 55, 65, None)),
        *amounts,
        *_ranges("recent_orders", (None, 1, 2, 4, 7, 13, None)),
        *_ranges("days_since", (None, 8, 31, 61, 91, 181, 366, None)),
        *_ranges("engagement", (None, 20, 40, 60, 80, None)),
    ]


def _ranges(measure: str, ends: Sequence[int | None]) -> list[Band]:
    found = []
    for low, high in pairwise(ends):
        if low is None:
            name = f"up to {high - 1}" if high > 1 else "0"
        elif high is None:
            name = f"{low} and more"
        else:
            name = f"{low}" if low == high - 1 else f"{low}–{high - 1}"
        found.append(Band(measure, name, low, high))
    return found


def _amounts(low: int | None, high: int | None, currency: str) -> str:
    if low is None:
        return "nothing"
    begins = amount(low - 1, currency)
    if high is None:
        return f"over {begins}"
    ends = amount(high - 1, currency)
    return f"up to {ends}" if low == 1 else f"{begins} to {ends}"


def stability(table: np.ndarray, known: np.ndarray) -> dict[str, np.ndarray]:
    """The population stability index of each row's shares against the first row that has enough people.

    The sum of (share − first share) × ln(share ÷ first share). A band that is empty on one side counts as
    half a person there, since its logarithm has no value. Beside it what chance alone makes it on average,
    were both drawn anew from the same people: (bands − 1) × (1 ÷ n + 1 ÷ first n) (Yurdakul 2018).
    """
    number = table.sum(axis=1)
    there = known & (number > 0)
    enough = np.flatnonzero(there & (number >= FEWEST))
    if not len(enough) or table.shape[1] < 2:
        return dict.fromkeys(INDEX, np.full(len(table), np.nan))
    first, first_number = table[enough[0]], number[enough[0]]
    there &= np.arange(len(table)) >= enough[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        # Bands that are empty on both sides say nothing.
        occurs = (table > 0) | (first > 0)
        share = np.maximum(table, 0.5) / number[:, None]
        before = np.maximum(first, 0.5) / first_number
        index = np.where(occurs, (share - before) * np.log(share / before), 0.0).sum(axis=1)
        chance = (occurs.sum(axis=1) - 1) * (1 / number + 1 / first_number)
    return {"psi": np.where(there, index, np.nan), "psi_by_chance": np.where(there, chance, np.nan)}


def reading(psi: float) -> str:
    """How a population stability index is usually read; – where it is unknown."""
    if psi != psi:
        return "–"
    return "stable" if psi < STABLE else "some shift" if psi < SHIFTED else "shifted"

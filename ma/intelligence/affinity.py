"""What is bought together, and what to offer next to somebody who buys some of it.

Whoever buys much buys a little of everything: counted over all customers, any two categories are bought
together more often than chance would have it. And whoever buys twice cannot have three things. So expected is
what would come of as many purchases as each customer made, if what is bought one time had nothing to do with
what is bought another (indirect standardisation, by groups of customers who buy about as much).
"""

from statistics import NormalDist
from typing import Self

import numpy as np
import pandas as pd

LIFTS = (
    "item_a", "item_b", "customers_a", "customers_b", "both", "expected", "lift", "low", "high", "customers",
)  # fmt: skip
OFFERS = ("customer_id", "item", "because")
# All intervals together hold in 95 of 100 such tables (Bonferroni).
ALPHA = 0.05
_SMALLEST_GROUP = 50
_CHUNK = 100_000


class Affinity:
    """Lift of buying together: customers with both ÷ those to be expected if one did not go with the other.

    fewest: pairs with fewer customers to be expected are left out, the data cannot tell of them; most_items:
    so many items, those with the most customers, are compared; groups: of customers who buy about as much.
    """

    def __init__(self, *, fewest: float = 20.0, most_items: int = 60, groups: int = 10):
        self.fewest, self.most_items, self.groups = fewest, most_items, groups

    def fit(self, bought: pd.DataFrame) -> Self:
        """Learn from one row per customer, item and purchase of it: customer_id, item.

        Customers with a single purchase say nothing of what goes together, and are left out. Fitted:
        `customers_` (who were counted) and `lifts_`, each pair once, the surest first: item_a (with at
        least as many customers as item_b), item_b, customers_a, customers_b, both (customers with both),
        expected (of them, if what customers buy one time had nothing to do with what they buy another; see
        _Group), lift (both ÷ expected) with low and high, customers (counted in all).

        The interval is that of the logarithm by the delta method, each customer one draw (Agresti 2013,
        Categorical Data Analysis, section 16.1); all pairs' intervals hold together with 95 %.
        """
        people, place = np.unique(bought["customer_id"].to_numpy(), return_inverse=True)
        codes, items = pd.factorize(bought["item"], sort=True)
        volume = np.bincount(place, minlength=len(people))
        several = volume > 1
        row_of = np.where(several, np.cumsum(several) - 1, -1)[place]
        kept = (row_of >= 0) & (codes >= 0)
        # Each customer and item once.
        pairs = np.unique(row_of[kept] * max(len(items), 1) + codes[kept])
        rows, codes = np.divmod(pairs, max(len(items), 1))
        owners = np.bincount(codes, minlength=len(items))
        chosen = np.sort(np.argsort(-owners, kind="stable")[: self.most_items])
        column = np.full(len(items), -1)
        column[chosen] = np.arange(len(chosen))
        rows, codes = rows[column[codes] >= 0], column[codes[column[codes] >= 0]]
        owns = np.zeros((int(several.sum()), len(chosen)), dtype=bool)
        owns[rows, codes] = True
        self.customers_ = len(owns)
        self.lifts_ = self._lifts(np.asarray(items)[chosen], owns, volume[several])
        return self

    def predict(self, bought: pd.DataFrame) -> pd.DataFrame:
        """What to offer to each customer: the item with the highest lower end of its lift with one they buy.

        Takes customer_id, item and recent (bought lately: not to be offered again). Gives customer_id, item
        and because (the item that it goes with), for those for whom there is one with a lift above 1 beyond
        doubt; each at most once.
        """
        sure = self.lifts_[self.lifts_["low"] > 1.0]
        items = pd.Index(pd.unique(pd.concat([sure["item_a"], sure["item_b"]])))
        people, place = np.unique(bought["customer_id"].to_numpy(), return_inverse=True)
        codes, found = pd.factorize(bought["item"])
        codes = np.append(items.get_indexer(pd.Index(np.asarray(found))), -1)[codes]
        known, recent = codes >= 0, bought["recent"].to_numpy(bool)
        # One row per item, so that what is asked of one item lies together.
        owns = np.zeros((len(items), len(people)), dtype=bool)
        lately = np.zeros_like(owns)
        owns[codes[known], place[known]] = True
        lately[codes[known & recent], place[known & recent]] = True
        offer, because = np.full(len(people), -1), np.full(len(people), -1)
        left = np.arange(len(people))
        for a, b in _directed(items.get_indexer(sure["item_a"]), items.get_indexer(sure["item_b"])):
            mine = owns[a][left] & ~lately[b][left]
            offer[left[mine]], because[left[mine]] = b, a
            left = left[~mine]
            if not len(left):
                break
        told = offer >= 0
        return pd.DataFrame(
            {
                "customer_id": people[told],
                "item": items.to_numpy()[offer[told]],
                "because": items.to_numpy()[because[told]],
            }
        )

    def _groups(self, volume: np.ndarray) -> np.ndarray:
        """Groups of about as many customers each; equal volumes are in one group."""
        many = int(np.clip(len(volume) // _SMALLEST_GROUP, 1, self.groups))
        if not len(volume):
            return np.zeros(0, dtype=np.int64)
        ends = np.unique(np.quantile(volume, np.arange(1, many) / many))
        _, group = np.unique(np.searchsorted(ends, volume, side="left"), return_inverse=True)
        return group

    def _lifts(self, items: np.ndarray, owns: np.ndarray, volume: np.ndarray) -> pd.DataFrame:
        group = self._groups(volume)
        parts = [_Group(owns[group == one], volume[group == one]) for one in np.unique(group)]
        first, second = np.triu_indices(len(items), 1)
        customers = sum((part.each for part in parts), np.zeros(len(items)))
        swap = customers[second] > customers[first]
        first, second = np.where(swap, second, first), np.where(swap, first, second)
        expected = sum((part.expected(first, second) for part in parts), np.zeros(len(first)))
        enough = expected >= max(self.fewest, 1e-9)
        first, second, expected = first[enough], second[enough], expected[enough]
        observed = sum((part.both[first, second] for part in parts), np.zeros(len(first)))
        variance = sum(
            (part.variance(first, second, observed, expected) for part in parts), np.zeros(len(first))
        )
        low, high = _interval(observed, expected, variance)
        frame = pd.DataFrame(
            {
                "item_a": items[first],
                "item_b": items[second],
                "customers_a": customers[first].astype(np.int64),
                "customers_b": customers[second].astype(np.int64),
                "both": observed.astype(np.int64),
                "expected": expected,
                "lift": observed / expected,
                "low": low,
                "high": high,
                "customers": len(owns),
            },
            columns=list(LIFTS),
        )
        return frame.sort_values(["low", "lift"], ascending=False, kind="stable", ignore_index=True)


class _Group:
    """Customers who buy about as much: who has what, and who would have both by chance.

    By chance: each purchase is the item with a chance of its own, whoever buys, whatever else they buy. That
    chance s is such that as many customers have the item as do: of n customers with m purchases each,
    n (1 − (1 − s)^m). Then n (1 − (1 − s)^m − (1 − t)^m + (1 − s − t)^m) have both of two items.
    """

    def __init__(self, owns: np.ndarray, volume: np.ndarray):
        self.both = np.zeros((owns.shape[1], owns.shape[1]))
        for start in range(0, len(owns), _CHUNK):
            part = owns[start : start + _CHUNK].astype(np.float32)
            self.both += part.T @ part
        self.each, self.people = np.diagonal(self.both), float(len(owns))
        self._purchases, count = np.unique(volume, return_counts=True)
        self._weights = count.astype(np.float64)
        self._chance = self._solve()

    def expected(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """How many customers would have both items of each pair."""
        neither = self._without(np.maximum(1.0 - self._chance[a] - self._chance[b], 0.0))
        return np.maximum(self.each[a] + self.each[b] - self.people + neither, 0.0)

    def variance(self, a: np.ndarray, b: np.ndarray, observed: np.ndarray, total: np.ndarray) -> np.ndarray:
        """This group's part of the variance of the logarithm of observed ÷ total expected, of each pair.

        A customer with x of the one and y of the other (0 or 1) moves it by x y ÷ observed −
        (e + f (x − p) + g (y − q)) ÷ total, where p and q are the shares with each, e is the expected share
        with both, and f and g say how that changes with p and q. The variance is the sum of the squares.
        """
        n, p, q = self.people, self.each[a] / self.people, self.each[b] / self.people
        e, ab, some = self.expected(a, b) / n, self.both[a, b], np.maximum(observed, 1.0)
        rest = self._slope(np.maximum(1.0 - self._chance[a] - self._chance[b], 0.0))
        f, g = (1.0 - rest / np.maximum(self._slope(1.0 - self._chance[item]), 1e-300) for item in (a, b))

        def square(x: int, y: int) -> np.ndarray:
            return (x * y / some - (e + f * (x - p) + g * (y - q)) / total) ** 2

        only_a, only_b = self.each[a] - ab, self.each[b] - ab
        counts = {(1, 1): ab, (1, 0): only_a, (0, 1): only_b, (0, 0): n - ab - only_a - only_b}
        return sum(count * square(*cell) for cell, count in counts.items())

    def _without(self, other: np.ndarray) -> np.ndarray:
        """How many customers have only what each purchase is with the chance `other`."""
        found = np.zeros(len(other))
        for purchases, people in zip(self._purchases, self._weights, strict=True):
            found += people * other**purchases
        return found

    def _slope(self, other: np.ndarray) -> np.ndarray:
        found = np.zeros(len(other))
        for purchases, people in zip(self._purchases, self._weights, strict=True):
            found += people * purchases * other ** (purchases - 1)
        return found

    def _solve(self) -> np.ndarray:
        """The chance of each item, by bisection."""
        low, high = np.zeros(len(self.each)), np.ones(len(self.each))
        for _ in range(50):
            middle = (low + high) / 2.0
            few = self.people - self._without(1.0 - middle) < self.each
            low, high = np.where(few, middle, low), np.where(few, high, middle)
        return (low + high) / 2.0


def _directed(a: np.ndarray, b: np.ndarray):
    """Each pair both ways, in order."""
    for first, second in zip(a, b, strict=True):
        yield first, second
        yield second, first


def _interval(
    observed: np.ndarray, expected: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the lifts' intervals, from the variance of their logarithms.

    Where nobody has both, the upper end is the exact Poisson one.
    """
    alpha = ALPHA / max(len(observed), 1)
    lift, width = (
        observed / expected,
        np.exp(NormalDist().inv_cdf(1.0 - alpha / 2.0) * np.sqrt(np.maximum(variance, 0.0))),
    )
    none = observed == 0.0
    return np.where(none, 0.0, lift / width), np.where(none, -np.log(alpha / 2.0) / expected, lift * width)

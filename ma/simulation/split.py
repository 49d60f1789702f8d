"""The split of a budget among campaigns with the highest expected profit.

A split is each campaign's share of the people who can be sent it, from 0 to 1. See `lots`: everything
expected is linear in each share, so it follows from the corners (everybody or nobody).
"""

from collections.abc import Sequence

import numpy as np

# What keeps a campaign where it is.
AUDIENCE, BUDGET, COST, FIXED, LIMIT, FATIGUE = (
    "audience",
    "budget",
    "cost",
    "fixed cost",
    "frequency cap",
    "fatigue",
)
_GRID = np.linspace(0.0, 1.0, 9)
# Of two splits that earn the same, the cheaper one: a unit of money counts this much by itself.
_THRIFT = 1e-9
_SAME = 1e-7


class Outlook:
    """What every split is expected to bring.

    sent, value: (campaigns, corners), messages and what they are worth at each corner; price: of a message;
    fixed: what it costs to send the campaign at all. All money in minor units.
    """

    def __init__(self, sent: np.ndarray, value: np.ndarray, price: Sequence[float], fixed: Sequence[float]):
        self.sent, self.value = np.asarray(sent), np.asarray(value)
        self.price, self.fixed = np.asarray(price, dtype=np.float64), np.asarray(fixed, dtype=np.float64)
        self.campaigns, self._corner = len(self.price), np.arange(self.sent.shape[1])
        bits = self._corner[None] >> np.arange(self.campaigns)[:, None] & 1
        self._cost = self.price @ self.sent
        self._gain = self.value.sum(axis=0) - self._cost
        self._fixed = self.fixed @ bits

    def at(self, table: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """What a table (last axis: corners) says of a split."""
        for share in reversed(shares):
            half = table.shape[-1] // 2
            table = table[..., :half] * (1.0 - share) + table[..., half:] * share
        return table[..., 0]

    def messages(self, shares: np.ndarray) -> np.ndarray:
        """How many messages of each campaign."""
        return self.at(self.sent, shares)

    def worth(self, shares: np.ndarray) -> np.ndarray:
        """What they are worth, by campaign."""
        return self.at(self.value, shares)

    def spend(self, shares: np.ndarray) -> float:
        """What they cost."""
        return float(self.at(self._cost, shares) + self.fixed @ (shares > 0.0))

    def profit(self, shares: np.ndarray) -> float:
        """What they are worth less what they cost."""
        return float(self.at(self._gain, shares) - self.fixed @ (shares > 0.0))

    def even(self, budget: float) -> np.ndarray:
        """Every campaign gets the same money; what it cannot use is left."""
        shares = np.zeros(self.campaigns)
        each = budget / self.campaigns
        for i in range(self.campaigns):
            shares[i] = 1.0
            cost = self.price[i] * self.messages(shares)[i]
            left = each - self.fixed[i]
            if left < 0.0:
                shares[i] = 0.0
            elif cost > left:
                shares[i] = left / cost
        return shares

    def best(self, budget: float) -> np.ndarray:
        """The split with the highest expected profit that costs at most `budget`.

        Along each exchange of money between two campaigns the profit bends upwards where the two disturb each
        other, so at a best split nearly always at most one is sent to a part of its people: all these are
        looked at, exactly, and those with two such campaigns on a grid. Where several are as good, campaigns
        that earn the same share alike.
        """
        found = max(
            (self._whole(budget), self._one(budget), self._two(budget), (self._points(self.even(budget)))),
            key=lambda candidate: candidate[0],
        )[1]
        return self._evened(found, budget)

    def limits(self, shares: np.ndarray) -> list[str]:
        """What keeps each campaign where it is in a best split.

        AUDIENCE: everybody whom it can be sent is; BUDGET: more people would pay, but money does more
        elsewhere or is spent; COST: a message costs more than it brings; FIXED: all its messages together do
        not earn the fixed cost; LIMIT and FATIGUE: it would pay alone, but it and the others reach the same
        people, of whom the cap takes messages away, or whom each message makes tired for the others.
        """
        return [self._limit(i, shares) for i in range(self.campaigns)]

    def alone(self, table: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """What a table (campaigns, corners) says of each campaign if the others were not sent."""
        return np.array([self.at(table[i], _only(shares, i))[()] for i in range(self.campaigns)])

    def _limit(self, i: int, shares: np.ndarray) -> str:
        if shares[i] > 0.0:
            return AUDIENCE if shares[i] >= 1.0 - 1e-9 else BUDGET
        gain = self._slope(self._gain, shares, i)
        if gain > 0.0:
            return FIXED if gain <= self.fixed[i] else BUDGET
        nobody = np.zeros(self.campaigns)
        if self._slope(self._gain, nobody, i) <= 0.0:
            return COST
        # What sending it too takes from all of them, and how much of that are messages the cap takes away.
        each = np.where(np.arange(self.campaigns) == i, 1.0, shares)
        messages, worth = self.alone(self.sent, each), self.alone(self.value, each)
        mean = np.divide(worth, messages, out=np.zeros(self.campaigns), where=messages > 0.0)
        before = np.where(np.arange(self.campaigns) == i, messages, self.messages(shares))
        taken = float((before - self.messages(each)) @ mean)
        lost = worth[i] + self.worth(shares).sum() - self.worth(each).sum()
        return LIMIT if taken > lost / 2.0 else FATIGUE

    def _slope(self, table: np.ndarray, shares: np.ndarray, i: int) -> float:
        ends = [np.where(np.arange(self.campaigns) == i, end, shares) for end in (1.0, 0.0)]
        return float(self.at(table, ends[0]) - self.at(table, ends[1]))

    def _points(self, shares: np.ndarray) -> tuple[float, np.ndarray]:
        return self.profit(shares) - _THRIFT * self.spend(shares), shares

    def _whole(self, budget: float) -> tuple[float, np.ndarray]:
        """The best corner."""
        spend = self._cost + self._fixed
        points = np.where(spend <= budget, self._gain - self._fixed - _THRIFT * spend, -np.inf)
        best = int(points.argmax())
        return self._points(self._of(best))

    def _one(self, budget: float) -> tuple[float, np.ndarray]:
        """The best split in which one campaign is sent to as many as the budget allows."""
        best = (-np.inf, np.zeros(self.campaigns))
        for k in np.flatnonzero(self.price > 0.0):
            low = self._corner[self._corner >> k & 1 == 0]
            high = low | 1 << k
            share = _share(budget - self._fixed[high] - self._cost[low], self._cost[high] - self._cost[low])
            gain = self._gain[low] + share * (self._gain[high] - self._gain[low])
            points = _known(gain - self._fixed[high])
            place = int(points.argmax())
            if points[place] > best[0] and np.isfinite(points[place]):
                best = self._points(self._of(low[place], (k, share[place])))
        return best

    def _two(self, budget: float) -> tuple[float, np.ndarray]:
        """The best split in which two campaigns are each sent to a part of their people."""
        best = (-np.inf, None)
        payable = np.flatnonzero(self.price > 0.0)
        for k in payable:
            for other in payable[payable > k]:
                base = self._corner[(self._corner >> k & 1 == 0) & (self._corner >> other & 1 == 0)]
                points, _ = self._along(budget, base, k, other, _GRID[1:-1])
                place, step = np.unravel_index(points.argmax(), points.shape)
                if points[place, step] > best[0]:
                    best = (points[place, step], (base[[place]], k, other, _GRID[step + 1]))
        if best[1] is None:
            return -np.inf, np.zeros(self.campaigns)
        base, k, other, middle = best[1]
        width = _GRID[1]
        for _ in range(4):
            near = np.clip(middle + width * np.linspace(-1.0, 1.0, 33), 0.0, 1.0)
            points, shares = self._along(budget, base, k, other, near)
            step = int(points[0].argmax())
            middle, width = near[step], width / 16.0
        return self._points(self._of(base[0], (k, middle), (other, shares[0, step])))

    def _along(
        self, budget: float, base: np.ndarray, k: int, other: int, first: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Profit, and the share of the other campaign, when `k` gets the shares `first` and it the rest."""
        both = base | 1 << k | 1 << other

        def lines(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            without = table[base, None] + (table[base | 1 << k] - table[base])[:, None] * first
            beside = base | 1 << other
            having = table[beside, None] + (table[both] - table[beside])[:, None] * first
            return without, having - without

        cost, more_cost = lines(self._cost)
        gain, more_gain = lines(self._gain)
        fixed = self._fixed[both][:, None]
        share = _share(budget - fixed - cost, more_cost)
        return _known(gain + share * more_gain - fixed), share

    def _evened(self, shares: np.ndarray, budget: float) -> np.ndarray:
        """The same profit for the same money, campaigns that earn alike with the same share."""
        for _ in range(self.campaigns):
            before = shares
            for k in range(self.campaigns):
                for other in range(k):
                    shares = self._pair(shares, k, other)
            if np.abs(shares - before).max() < _SAME:
                break
        return shares

    def _pair(self, shares: np.ndarray, k: int, other: int) -> np.ndarray:
        if not self.price[k] or not self.price[other] or abs(shares[k] - shares[other]) < _SAME:
            return shares
        gains, costs = (
            [self._slope(table, shares, i) for i in (k, other)] for table in (self._gain, self._cost)
        )
        if min(costs) <= 0.0 or abs(gains[0] / costs[0] - gains[1] / costs[1]) > _SAME:
            return shares
        spend, low, high = self.spend(shares), *sorted((shares[k], shares[other]))
        tried = shares.copy()
        for _ in range(50):
            tried[[k, other]] = (low + high) / 2.0
            low, high = (low, tried[k]) if self.spend(tried) > spend else (tried[k], high)
        tried[[k, other]] = low
        loss = self.profit(shares) - self.profit(tried)
        return tried if loss <= _SAME * max(abs(self.profit(shares)), 1.0) else shares

    def _of(self, corner: int, *parts: tuple[int, float]) -> np.ndarray:
        shares = (int(corner) >> np.arange(self.campaigns) & 1).astype(np.float64)
        for i, share in parts:
            shares[i] = share
        return shares


def with_holdouts(table: np.ndarray, holdouts: Sequence[float]) -> np.ndarray:
    """A table (last axis: corners) where of each campaign's people a share is held out."""
    shape = table.shape
    for i, held in enumerate(holdouts):
        pairs = table.reshape(*shape[:-1], -1, 2, 1 << i)
        nobody, everybody = pairs[..., 0, :], pairs[..., 1, :]
        table = np.stack([nobody, held * nobody + (1.0 - held) * everybody], axis=-2).reshape(shape)
    return table


def _only(shares: np.ndarray, i: int) -> np.ndarray:
    return np.where(np.arange(len(shares)) == i, shares, 0.0)


def _share(money: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """The part of something that the money pays for; NaN unless it is a part."""
    share = np.divide(money, cost, out=np.full(np.shape(cost), np.nan), where=cost > 0.0)
    return np.where((share > 0.0) & (share < 1.0), share, np.nan)


def _known(points: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(points), -np.inf, points)

"""Models that divide conversions among the messages before them: arithmetic on the paths of journeys.

Source: docs/metrics.md#attribution
"""

from dataclasses import dataclass
from math import factorial

import numpy as np
import pandas as pd

from ma.analytics.journeys import Journeys
from ma.errors import InvalidInput

# Value in addresses and exports -> words on screens.
MODELS = {
    "last_touch": "Last touch",
    "first_touch": "First touch",
    "linear": "Linear",
    "time_decay": "Time decay",
    "position_based": "Position based",
    "markov": "Markov",
    "shapley": "Shapley",
}
# Every set of players is looked at: 4,096 of them for 12.
MOST_PLAYERS = 12
# Position based: the first and the last touch; those between them share the rest.
_ENDS = 0.4


def credit(found: Journeys, model: str) -> pd.DataFrame:
    """What each row of `found.keys` is credited with, unrounded: conversions, revenue_minor (floats).

    Raises InvalidInput for an unknown model, and for Shapley with more than 12 channels or campaigns.
    """
    if model not in MODELS:
        raise InvalidInput({"models": f"'{model}' is no model. There are: {', '.join(MODELS)}."})
    if model == "time_decay":
        return _decayed(found)
    if model in ("markov", "shapley"):
        return _from_chain(found, model)
    paths = _paths(found.converted["path"], found.keys["key"])
    weight = _WEIGHTS[model](paths)
    return pd.DataFrame(
        {
            name: np.bincount(
                paths.key,
                weights=weight * found.converted[name].to_numpy(dtype=float)[paths.of],
                minlength=len(found.keys),
            )
            for name in ("conversions", "revenue_minor")
        }
    )


def players(found: Journeys) -> int:
    """How many channels or campaigns were in a journey that ended in a conversion."""
    return len({key for path in found.converted["path"] for key in path.split(",")})


def too_many(found: Journeys) -> str | None:
    """Why Shapley values cannot be had here, and what to do; None where they can."""
    count = players(found)
    if count <= MOST_PLAYERS:
        return None
    return (
        f"Shapley values look at every set of campaigns, and of {count} there are {2**count:,}. "
        f"They take {MOST_PLAYERS} at most: divide by channel, or choose a shorter period or window."
    )


# Rules


@dataclass(frozen=True)
class _Paths:
    """Touches in a row, path after path: the place of its key, its path, its place there, its length."""

    key: np.ndarray
    of: np.ndarray
    place: np.ndarray
    length: np.ndarray


def _paths(texts: pd.Series, keys: pd.Series) -> _Paths:
    lengths = (texts.str.count(",") + 1).to_numpy(dtype=np.int64)
    numbers = np.fromstring(",".join(texts), dtype=np.int64, sep=",")
    of = np.repeat(np.arange(len(texts)), lengths)
    return _Paths(
        key=pd.Index(keys).get_indexer(numbers),
        of=of,
        place=np.arange(len(numbers)) - np.repeat(np.cumsum(lengths) - lengths, lengths),
        length=lengths[of],
    )


def _ends_and_middle(paths: _Paths) -> np.ndarray:
    ends = (paths.place == 0) | (paths.place == paths.length - 1)
    middle = (1.0 - 2.0 * _ENDS) / np.maximum(paths.length - 2, 1)
    # Two touches are both an end: half each; one has everything.
    return np.where(paths.length <= 2, 1.0 / paths.length, np.where(ends, _ENDS, middle))


_WEIGHTS = {
    "last_touch": lambda paths: (paths.place == paths.length - 1).astype(float),
    "first_touch": lambda paths: (paths.place == 0).astype(float),
    "linear": lambda paths: 1.0 / paths.length,
    "position_based": _ends_and_middle,
}


def _decayed(found: Journeys) -> pd.DataFrame:
    there = found.decayed.set_index("key").reindex(found.keys["key"], fill_value=0.0)
    return there[["conversions", "revenue_minor"]].astype(float).reset_index(drop=True)


# The chain


@dataclass(frozen=True)
class Chain:
    """Journeys as an absorbing Markov chain of first order (Anderl et al. 2016): start, messages, an end.

    A person begins at message i with probability start[i], goes from i to j with onward[i, j], and ends there
    with a conversion with converts[i], worth earns[i] on average over everybody who leaves i (minor units);
    or with none. `journeys` is how many were counted.
    """

    start: np.ndarray
    onward: np.ndarray
    converts: np.ndarray
    earns: np.ndarray
    journeys: int


def chain(found: Journeys) -> tuple[Chain, np.ndarray]:
    """The chain of these journeys, and which rows of `found.keys` its messages are.

    What nobody met before a conversion is left out of it, as if those messages had not been: in a chain it
    would get credit for leading to others.
    """
    won = _paths(found.converted["path"], found.keys["key"])
    who = np.unique(won.key)
    lost = _without_others(_paths(found.unconverted["path"], found.keys["key"]), who)
    size = len(who)
    begins, goes = np.zeros(size), np.zeros((size, size))
    times = found.converted["conversions"].to_numpy(dtype=float)
    failed = found.unconverted["journeys"].to_numpy(dtype=float)
    for paths, count in ((won, times), (lost, failed)):
        place = np.searchsorted(who, paths.key)
        first = paths.place == 0
        np.add.at(begins, place[first], count[paths.of[first]])
        next_to = np.flatnonzero(~first)
        np.add.at(goes, (place[next_to - 1], place[next_to]), count[paths.of[next_to]])
    last = won.place == won.length - 1
    at_end = np.searchsorted(who, won.key[last])
    conversions = np.bincount(at_end, weights=times[won.of[last]], minlength=size)
    revenue = found.converted["revenue_minor"].to_numpy(dtype=float)
    earned = np.bincount(at_end, weights=revenue[won.of[last]], minlength=size)
    # What goes in comes out: on to another message, into a conversion, or into nothing.
    left = begins + goes.sum(axis=0)
    journeys = times.sum() + failed.sum()
    made = Chain(
        start=begins / max(journeys, 1.0),
        onward=goes / left[:, None],
        converts=conversions / left,
        earns=earned / left,
        journeys=int(journeys),
    )
    return made, who


def _without_others(paths: _Paths, who: np.ndarray) -> _Paths:
    kept = np.isin(paths.key, who)
    of = paths.of[kept]
    lengths = np.bincount(of, minlength=int(paths.of.max()) + 1 if len(paths.of) else 0)
    starts = np.cumsum(lengths) - lengths
    return _Paths(key=paths.key[kept], of=of, place=np.arange(len(of)) - starts[of], length=lengths[of])


def removal_effects(made: Chain, reward: np.ndarray) -> np.ndarray:
    """Which share of the expected reward is lost without each message, whose visitors then never convert.

    `reward` is made.converts (then it is the removal effect of Anderl et al.) or made.earns.
    """
    size = len(reward)
    # Row i: how often each message is met after one has come to i (the chain's fundamental matrix).
    visits = np.linalg.inv(np.eye(size) - made.onward)
    ahead = visits @ reward
    ever_met = made.start @ visits / np.diag(visits)
    return ever_met * ahead / (made.start @ ahead)


def coalition_values(made: Chain, reward: np.ndarray) -> np.ndarray:
    """What the chain expects of all journeys with the messages of each set only; bit i of its place is i."""
    size = len(reward)
    there = (np.arange(2**size)[:, None] >> np.arange(size)) & 1
    onward = made.onward * there[:, :, None] * there[:, None, :]
    ahead = np.linalg.solve(np.eye(size) - onward, (reward * there)[:, :, None])[:, :, 0]
    return made.journeys * (ahead * there) @ made.start


def shapley(values: np.ndarray) -> np.ndarray:
    """Each player's mean contribution over all orders of joining (Shapley 1953).

    `values` has one for each set of players, at the place whose bits are its members.
    """
    size = len(values).bit_length() - 1
    sets = np.arange(len(values))
    members = np.bitwise_count(sets).astype(int)
    weights = np.array([factorial(n) * factorial(size - n - 1) for n in range(size)]) / factorial(size)
    shares = []
    for player in range(size):
        without = sets[(sets >> player) & 1 == 0]
        shares.append(weights[members[without]] @ (values[without | 1 << player] - values[without]))
    return np.array(shares)


def _from_chain(found: Journeys, model: str) -> pd.DataFrame:
    totals = {"conversions": float(found.touched), "revenue_minor": float(found.touched_revenue_minor)}
    frame = pd.DataFrame(0.0, index=range(len(found.keys)), columns=list(totals))
    if not found.touched:
        return frame
    if model == "shapley" and (problem := too_many(found)):
        raise InvalidInput({"models": problem})
    made, who = chain(found)
    for name, reward in (("conversions", made.converts), ("revenue_minor", made.earns)):
        if not reward.any():
            continue
        if model == "shapley":
            share = shapley(coalition_values(made, reward))
        else:
            share = removal_effects(made, reward)
        frame.loc[who, name] = share / share.sum() * totals[name]
    return frame

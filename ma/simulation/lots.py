"""Several campaigns to people they share: who is sent which, when each goes by lot and a cap holds.

A lot is drawn for each person and campaign by itself. So whatever is expected of a campaign is linear in each
campaign's share of people, the others held: it is known for every split once it is known for the corners, at
which each campaign goes to everybody or to nobody. A corner is a number whose bit i is set where campaign i
goes out. Campaigns stand in the order in which they go out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

# So many corners times groups at once stay in the processor's cache.
_BLOCK = 1 << 18


@dataclass(frozen=True)
class Mix:
    """Where the people of one campaign are: so many of each group in each cell."""

    group: np.ndarray
    cell: np.ndarray
    people: np.ndarray


@dataclass(frozen=True)
class Crowd:
    """Everybody whom at least one campaign could be sent, in groups that are alike in what they can be sent.

    room: (groups, campaigns), how many messages the cap still leaves them when that campaign goes out; 0 for
    those who cannot be sent it. days: when each goes out. A message counts for the cap during `cap_days`, and
    makes tired during `tired_days`.
    """

    people: np.ndarray
    room: np.ndarray
    mixes: tuple[Mix, ...]
    days: tuple[float, ...]
    cap_days: float = 7.0
    tired_days: float = 30.0

    @property
    def campaigns(self) -> int:
        """How many campaigns there are."""
        return self.room.shape[1]

    def reachable(self) -> np.ndarray:
        """How many people could be sent each campaign if it were alone."""
        return self.people @ (self.room > 0)


def crowd(
    rooms: Sequence[np.ndarray], cells: Sequence[np.ndarray], days: Sequence[float], **windows: float
) -> Crowd:
    """Groups of people: of each campaign the room that the cap leaves everybody, and the cells of its people.

    `rooms`: per campaign a number for everybody, 0 for those who cannot be sent it. `cells`: per campaign the
    cell of each of the others, in their order.
    """
    rooms = [np.asarray(room, dtype=np.int64) for room in rooms]
    most = max((int(room.max(initial=0)) for room in rooms), default=0) + 1
    key = np.zeros(len(rooms[0]), dtype=np.int64)
    for room in rooms:
        key = key * most + room
    found, group = np.unique(key, return_inverse=True)
    digits = np.column_stack([found // most**i % most for i in reversed(range(len(rooms)))])
    mixes = tuple(_mix(group[room > 0], cell) for room, cell in zip(rooms, cells, strict=True))
    people = np.bincount(group, minlength=len(found)).astype(np.float64)
    return Crowd(people, digits.astype(np.int8), mixes, tuple(days), **windows)


def corners(crowd: Crowd, worth: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """At each corner, for each campaign, how many are sent it and what they are worth: (campaigns, corners).

    worth: per campaign (cells, messages): what one person is worth who had so many of the others before.
    """
    count = 1 << crowd.campaigns
    sent, value = np.zeros((2, crowd.campaigns, count))
    of_group = [_by_group(crowd, mix, each) for mix, each in zip(crowd.mixes, worth, strict=True)]
    step = max(_BLOCK // count, 1)
    for start in range(0, len(crowd.people), step):
        block = slice(start, start + step)
        for i, (got, before) in enumerate(_walk(crowd, np.arange(count), block)):
            sent[i] += got @ crowd.people[block]
            for messages in range(int(before.max(initial=0)) + 1):
                value[i] += (got & (before == messages)) @ of_group[i][block, messages]
    return sent, value


def recipients(crowd: Crowd, chances: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Per campaign and cell: how many are sent it, and the sums of the messages they had before, squared too.

    chances: of each person to be drawn for each campaign.
    """
    corner = np.arange(1 << crowd.campaigns)
    chance = np.ones(len(corner))
    for i, each in enumerate(chances):
        chance *= np.where(corner >> i & 1, each, 1.0 - each)
    corner, chance = corner[chance > 0.0], chance[chance > 0.0]
    sums = np.zeros((crowd.campaigns, 3, len(crowd.people)))
    step = max(_BLOCK // len(corner), 1)
    for start in range(0, len(crowd.people), step):
        block = slice(start, start + step)
        for i, (got, before) in enumerate(_walk(crowd, corner, block)):
            for power in range(3):
                sums[i, power, block] = chance @ (got * before.astype(np.float64) ** power)
    return [
        tuple(np.bincount(mix.cell, weights=mix.people * each[mix.group]) for each in of_campaign)
        for mix, of_campaign in zip(crowd.mixes, sums, strict=True)
    ]


def _walk(crowd: Crowd, corner: np.ndarray, block: slice) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Campaign by campaign, at each corner: who is sent it, and how many of the others they had before."""
    room, sent = crowd.room[block], []
    for i, day in enumerate(crowd.days):
        lately, before = np.zeros((2, len(corner), len(room)), dtype=np.int8)
        for j, got in enumerate(sent):
            if day - crowd.days[j] < crowd.cap_days:
                lately += got
            if day - crowd.days[j] < crowd.tired_days:
                before += got
        sent.append((corner >> i & 1).astype(bool)[:, None] & (lately < room[:, i]))
        yield sent[i], before


def _mix(group: np.ndarray, cell: np.ndarray) -> Mix:
    size = int(cell.max(initial=0)) + 1
    people = np.bincount(group * size + cell)
    there = np.flatnonzero(people)
    return Mix(there // size, there % size, people[there].astype(np.float64))


def _by_group(crowd: Crowd, mix: Mix, worth: np.ndarray) -> np.ndarray:
    size = len(crowd.people)
    return np.column_stack(
        [np.bincount(mix.group, mix.people * each[mix.cell], minlength=size) for each in worth.T]
    )

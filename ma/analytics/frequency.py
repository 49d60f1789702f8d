"""The frequency cap, ahead of time: whom it would leave out of the messages to come."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ma.analytics.contactable import FREQUENCY_CAP, FREQUENCY_DAYS
from ma.analytics.sendings import Sending
from ma.clock import to_micros

_CAP_MICROS = FREQUENCY_DAYS * 86_400_000_000
# All waves of a campaign, at its launch; the waves themselves count from 1 on.
_LAUNCH = 0


def let_through(
    past: pd.DataFrame, coming: Sequence[Sending], waiting: Sequence[np.ndarray], customers: int
) -> list[np.ndarray]:
    """For each sending, whom of the people waiting for it the frequency cap lets through (True).

    `past`: the messages of the days before, in their order: place, at (microseconds). `waiting`: the places
    of each sending's people. All go out in the order in which they are due, and what one brings counts for
    the next. The cap looks twice: at everybody when a campaign is launched, and at a wave's people when it
    goes out.
    """
    rested = [np.ones(len(places), dtype=bool) for places in waiting]
    launches = {(s.launch_at, s.campaign_id, _LAUNCH) for s in coming if s.kind != "planned"}
    looks = sorted(launches | {(s.at, s.campaign_id, s.wave) for s in coming})
    last_week = _LastWeek(past, customers)
    for at, campaign_id, wave in looks:
        counts = last_week.until(to_micros(at))
        for i, sending in enumerate(coming):
            if sending.campaign_id == campaign_id and wave in (_LAUNCH, sending.wave):
                rested[i] &= counts[waiting[i]] < FREQUENCY_CAP
                if wave != _LAUNCH:
                    last_week.add(to_micros(sending.sent_at), waiting[i][rested[i]])
    return rested


class _LastWeek:
    """How many messages each customer had in the days that the cap looks back on, as time goes on."""

    def __init__(self, past: pd.DataFrame, customers: int):
        self._at, self._place = past["at"].to_numpy(), past["place"].to_numpy()
        self._counts = np.zeros(customers, dtype=np.int64)
        self._added: list[tuple[int, np.ndarray]] = []
        self._now: int | None = None

    def add(self, at: int, places: np.ndarray) -> None:
        """Messages that these people will be sent at one time."""
        self._added.append((at, places))
        if self._now is not None and self._now - _CAP_MICROS < at <= self._now:
            self._counts[places] += 1

    def until(self, now: int) -> np.ndarray:
        """Each one's messages after the beginning of those days, up to `now`, which only goes forward."""
        if self._now is not None:
            self._change(self._now - _CAP_MICROS, now - _CAP_MICROS, -1)
        self._change(self._now, now, 1)
        if self._now is None:
            self._change(None, now - _CAP_MICROS, -1)
        self._now = now
        return self._counts

    def _change(self, after: int | None, until: int, by: int) -> None:
        begin = 0 if after is None else np.searchsorted(self._at, after, side="right")
        np.add.at(self._counts, self._place[begin : np.searchsorted(self._at, until, side="right")], by)
        for at, places in self._added:
            if (after is None or after < at) and at <= until:
                self._counts[places] += by

"""Who could be sent each of several campaigns, and what the simulator must know about them, counted at once.

The people of all campaigns are read together, as columns. For one campaign they are those whom
`services.audience` finds; here they stand at the places of `Everybody`, so that campaigns can be laid over
each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ma.analytics.contactable import FREQUENCY_CAP, FREQUENCY_DAYS, Everybody, everybody
from ma.clock import to_micros
from ma.db import bulk
from ma.db.instants import microseconds
from ma.db.whole_numbers import column, columns
from ma.models import CampaignResult, Customer, Outcome, SegmentMember
from ma.types import Channel

# Messages of so many days make tired.
FATIGUE_DAYS = 30
_DAY = 86_400_000_000
_FACTS = ("engagement", "last_order", "first_known", "orders", "spend_minor")


@dataclass(frozen=True)
class Wanted:
    """A campaign that may go out: to whom, through what and when."""

    campaign_id: int
    channel: Channel
    segment_id: int
    excluded: tuple[int, ...]
    at: datetime


@dataclass(frozen=True)
class Audience:
    """One campaign's people: how many are left after each step, and the room that the cap leaves each.

    room: at the place of everybody, how many messages they may still get when the campaign goes out; 0 for
    those who cannot be sent it.
    """

    waterfall: dict[str, int]
    room: np.ndarray

    @property
    def people(self) -> int:
        """How many could be sent it."""
        return int((self.room > 0).sum())


@dataclass(frozen=True)
class Crowded:
    """Everybody, and what is known of the members of the campaigns' segments (NaN of others)."""

    here: Everybody
    facts: dict[str, np.ndarray]
    members: dict[int, np.ndarray]
    # Messages of the last weeks, in any order: to whom (places) and when (microseconds).
    sent_to: np.ndarray
    sent_at: np.ndarray

    def audience(self, wanted: Wanted) -> Audience:
        """Whom a launch of this campaign would choose from, before holdout and budget."""
        chosen = np.zeros(len(self.here.ids), dtype=bool)
        chosen[self.members[wanted.segment_id]] = True
        waterfall = {"segment": int(chosen.sum())}
        chosen &= self.here.welcome[wanted.channel]
        waterfall["may be contacted"] = int(chosen.sum())
        for segment_id in wanted.excluded:
            chosen[self.members[segment_id]] = False
        waterfall["not left out"] = int(chosen.sum())
        room = np.where(chosen, np.maximum(FREQUENCY_CAP - self._messages(wanted.at, FREQUENCY_DAYS), 0), 0)
        return Audience(waterfall | {"below the message limit": int((room > 0).sum())}, room.astype(np.int8))

    def recipients(self, wanted: Wanted, audience: Audience) -> pd.DataFrame:
        """What `simulation.population.recipients` takes, of those who could be sent the campaign, by id."""
        places = np.flatnonzero(audience.room)
        today = to_micros(wanted.at) // _DAY

        def days_since(name: str) -> np.ndarray:
            return today - np.floor_divide(self.facts[name][places], _DAY)

        return pd.DataFrame(
            {
                "customer_id": self.here.ids[places],
                "engagement": self.facts["engagement"][places],
                "days_since_last_order": days_since("last_order"),
                "recent_messages": self._messages(wanted.at, FATIGUE_DAYS)[places],
                "days_observed": days_since("first_known"),
                "orders": self.facts["orders"][places],
                "spend_minor": self.facts["spend_minor"][places],
            }
        )

    def _messages(self, at: datetime, days: int) -> np.ndarray:
        """How many messages each had in the days before `at`."""
        now = to_micros(at)
        lately = self.sent_to[(self.sent_at > now - days * _DAY) & (self.sent_at <= now)]
        return np.bincount(lately, minlength=len(self.here.ids))


def crowded(session: Session, wanted: Sequence[Wanted], *, at: datetime) -> Crowded:
    """Everybody whom these campaigns could be sent, as things are at `at`.

    Of the messages that others will have had by the time a later campaign goes out, only those count that
    went out by `at`.
    """
    here = everybody(session, sorted({each.channel for each in wanted}), at=at)
    segments = {each.segment_id for each in wanted} | {one for each in wanted for one in each.excluded}
    members = {one: here.places(column(session, _members([one]))) for one in sorted(segments)}
    sent_to, sent_at = _sent(session, here, min(each.at for each in wanted), at)
    return Crowded(
        here, _facts(session, here, {each.segment_id for each in wanted}), members, sent_to, sent_at
    )


def _members(segment_ids: Sequence[int]):
    return select(SegmentMember.customer_id).where(SegmentMember.segment_id.in_(segment_ids))


def _facts(session: Session, here: Everybody, segment_ids: set[int]) -> dict[str, np.ndarray]:
    query = select(
        Customer.id,
        Customer.engagement,
        microseconds(Customer.last_order_at),
        microseconds(func.coalesce(Customer.first_order_at, Customer.created_at)),
        Customer.orders,
        Customer.spend_minor,
    ).where(Customer.deleted_at.is_(None), Customer.id.in_(_members(sorted(segment_ids))))
    rows = bulk.numbers(session, query)
    places = here.place_of(rows[:, 0].astype(np.int64))
    found = {}
    for name, values in zip(_FACTS, rows.T[1:], strict=True):
        found[name] = np.full(len(here.ids), np.nan)
        found[name][places] = values
    return found


def _sent(
    session: Session, here: Everybody, first: datetime, until: datetime
) -> tuple[np.ndarray, np.ndarray]:
    """The messages of the weeks before `first`, up to `until`: to whom (places) and when."""
    begin = first - timedelta(days=FATIGUE_DAYS)
    day = timedelta(days=1)
    near = select(CampaignResult.campaign_id).where(
        CampaignResult.day >= (begin - day).date(),
        CampaignResult.day <= (until + day).date(),
        CampaignResult.sent > 0,
    )
    query = select(Outcome.customer_id, microseconds(Outcome.sent_at)).where(
        Outcome.campaign_id.in_(near), Outcome.sent_at > begin, Outcome.sent_at <= until
    )
    customers, at = columns(session, query)
    places = here.place_of(customers)
    return places[places >= 0], at[places >= 0]

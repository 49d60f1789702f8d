"""Who gets how many messages in a calendar week, over all campaigns, and whom the frequency cap will drop."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ma.analytics.contactable import FREQUENCY_DAYS, Everybody, everybody
from ma.analytics.frames import read
from ma.analytics.frequency import let_through
from ma.analytics.rates import ratio
from ma.analytics.sendings import Sending, channels, people, to_come
from ma.analytics.workspace import workspace
from ma.clock import day_start, to_micros
from ma.db.instants import microseconds
from ma.db.whole_numbers import columns
from ma.models import Campaign, CampaignResult, Customer, Outcome
from ma.types import Arm

MOST_SHOWN = 20


@dataclass(frozen=True)
class Overlap:
    """One week: the frames of the functions so named; `people` holds only those with the most messages.

    `customers` are all who are here, `capped` those whom the frequency cap takes a message from, `dropped`
    the messages that are so lost.
    """

    week: date
    customers: int
    reached: int
    messages: int
    capped: int
    dropped: int
    campaigns: pd.DataFrame
    distribution: pd.DataFrame
    pairs: pd.DataFrame
    people: pd.DataFrame


def overlap(session: Session, *, as_of: datetime, week: date, drafts: Sequence[int] = ()) -> Overlap:
    """What everybody is sent in the week (of the workspace, Monday first) in which the day `week` lies.

    Counted are messages that went out by `as_of`, and those that will: waves to come, scheduled campaigns,
    and these drafts, as if they were launched when the week begins (at `as_of`, where it has begun). To
    them, the segment's present members who may be contacted. Deleted customers are never counted.
    """
    found = _week(session, as_of, week, drafts)
    counts, capped = found.counts(), found.capped()
    frame = found.campaigns(session)
    return Overlap(
        week=found.monday,
        customers=len(found.here.ids),
        reached=int((counts > 0).sum()),
        messages=int(counts.sum()),
        capped=int((capped > 0).sum()),
        dropped=int(frame["capped"].sum()),
        campaigns=frame,
        distribution=_distribution(counts, capped),
        pairs=_pairs(found, frame),
        people=_people(session, found, counts, capped, most=MOST_SHOWN),
    )


def overlap_campaigns(
    session: Session, *, as_of: datetime, week: date, drafts: list[int] = ()
) -> pd.DataFrame:
    """The campaigns that go out in a week, those to the most people first (see `overlap`).

    One row each: campaign_id, campaign, channel, status, people, sent (of them, by as_of), to_come, capped
    (of those to come, whom the frequency cap will drop).
    """
    return _week(session, as_of, week, drafts).campaigns(session)


def overlap_distribution(
    session: Session, *, as_of: datetime, week: date, drafts: list[int] = ()
) -> pd.DataFrame:
    """How many customers get how many messages in a week (see `overlap`).

    One row for each number from 0 on: messages, people, capped (of them, whom the frequency cap will take at
    least one of these messages from).
    """
    found = _week(session, as_of, week, drafts)
    return _distribution(found.counts(), found.capped())


def overlap_pairs(session: Session, *, as_of: datetime, week: date, drafts: list[int] = ()) -> pd.DataFrame:
    """How many people each two campaigns of a week share (see `overlap`): one row for each ordered pair.

    first_id, first, second_id, second, both (of a campaign with itself: its people), share_of_smaller (both
    ÷ people of the smaller of the two; NaN where that is nobody).
    """
    found = _week(session, as_of, week, drafts)
    return _pairs(found, found.campaigns(session))


def overlap_people(session: Session, *, as_of: datetime, week: date, drafts: list[int] = ()) -> pd.DataFrame:
    """Everybody who gets a message in a week, those with the most first (see `overlap`).

    One row each: customer_id, name, email, messages, capped (how many of them the frequency cap will drop),
    campaigns (their names).
    """
    found = _week(session, as_of, week, drafts)
    return _people(session, found, found.counts(), found.capped())


# The week, person by person


@dataclass(frozen=True)
class _Week:
    """Who is sent what: by campaign the places of its people, all in numpy."""

    monday: date
    here: Everybody
    sent: dict[int, np.ndarray]
    to_come: dict[int, np.ndarray]
    # Of those to come, whom the frequency cap drops.
    lost: dict[int, np.ndarray]

    def reach(self) -> dict[int, np.ndarray]:
        """The places of each campaign's people; nobody is sent a campaign twice."""
        nobody = np.empty(0, dtype=np.int64)
        ids = sorted(self.sent.keys() | self.to_come.keys())
        return {
            one: np.concatenate([self.sent.get(one, nobody), self.to_come.get(one, nobody)]) for one in ids
        }

    def counts(self) -> np.ndarray:
        """Each one's messages."""
        return self._added(self.reach())

    def capped(self) -> np.ndarray:
        """How many of each one's messages the frequency cap drops."""
        return self._added(self.lost)

    def campaigns(self, session: Session) -> pd.DataFrame:
        """The frame of `overlap_campaigns`."""
        ids = list(self.reach())
        query = select(
            Campaign.id.label("campaign_id"),
            Campaign.name.label("campaign"),
            Campaign.channel,
            Campaign.status,
        )
        frame = read(session, query.where(Campaign.id.in_(ids)))
        for name, groups in (("sent", self.sent), ("to_come", self.to_come), ("capped", self.lost)):
            frame[name] = [len(groups.get(one, ())) for one in frame["campaign_id"]]
        frame.insert(4, "people", frame["sent"] + frame["to_come"])
        frame = frame[frame["people"] > 0].astype(
            dict.fromkeys(["people", "sent", "to_come", "capped"], "int64")
        )
        return frame.sort_values(["people", "campaign_id"], ascending=[False, True], ignore_index=True)

    def _added(self, groups: dict[int, np.ndarray]) -> np.ndarray:
        counts = np.zeros(len(self.here.ids), dtype=np.int64)
        for places in groups.values():
            counts[places] += 1
        return counts


def _week(session: Session, as_of: datetime, week: date, drafts: Sequence[int]) -> _Week:
    monday = week - timedelta(days=week.weekday())
    zone = workspace(session).timezone
    low, high = day_start(monday, zone), day_start(monday + timedelta(days=7), zone)
    coming: list[Sending] = []
    if as_of < high:
        coming = to_come(session, as_of=as_of, draft_ids=drafts, drafts_at=max(low, as_of))
        coming = [sending for sending in coming if sending.sent_at < high]
    here = everybody(session, channels(session, coming), at=as_of)
    past = _sent(session, here, min(low, as_of) - timedelta(days=FREQUENCY_DAYS) if coming else low, high)
    waiting = people(session, coming, here)
    kept = let_through(past, coming, waiting, len(here.ids))
    sent, later, lost = (defaultdict(list) for _ in range(3))
    inside = past[past["at"] >= to_micros(low)]
    for campaign_id, group in inside.groupby("campaign_id"):
        gone = (group["at"] <= to_micros(as_of)).to_numpy()
        # What waits for the end of its quiet hours has a time, but has not gone out.
        sent[campaign_id].append(group["place"].to_numpy()[gone])
        later[campaign_id].append(group["place"].to_numpy()[~gone])
    for sending, places, keep in zip(coming, waiting, kept, strict=True):
        if sending.sent_at >= low:
            later[sending.campaign_id].append(places)
            lost[sending.campaign_id].append(places[~keep])
    return _Week(monday, here, *map(_joined, (sent, later, lost)))


def _joined(groups: dict[int, list[np.ndarray]]) -> dict[int, np.ndarray]:
    return {int(one): np.concatenate(parts) for one, parts in groups.items()}


def _sent(session: Session, here: Everybody, low: datetime, high: datetime) -> pd.DataFrame:
    """The messages that went out in [low, high), in their order: campaign_id, place, at (microseconds)."""
    day = timedelta(days=1)
    near = select(CampaignResult.campaign_id).where(
        CampaignResult.day >= (low - day).date(),
        CampaignResult.day <= (high + day).date(),
        CampaignResult.sent > 0,
    )
    query = select(Outcome.campaign_id, Outcome.customer_id, microseconds(Outcome.sent_at)).where(
        Outcome.campaign_id.in_(near),
        Outcome.arm == Arm.TREATED,
        Outcome.sent_at >= low,
        Outcome.sent_at < high,
    )
    campaigns, customers, at = columns(session, query)
    frame = pd.DataFrame({"campaign_id": campaigns, "place": here.place_of(customers), "at": at})
    return frame[frame["place"] >= 0].sort_values("at", kind="stable", ignore_index=True)


# Counts


def _distribution(counts: np.ndarray, capped: np.ndarray) -> pd.DataFrame:
    people = np.bincount(counts, minlength=1)
    return pd.DataFrame(
        {
            "messages": np.arange(len(people)),
            "people": people,
            "capped": np.bincount(counts[capped > 0], minlength=len(people)),
        }
    )


def _pairs(found: _Week, campaigns: pd.DataFrame) -> pd.DataFrame:
    reach = found.reach()
    packed = {}
    for one in campaigns["campaign_id"]:
        there = np.zeros(len(found.here.ids), dtype=bool)
        there[reach[one]] = True
        packed[one] = np.packbits(there)
    both = {
        (a, b): int(np.bitwise_count(packed[a] & packed[b]).sum(dtype=np.int64))
        for a in packed
        for b in packed
        if a <= b
    }
    names = dict(zip(campaigns["campaign_id"], campaigns["campaign"], strict=True))
    rows = [
        (a, names[a], b, names[b], both[min(a, b), max(a, b)], min(both[a, a], both[b, b]))
        for a in packed
        for b in packed
    ]
    frame = pd.DataFrame(rows, columns=["first_id", "first", "second_id", "second", "both", "smaller"])
    frame = frame.astype({"first_id": "int64", "second_id": "int64", "both": "int64"})
    return frame.assign(share_of_smaller=ratio(frame["both"], frame["smaller"])).drop(columns="smaller")


def _people(
    session: Session, found: _Week, counts: np.ndarray, capped: np.ndarray, *, most: int | None = None
) -> pd.DataFrame:
    # Equal ones by id: the sort is stable and the ids go up.
    places = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())][:most]
    ids = found.here.ids[places]
    name = func.coalesce(Customer.first_name, "") + " " + func.coalesce(Customer.last_name, "")
    query = select(Customer.id.label("customer_id"), func.trim(name).label("name"), Customer.email)
    if most is not None:
        query = query.where(Customer.id.in_(ids.tolist()))
    frame = (
        read(session, query).set_index("customer_id").reindex(ids).rename_axis("customer_id").reset_index()
    )
    return frame.assign(
        messages=counts[places], capped=capped[places], campaigns=_names(found, session, places)
    )


def _names(found: _Week, session: Session, places: np.ndarray) -> list[str]:
    """The names of the campaigns that the people at these places get."""
    names = dict(session.execute(select(Campaign.id, Campaign.name)).all())
    reach = found.reach()
    row_of = np.full(len(found.here.ids), -1)
    row_of[places] = np.arange(len(places))
    gets = np.zeros((len(places), len(reach)), dtype=bool)
    for column, whom in enumerate(reach.values()):
        rows = row_of[whom]
        gets[rows[rows >= 0], column] = True
    # Each combination is put into words once.
    sets, which = np.unique(np.packbits(gets, axis=1), axis=0, return_inverse=True)
    inside = np.unpackbits(sets, axis=1, count=len(reach)).astype(bool)
    words = [", ".join(names[one] for one, there in zip(reach, row, strict=True) if there) for row in inside]
    return [words[i] for i in which.ravel()]

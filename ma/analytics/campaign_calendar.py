"""The calendar of campaigns: what went out on which day, what will, and which drafts have no day yet."""

from datetime import date, datetime, timedelta

import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ma import clock
from ma.analytics.contactable import everybody
from ma.analytics.frames import read
from ma.analytics.sendings import Sending, channels, people, planned_people, to_come
from ma.analytics.workspace import workspace
from ma.errors import InvalidPeriod
from ma.models import Campaign, CampaignAggregate, CampaignResult, Outcome, Segment
from ma.types import Arm, CampaignStatus

KINDS = ("sent", "planned", "scheduled")
_COLUMNS = ["campaign_id", "name", "channel", "status", "day", "people", "kind", "window_ends"]


def campaign_calendar(session: Session, *, as_of: datetime, start: date, end: date) -> pd.DataFrame:
    """What goes out on which day, of campaigns that work on days in [start, end).

    One row per campaign, day and kind, in the order of the days: campaign_id, name, channel, status, day (in
    the workspace's time zone), people, kind, window_ends (the last day on which a conversion counts). Kinds:
    "sent" went out by as_of; "planned" belongs to a launched campaign and is still to come, to the people
    assigned to it; "scheduled" will be launched by itself, and `people` are those who would be sent it if
    it were launched with its segment's present members, before the frequency cap.

    A day before the period is there when its conversion window reaches into it.

    Raises InvalidPeriod if start >= end.
    """
    if start >= end:
        raise InvalidPeriod(f"The period must start before it ends: {start} is not before {end}.")
    zone = workspace(session).timezone
    parts = [_sent(session, as_of, zone, start, end), _totals(session, as_of, zone)]
    coming = [s for s in to_come(session, as_of=as_of) if clock.local_day(s.sent_at, zone) < end]
    parts.append(_coming(session, as_of, zone, coming))
    frame = pd.concat(parts, ignore_index=True)
    frame = frame.groupby(["campaign_id", "day", "kind"], as_index=False)["people"].sum()
    known = read(
        session,
        select(
            Campaign.id.label("campaign_id"),
            Campaign.name,
            Campaign.channel,
            Campaign.status,
            Campaign.conversion_window_days.label("window"),
        ),
    )
    frame = frame.merge(known, on="campaign_id")
    frame["day"] = pd.to_datetime(frame["day"])
    frame["window_ends"] = frame["day"] + pd.to_timedelta(frame["window"], unit="D")
    inside = (frame["day"] < pd.Timestamp(end)) & (frame["window_ends"] >= pd.Timestamp(start))
    frame = frame[inside].astype({"people": "int64"})
    return frame.sort_values(["day", "campaign_id", "kind"], ignore_index=True)[_COLUMNS]


def undated(session: Session) -> pd.DataFrame:
    """Drafts, which have no day yet, the last changed first.

    One row each: campaign_id, name, channel, segment (its name), updated_at.
    """
    query = (
        select(
            Campaign.id.label("campaign_id"),
            Campaign.name,
            Campaign.channel,
            Segment.name.label("segment"),
            Campaign.updated_at,
        )
        .outerjoin(Segment, Segment.id == Campaign.segment_id)
        .where(Campaign.status == CampaignStatus.DRAFT, Campaign.archived_at.is_(None))
        .order_by(Campaign.updated_at.desc(), Campaign.id.desc())
    )
    return read(session, query)


def _sent(session: Session, as_of: datetime, zone: str, start: date, end: date) -> pd.DataFrame:
    """What went out by `as_of`, and what of it waits for the end of its quiet hours."""
    today = clock.local_day(as_of, zone)
    # The longest window reaches from a year before into the period.
    frame = read(
        session,
        select(CampaignResult.campaign_id, CampaignResult.day, func.sum(CampaignResult.sent).label("people"))
        .where(
            CampaignResult.arm == Arm.TREATED,
            CampaignResult.sent > 0,
            CampaignResult.day >= start - timedelta(days=367),
            CampaignResult.day < end,
        )
        .group_by(CampaignResult.campaign_id, CampaignResult.day),
    )
    days = pd.to_datetime(frame["day"])
    frame = frame.assign(day=days, kind=(days > pd.Timestamp(today)).map({True: "planned", False: "sent"}))
    waiting = _waiting_today(session, as_of, zone, frame[days == pd.Timestamp(today)]["campaign_id"].tolist())
    if waiting.empty:
        return frame
    later = waiting.assign(day=pd.Timestamp(today), kind="planned")
    gone = later.assign(kind="sent", people=-later["people"])
    return pd.concat([frame, later, gone], ignore_index=True).pipe(_summed)


def _waiting_today(session: Session, as_of: datetime, zone: str, campaign_ids: list[int]) -> pd.DataFrame:
    tomorrow = clock.day_start(clock.local_day(as_of, zone) + timedelta(days=1), zone)
    query = (
        select(Outcome.campaign_id, func.count().label("people"))
        .where(
            Outcome.campaign_id.in_(campaign_ids),
            Outcome.arm == Arm.TREATED,
            Outcome.sent_at > as_of,
            Outcome.sent_at < tomorrow,
        )
        .group_by(Outcome.campaign_id)
    )
    return read(session, query)


def _summed(frame: pd.DataFrame) -> pd.DataFrame:
    total = frame.groupby(["campaign_id", "day", "kind"], as_index=False)["people"].sum()
    return total[total["people"] > 0]


def _totals(session: Session, as_of: datetime, zone: str) -> pd.DataFrame:
    """Campaigns of which only totals are known: all on the day they were launched."""
    query = select(CampaignAggregate.campaign_id, CampaignAggregate.sent, Campaign.launched_at).join(
        Campaign, Campaign.id == CampaignAggregate.campaign_id
    )
    rows = session.execute(query.where(Campaign.launched_at <= as_of, CampaignAggregate.sent > 0)).all()
    return _frame([(one, clock.local_day(at, zone), sent, "sent") for one, sent, at in rows])


def _coming(session: Session, as_of: datetime, zone: str, coming: list[Sending]) -> pd.DataFrame:
    """The waves to come, with their people."""
    assigned = planned_people(session, coming)
    scheduled = [sending for sending in coming if sending.kind == "scheduled"]
    # Looking at all customers takes its time: only where somebody must be chosen.
    expected = {}
    if scheduled:
        here = everybody(session, channels(session, scheduled), at=as_of)
        expected = dict(zip(scheduled, map(len, people(session, scheduled, here)), strict=True))
    return _frame(
        [
            (
                sending.campaign_id,
                clock.local_day(sending.sent_at, zone),
                expected[sending]
                if sending in expected
                else assigned.get((sending.campaign_id, sending.wave), 0),
                sending.kind,
            )
            for sending in coming
        ]
    )


def _frame(rows: list[tuple]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["campaign_id", "day", "people", "kind"])
    return frame.astype({"campaign_id": "int64", "people": "int64"}).assign(day=pd.to_datetime(frame["day"]))

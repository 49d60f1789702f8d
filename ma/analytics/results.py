"""What campaigns brought: the totals that funnel, ROI and KPIs are made of."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime

import numpy as np
import pandas as pd
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from ma import clock
from ma.analytics import campaign_totals
from ma.analytics.frames import read
from ma.analytics.today import sent_today, today
from ma.analytics.workspace import workspace
from ma.models import Campaign, CampaignResult, Segment
from ma.types import Arm, CampaignStatus, unknown_steps

COUNTS = (
    "assigned",
    "sent",
    "bounced",
    "delivered",
    "opened",
    "clicked",
    "converted",
    "organic",
    "unsubscribed",
    "complained",
)
SUMS = (*COUNTS, "revenue_minor")


def totals(
    session: Session,
    *,
    as_of: datetime,
    campaign_ids: Sequence[int] | None = None,
    start: date | None = None,
    end: date | None = None,
    arm: str = Arm.TREATED,
) -> pd.DataFrame:
    """People per campaign up to an instant, of campaigns launched on days in [start, end).

    One row per launched campaign: campaign_id, name, channel, status, source, segment_id, segment,
    launched_at, steps, conversion_window_days, the counts of COUNTS (NaN where the campaign cannot
    observe the step), revenue_minor and cost_minor (NaN where the cost is unknown).
    """
    zone = workspace(session).timezone
    launched = read(session, _launched(campaign_ids, start, end, zone, as_of))
    counted = _counted(session, as_of, zone, arm, campaign_ids)
    frame = launched.merge(counted, on="campaign_id", how="left")
    frame[list(SUMS)] = frame[list(SUMS)].astype(float).fillna(0)
    for steps, rows in frame.groupby("steps").groups.items():
        frame.loc[rows, unknown_steps(steps)] = np.nan
    if arm == Arm.TREATED:
        frame = campaign_totals.fill_in(session, frame, as_of=as_of)
    variable = np.floor((frame["sent"] * frame["cost_per_thousand_minor"].astype(float) + 500) / 1000)
    frame["cost_minor"] = variable + frame["fixed_cost_minor"].astype(float)
    return frame.drop(columns=["cost_per_thousand_minor", "fixed_cost_minor"])


def daily(session: Session, *, as_of: datetime, campaign_id: int, arm: str = Arm.TREATED) -> pd.DataFrame:
    """One campaign's people per calendar day up to an instant: day and the columns of SUMS (floats)."""
    zone = workspace(session).timezone
    day = clock.local_day(as_of, zone)
    past = read(
        session,
        _summed(CampaignResult.day)
        .where(CampaignResult.campaign_id == campaign_id, CampaignResult.arm == arm, CampaignResult.day < day)
        .order_by(CampaignResult.day),
    )
    part = _today(session, as_of, zone, arm, [campaign_id]).drop(columns="campaign_id").assign(day=day)
    frame = pd.concat([past, part[part[list(SUMS)].fillna(0).sum(axis=1) > 0]], ignore_index=True)
    frame["day"] = pd.to_datetime(frame["day"])
    steps = session.scalar(select(Campaign.steps).where(Campaign.id == campaign_id))
    frame[list(SUMS)] = frame[list(SUMS)].astype(float)
    frame[unknown_steps(steps or "")] = np.nan
    return frame


def people_sent(
    session: Session, *, as_of: datetime, campaign_ids: Sequence[int] | None = None
) -> Counter[int]:
    """People each campaign (or each of some) was sent to by an instant."""
    zone = workspace(session).timezone
    past = select(CampaignResult.campaign_id, func.sum(CampaignResult.sent).label("sent")).where(
        CampaignResult.arm == Arm.TREATED, CampaignResult.day < clock.local_day(as_of, zone)
    )
    if campaign_ids is not None:
        past = past.where(CampaignResult.campaign_id.in_(campaign_ids))
    people = sent_today(session, as_of=as_of, timezone=zone, campaign_ids=campaign_ids)
    for campaign_id, sent in session.execute(past.group_by(CampaignResult.campaign_id)):
        people[campaign_id] += int(sent or 0)
    return people


def _launched(campaign_ids, start, end, zone: str, as_of: datetime) -> Select:
    query = (
        select(
            Campaign.id.label("campaign_id"),
            Campaign.name,
            Campaign.channel,
            Campaign.status,
            Campaign.source,
            Campaign.segment_id,
            Segment.name.label("segment"),
            Campaign.launched_at,
            Campaign.steps,
            Campaign.conversion_window_days,
            Campaign.cost_per_thousand_minor,
            Campaign.fixed_cost_minor,
        )
        .outerjoin(Segment, Segment.id == Campaign.segment_id)
        .where(Campaign.launched_at <= as_of, Campaign.status != CampaignStatus.DRAFT)
        .order_by(Campaign.launched_at.desc(), Campaign.id.desc())
    )
    if campaign_ids is not None:
        query = query.where(Campaign.id.in_(campaign_ids))
    if start is not None:
        query = query.where(Campaign.launched_at >= clock.day_start(start, zone))
    if end is not None:
        query = query.where(Campaign.launched_at < clock.day_start(end, zone))
    return query


def _summed(key) -> Select:
    return select(key, *[func.sum(getattr(CampaignResult, c)).label(c) for c in SUMS]).group_by(key)


def _counted(session: Session, as_of: datetime, zone: str, arm: str, campaign_ids) -> pd.DataFrame:
    past = _summed(CampaignResult.campaign_id).where(
        CampaignResult.arm == arm, CampaignResult.day < clock.local_day(as_of, zone)
    )
    if campaign_ids is not None:
        past = past.where(CampaignResult.campaign_id.in_(campaign_ids))
    both = pd.concat(
        [read(session, past), _today(session, as_of, zone, arm, campaign_ids)], ignore_index=True
    )
    both[list(SUMS)] = both[list(SUMS)].astype(float)
    return both.groupby("campaign_id", as_index=False).sum(min_count=1)


def _today(session: Session, as_of: datetime, zone: str, arm: str, campaign_ids) -> pd.DataFrame:
    """The part of the current day, by campaign: the stored days are whole days."""
    frame = today(session, as_of=as_of, timezone=zone, campaign_ids=campaign_ids)
    return frame[frame["arm"] == arm].groupby("campaign_id", as_index=False)[list(SUMS)].sum()

"""What needs somebody's attention, each with the place where one can act."""

from datetime import datetime, timedelta

import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ma.analytics.rates import add_money, add_rates
from ma.analytics.results import totals
from ma.models import Campaign, OutboxEvent, Segment
from ma.types import CampaignStatus, Channel

STALE_SEGMENT = timedelta(days=7)
SOON = timedelta(days=3)
OLD_DRAFT = timedelta(days=14)
HIGH_BOUNCE_RATE = 0.03
# The relay tries every few seconds: a hiccup is not worth a line.
STUCK_ATTEMPTS = 3


def attention(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """What needs attention, most pressing first.

    One row each: level (problem or hint), kind, subject (a name given by a user, or empty), text,
    page and object_id (where to act; NaN for a whole page).
    """
    rows = [
        *_losing(session, as_of),
        *_bouncing(session, as_of),
        *_stuck_events(session),
        *_overdue(session, as_of),
        *_stale_segments(session, as_of),
        *_old_drafts(session, as_of),
    ]
    return pd.DataFrame(rows, columns=["level", "kind", "subject", "text", "page", "object_id"])


def _losing(session, as_of):
    frame = add_money(totals(session, as_of=as_of))
    ended = frame[frame["launched_at"] > as_of - timedelta(days=90)]
    for row in ended[ended["status"] == CampaignStatus.COMPLETED].itertuples():
        if row.roi < 0:
            text = f"lost money: ROI {row.roi * 100:.0f} % after its conversion window"
            yield "problem", "loss", row.name, text, "results", row.campaign_id


def _bouncing(session, as_of):
    frame = add_rates(totals(session, as_of=as_of))
    # Elsewhere a high rate is usual: push tokens and phone numbers age faster than addresses.
    mail = frame["channel"] == Channel.EMAIL
    recent = frame[mail & (frame["launched_at"] > as_of - timedelta(days=30))]
    for row in recent[recent["bounce_rate"] > HIGH_BOUNCE_RATE].itertuples():
        text = (
            f"bounced for {row.bounce_rate * 100:.1f} % of its recipients; clean the addresses of its segment"
        )
        yield "problem", "bounces", row.name, text, "campaigns", row.campaign_id


def _stuck_events(session):
    # Events live in real time, whatever the demo clock says.
    waiting = session.scalar(
        select(func.count()).where(OutboxEvent.sent_at.is_(None), OutboxEvent.attempts >= STUCK_ATTEMPTS)
    )
    if waiting:
        text = f"{waiting:,} events wait for the event bus; nothing is lost, they are sent when it answers"
        yield "problem", "events", "", text, "home", None


def _overdue(session, as_of):
    query = select(Campaign).where(
        Campaign.status == CampaignStatus.SCHEDULED, Campaign.scheduled_at <= as_of + SOON
    )
    for campaign in session.scalars(query):
        hours = max((campaign.scheduled_at - as_of) // timedelta(hours=1), 0)
        when = f"in {hours // 24} days" if hours >= 48 else f"in {hours} hours"
        yield "hint", "scheduled", campaign.name, f"launches by itself {when}", "campaigns", campaign.id


def _stale_segments(session, as_of):
    query = select(Segment).where(
        (Segment.refreshed_at.is_(None)) | (Segment.refreshed_at < as_of - STALE_SEGMENT)
    )
    for segment in session.scalars(query.order_by(Segment.refreshed_at)):
        age = "was never refreshed"
        if segment.refreshed_at:
            age = f"was refreshed {(as_of - segment.refreshed_at).days} days ago"
        yield "hint", "stale", segment.name, f"{age}; its list may be out of date", "segments", segment.id


def _old_drafts(session, as_of):
    query = select(Campaign).where(
        Campaign.status == CampaignStatus.DRAFT, Campaign.updated_at < as_of - OLD_DRAFT
    )
    for campaign in session.scalars(query):
        text = f"has been a draft for {(as_of - campaign.updated_at).days} days"
        yield "hint", "draft", campaign.name, text, "campaigns", campaign.id

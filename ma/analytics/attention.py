"""What needs somebody's attention, each with the place where one can act."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pandas as pd
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from ma.analytics import usual_range
from ma.analytics.roi import roi
from ma.analytics.workspace import workspace
from ma.events.modules import LISTENERS, MODULES
from ma.models import Campaign, Segment, Webhook
from ma.money import amount
from ma.types import CampaignStatus, Channel

STALE_SEGMENT = timedelta(days=7)
SOON = timedelta(days=3)
OLD_DRAFT = timedelta(days=14)
HIGH_BOUNCE_RATE = 0.03
# A test is news while it runs, and for so long after.
NEWS = timedelta(days=14)
# The relay tries every few seconds: a hiccup is not worth a line.
STUCK_ATTEMPTS = 3
_CALLED = {"ma": "Marketing", "sales": "Sales", "service": "Service", "webhooks": "webhooks"}
_WHY_DISABLED = {
    "failing": "nothing could be delivered for three days",
    "gone": "its receiver said that it is gone",
    "restored": "a backup was restored",
}
_COLUMNS = ("level", "kind", "subject", "text", "page", "object_id")
_Row = tuple[str, str, str, str, str, int | None]


def attention(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """What needs attention, most pressing first.

    One row each: level (problem or hint), kind, subject (a name given by a user, or of a figure, or empty),
    text, page and object_id (where to act; NaN for a whole page).
    Source: docs/metrics.md#needs-attention
    """
    return of_campaigns(session, roi(session, as_of=as_of), as_of=as_of)


def of_campaigns(session: Session, frame: pd.DataFrame, *, as_of: datetime) -> pd.DataFrame:
    """The same, with what roi.roi has of all campaigns."""
    rows = [
        *_losing(frame, as_of),
        *_bouncing(frame, as_of),
        *_stuck_events(session),
        *_parked_events(session),
        *_disabled_webhooks(session),
        *_failed_segments(session),
        *_unusual_days(session, as_of),
        *_unusual_campaigns(frame, as_of),
        *_decided_tests(session, as_of),
        *_scheduled(session, as_of),
        *_stale_segments(session, as_of),
        *_old_drafts(session, as_of),
    ]
    found = pd.DataFrame(rows, columns=list(_COLUMNS))
    return found.sort_values("level", ascending=False, kind="stable", ignore_index=True)


def _losing(frame: pd.DataFrame, as_of: datetime) -> Iterator[_Row]:
    ended = frame[frame["launched_at"] > as_of - timedelta(days=90)]
    for row in ended[ended["status"] == CampaignStatus.COMPLETED].itertuples():
        if row.roi < 0:
            text = f"lost money: ROI {row.roi * 100:.0f} % after its conversion window"
            yield "problem", "loss", row.name, text, "results", row.campaign_id


def _bouncing(frame: pd.DataFrame, as_of: datetime) -> Iterator[_Row]:
    # Elsewhere a high rate is usual: push tokens and phone numbers age faster than addresses.
    mail = frame["channel"] == Channel.EMAIL
    recent = frame[mail & (frame["launched_at"] > as_of - timedelta(days=30))]
    for row in recent[recent["bounce_rate"] > HIGH_BOUNCE_RATE].itertuples():
        text = (
            f"bounced for {row.bounce_rate * 100:.1f} % of its recipients; clean the addresses of its segment"
        )
        yield "problem", "bounces", row.name, text, "campaigns", row.campaign_id


def _stuck_events(session: Session) -> Iterator[_Row]:
    # Events live in real time, whatever the demo clock says.
    outboxes = [module.outbox.c for module in MODULES.values()]
    waiting = sum(
        session.scalar(
            select(func.count()).where(outbox.sent_at.is_(None), outbox.attempts >= STUCK_ATTEMPTS)
        )
        for outbox in outboxes
    )
    if waiting:
        text = f"{waiting:,} events wait for the event bus; nothing is lost, they are sent when it answers"
        yield "problem", "events", "Events between the modules", text, "activity", None


def _parked_events(session: Session) -> Iterator[_Row]:
    for module in LISTENERS.values():
        parked = session.scalar(select(func.count()).where(module.dead_letters.c.retry_at.is_(None)))
        if parked:
            events = "event" if parked == 1 else "events"
            text = (
                f"{parked:,} {events} could not be used by {_CALLED[module.name]} after five tries; "
                "see why, and have an admin try again or give up"
            )
            yield "problem", "parked", "Failed events", text, "activity", None


def _disabled_webhooks(session: Session) -> Iterator[_Row]:
    # What somebody has disabled by hand is as they want it.
    ended = select(Webhook.id, Webhook.name, Webhook.disabled_why).where(
        Webhook.disabled_why.in_(list(_WHY_DISABLED))
    )
    for webhook_id, name, why in session.execute(ended.order_by(Webhook.id)):
        text = f"is told of nothing any more: {_WHY_DISABLED[why]}. An admin can mend it and enable it again"
        yield "problem", "webhook", name, text, "webhooks", webhook_id


def _failed_segments(session: Session) -> Iterator[_Row]:
    failed = select(Segment.id, Segment.name).where(Segment.refresh_error.is_not(None)).order_by(Segment.id)
    for segment_id, name in session.execute(failed):
        yield "problem", "failed", name, "could not be refreshed; open it to see why", "segments", segment_id


def _unusual_days(session: Session, as_of: datetime) -> Iterator[_Row]:
    currency = workspace(session).currency
    frame = usual_range.usual_range(session, as_of=as_of)
    for row in frame[frame["unusual"] != ""].itertuples():
        value, low, high = (
            amount(round(figure), currency) if row.unit == "minor" else f"{round(figure):,}"
            for figure in (row.value, row.low, row.high)
        )
        text = f"{value}, on a {row.day:%A} usually {low} to {high}"
        subject = f"{row.label} of {row.day:%A} {row.day.day} {row.day:%B}"
        if row.unusual == "below":
            yield "problem", "unusual", subject, f"{text}; was everything imported?", "files", None
        else:
            yield "hint", "unusual", subject, f"{text}; see what was sent", "results", None


def _unusual_campaigns(frame: pd.DataFrame, as_of: datetime) -> Iterator[_Row]:
    found = usual_range.of_campaigns(frame, as_of=as_of)
    for row in found[found["unusual"] != ""].itertuples():
        text = (
            f"{row.label} {row.value * 100:.1f} %, in its channel usually "
            f"{row.low * 100:.1f}–{row.high * 100:.1f} %"
        )
        level = "problem" if row.unusual == "below" else "hint"
        yield level, "unusual", row.name, text, "results", row.campaign_id


def _decided_tests(session: Session, as_of: datetime) -> Iterator[_Row]:
    recent = select(Campaign.id, Campaign.holdout_share, Campaign.variants).where(
        Campaign.launched_at <= as_of,
        or_(
            Campaign.status.in_((CampaignStatus.RUNNING, CampaignStatus.PAUSED)),
            (Campaign.completed_at > as_of - NEWS) & (Campaign.completed_at <= as_of),
        ),
    )
    ids = [row.id for row in session.execute(recent) if row.holdout_share or row.variants]
    if not ids:
        return
    # Loaded here: its statistics take a second, and often there is no test.
    from ma.analytics.experiments import experiments

    tests = experiments(session, as_of=as_of, campaign_ids=ids)
    for row in tests[tests["enough"].fillna(False).astype(bool)].itertuples():
        size = f"reached its sample size: {row.people:,} people, {row.needed:,.0f} needed"
        when = "its result can be read" if row.over else "read its result when its conversion window is over"
        yield "hint", "test", row.name, f"{size}; {when}", "experiments", row.campaign_id


def _scheduled(session: Session, as_of: datetime) -> Iterator[_Row]:
    query = select(Campaign.id, Campaign.name, Campaign.scheduled_at).where(
        Campaign.status == CampaignStatus.SCHEDULED, Campaign.scheduled_at <= as_of + SOON
    )
    for campaign_id, name, scheduled_at in session.execute(query):
        hours = max((scheduled_at - as_of) // timedelta(hours=1), 0)
        when = f"in {hours // 24} days" if hours >= 48 else f"in {hours} hours"
        yield "hint", "scheduled", name, f"launches by itself {when}", "campaigns", campaign_id


def _stale_segments(session: Session, as_of: datetime) -> Iterator[_Row]:
    old = Segment.refreshed_at.is_(None) | (Segment.refreshed_at < as_of - STALE_SEGMENT)
    # A list kept by hand does not age.
    query = select(Segment.id, Segment.name, Segment.refreshed_at).where(~Segment.static, old)
    for segment_id, name, refreshed_at in session.execute(query.order_by(Segment.refreshed_at)):
        age = (
            f"was refreshed {(as_of - refreshed_at).days} days ago" if refreshed_at else "was never refreshed"
        )
        yield "hint", "stale", name, f"{age}; its list may be out of date", "segments", segment_id


def _old_drafts(session: Session, as_of: datetime) -> Iterator[_Row]:
    query = select(Campaign.id, Campaign.name, Campaign.updated_at).where(
        Campaign.status == CampaignStatus.DRAFT, Campaign.updated_at < as_of - OLD_DRAFT
    )
    for campaign_id, name, updated_at in session.execute(query):
        text = f"has been a draft for {(as_of - updated_at).days} days"
        yield "hint", "draft", name, text, "campaigns", campaign_id

"""What has come due: scheduled launches, waves, campaigns whose window is over. Each at its own time.

When the clock jumps (a demo, or a server that was off) several things may be due; they happen in the order
and at the times they would have happened.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ma.analytics.workspace import workspace
from ma.clock import day_start, local_day
from ma.errors import Conflict, NobodyLeft
from ma.models import Campaign, CampaignResult
from ma.services.campaigns import unschedule_campaign
from ma.services.launches import finish, launch_campaign, send_wave
from ma.types import SYSTEM, CampaignStatus

Kind = Literal["launch", "wave", "completion"]


@dataclass(frozen=True)
class Due:
    """One thing that is due for a campaign, and since when."""

    at: datetime
    kind: Kind
    campaign_id: int


def due(session: Session, *, at: datetime) -> list[Due]:
    """Everything due at `at`, the earliest first. Reads only, and little: ask every few seconds."""
    running = Campaign.status == CampaignStatus.RUNNING
    launches = session.execute(
        select(Campaign.scheduled_at, Campaign.id).where(
            Campaign.status == CampaignStatus.SCHEDULED, Campaign.scheduled_at <= at
        )
    )
    waves = session.execute(
        select(Campaign.next_wave_at, Campaign.id).where(running, Campaign.next_wave_at <= at)
    )
    found = [Due(when, "launch", key) for when, key in launches]
    found += [Due(when, "wave", key) for when, key in waves]
    found += [item for item in _completions(session) if item.at <= at]
    return sorted(found, key=lambda item: (item.at, item.campaign_id))


def carry_out(session: Session, item: Due) -> bool:
    """Do one thing that is due, at its own time; False when somebody else did it first.

    A scheduled campaign that nobody would be sent goes back to draft; the audit log says at which step of
    the waterfall the last were lost.
    """
    if item.kind == "wave":
        return send_wave(session, item.campaign_id, at=item.at) is not None
    if item.kind == "completion":
        return finish(session, item.campaign_id, at=item.at)
    try:
        with session.begin_nested():
            launch_campaign(session, SYSTEM, item.campaign_id, at=item.at)
    except NobodyLeft as refusal:
        unschedule_campaign(session, SYSTEM, item.campaign_id, at=item.at, reason=refusal.step)
    except Conflict:
        return False
    return True


def catch_up(session: Session, *, at: datetime) -> list[Due]:
    """Do everything that is due up to `at`, what follows from it included; what was done, in order."""
    return _catch_up(session, at, ("launch", "wave", "completion"))


def launch_due(session: Session, *, at: datetime) -> list[Due]:
    """Launch the scheduled campaigns whose time has come."""
    return _catch_up(session, at, ("launch",))


def send_due_waves(session: Session, *, at: datetime) -> list[Due]:
    """Send every wave that is due; of a campaign several, where their days have passed."""
    return _catch_up(session, at, ("wave",))


def complete_due(session: Session, *, at: datetime) -> list[Due]:
    """Complete the running campaigns that are all sent and whose conversion windows are over."""
    return _catch_up(session, at, ("completion",))


def _catch_up(session: Session, at: datetime, kinds: tuple[Kind, ...]) -> list[Due]:
    done: list[Due] = []
    tried: set[Due] = set()
    while items := [item for item in due(session, at=at) if item.kind in kinds and item not in tried]:
        tried.add(items[0])
        if carry_out(session, items[0]):
            done.append(items[0])
    return done


def _completions(session: Session) -> list[Due]:
    """When each running campaign that is all sent will be over: its window after the last day of sending."""
    last_day = (
        select(func.max(CampaignResult.day))
        .where(CampaignResult.campaign_id == Campaign.id, CampaignResult.sent > 0)
        .scalar_subquery()
    )
    rows = session.execute(
        select(Campaign.id, Campaign.conversion_window_days, Campaign.launched_at, last_day).where(
            Campaign.status == CampaignStatus.RUNNING, Campaign.waves_sent >= Campaign.waves
        )
    ).all()
    if not rows:
        return []
    zone = workspace(session).timezone
    one_day = timedelta(days=1)
    return [
        Due(day_start((day or local_day(launched, zone)) + one_day, zone) + days * one_day, "completion", key)
        for key, days, launched, day in rows
    ]

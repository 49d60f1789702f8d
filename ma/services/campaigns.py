"""Campaigns from draft to end: creating, changing, scheduling, pausing, resuming, completing, cancelling.

Every change of status is a guarded update (`WHERE status IN …`), so of two people who click at once one
succeeds and the other is told what has happened. Sending is in `launches`.
"""

from datetime import datetime, timedelta

from sqlalchemy import case, delete, insert, literal, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ma.analytics.sendings import WAVE_EVERY
from ma.errors import Conflict, InvalidInput, NotFound, Stale
from ma.events import outbox
from ma.events.messages import (
    CampaignCancelled,
    CampaignCompleted,
    CampaignCreated,
    CampaignPaused,
    CampaignResumed,
    CampaignScheduled,
    CampaignUpdated,
)
from ma.models import Campaign, CampaignExclusion, Outcome, UtcTime
from ma.services import campaign_fields as fields
from ma.services.audit import audit
from ma.services.permissions import require
from ma.services.results import rebuild_results
from ma.types import (
    ORGANIC,
    SIDE_STEPS,
    STEPS,
    TRANSITIONS,
    Actor,
    CampaignStatus,
    Channel,
    Permission,
    Source,
)

CAMPAIGN, OUTCOME = Campaign.__table__, Outcome.__table__
EXCLUSION = CampaignExclusion.__table__
LONGEST_WAIT = timedelta(days=366)

# From where to where -> what a person would call it.
_VERBS = {
    (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED): "schedule it",
    (CampaignStatus.DRAFT, CampaignStatus.RUNNING): "launch it",
    (CampaignStatus.SCHEDULED, CampaignStatus.RUNNING): "launch it",
    (CampaignStatus.SCHEDULED, CampaignStatus.DRAFT): "take it back to draft",
    (CampaignStatus.RUNNING, CampaignStatus.PAUSED): "pause it",
    (CampaignStatus.PAUSED, CampaignStatus.RUNNING): "resume it",
}
ENDED = (CampaignStatus.COMPLETED, CampaignStatus.CANCELLED)
_ENDS = {CampaignStatus.COMPLETED: "complete it", CampaignStatus.CANCELLED: "cancel it"}


def create_campaign(session: Session, actor: Actor, *, at: datetime, **values) -> int:
    """Save a new draft; returns its id.

    `values` are the fields in `campaign_fields.DEFAULTS`; those left out have the value there. Costs are
    in minor units, None where unknown. Raises InvalidInput with every problem at once.
    """
    require(actor, Permission.EDIT_CAMPAIGNS)
    row = _cleaned(session, fields.DEFAULTS | _known(values))
    return _create(session, actor, row, at=at)


def update_campaign(
    session: Session, actor: Actor, campaign_id: int, *, version: int, at: datetime, **values
) -> list[str]:
    """Change the given fields of a draft; returns the names of those that really changed.

    `version` is the one the person saw. Raises InvalidInput with every problem at once, NotFound, and
    Conflict when it is no draft any more or somebody else changed it meanwhile.
    """
    require(actor, Permission.EDIT_CAMPAIGNS)
    before = stored(session, campaign_id)
    if before["status"] != CampaignStatus.DRAFT:
        raise _impossible(before, "Only a draft can be changed")
    if before["version"] != version:
        raise _changed_meanwhile()
    row = _cleaned(
        session, {name: before[name] for name in fields.DEFAULTS} | _known(values), but=campaign_id
    )
    changed = sorted(name for name in fields.DEFAULTS if row[name] != before[name])
    if not changed:
        return []
    excluded = row.pop("excluded")
    guard = (CAMPAIGN.c.version == version, CAMPAIGN.c.status == CampaignStatus.DRAFT)
    result = _execute(
        session,
        update(CAMPAIGN)
        .where(CAMPAIGN.c.id == campaign_id, *guard)
        .values(**row, steps=_steps(row), updated_at=at, version=version + 1),
    )
    if result.rowcount != 1:
        raise _changed_meanwhile()
    _exclude(session, campaign_id, excluded)
    audit(session, actor, "update", "campaign", campaign_id, at=at, fields=changed)
    outbox.record(session, CampaignUpdated(campaign_id=campaign_id), at=at)
    return changed


def duplicate_campaign(session: Session, actor: Actor, campaign_id: int, *, at: datetime) -> int:
    """A new draft like a campaign of any status, under a free name; returns its id.

    Raises NotFound, and InvalidInput when the original lacks what a draft needs (imported ones may).
    """
    require(actor, Permission.EDIT_CAMPAIGNS)
    original = stored(session, campaign_id)
    copied = {name: original[name] for name in fields.DEFAULTS}
    row = _cleaned(session, copied | {"name": fields.free_name(session, original["name"])})
    return _create(session, actor, row, at=at, copy_of=campaign_id)


def schedule_campaign(
    session: Session, actor: Actor, campaign_id: int, *, scheduled_at: datetime, at: datetime
) -> None:
    """Let a draft be launched by itself at a later instant.

    Raises InvalidInput unless that lies within the year to come, Conflict, NotFound.
    """
    require(actor, Permission.LAUNCH)
    if scheduled_at.tzinfo is None or not at < scheduled_at <= at + LONGEST_WAIT:
        raise InvalidInput({"scheduled_at": "Choose a time in the future, at most a year from now."})
    move(session, campaign_id, CampaignStatus.SCHEDULED, "be scheduled", at=at, scheduled_at=scheduled_at)
    audit(session, actor, "schedule", "campaign", campaign_id, at=at, scheduled_at=scheduled_at.isoformat())
    outbox.record(session, CampaignScheduled(campaign_id=campaign_id), at=at)


def unschedule_campaign(
    session: Session, actor: Actor, campaign_id: int, *, at: datetime, reason: str = ""
) -> None:
    """Take a scheduled campaign back to draft; `reason` is a short code. Raises Conflict, NotFound."""
    require(actor, Permission.LAUNCH)
    move(session, campaign_id, CampaignStatus.DRAFT, "go back to draft", at=at, scheduled_at=None)
    detail = {"reason": reason} if reason else {}
    audit(session, actor, "unschedule", "campaign", campaign_id, at=at, **detail)
    outbox.record(session, CampaignUpdated(campaign_id=campaign_id), at=at)


def pause_campaign(session: Session, actor: Actor, campaign_id: int, *, at: datetime) -> None:
    """Hold back the waves to come. What was sent keeps working. Raises Conflict, NotFound."""
    require(actor, Permission.LAUNCH)
    move(session, campaign_id, CampaignStatus.PAUSED, "be paused", at=at)
    audit(session, actor, "pause", "campaign", campaign_id, at=at)
    outbox.record(session, CampaignPaused(campaign_id=campaign_id), at=at)


def resume_campaign(session: Session, actor: Actor, campaign_id: int, *, at: datetime) -> None:
    """Go on after a pause: a wave that was due meanwhile is due now. Raises Conflict, NotFound."""
    require(actor, Permission.LAUNCH)
    # Without its type a bare datetime in a CASE would be stored as text on SQLite.
    next_wave_at = case((CAMPAIGN.c.next_wave_at < at, literal(at, UtcTime)), else_=CAMPAIGN.c.next_wave_at)
    move(
        session, campaign_id, CampaignStatus.RUNNING, "be resumed",
        only_from=CampaignStatus.PAUSED, at=at, next_wave_at=next_wave_at,
    )  # fmt: skip
    _replan(session, campaign_id)
    audit(session, actor, "resume", "campaign", campaign_id, at=at)
    outbox.record(session, CampaignResumed(campaign_id=campaign_id), at=at)


def complete_campaign(session: Session, actor: Actor, campaign_id: int, *, at: datetime) -> None:
    """Close a campaign: waves to come are dropped, what was sent stays. Raises Conflict, NotFound."""
    require(actor, Permission.LAUNCH)
    move(
        session, campaign_id, CampaignStatus.COMPLETED, "be completed",
        at=at, completed_at=at, next_wave_at=None,
    )  # fmt: skip
    dropped = _drop_waves(session, campaign_id)
    audit(session, actor, "complete", "campaign", campaign_id, at=at, dropped=dropped)
    outbox.record(session, CampaignCompleted(campaign_id=campaign_id), at=at)


def cancel_campaign(session: Session, actor: Actor, campaign_id: int, *, at: datetime) -> None:
    """Call a campaign off: waves to come are dropped, what was sent stays. Raises Conflict, NotFound."""
    require(actor, Permission.LAUNCH)
    move(session, campaign_id, CampaignStatus.CANCELLED, "be cancelled", at=at, next_wave_at=None)
    dropped = _drop_waves(session, campaign_id)
    audit(session, actor, "cancel", "campaign", campaign_id, at=at, dropped=dropped)
    outbox.record(session, CampaignCancelled(campaign_id=campaign_id), at=at)


def archive_campaign(session: Session, actor: Actor, campaign_id: int, *, at: datetime) -> None:
    """Put a campaign out of the way of lists; its figures stay. Raises Conflict while it lives, NotFound."""
    require(actor, Permission.EDIT_CAMPAIGNS)
    _archive(session, campaign_id, at, (*ENDED, CampaignStatus.DRAFT), "It cannot be archived")
    audit(session, actor, "archive", "campaign", campaign_id, at=at)


def restore_campaign(session: Session, actor: Actor, campaign_id: int, *, at: datetime) -> None:
    """Take a campaign back from the archive. Raises NotFound."""
    require(actor, Permission.EDIT_CAMPAIGNS)
    _archive(session, campaign_id, None, tuple(CampaignStatus), "")
    audit(session, actor, "restore", "campaign", campaign_id, at=at)


def stored(session: Session, campaign_id: int) -> dict:
    """A campaign's row as it is now, and `excluded`, the ids of segments left out. Raises NotFound."""
    row = session.execute(select(CAMPAIGN).where(CAMPAIGN.c.id == campaign_id)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no campaign {campaign_id}. It may have been removed; go back to the list.")
    excluded = select(EXCLUSION.c.segment_id).where(EXCLUSION.c.campaign_id == campaign_id)
    return dict(row) | {"excluded": sorted(session.scalars(excluded))}


def move(
    session: Session,
    campaign_id: int,
    to: CampaignStatus,
    words: str,
    *,
    at: datetime,
    only_from: CampaignStatus | None = None,
    **values,
) -> None:
    """Change a campaign's status, if it may go there; one row, or it was not ours.

    Raises Conflict, naming the present status and what is possible, and NotFound. What is archived stays.
    """
    sources = [status for status, targets in TRANSITIONS.items() if to in targets]
    if to is CampaignStatus.RUNNING:  # launching and resuming are not the same
        sources = [only_from] if only_from else [CampaignStatus.DRAFT, CampaignStatus.SCHEDULED]
    changed = session.execute(
        update(CAMPAIGN)
        .where(CAMPAIGN.c.id == campaign_id, CAMPAIGN.c.status.in_(sources), CAMPAIGN.c.archived_at.is_(None))
        .values(status=to, updated_at=at, version=CAMPAIGN.c.version + 1, **values)
    )
    if changed.rowcount != 1:
        row = stored(session, campaign_id)
        if row["archived_at"]:
            raise Conflict(f"“{row['name']}” is archived. It cannot {words}. Restore it first.")
        raise _impossible(row, f"It cannot {words}")


def _impossible(row: dict, what: str) -> Conflict:
    status = CampaignStatus(row["status"])
    verbs = [_VERBS.get((status, to)) or _ENDS[to] for to in TRANSITIONS[status]] + ["duplicate it"]
    *others, last = verbs
    possible = f"{', '.join(others)} or {last}" if others else last
    return Conflict(f"“{row['name']}” is {status}. {what}. You can {possible}.")


def _changed_meanwhile() -> Stale:
    return Stale(
        "This campaign was changed by somebody else since you opened it. "
        "Nothing was saved: reload and try again."
    )


def _known(values: dict) -> dict:
    if unknown := set(values) - set(fields.DEFAULTS):
        raise TypeError(f"A campaign has no {', '.join(sorted(unknown))}.")
    return values


def _cleaned(session: Session, values: dict, *, but: int | None = None) -> dict:
    row, problems = fields.clean(session, values, but=but)
    if problems:
        raise InvalidInput(problems)
    return row


def _exclude(session: Session, campaign_id: int, segment_ids: list[int]) -> None:
    session.execute(delete(EXCLUSION).where(EXCLUSION.c.campaign_id == campaign_id))
    rows = [{"campaign_id": campaign_id, "segment_id": segment_id} for segment_id in segment_ids]
    if rows:
        session.execute(insert(EXCLUSION), rows)


def _archive(
    session: Session, campaign_id: int, at: datetime | None, sources: tuple[CampaignStatus, ...], words: str
) -> None:
    changed = session.execute(
        update(CAMPAIGN)
        .where(CAMPAIGN.c.id == campaign_id, CAMPAIGN.c.status.in_(sources))
        .values(archived_at=at)
    )
    if changed.rowcount != 1:
        raise _impossible(stored(session, campaign_id), words)


def _create(session: Session, actor: Actor, row: dict, *, at: datetime, **detail) -> int:
    excluded = row["excluded"]
    row = {name: value for name, value in row.items() if name != "excluded"} | {
        "status": CampaignStatus.DRAFT,
        "source": Source.SIMULATED,
        "steps": _steps(row),
        "waves_sent": 0,
        "created_by": actor.username,
        "created_at": at,
        "updated_at": at,
        "version": 1,
    }
    campaign_id = _execute(session, insert(CAMPAIGN).values(**row)).inserted_primary_key[0]
    _exclude(session, campaign_id, excluded)
    audit(session, actor, "create", "campaign", campaign_id, at=at, **detail)
    outbox.record(session, CampaignCreated(campaign_id=campaign_id, channel=row["channel"]), at=at)
    return campaign_id


def _steps(row: dict) -> str:
    channel = Channel(row["channel"])
    return ",".join((*STEPS[channel], *SIDE_STEPS[channel], ORGANIC))


def _planned(campaign_id: int):
    """The rows of waves that were not sent, of both arms."""
    sent = select(CAMPAIGN.c.waves_sent).where(CAMPAIGN.c.id == campaign_id).scalar_subquery()
    return (OUTCOME.c.campaign_id == campaign_id, OUTCOME.c.wave > sent)


def _drop_waves(session: Session, campaign_id: int) -> int:
    dropped = session.execute(delete(OUTCOME).where(*_planned(campaign_id))).rowcount
    if dropped:
        rebuild_results(session, campaign_id)
    return dropped


def _replan(session: Session, campaign_id: int) -> None:
    """Give the waves to come the days on which they will now go out."""
    row = stored(session, campaign_id)
    if row["next_wave_at"] is None:
        return
    waves = range(row["waves_sent"] + 1, row["waves"] + 1)
    days = {wave: row["next_wave_at"] + (wave - waves[0]) * WAVE_EVERY for wave in waves}
    planned_for = case(*[(OUTCOME.c.wave == wave, literal(day, UtcTime)) for wave, day in days.items()])
    session.execute(update(OUTCOME).where(*_planned(campaign_id)).values(assigned_at=planned_for))
    rebuild_results(session, campaign_id)


def _execute(session: Session, statement):
    try:
        return session.execute(statement)
    except IntegrityError as error:  # somebody else saved the same name between our check and our write
        raise Conflict(
            "Somebody has just saved a campaign with this name, or deleted its segment. Reload and try again."
        ) from error

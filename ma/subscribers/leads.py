"""What people of Sales do with leads. Each change is kept with who made it, and told where others need it."""

from datetime import datetime

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ma.errors import Conflict, InvalidInput, NotFound
from ma.events import outbox
from ma.events.messages import LeadLost, LeadWon
from ma.models import Lead, LeadChange, SalesRep
from ma.services.permissions import require
from ma.subscribers.sales import next_owners
from ma.types import LOST_REASONS, OPEN_STAGES, Actor, LeadStage, Permission

LEAD, CHANGE, REP = Lead.__table__, LeadChange.__table__, SalesRep.__table__
MOST_MINOR = 10**12
LONGEST_NOTE = 2_000


def move_lead(
    session: Session, actor: Actor, lead_id: int, *, stage: str, version: int, at: datetime
) -> None:
    """Put an open lead into another open stage; `version` is the one the person saw.

    Raises InvalidInput, NotFound, and Conflict when it was closed or somebody else changed it.
    """
    require(actor, Permission.WORK_CASES)
    if stage not in OPEN_STAGES:
        raise InvalidInput({"stage": f"Choose one of: {', '.join(OPEN_STAGES)}. Won and lost end a lead."})
    _change(session, actor, lead_id, version, at, "move", LeadStage(stage).value, stage=stage, stage_at=at)


def assign_lead(
    session: Session, actor: Actor, lead_id: int, *, owner: str | None, version: int, at: datetime
) -> None:
    """Give an open lead to somebody of Sales, or to nobody. Raises as `move_lead`."""
    require(actor, Permission.WORK_CASES)
    known = session.scalar(select(REP.c.id).where(REP.c.name == owner, REP.c.active))
    if owner is not None and known is None:
        raise InvalidInput({"owner": f"'{owner}' does not work on leads. Add them first."})
    _change(session, actor, lead_id, version, at, "assign", owner, owner=owner)


def share_out(session: Session, actor: Actor, *, at: datetime) -> int:
    """Give every open lead that is nobody's to the team, each to whoever has the fewest; how many.

    Raises Conflict where nobody is on the team.
    """
    require(actor, Permission.WORK_CASES)
    # Locked: somebody else may be taking one of them at this moment.
    waiting = select(LEAD.c.id).where(LEAD.c.owner.is_(None), LEAD.c.closed_at.is_(None))
    ids = session.scalars(waiting.order_by(LEAD.c.score.desc(), LEAD.c.id).with_for_update()).all()
    owners = next_owners(session, len(ids))
    if None in owners:
        raise Conflict("Nobody is on the sales team. Add somebody first.")
    if ids:
        given = update(LEAD).where(LEAD.c.id == bindparam("lead")).values(owner=bindparam("to"))
        session.connection().execute(
            given.values(version=LEAD.c.version + 1),
            [{"lead": i, "to": owner} for i, owner in zip(ids, owners, strict=True)],
        )
        history = {"at": at, "actor": actor.username, "action": "assign"}
        session.execute(
            insert(CHANGE),
            [{**history, "lead_id": i, "detail": owner} for i, owner in zip(ids, owners, strict=True)],
        )
    return len(ids)


def note_lead(session: Session, actor: Actor, lead_id: int, *, note: str, version: int, at: datetime) -> None:
    """Write down what was said; an empty text takes the note away. Raises as `move_lead`."""
    require(actor, Permission.WORK_CASES)
    note = note.strip()
    if len(note) > LONGEST_NOTE or "\0" in note:
        raise InvalidInput({"note": f"Write at most {LONGEST_NOTE:,} characters."})
    _change(session, actor, lead_id, version, at, "note", None, note=note or None)


def win_lead(
    session: Session, actor: Actor, lead_id: int, *, value_minor: int, version: int, at: datetime
) -> None:
    """Close a lead as won; `value_minor` is what the customer will pay. Raises as `move_lead`."""
    require(actor, Permission.WORK_CASES)
    if not 0 <= value_minor <= MOST_MINOR:
        raise InvalidInput({"value_minor": "Give what they will pay: 0 or more."})
    won = {"stage": LeadStage.WON.value, "stage_at": at, "closed_at": at, "value_minor": value_minor}
    lead = _change(session, actor, lead_id, version, at, "won", str(value_minor), **won)
    told = {"lead_id": lead.id, "customer_id": lead.customer_id, "campaign_id": lead.campaign_id}
    outbox.record(session, LeadWon(**told, value_minor=value_minor), at=at)


def lose_lead(
    session: Session, actor: Actor, lead_id: int, *, reason: str, version: int, at: datetime
) -> None:
    """Close a lead of which nothing will come. Raises as `move_lead`."""
    require(actor, Permission.WORK_CASES)
    if reason not in LOST_REASONS:
        raise InvalidInput({"reason": f"Choose one of: {', '.join(LOST_REASONS)}."})
    lost = {"stage": LeadStage.LOST.value, "stage_at": at, "closed_at": at, "lost_reason": reason}
    lead = _change(session, actor, lead_id, version, at, "lost", reason, **lost)
    told = {"lead_id": lead.id, "customer_id": lead.customer_id, "campaign_id": lead.campaign_id}
    outbox.record(session, LeadLost(**told, reason=reason), at=at)


def add_rep(session: Session, actor: Actor, *, name: str) -> int:
    """Somebody works on leads from now on, perhaps again; their id. Raises InvalidInput."""
    require(actor, Permission.WORK_CASES)
    name = " ".join(name.split())
    if not 1 <= len(name) <= 100 or "\0" in name:
        raise InvalidInput({"name": "Give a name of 1 to 100 characters."})
    known = session.scalar(select(REP.c.id).where(REP.c.name == name))
    if known is not None:
        session.execute(update(REP).where(REP.c.id == known).values(active=True))
        return known
    try:
        return session.execute(insert(REP).values(name=name, active=True)).inserted_primary_key[0]
    except IntegrityError as error:
        raise Conflict("Somebody has just added them. Reload to see them.") from error


def retire_rep(session: Session, actor: Actor, *, rep_id: int) -> None:
    """Somebody gets no new leads any more; theirs stay theirs. Raises NotFound."""
    require(actor, Permission.WORK_CASES)
    if session.execute(update(REP).where(REP.c.id == rep_id).values(active=False)).rowcount != 1:
        raise NotFound("There is nobody like that in Sales. Reload the list.")


def _change(
    session: Session,
    actor: Actor,
    lead_id: int,
    version: int,
    at: datetime,
    action: str,
    detail: str | None,
    **values,
):
    """Change an open lead, once, and keep that; the lead as it was."""
    lead = session.execute(select(LEAD).where(LEAD.c.id == lead_id)).one_or_none()
    if lead is None:
        raise NotFound(f"There is no lead {lead_id}.")
    mine = session.execute(
        update(LEAD)
        .where(LEAD.c.id == lead_id, LEAD.c.version == version, LEAD.c.closed_at.is_(None))
        .values(**values, version=version + 1)
    )
    if mine.rowcount != 1:
        if lead.closed_at is not None:
            raise Conflict(f"This lead is {lead.stage} already. Nothing was changed.")
        raise Conflict("Somebody else changed this lead since you opened it. Reload and look again.")
    row = {"lead_id": lead_id, "at": at, "actor": actor.username, "action": action, "detail": detail}
    session.execute(insert(CHANGE).values(**row))
    return lead

"""What people of Service do with tickets. Each change is kept with who made it, and told where it matters."""

from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from ma.errors import Conflict, InvalidInput, NotFound
from ma.events import outbox
from ma.events.messages import TicketClosed
from ma.models import Ticket, TicketChange
from ma.services.permissions import require
from ma.types import RESOLUTIONS, Actor, Permission, TicketStatus

TICKET, CHANGE = Ticket.__table__, TicketChange.__table__
LONGEST_NOTE = 2_000


def take_ticket(
    session: Session, actor: Actor, ticket_id: int, *, assignee: str, version: int, at: datetime
) -> None:
    """Somebody works on a ticket from now on; `version` is the one the person saw.

    Raises InvalidInput, NotFound, and Conflict when it was closed or somebody else changed it.
    """
    require(actor, Permission.WORK_CASES)
    assignee = " ".join(assignee.split())
    if not 1 <= len(assignee) <= 100 or "\0" in assignee:
        raise InvalidInput({"assignee": "Give a name of 1 to 100 characters."})
    taken = {"assignee": assignee, "status": TicketStatus.IN_PROGRESS.value, "status_at": at}
    _change(session, actor, ticket_id, version, at, "take", assignee, **taken)


def note_ticket(
    session: Session, actor: Actor, ticket_id: int, *, note: str, version: int, at: datetime
) -> None:
    """Write down what was found; an empty text takes the note away. Raises as `take_ticket`."""
    require(actor, Permission.WORK_CASES)
    _change(session, actor, ticket_id, version, at, "note", None, note=_checked(note) or None)


def close_ticket(
    session: Session,
    actor: Actor,
    ticket_id: int,
    *,
    resolution: str,
    note: str | None = None,
    version: int,
    at: datetime,
) -> None:
    """A ticket is done; `note` replaces the one it has, unless it is None. Raises as `take_ticket`."""
    require(actor, Permission.WORK_CASES)
    if resolution not in RESOLUTIONS:
        raise InvalidInput({"resolution": f"Choose one of: {', '.join(RESOLUTIONS)}."})
    closed = {"status": TicketStatus.CLOSED.value, "status_at": at, "closed_at": at, "resolution": resolution}
    closed |= {} if note is None else {"note": _checked(note) or None}
    ticket = _change(session, actor, ticket_id, version, at, "close", resolution, **closed)
    told = {"ticket_id": ticket.id, "kind": ticket.kind, "customer_id": ticket.customer_id}
    outbox.record(session, TicketClosed(**told, campaign_id=ticket.campaign_id, resolution=resolution), at=at)


def _checked(note: str) -> str:
    note = note.strip()
    if len(note) > LONGEST_NOTE or "\0" in note:
        raise InvalidInput({"note": f"Write at most {LONGEST_NOTE:,} characters."})
    return note


def _change(
    session: Session,
    actor: Actor,
    ticket_id: int,
    version: int,
    at: datetime,
    action: str,
    detail: str | None,
    **values,
):
    """Change a ticket that is not closed, once, and keep that; the ticket as it was."""
    ticket = session.execute(select(TICKET).where(TICKET.c.id == ticket_id)).one_or_none()
    if ticket is None:
        raise NotFound(f"There is no ticket {ticket_id}.")
    mine = session.execute(
        update(TICKET)
        .where(TICKET.c.id == ticket_id, TICKET.c.version == version, TICKET.c.closed_at.is_(None))
        .values(**values, version=version + 1)
    )
    if mine.rowcount != 1:
        if ticket.closed_at is not None:
            raise Conflict("This ticket is closed already. Nothing was changed.")
        raise Conflict("Somebody else changed this ticket since you opened it. Reload and look again.")
    row = {"ticket_id": ticket_id, "at": at, "actor": actor.username, "action": action, "detail": detail}
    session.execute(insert(CHANGE).values(**row))
    return ticket

"""The tickets of Service, who is suppressed, and what is late."""

from datetime import datetime

import pandas as pd
from sqlalchemy import Select, and_, case, func, select
from sqlalchemy.orm import Session

from ma.analytics.frames import read
from ma.errors import NotFound
from ma.models import Suppression, Ticket, TicketChange
from ma.types import TicketStatus

NOT_CLOSED = "not closed"
_COLUMNS = (
    "kind", "customer_id", "campaign_id", "channel", "people", "priority", "status", "assignee", "opened_at",
    "due_at", "status_at", "closed_at", "resolution", "note", "version",
)  # fmt: skip


def tickets(
    session: Session,
    *,
    as_of: datetime,
    status: str | None = None,
    kind: str | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> pd.DataFrame:
    """Tickets, those to be done first by when they are due, then the closed ones, the latest first.

    ticket_id, kind, customer_id (NA: of several people, or erased), campaign_id, channel, people, priority,
    status, assignee, opened_at, due_at, status_at, closed_at, resolution, note, version, late (bool: not
    closed when it was due). `status`: one of them, or "not closed".
    """
    query = select(Ticket.id.label("ticket_id"), *(getattr(Ticket, name) for name in _COLUMNS))
    query = _chosen(query, status, kind).order_by(
        Ticket.closed_at.is_not(None), Ticket.closed_at.desc(), Ticket.due_at, Ticket.id
    )
    return _frame(session, query.limit(limit).offset(offset), as_of)


def ticket(session: Session, ticket_id: int, *, as_of: datetime) -> dict:
    """One ticket: what a row of `tickets` has, with None where something is unknown. Raises NotFound."""
    query = select(Ticket.id.label("ticket_id"), *(getattr(Ticket, name) for name in _COLUMNS))
    frame = _frame(session, query.where(Ticket.id == ticket_id), as_of)
    if frame.empty:
        raise NotFound(f"There is no ticket {ticket_id}.")
    row = frame.iloc[0].to_dict()
    return {name: None if pd.isna(value) else value for name, value in row.items()}


def ticket_count(session: Session, *, status: str | None = None, kind: str | None = None) -> int:
    """How many rows `tickets` has."""
    return session.scalar(_chosen(select(func.count()).select_from(Ticket), status, kind))


def ticket_summary(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """One row for each kind of ticket: open, in_progress, late (not closed and due), closed, people."""

    def count(condition):
        return func.sum(case((condition, 1), else_=0))

    query = (
        select(
            Ticket.kind,
            count(Ticket.status == TicketStatus.OPEN.value).label("open"),
            count(Ticket.status == TicketStatus.IN_PROGRESS.value).label("in_progress"),
            count(and_(Ticket.closed_at.is_(None), Ticket.due_at < as_of)).label("late"),
            count(Ticket.closed_at.is_not(None)).label("closed"),
            func.sum(Ticket.people).label("people"),
        )
        .group_by(Ticket.kind)
        .order_by(Ticket.kind)
    )
    figures = ["open", "in_progress", "late", "closed", "people"]
    return read(session, query).astype(dict.fromkeys(figures, "int64"))


def suppressions(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """Who is not to be written to: channel, reason and how many customers, the most first."""
    customers = func.count().label("customers")
    query = (
        select(Suppression.channel, Suppression.reason, customers)
        .where(Suppression.since <= as_of)
        .group_by(Suppression.channel, Suppression.reason)
        .order_by(customers.desc(), Suppression.channel, Suppression.reason)
    )
    return read(session, query)


def suppressed_people(
    session: Session,
    *,
    as_of: datetime,
    channel: str | None = None,
    reason: str | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> pd.DataFrame:
    """Everybody who is not to be written to, the latest first.

    customer_id, channel, reason, since, campaign_id.
    """
    shown = Suppression
    query = select(shown.customer_id, shown.channel, shown.reason, shown.since, shown.campaign_id)
    query = _suppressed(query, as_of, channel, reason).order_by(
        shown.since.desc(), shown.customer_id, shown.channel
    )
    frame = read(session, query.limit(limit).offset(offset))
    return frame.assign(since=pd.to_datetime(frame["since"], utc=True))


def suppressed_count(
    session: Session, *, as_of: datetime, channel: str | None = None, reason: str | None = None
) -> int:
    """How many rows `suppressed_people` has."""
    return session.scalar(_suppressed(select(func.count()).select_from(Suppression), as_of, channel, reason))


def ticket_changes(session: Session, *, ticket_id: int, as_of: datetime) -> pd.DataFrame:
    """What was done with one ticket, the latest first: at, actor, action, detail."""
    change = TicketChange
    query = select(change.at, change.actor, change.action, change.detail).where(change.ticket_id == ticket_id)
    frame = read(session, query.order_by(change.at.desc(), change.id.desc()))
    return frame.assign(at=pd.to_datetime(frame["at"], utc=True))


def _frame(session: Session, query: Select, as_of: datetime) -> pd.DataFrame:
    frame = read(session, query).astype({"customer_id": "Int64"})
    # An empty column of times comes in seconds.
    until = frame["closed_at"].dt.as_unit("us").fillna(pd.Timestamp(as_of).as_unit("us"))
    return frame.assign(late=(until > frame["due_at"]).astype(bool))


def _chosen(query: Select, status: str | None, kind: str | None) -> Select:
    if status == NOT_CLOSED:
        query = query.where(Ticket.closed_at.is_(None))
    elif status:
        query = query.where(Ticket.status == status)
    return query.where(Ticket.kind == kind) if kind else query


def _suppressed(query: Select, as_of: datetime, channel: str | None, reason: str | None) -> Select:
    query = query.where(Suppression.since <= as_of)
    for column, wanted in ((Suppression.channel, channel), (Suppression.reason, reason)):
        query = query.where(column == wanted) if wanted else query
    return query

"""Service: what went wrong for whom, as tickets and suppressions. Nothing here refers to another module."""

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from ma.models.base import BigKey, ServiceBase, UtcTime, partial
from ma.models.inbox import DeadLetterColumns, InboxColumns
from ma.models.outbox import OutboxColumns


class ServiceOutbox(OutboxColumns, ServiceBase):
    """An event of Service."""

    __tablename__ = "service_outbox"


class ServiceInbox(InboxColumns, ServiceBase):
    """What Service has acted on."""

    __tablename__ = "service_inbox"


class ServiceDeadLetter(DeadLetterColumns, ServiceBase):
    """What Service could not act on."""

    __tablename__ = "service_dead_letter"


class ServicePerson(ServiceBase):
    """A customer of whom Service was told something that changes who they are: merged, deleted or erased."""

    __tablename__ = "service_person"

    customer_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)
    same_as: Mapped[int | None] = mapped_column(BigKey)
    gone: Mapped[bool] = mapped_column(default=False)


class ServiceSignal(ServiceBase):
    """A bounce, unsubscription or complaint of one person in one campaign."""

    __tablename__ = "service_signal"
    __table_args__ = (Index(None, "campaign_id", "step"),)

    customer_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)
    campaign_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    step: Mapped[str] = mapped_column(String(20), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    channel: Mapped[str] = mapped_column(String(20))
    # It came so late that nobody should work on it any more.
    stale: Mapped[bool]
    # What was told last holds: perhaps that it was not so.
    told_at: Mapped[datetime] = mapped_column(UtcTime)
    withdrawn: Mapped[bool]


class Suppression(ServiceBase):
    """A person is not to be written to in a channel: since when, and why (the first reason)."""

    __tablename__ = "service_suppression"

    customer_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)
    channel: Mapped[str] = mapped_column(String(20), primary_key=True)
    reason: Mapped[str] = mapped_column(String(20))
    since: Mapped[datetime] = mapped_column(UtcTime)
    campaign_id: Mapped[int]


class Ticket(ServiceBase):
    """Something to look into. A complaint is one person's; bounces and unsubscriptions are a campaign's.

    `people` says of how many; `customer_id` is NULL where it is of several, or was erased.
    """

    __tablename__ = "service_ticket"
    __table_args__ = (
        Index(None, "customer_id"),
        Index(None, "status", "due_at"),
        partial(
            "ix_service_ticket_person",
            "campaign_id",
            "kind",
            "customer_id",
            where="customer_id IS NOT NULL",
            unique=True,
        ),
        partial(
            "ix_service_ticket_campaign",
            "campaign_id",
            "kind",
            where="closed_at IS NULL AND kind <> 'complaint'",
            unique=True,
        ),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    customer_id: Mapped[int | None] = mapped_column(BigKey)
    campaign_id: Mapped[int]
    channel: Mapped[str] = mapped_column(String(20))
    people: Mapped[int]
    priority: Mapped[str] = mapped_column(String(10))
    status: Mapped[str] = mapped_column(String(20))
    assignee: Mapped[str | None] = mapped_column(String(100))
    opened_at: Mapped[datetime] = mapped_column(UtcTime)
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    status_at: Mapped[datetime] = mapped_column(UtcTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    resolution: Mapped[str | None] = mapped_column(String(40))
    note: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)


class TicketChange(ServiceBase):
    """What was done with a ticket, and by whom."""

    __tablename__ = "service_ticket_change"
    __table_args__ = (Index(None, "ticket_id", "at"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(BigKey)
    at: Mapped[datetime] = mapped_column(UtcTime)
    actor: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(20))
    detail: Mapped[str | None] = mapped_column(String(100))

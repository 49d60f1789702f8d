"""Webhooks: whom to tell of events over HTTPS, and each telling with what came of it. All times are real."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from ma.models.base import Base, BigKey, UtcTime, partial
from ma.models.inbox import DeadLetterColumns, InboxColumns


class Webhook(Base):
    """An address that is told of events; of none while `disabled_at` is set.

    Its secret is derived from the workspace's key and `salt`, and stands nowhere. `secret_hash` tells whether
    the key is still the same. The secret of `previous_salt` signs beside it until `previous_until`.
    """

    __tablename__ = "webhook"

    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str] = mapped_column(String(2000))
    name: Mapped[str] = mapped_column(String(100))
    salt: Mapped[str] = mapped_column(String(64))
    secret_hash: Mapped[str] = mapped_column(String(64))
    previous_salt: Mapped[str | None] = mapped_column(String(64))
    previous_until: Mapped[datetime | None] = mapped_column(UtcTime)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    created_by: Mapped[str] = mapped_column(String(100))
    disabled_at: Mapped[datetime | None] = mapped_column(UtcTime)
    disabled_why: Mapped[str | None] = mapped_column(String(40))
    delivered_at: Mapped[datetime | None] = mapped_column(UtcTime)
    # Since the last delivery that went well: when the first one failed, how many did, and until when nothing
    # is tried because nobody answered.
    failing_since: Mapped[datetime | None] = mapped_column(UtcTime)
    failures: Mapped[int] = mapped_column(default=0)
    paused_until: Mapped[datetime | None] = mapped_column(UtcTime)


class WebhookType(Base):
    """A type of events that a webhook is told of, from those on that were recorded at `since`."""

    __tablename__ = "webhook_type"

    webhook_id: Mapped[int] = mapped_column(ForeignKey("ma.webhook.id"), primary_key=True)
    type: Mapped[str] = mapped_column(String(60), primary_key=True)
    since: Mapped[datetime] = mapped_column(UtcTime)


class WebhookDelivery(Base):
    """One event on its way to one webhook: pending, delivered or failed.

    `due_at` is when it is tried next; whoever takes it up puts it off, so that a delivery whose sender died
    becomes due again. `error` says what went wrong last, never what the receiver answered.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        UniqueConstraint("webhook_id", "event_id"),
        Index(None, "created_at"),
        partial("ix_webhook_delivery_due", "webhook_id", "due_at", where="state = 'pending'"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("ma.webhook.id"))
    event_id: Mapped[str] = mapped_column(String(36))
    source: Mapped[str] = mapped_column(String(20))
    type: Mapped[str] = mapped_column(String(60))
    version: Mapped[int]
    occurred_at: Mapped[datetime] = mapped_column(UtcTime)
    payload: Mapped[dict] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    try_until: Mapped[datetime] = mapped_column(UtcTime)
    attempts: Mapped[int] = mapped_column(default=0)
    tried_at: Mapped[datetime | None] = mapped_column(UtcTime)
    status: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(String(200))
    duration_ms: Mapped[int | None]


class WebhookInbox(InboxColumns, Base):
    """The events of which deliveries were made."""

    __tablename__ = "webhook_inbox"


class WebhookDeadLetter(DeadLetterColumns, Base):
    """The events of which no deliveries could be made."""

    __tablename__ = "webhook_dead_letter"

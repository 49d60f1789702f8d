"""The outbox: events recorded with the change that caused them, kept until every subscriber has them."""

from datetime import datetime

from sqlalchemy import JSON, String, Text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from ma import clock
from ma.models.base import Base, BigKey, UtcTime, partial


class OutboxColumns:
    """One event. Unsent while `sent_at` is NULL: a flag, so that a late commit is not skipped.

    `occurred_at` is the workspace's time, the other times are real. `stream_id` is its place in the stream,
    as a text that sorts like it. Settled: every subscriber that listens to its type has recorded it.
    """

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    event_id: Mapped[str] = mapped_column(String(36), unique=True)
    type: Mapped[str] = mapped_column(String(60))
    version: Mapped[int]
    occurred_at: Mapped[datetime] = mapped_column(UtcTime)
    recorded_at: Mapped[datetime | None] = mapped_column(UtcTime, default=clock.now)
    payload: Mapped[dict] = mapped_column(JSON)
    sent_at: Mapped[datetime | None] = mapped_column(UtcTime)
    stream_id: Mapped[str | None] = mapped_column(String(40))
    settled_at: Mapped[datetime | None] = mapped_column(UtcTime)
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(Text)

    @declared_attr.directive
    def __table_args__(cls):
        name = cls.__tablename__
        return (
            partial(f"ix_{name}_unsent", "id", where="sent_at IS NULL"),
            partial(f"ix_{name}_unsettled", "id", where="settled_at IS NULL"),
            partial(f"ix_{name}_settled", "settled_at", where="settled_at IS NOT NULL"),
        )


class OutboxEvent(OutboxColumns, Base):
    """An event of the marketing module."""

    __tablename__ = "outbox_event"

"""The inbox: which events a module has acted on. Its key makes a second time impossible."""

from datetime import datetime

from sqlalchemy import JSON, Index, String, Text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from ma.models.base import Base, UtcTime, partial


class InboxColumns:
    """An event that was acted on, written in the transaction of what it caused. `at` is real time."""

    event_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)

    @declared_attr.directive
    def __table_args__(cls):
        return (Index(None, "at"),)


class DeadLetterColumns:
    """An event that could not be acted on. It is tried again at `retry_at`; parked where that is NULL.

    `error` names the kind of error and its reference in the log, never values.
    """

    event_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    source: Mapped[str] = mapped_column(String(20))
    type: Mapped[str] = mapped_column(String(60))
    version: Mapped[int]
    occurred_at: Mapped[datetime] = mapped_column(UtcTime)
    payload: Mapped[dict] = mapped_column(JSON)
    attempts: Mapped[int]
    failed_at: Mapped[datetime] = mapped_column(UtcTime)
    retry_at: Mapped[datetime | None] = mapped_column(UtcTime)
    error: Mapped[str] = mapped_column(Text)

    @declared_attr.directive
    def __table_args__(cls):
        name = cls.__tablename__
        return (partial(f"ix_{name}_retry_at", "retry_at", where="retry_at IS NOT NULL"),)


class MaInbox(InboxColumns, Base):
    """What the marketing module has heard of its neighbours."""

    __tablename__ = "ma_inbox"


class MaDeadLetter(DeadLetterColumns, Base):
    """What the marketing module could not make use of."""

    __tablename__ = "ma_dead_letter"

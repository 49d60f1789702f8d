"""Sales: signals of interest, and the leads made of them. Nothing here refers to another module's tables."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from ma.models.base import BigKey, SalesBase, UtcTime, partial
from ma.models.inbox import DeadLetterColumns, InboxColumns
from ma.models.outbox import OutboxColumns


class SalesOutbox(OutboxColumns, SalesBase):
    """An event of Sales."""

    __tablename__ = "sales_outbox"


class SalesInbox(InboxColumns, SalesBase):
    """What Sales has acted on."""

    __tablename__ = "sales_inbox"


class SalesDeadLetter(DeadLetterColumns, SalesBase):
    """What Sales could not act on."""

    __tablename__ = "sales_dead_letter"


class SalesPerson(SalesBase):
    """A customer of whom Sales was told something that changes who they are: merged, deleted or erased."""

    __tablename__ = "sales_person"

    customer_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)
    same_as: Mapped[int | None] = mapped_column(BigKey)
    gone: Mapped[bool] = mapped_column(default=False)


class SalesSignal(SalesBase):
    """One click or conversion of one person in one campaign. Whether a click was hot is known of its band."""

    __tablename__ = "sales_signal"

    customer_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)
    campaign_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    step: Mapped[str] = mapped_column(String(20), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    channel: Mapped[str] = mapped_column(String(20))
    # Of the engagement score when they were sent the campaign: 4 is the highest. NULL: unknown.
    band: Mapped[int | None]
    revenue_minor: Mapped[int | None] = mapped_column(BigInteger)
    # It came so late that nobody should call because of it.
    stale: Mapped[bool]
    # What was told last holds: perhaps that it was not so.
    told_at: Mapped[datetime] = mapped_column(UtcTime)
    withdrawn: Mapped[bool]


class SalesRep(SalesBase):
    """Somebody who works on leads."""

    __tablename__ = "sales_rep"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    active: Mapped[bool] = mapped_column(default=True)


class Lead(SalesBase):
    """A person who showed interest. At most one lead of a person is open; NULL is a person who was erased.

    `reason`, `score`, `value_minor` and `signal_at` are derived from the signals since their last lead.
    """

    __tablename__ = "sales_lead"
    __table_args__ = (
        Index(None, "customer_id"),
        Index(None, "stage", "score"),
        partial("ix_sales_lead_open", "customer_id", where="closed_at IS NULL", unique=True),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(BigKey)
    campaign_id: Mapped[int]
    channel: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(20))
    score: Mapped[int]
    stage: Mapped[str] = mapped_column(String(20))
    owner: Mapped[str | None] = mapped_column(String(100))
    value_minor: Mapped[int | None] = mapped_column(BigInteger)
    # When the first and the last signal came that it is made of.
    opened_at: Mapped[datetime] = mapped_column(UtcTime)
    signal_at: Mapped[datetime] = mapped_column(UtcTime)
    stage_at: Mapped[datetime] = mapped_column(UtcTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    lost_reason: Mapped[str | None] = mapped_column(String(40))
    note: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)


class LeadChange(SalesBase):
    """What was done with a lead, and by whom."""

    __tablename__ = "sales_lead_change"
    __table_args__ = (Index(None, "lead_id", "at"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    lead_id: Mapped[int] = mapped_column(BigKey)
    at: Mapped[datetime] = mapped_column(UtcTime)
    actor: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(20))
    detail: Mapped[str | None] = mapped_column(String(100))

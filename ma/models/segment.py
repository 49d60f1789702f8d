"""Segments: a rule, the people it chose at the last refresh, and how its size changed."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from ma.models.base import Base, BigKey, UtcTime


class Segment(Base):
    """A named audience. `size` and `refreshed_at` are those of the last refresh.

    A static one is a list that people keep by hand: its rule is null and a refresh changes nothing.
    """

    __tablename__ = "segment"
    # SQLite would give a deleted segment's id to the next one, and a tab left open would change that.
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    name_folded: Mapped[str] = mapped_column(String(200), unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    # Null inside the JSON: the column itself is never NULL.
    rule: Mapped[dict | None] = mapped_column(JSON, nullable=False)
    static: Mapped[bool] = mapped_column(default=False, server_default=false())
    size: Mapped[int | None]
    refreshed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    # Why the last attempt to refresh it failed; null when it did not.
    refresh_error: Mapped[str | None] = mapped_column(Text)
    created_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)
    version: Mapped[int] = mapped_column(default=1)


class SegmentVersion(Base):
    """A rule that a segment has had, the first one included. The highest number is the rule it has now."""

    __tablename__ = "segment_version"

    segment_id: Mapped[int] = mapped_column(ForeignKey("ma.segment.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    rule: Mapped[dict] = mapped_column(JSON)
    actor: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime] = mapped_column(UtcTime)
    # The number of the older version that it brought back.
    restored: Mapped[int | None]


class SegmentMember(Base):
    """A customer in a segment since `entered_at`.

    PostgreSQL has no constraints for the two foreign keys: it looks up and locks both parents for each row,
    12 of 16 seconds when a million customers enter. Rows are inserted by who holds the segment's lock
    (`segment_rows.locked`); who deletes customers holds those of all segments (`segment_rows.all_locked`).
    """

    __tablename__ = "segment_member"
    __table_args__ = (Index(None, "customer_id"),)

    segment_id: Mapped[int] = mapped_column(ForeignKey("ma.segment.id"), primary_key=True)
    customer_id: Mapped[int] = mapped_column(BigKey, ForeignKey("ma.customer.id"), primary_key=True)
    entered_at: Mapped[datetime] = mapped_column(UtcTime)


class SegmentRefresh(Base):
    """One refresh of a segment: its size, who entered, who left, and how long it took.

    `rule_number` is the version of the rule that it used; null for static lists, and for old refreshes of
    which nobody knows.
    """

    __tablename__ = "segment_refresh"
    __table_args__ = (Index(None, "segment_id", "as_of"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    segment_id: Mapped[int] = mapped_column(ForeignKey("ma.segment.id"))
    as_of: Mapped[datetime] = mapped_column(UtcTime)
    size: Mapped[int]
    entered: Mapped[int]
    left: Mapped[int]
    duration_ms: Mapped[int]
    rule_number: Mapped[int | None]


class RefreshRun(Base):
    """A refresh of all segments: how far it is, and how it ended.

    `as_of` is the workspace's clock, `started_at`, `beat_at` and `ended_at` are real time: a run without an
    end whose last beat is long ago was killed.
    """

    __tablename__ = "refresh_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    actor: Mapped[str] = mapped_column(String(100))
    as_of: Mapped[datetime] = mapped_column(UtcTime)
    started_at: Mapped[datetime] = mapped_column(UtcTime)
    beat_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    segments: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    cancelled_by: Mapped[str | None] = mapped_column(String(100))

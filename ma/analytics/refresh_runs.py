"""Refreshes of all segments: the one under way, how the last ended, and when the next is due."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from ma.models import RefreshRun, Segment

# A run that has not moved for so long, in real time, was killed.
DEAD_AFTER = timedelta(minutes=2)
# Segments are refreshed by themselves when the oldest refresh is so old on the workspace's clock.
EVERY = timedelta(hours=6)


@dataclass(frozen=True)
class Run:
    """A refresh of all segments. `as_of` is the workspace's clock, the other instants are real time.

    `ended_at` is None while it is under way, and for one that was killed.
    """

    run_id: int
    actor: str
    as_of: datetime
    started_at: datetime
    beat_at: datetime
    ended_at: datetime | None
    segments: int
    done: int
    failed: int
    cancelled_by: str | None

    def under_way(self, *, now: datetime) -> bool:
        """Whether somebody works on it at this real instant."""
        return self.ended_at is None and not is_dead(self.beat_at, now=now)

    @property
    def share(self) -> float:
        """How much of it is behind us, 0 to 1."""
        return min((self.done + self.failed) / self.segments, 1.0) if self.segments else 1.0


def is_dead(beat_at: datetime, *, now: datetime) -> bool:
    """Whether a run without an end whose last beat was then was killed."""
    return now - beat_at > DEAD_AFTER


def last_run(session: Session) -> Run | None:
    """The latest refresh of all segments, under way or not; None when there was none."""
    row = session.execute(select(RefreshRun.__table__).order_by(RefreshRun.id.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    values = dict(row._mapping)
    return Run(run_id=values.pop("id"), **values)


def is_due(session: Session, *, at: datetime, now: datetime) -> bool:
    """Whether all segments should be refreshed: one was not for six hours of the workspace's clock (`at`).

    Not while a run is under way, nor within six hours of one that ended: a segment that cannot be refreshed
    would otherwise be tried for ever. `now` is real time.
    """
    old = or_(Segment.refreshed_at.is_(None), Segment.refreshed_at <= at - EVERY)
    if not session.scalar(select(func.count()).select_from(Segment).where(~Segment.static, old)):
        return False
    last = last_run(session)
    if last is None:
        return True
    if last.ended_at is None:
        return is_dead(last.beat_at, now=now)
    # One that was broken off, as when the program was stopped, is begun anew.
    complete = last.cancelled_by is not None or last.done + last.failed >= last.segments
    return at - last.as_of >= EVERY if complete else True

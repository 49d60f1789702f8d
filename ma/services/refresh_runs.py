"""Refreshing every segment: in the order in which rules use each other, each once and in its own transaction.

A run is a row that everybody can see: how far it is, who began it, and whether somebody wants it to end. A
process that is killed leaves it without an end; when its beat is old, the next run ends it and begins anew.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ma import clock
from ma.analytics.refresh_runs import DEAD_AFTER, is_dead
from ma.analytics.segment_uses import in_order, named_segments
from ma.analytics.workspace import workspace
from ma.db.engine import Database, is_busy
from ma.errors import Conflict, NotFound
from ma.models import RefreshRun
from ma.services.audit import audit
from ma.services.permissions import require
from ma.services.segment_refreshing import note_failure, refresh_segment, why
from ma.services.segment_rows import SEGMENT, one_at_a_time
from ma.types import Actor, Permission

__all__ = ["DEAD_AFTER", "Progress", "begin_run", "cancel_run", "carry_on", "refresh_all"]
RUN = RefreshRun.__table__
# A long import holds the database's only pen: a segment waits so long for it, again and again.
_PATIENCE = timedelta(minutes=10)
_PAUSE_SECONDS = 1.0
# Between two segments others get a turn.
_TURN_SECONDS = 0.2


@dataclass(frozen=True)
class Progress:
    """How far a run is: of `segments`, `done` were refreshed and `failed` could not be; `cancelled` by whom.

    `segment_id` is the one it has just tried, None at the end.
    """

    run_id: int
    segments: int
    done: int = 0
    failed: int = 0
    segment_id: int | None = None
    problem: str = ""
    ended: bool = False
    cancelled_by: str | None = None


def refresh_all(database: Database, actor: Actor, *, at: datetime | None = None) -> Iterator[Progress]:
    """Refresh all segments with a rule as of `at` (now); tells after each how far it is.

    Raises Conflict, naming who, when somebody else does just that.
    """
    with database.writing() as session:
        run_id = begin_run(session, actor, at=at or workspace(session).now())
    yield from carry_on(database, actor, run_id)


def begin_run(session: Session, actor: Actor, *, at: datetime) -> int:
    """Note that a run begins, for `carry_on` after the commit; returns its id.

    A run that was killed is ended first. Raises Conflict, naming who, when one is under way.
    """
    require(actor, Permission.EDIT_SEGMENTS)
    one_at_a_time(session)
    real = clock.now()
    for run in session.execute(select(RUN).where(RUN.c.ended_at.is_(None))).all():
        if not is_dead(run.beat_at, now=real):
            raise Conflict(
                f"{run.actor} is refreshing all segments at this moment "
                f"({run.done + run.failed:,} of {run.segments:,} are done). Wait for the end, or cancel it."
            )
        session.execute(update(RUN).where(RUN.c.id == run.id).values(ended_at=run.beat_at))
    ids = _with_rules(session)
    row = {"actor": actor.username, "as_of": at, "started_at": real, "beat_at": real, "segments": len(ids)}
    run_id = session.execute(insert(RUN).values(**row)).inserted_primary_key[0]
    audit(session, actor, "refresh all", "segment", at=at, run=run_id, segments=len(ids))
    return run_id


def cancel_run(session: Session, actor: Actor, run_id: int, *, at: datetime) -> bool:
    """Ask a run to end before its next segment; False when it has ended already. What is refreshed stays."""
    require(actor, Permission.EDIT_SEGMENTS)
    if session.scalar(select(RUN.c.id).where(RUN.c.id == run_id)) is None:
        raise NotFound(f"There is no refresh {run_id} of all segments.")
    asked = session.execute(
        update(RUN)
        .where(RUN.c.id == run_id, RUN.c.ended_at.is_(None), RUN.c.cancelled_by.is_(None))
        .values(cancelled_by=actor.username)
    )
    if asked.rowcount:
        audit(session, actor, "cancel refresh", "segment", at=at, run=run_id)
    return asked.rowcount == 1


def carry_on(
    database: Database, actor: Actor, run_id: int, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Progress]:
    """Do what `begin_run` began, segment after segment; tells after each how far it is.

    One that fails keeps its people and says why, and so do those whose rules use it; the others go on. It
    stops when it is cancelled, or when another run took over because this one was silent for too long.
    """
    with database.reading() as session:
        run = session.execute(select(RUN).where(RUN.c.id == run_id)).one()
        rules = dict(session.execute(select(SEGMENT.c.id, SEGMENT.c.rule).where(~SEGMENT.c.static)).all())
    here = Progress(run_id, run.segments)
    failed: dict[int, str] = {}
    done: set[int] = set()
    for segment_id in in_order(rules):
        with database.reading() as session:
            run = session.execute(select(RUN).where(RUN.c.id == run_id)).one()
        if run.ended_at is not None or run.cancelled_by:
            break
        began = time.monotonic()
        problem = _attempt(database, actor, run, segment_id, frozenset(done), failed, sleep)
        if problem is None:
            done.add(segment_id)
        elif problem:
            failed[segment_id] = problem
        here = replace(here, done=len(done), failed=len(failed), segment_id=segment_id, problem=problem or "")
        try:
            yield here
        except GeneratorExit:
            _ended(database, run_id, here)
            raise
        # Who waits for the pen looks only now and then whether it is free.
        sleep(min((time.monotonic() - began) / 5, _TURN_SECONDS))
    yield _ended(database, run_id, here)


def _attempt(
    database: Database,
    actor: Actor,
    run,
    segment_id: int,
    current: frozenset[int],
    failed: dict[int, str],
    sleep: Callable[[float], None],
) -> str | None:
    """Refresh one segment of a run: None when it is done, why not otherwise, "" when it no longer exists."""
    patient_until = time.monotonic() + _PATIENCE.total_seconds()
    while True:
        try:
            with database.writing() as session:
                if problem := _blocked(session, segment_id, failed):
                    note_failure(session, segment_id, problem)
                    _count(session, run.id, failed=RUN.c.failed + 1)
                    return problem
                refresh_segment(session, actor, segment_id, at=run.as_of, current=current)
                # At the end of the transaction, so that a request to cancel does not wait for the row.
                _count(session, run.id, done=RUN.c.done + 1)
            return None
        except NotFound:
            return ""  # deleted since the run began
        except Exception as error:
            if isinstance(error, SQLAlchemyError) and is_busy(error) and time.monotonic() < patient_until:
                _beat(database, run.id)
                sleep(_PAUSE_SECONDS)
                continue
            problem = why(error)
            with database.writing() as session:
                note_failure(session, segment_id, problem)
                _count(session, run.id, failed=RUN.c.failed + 1)
            return problem


def _blocked(session: Session, segment_id: int, failed: dict[int, str]) -> str | None:
    """Why a segment cannot be refreshed because of one that its rule uses; None: it can."""
    rule = session.scalar(select(SEGMENT.c.rule).where(SEGMENT.c.id == segment_id))
    for used in sorted(named_segments(rule) & failed.keys()):
        name = session.scalar(select(SEGMENT.c.name).where(SEGMENT.c.id == used))
        return f"Its rule uses “{name}”, which could not be refreshed. {failed[used]}"
    return None


def _count(session: Session, run_id: int, **counts) -> None:
    session.execute(update(RUN).where(RUN.c.id == run_id).values(**counts, beat_at=clock.now()))


def _beat(database: Database, run_id: int) -> None:
    """Say that the run is alive although nothing moves; while nobody can write, nobody can end it either."""
    try:
        with database.writing() as session:
            _count(session, run_id)
    except SQLAlchemyError as error:
        if not is_busy(error):
            raise


def _ended(database: Database, run_id: int, here: Progress) -> Progress:
    with database.writing() as session:
        session.execute(
            update(RUN)
            .where(RUN.c.id == run_id, RUN.c.ended_at.is_(None))
            .values(ended_at=clock.now(), beat_at=clock.now())
        )
        cancelled_by = session.scalar(select(RUN.c.cancelled_by).where(RUN.c.id == run_id))
    return replace(here, segment_id=None, problem="", ended=True, cancelled_by=cancelled_by)


def _with_rules(session: Session) -> list[int]:
    return list(session.scalars(select(SEGMENT.c.id).where(~SEGMENT.c.static)))

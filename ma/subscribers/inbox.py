"""Acting on events: each once, in one transaction with the row of the inbox that says so.

What fails is put aside with its whole content, so that the others flow and the bus may forget it: it is tried
again after a while, and parked after the fifth time until somebody has a look at it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import groupby

from sqlalchemy import CompoundSelect, bindparam, delete, insert, literal, select, union_all, update
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from ma import clock
from ma.db.engine import Database
from ma.errors import MaError
from ma.events.envelope import Envelope, Unreadable
from ma.events.messages import Event
from ma.events.modules import Listener
from ma.log import log_error

TRIES = 5
# After the first failure a second, after each further one four times as long.
_FIRST_WAIT_SECONDS, _LONGER = 1.0, 4
_RETRIED_AT_ONCE = 100


@dataclass(frozen=True)
class Happened:
    """What an event says, with its id and when it happened (the workspace's time)."""

    event_id: str
    at: datetime
    event: Event


# What a module does with events of one type: several that came one after the other, in their order.
Handler = Callable[[Session, Sequence[Happened]], None]
Handlers = Mapping[str, Handler]


def receive(database: Database, module: Listener, handlers: Handlers, envelopes: Iterable[Envelope]) -> int:
    """Act on those events that are new to a module; how many. Others, and other modules' events, are skipped.

    All in one transaction. Where that fails, one after the other, and what fails then is put aside. Raises
    OperationalError where the database cannot be used: nothing happened then, and the same can come again.
    """
    types = module.types(database)
    wanted = list({e.event_id: e for e in envelopes if e.type in types}.values())
    if not wanted:
        return 0
    try:
        return _act(database, module, handlers, wanted)
    except Exception as error:
        _unless_usable_raise(database, error)
        if len(wanted) == 1:
            return _put_aside(database, module, wanted[0], error)
    return sum(receive(database, module, handlers, [one]) for one in wanted)


def retry_due(database: Database, module: Listener, handlers: Handlers, *, now: datetime) -> int:
    """Try again what failed and whose time has come; how many went well now."""
    letters = module.dead_letters
    with database.reading() as session:
        rows = session.execute(
            select(letters)
            .where(letters.c.retry_at <= now)
            .order_by(letters.c.retry_at)
            .limit(_RETRIED_AT_ONCE)
        ).all()
    done = 0
    for row in rows:
        envelope = Envelope.of(row, row.source)
        try:
            done += _act(database, module, handlers, [envelope])
        except Exception as error:
            _unless_usable_raise(database, error)
            _failed_again(database, module, row, error, now)
    return done


def retry(session: Session, module: Listener, *, event_id: str | None = None, now: datetime) -> int:
    """Give a parked event, or all of them, five more tries; how many."""
    letters = module.dead_letters
    parked = update(letters).where(letters.c.retry_at.is_(None))
    if event_id is not None:
        parked = parked.where(letters.c.event_id == event_id)
    return session.execute(parked.values(attempts=0, retry_at=now)).rowcount


def give_up(session: Session, module: Listener, *, event_id: str, now: datetime) -> bool:
    """Drop what was put aside, as if it had been acted on: it is never tried again. False if it is not there.

    The row of the inbox says that the module is done with it; without it, the event would be sent again.
    """
    letters = module.dead_letters
    if session.execute(delete(letters).where(letters.c.event_id == event_id)).rowcount != 1:
        return False
    session.execute(insert(module.inbox).values(event_id=event_id, at=now))
    return True


def _act(database: Database, module: Listener, handlers: Handlers, envelopes: list[Envelope]) -> int:
    inbox, letters = module.inbox, module.dead_letters
    ids = [envelope.event_id for envelope in envelopes]
    # Read first: while it is written, others may have to wait.
    said = {
        envelope.event_id: Happened(envelope.event_id, envelope.occurred_at, envelope.event())
        for envelope in envelopes
    }
    with database.writing() as session:
        found = session.execute(_there(module), {"ids": ids}).all()
        known = {row.event_id for row in found if not row.dead}
        new = [envelope for envelope in envelopes if envelope.event_id not in known]
        if new:
            # First, and in one order: who acts on the same events at the same time waits here, and fails.
            rows = [{"event_id": i, "at": clock.now()} for i in sorted(e.event_id for e in new)]
            session.execute(insert(inbox), rows)
            for type_, same in groupby(new, key=lambda envelope: envelope.type):
                handlers[type_](session, [said[envelope.event_id] for envelope in same])
        if any(row.dead for row in found):
            session.execute(delete(letters).where(letters.c.event_id.in_(ids)))
    return len(new)


@lru_cache
def _there(module: Listener) -> CompoundSelect:
    """Which of some events were acted on, and which were put aside."""
    return union_all(
        *(
            select(table.c.event_id, literal(dead).label("dead")).where(
                table.c.event_id.in_(bindparam("ids", expanding=True))
            )
            for table, dead in ((module.inbox, 0), (module.dead_letters, 1))
        )
    )


def _put_aside(database: Database, module: Listener, envelope: Envelope, error: Exception) -> int:
    inbox, letters, now = module.inbox, module.dead_letters, clock.now()
    row = {
        "event_id": envelope.event_id,
        "source": envelope.source,
        "type": envelope.type,
        "version": envelope.version,
        "occurred_at": envelope.occurred_at,
        "payload": envelope.payload(),
        "attempts": 1,
        "failed_at": now,
        "retry_at": now + _wait(1),
        "error": _words(error, module, envelope.event_id),
    }
    with database.writing() as session:
        there = [
            session.scalar(select(table.c.event_id).where(table.c.event_id == envelope.event_id))
            for table in (inbox, letters)
        ]
        # Somebody else was faster: they acted on it, or have put it aside as well.
        if not any(there):
            session.execute(insert(letters).values(**row))
    return 0


def _failed_again(database: Database, module: Listener, row, error: Exception, now: datetime) -> None:
    letters, attempts = module.dead_letters, row.attempts + 1
    parked = attempts >= TRIES
    with database.writing() as session:
        session.execute(
            update(letters)
            .where(letters.c.event_id == row.event_id, letters.c.attempts == row.attempts)
            .values(
                attempts=attempts,
                failed_at=now,
                retry_at=None if parked else now + _wait(attempts),
                error=_words(error, module, row.event_id),
            )
        )


def _unless_usable_raise(database: Database, error: Exception) -> None:
    """Whether a database that failed is to blame itself: then the event is not, and waits."""
    if not isinstance(error, OperationalError | InterfaceError):
        return
    try:
        with database.writing() as session:
            session.execute(select(literal(1)))
    except SQLAlchemyError:
        raise error from None


def _wait(attempts: int) -> timedelta:
    return timedelta(seconds=_FIRST_WAIT_SECONDS * _LONGER ** (attempts - 1))


def _words(error: Exception, module: Listener, event_id: str) -> str:
    """What is kept of an error: its kind and where to find it in the log. Messages can hold values."""
    said = f" {error}" if isinstance(error, Unreadable | MaError) else ""
    reference = log_error(error, doing=f"event {event_id} in {module.name}")
    return f"{type(error).__name__}:{said} (reference {reference})".replace(":  (", " (").replace(": (", " (")

"""The relay: sends what waits in the modules' outboxes to the event bus, at least once and in order."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Select, Text, Update, bindparam, cast, func, literal, select, update
from sqlalchemy.exc import SQLAlchemyError

from ma import clock
from ma.db.engine import Database, is_busy
from ma.db.locks import alone
from ma.errors import BrokerUnavailable
from ma.events.broker import Broker, RedisBroker
from ma.events.envelope import Envelope
from ma.events.housekeeping import LOCK, Housekeeping
from ma.events.modules import MODULES, Module
from ma.log import log_error

log = logging.getLogger(__name__)

BATCH = 1_000
# Looks often while events come, and less often when nothing has come for a while.
BUSY_SECONDS, IDLE_SECONDS, BUSY_FOR_SECONDS = 0.05, 0.5, 10.0
RETRY_SECONDS = 5.0


def relay_once(database: Database, broker: Broker, *, at: datetime, limit: int = BATCH) -> int:
    """Send the oldest unsent events of each module, at most `limit` of each; returns how many.

    Sent first and marked after: a relay killed in between sends them again, and none is lost. Only one relay
    works at a time, so that nobody sends what another one has sent and is about to mark; where another one is
    at it, nothing is sent. Raises BrokerUnavailable after noting the attempt on the events that wait.
    """
    with alone(database, LOCK) as mine:
        if not mine:
            return 0
        with database.reading() as session:
            waiting = {m: session.execute(_unsent(m), {"most": limit}).all() for m in MODULES.values()}
        waiting = {module: rows for module, rows in waiting.items() if rows}
        return _send(database, broker, waiting, at) if waiting else 0


def backlog(database: Database) -> int:
    """How many events wait to be sent."""
    with database.reading() as session:
        counts = [
            session.scalar(select(func.count()).where(module.outbox.c.sent_at.is_(None)))
            for module in MODULES.values()
        ]
    return sum(counts)


def run_forever(database: Database, redis_url: str, stop: threading.Event) -> None:
    """Relay to Redis until `stop` is set; an unreachable bus is tried again every few seconds."""
    keep_going(database, lambda: RedisBroker(redis_url), stop)


def keep_going(
    database: Database,
    make_broker: Callable[[], Broker],
    stop: threading.Event,
    beside: Callable[[], None] = lambda: None,
) -> None:
    """Relay to a bus until `stop` is set, and do `beside` after each round."""
    broker, housekeeping = None, Housekeeping()
    busy_until = clock.now().timestamp()
    while not stop.is_set():
        try:
            broker = broker or make_broker()
            sent = relay_once(database, broker, at=clock.now())
            housekeeping.tidy(database, broker, now=clock.now())
            beside()
            now = clock.now().timestamp()
            busy_until = now + BUSY_FOR_SECONDS if sent else busy_until
            wait = 0.0 if sent >= BATCH else BUSY_SECONDS if now < busy_until else IDLE_SECONDS
        except BrokerUnavailable as error:
            log.warning("%s Events wait in the database and are sent when it answers.", error)
            wait = RETRY_SECONDS
        except Exception as error:
            if not (isinstance(error, SQLAlchemyError) and is_busy(error)):
                log_error(error, doing="relay")
            wait = RETRY_SECONDS
        stop.wait(wait)
    if broker:
        broker.close()


@lru_cache
def _unsent(module: Module) -> Select:
    """The oldest events that wait. Written once: that takes as long as its execution."""
    outbox = module.outbox.c
    # The payload goes on as the text that it is stored as.
    text = cast(outbox.payload, Text)
    columns = (outbox.id, outbox.event_id, outbox.type, outbox.version, outbox.occurred_at, text)
    return select(*columns).where(outbox.sent_at.is_(None)).order_by(outbox.id).limit(bindparam("most"))


@lru_cache
def _mark(module: Module) -> Update:
    outbox = module.outbox
    return (
        update(outbox)
        .where(outbox.c.id == bindparam("key"))
        .values(
            sent_at=bindparam("now"),
            stream_id=bindparam("place"),
            attempts=outbox.c.attempts + 1,
            last_error=None,
        )
    )


def _send(database: Database, broker: Broker, waiting: dict[Module, Sequence], at: datetime) -> int:
    if database.engine.dialect.name == "sqlite":
        # What could not be marked is not sent: somebody may hold the only lock for long.
        with database.writing() as session:
            session.execute(select(literal(1)))
    envelopes = [Envelope(row[1], module.name, *row[2:]) for module, rows in waiting.items() for row in rows]
    try:
        places = iter(broker.send(envelopes))
    except BrokerUnavailable as error:
        _note(database, waiting, str(error))
        raise
    with database.writing() as session:
        for module, rows in waiting.items():
            sent = [{"key": row.id, "place": next(places), "now": at} for row in rows]
            session.connection().execute(_mark(module), sent)
    return len(envelopes)


def _note(database: Database, waiting: dict[Module, Sequence], error: str) -> None:
    with database.writing() as session:
        for module, rows in waiting.items():
            outbox = module.outbox
            tried = update(outbox).where(outbox.c.id.in_([row.id for row in rows]))
            session.execute(tried.values(attempts=outbox.c.attempts + 1, last_error=error))

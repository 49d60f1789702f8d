"""The relay: sends what waits in the outbox to the event bus, at least once."""

import logging
import threading
from datetime import datetime

from sqlalchemy import func, select, update

from ma import clock
from ma.db.engine import Database
from ma.errors import BrokerUnavailable
from ma.events.broker import RedisBroker
from ma.log import log_error
from ma.models import OutboxEvent

log = logging.getLogger(__name__)

BATCH = 500
IDLE_SECONDS = 1.0
RETRY_SECONDS = 5.0


def relay_once(database: Database, broker: RedisBroker, *, at: datetime) -> int:
    """Send one batch of unsent events in the order they were recorded; returns how many.

    Sent first and marked after: a relay killed in between sends them again, and none is lost.
    Raises BrokerUnavailable after noting the attempt on the events that wait.
    """
    with database.reading() as session:
        events = session.scalars(
            select(OutboxEvent).where(OutboxEvent.sent_at.is_(None)).order_by(OutboxEvent.id).limit(BATCH)
        ).all()
    if not events:
        return 0
    ids = [event.id for event in events]
    try:
        broker.send(events)
    except BrokerUnavailable as error:
        _mark(database, ids, attempts=OutboxEvent.attempts + 1, last_error=str(error))
        raise
    _mark(database, ids, sent_at=at, attempts=OutboxEvent.attempts + 1, last_error=None)
    return len(events)


def backlog(database: Database) -> int:
    """How many events wait to be sent."""
    with database.reading() as session:
        return session.scalar(select(func.count()).where(OutboxEvent.sent_at.is_(None))) or 0


def run_forever(database: Database, redis_url: str, stop: threading.Event) -> None:
    """Relay until `stop` is set; an unreachable bus is tried again every few seconds."""
    broker = None
    while not stop.is_set():
        try:
            broker = broker or RedisBroker(redis_url)
            wait = 0.0 if relay_once(database, broker, at=clock.now()) == BATCH else IDLE_SECONDS
        except BrokerUnavailable as error:
            log.warning("%s Events wait in the database and are sent when it answers.", error)
            wait = RETRY_SECONDS
        except Exception as error:
            log_error(error, doing="relay")
            wait = RETRY_SECONDS
        stop.wait(wait)
    if broker:
        broker.close()


def _mark(database: Database, ids: list[int], **values) -> None:
    with database.writing() as session:
        session.execute(update(OutboxEvent).where(OutboxEvent.id.in_(ids)).values(**values))

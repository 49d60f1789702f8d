"""Seeing to it that every subscriber gets every event, and clearing away what nobody needs any more."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Delete, Update, and_, delete, exists, not_, or_, select, update

from ma.db.engine import Database
from ma.db.locks import alone
from ma.events.broker import Broker, Extent, RedisBroker
from ma.events.modules import LISTENERS, MODULES, Listener, Module

# Whoever sends holds this lock, and so does whoever looks for what was lost: what is being sent is not lost.
LOCK = "relay"
EVERY, DELETE_EVERY = timedelta(seconds=10), timedelta(minutes=10)
# What everybody has is kept this long: the screens show it, and an inbox knows a late copy of it.
KEPT_FOR, INBOX_KEPT_FOR = timedelta(days=7), timedelta(days=30)
_LOT = 5_000
_LOOKED_UP = 1_000


class Housekeeping:
    """What the relay does now and then, beside sending."""

    def __init__(self):
        self._next: datetime | None = None
        self._next_deletion: datetime | None = None
        # The start of the server up to which everything was compared entry by entry.
        self._compared: str | None = None

    def tidy(self, database: Database, broker: Broker, *, now: datetime) -> None:
        """Every few seconds: settle, send again what was lost, trim the stream, delete what is old.

        Raises BrokerUnavailable.
        """
        if self._next and now < self._next:
            return
        self._next = now + EVERY
        with alone(database, LOCK) as mine:
            if not mine:
                return
            settle(database, at=now)
            if isinstance(broker, RedisBroker):
                broker.ensure_groups(_readers(database))
                extent = broker.extent()
                thoroughly = extent.run_id != self._compared
                send_lost_again(database, broker, extent, thoroughly=thoroughly)
                self._compared = extent.run_id
                broker.trim()
            else:
                send_all_again(database)
            if self._next_deletion is None or now >= self._next_deletion:
                delete_old(database, now=now)
                self._next_deletion = now + DELETE_EVERY


def settle(database: Database, *, at: datetime) -> int:
    """Mark the sent events that every subscriber has; how many."""
    total = 0
    for module in MODULES.values():
        outbox = module.outbox
        done = and_(outbox.c.settled_at.is_(None), outbox.c.sent_at.is_not(None), not_(_lacking(module)))
        total += _in_lots(database, outbox.c.id, done, update(outbox).values(settled_at=at))
    return total


def send_lost_again(
    database: Database, broker: RedisBroker, extent: Extent, *, thoroughly: bool = False
) -> int:
    """Mark as unsent what some subscriber lacks and the stream does not hold (any more); how many events.

    Nothing is trimmed before everybody acknowledged it, so what lies outside of `extent`, read beforehand,
    was lost: by a server without persistence, or by a subscriber whose database is older than the stream.
    `thoroughly` looks every one of them up: a server that was restarted may have forgotten only its last
    seconds, and have newer entries since.
    """
    total = 0
    for module in MODULES.values():
        place = module.outbox.c.stream_id
        outside = or_(place.is_(None), place < extent.first, place > extent.last)
        total += _unsend(database, module, outside)
        if thoroughly:
            total += _look_up(database, broker, module)
    return total


def send_all_again(database: Database) -> int:
    """The same where there is no stream: whatever some subscriber lacks was lost."""
    return sum(_unsend(database, module, module.outbox.c.sent_at.is_not(None)) for module in MODULES.values())


def delete_old(database: Database, *, now: datetime) -> int:
    """Delete events that everybody has had for a week, and from inboxes what no outbox holds any more."""
    total = 0
    for module in MODULES.values():
        old = module.outbox.c.settled_at < now - KEPT_FOR
        total += _in_lots(database, module.outbox.c.id, old, delete(module.outbox))
    for listener in LISTENERS.values():
        nowhere = [
            ~exists().where(source.outbox.c.event_id == listener.inbox.c.event_id)
            for source in MODULES.values()
        ]
        old = and_(listener.inbox.c.at < now - INBOX_KEPT_FOR, *nowhere)
        total += _in_lots(database, listener.inbox.c.event_id, old, delete(listener.inbox))
    return total


def _readers(database: Database) -> list[str]:
    """Whose groups there must be. Who wants nothing has none: unread, it would keep the stream from being
    trimmed."""
    return [name for name, listener in LISTENERS.items() if listener.types(database)]


def _lacking(module: Module) -> ColumnElement:
    """Whether some subscriber lacks an event."""
    return or_(*[not_recorded(module, subscriber) for subscriber in LISTENERS.values()])


def not_recorded(module: Module, subscriber: Listener) -> ColumnElement:
    """Whether a subscriber that listens to an event has neither acted on it nor put it aside."""
    outbox = module.outbox
    return and_(
        subscriber.wants(outbox),
        *[
            ~exists().where(table.c.event_id == outbox.c.event_id)
            for table in (subscriber.inbox, subscriber.dead_letters)
        ],
    )


def _unsend(database: Database, module: Module, which: ColumnElement) -> int:
    outbox = module.outbox
    lost = (outbox.c.settled_at.is_(None), outbox.c.sent_at.is_not(None), which, _lacking(module))
    with database.reading() as session:
        if session.scalar(select(outbox.c.id).where(*lost).limit(1)) is None:
            return 0
    with database.writing() as session:
        return session.execute(
            update(outbox).where(*lost).values(sent_at=None, stream_id=None),
            execution_options={"preserve_rowcount": True},
        ).rowcount


def _look_up(database: Database, broker: RedisBroker, module: Module) -> int:
    outbox, last, total = module.outbox, 0, 0
    while True:
        waiting = (
            select(outbox.c.id, outbox.c.stream_id)
            .where(outbox.c.settled_at.is_(None), outbox.c.stream_id.is_not(None), outbox.c.id > last)
            .where(_lacking(module))
            .order_by(outbox.c.id)
            .limit(_LOOKED_UP)
        )
        with database.reading() as session:
            rows = session.execute(waiting).all()
        if not rows:
            return total
        last = rows[-1].id
        gone = broker.missing([row.stream_id for row in rows])
        total += _unsend(database, module, outbox.c.stream_id.in_(gone)) if gone else 0


def _in_lots(database: Database, key: ColumnElement, which: ColumnElement, change: Update | Delete) -> int:
    """Change the rows of which a condition holds, some thousands in a transaction; how many."""
    total = 0
    while True:
        with database.reading() as session:
            found = session.scalars(select(key).where(which).order_by(key).limit(_LOT)).all()
        if found:
            with database.writing() as session:
                session.execute(change.where(key.in_(found)))
        total += len(found)
        if len(found) < _LOT:
            return total

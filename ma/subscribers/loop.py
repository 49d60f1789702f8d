"""A subscriber at work: reads the bus, acts on what is new, acknowledges it, and tries again what failed."""

import logging
import threading
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from ma import clock
from ma.db.engine import Database, trouble
from ma.errors import BrokerUnavailable
from ma.events.consumer import Consumer, Delivery
from ma.events.envelope import Envelope
from ma.events.modules import LISTENERS, Listener
from ma.events.relay import keep_going
from ma.log import log_error
from ma.subscribers.handlers import HANDLERS
from ma.subscribers.inbox import Handlers, receive, retry_due

log = logging.getLogger(__name__)

BATCH = 200
WAIT_SECONDS = 1.0
RETRY_SECONDS = 2.0
# Between two looks at what failed, and at what the dead have left behind.
RETRY_EVERY_SECONDS, CLAIM_EVERY_SECONDS = 1.0, 10.0


def run_forever(database: Database, name: str, redis_url: str, stop: threading.Event) -> None:
    """Act for a module on what comes over Redis until `stop` is set. Trouble is waited out."""
    module = LISTENERS[name]
    subscriber = Subscriber(database, module, HANDLERS[name], Consumer(redis_url, name))
    while not stop.is_set():
        try:
            subscriber.step()
        except BrokerUnavailable as error:
            log.warning("%s %s goes on when it answers.", error, name)
            stop.wait(RETRY_SECONDS)
        except Exception as error:
            if not (isinstance(error, SQLAlchemyError) and trouble(error)):
                log_error(error, doing=f"subscriber {name}")
            stop.wait(RETRY_SECONDS)
    subscriber.close()


class Subscriber:
    """One reader of the bus for a module."""

    def __init__(self, database: Database, module: Listener, handlers: Handlers, consumer: Consumer):
        self._database, self._module, self._handlers, self._consumer = database, module, handlers, consumer
        self._left_over = True
        self._next_retry = self._next_claim = 0.0

    def step(self, *, wait_seconds: float = WAIT_SECONDS) -> int:
        """Act on what has come, waiting for it so long; how many events were new.

        Raises BrokerUnavailable, and OperationalError where the database cannot be used. What was read then
        is not acknowledged, and is read again at the next step.
        """
        now = clock.now().timestamp()
        if now >= self._next_retry:
            self._next_retry = now + RETRY_EVERY_SECONDS
            retry_due(self._database, self._module, self._handlers, now=clock.now())
        done = 0
        if now >= self._next_claim:
            self._next_claim = now + CLAIM_EVERY_SECONDS
            self._consumer.forget_the_dead()
            done += self._take(self._consumer.claim(BATCH))
        if self._left_over:
            deliveries = self._consumer.read_mine(BATCH)
            self._left_over = bool(deliveries)
            done += self._take(deliveries)
        if not self._left_over:
            done += self._take(self._consumer.read(BATCH, wait_seconds=wait_seconds))
        return done

    def close(self) -> None:
        """Give the connection to the bus back."""
        self._consumer.close()

    def _take(self, deliveries: Sequence[Delivery]) -> int:
        if not deliveries:
            return 0
        envelopes = [delivery.envelope for delivery in deliveries if delivery.envelope]
        try:
            done = receive(self._database, self._module, self._handlers, envelopes)
            self._consumer.acknowledge(deliveries)
        except Exception:
            # What is not acknowledged is looked at first, and then before anything new.
            self._left_over = True
            raise
        return done


class InProcess:
    """The bus where there is no Redis: hands what the relay brings straight to the subscribers."""

    def __init__(self, database: Database):
        self._database = database

    def send(self, events: Sequence[Envelope]) -> list[str | None]:
        """Let every module act on the events. Raises BrokerUnavailable where the database cannot be used."""
        for name, module in LISTENERS.items():
            try:
                for start in range(0, len(events), BATCH):
                    receive(self._database, module, HANDLERS[name], events[start : start + BATCH])
            except SQLAlchemyError as error:
                raise BrokerUnavailable(f"{name} could not act: {type(error).__name__}.") from error
        return [None] * len(events)

    def close(self) -> None:
        """There is nothing to give back."""


def run_in_process(database: Database, stop: threading.Event) -> None:
    """Relay and subscribers in one, until `stop` is set."""
    retries = _Retries(database)
    keep_going(database, lambda: InProcess(database), stop, beside=retries.when_due)


class _Retries:
    """What failed in any module, tried again now and then."""

    def __init__(self, database: Database):
        self._database, self._next = database, clock.now()

    def when_due(self) -> None:
        """Try again what is due, at most every second."""
        now = clock.now()
        if now >= self._next:
            self._next = now + timedelta(seconds=RETRY_EVERY_SECONDS)
            for name, module in LISTENERS.items():
                retry_due(self._database, module, HANDLERS[name], now=now)

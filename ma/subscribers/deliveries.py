"""Sending what waits for webhooks: at least once each, signed, and tried again for three days.

One thread for each webhook that something is due for, so that a slow receiver keeps only itself waiting.
Several processes may run it: whoever takes a delivery up puts off when it is due, in one guarded update.
"""

import random
import threading
import time
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from ma import clock
from ma.db.engine import Database, is_busy, trouble
from ma.errors import NotReady
from ma.events.envelope import Envelope
from ma.log import log_error
from ma.models import Webhook, WebhookDelivery
from ma.services.audit import audit
from ma.services.webhooks import DELIVERED, FAILED, LEASE, PENDING, message_body, signing_secrets
from ma.settings import settings
from ma.types import SYSTEM
from ma.webhooks import signature
from ma.webhooks.addresses import Allowed
from ma.webhooks.sending import GONE, Answer, post

HOOK, DELIVERY = Webhook.__table__, WebhookDelivery.__table__
LOOK_EVERY_SECONDS, RETRY_SECONDS = 0.5, 5.0
TIDY_EVERY = timedelta(minutes=10)
# So many receivers are told at the same time, and one of them for so long before others have their turn.
AT_ONCE, TURN_SECONDS = 8, 5.0
# Each waits five seconds for the database.
_NOTE_TRIES = 6
# After the first failure ten seconds, after each further one three times as long.
_FIRST_WAIT, _LONGER, _LONGEST_WAIT = timedelta(seconds=10), 3, timedelta(hours=8)
_LONGEST_PAUSE = timedelta(minutes=15)
DISABLED_AFTER = timedelta(days=3)
KEPT_DELIVERED, KEPT_AT_ALL = timedelta(days=7), timedelta(days=30)


def run_forever(database: Database, stop: threading.Event) -> None:
    """Send what is due until `stop` is set. Trouble is waited out."""
    sender, last_problem = Sender(database, stop), None
    while not stop.is_set():
        wait = LOOK_EVERY_SECONDS
        try:
            sender.step()
            last_problem = None
        except Exception as error:
            told = isinstance(error, SQLAlchemyError) and trouble(error)
            if not told and repr(error) != last_problem:
                log_error(error, doing="webhooks")
            last_problem, wait = repr(error), RETRY_SECONDS
        stop.wait(wait)


class Sender:
    """Looks for what is due, and has a thread for each webhook that is being told."""

    def __init__(self, database: Database, stop: threading.Event):
        self._database, self._stop = database, stop
        self._at_work: dict[int, threading.Thread] = {}
        self._next_tidying = clock.now()

    def step(self) -> int:
        """Begin to send whatever is due and not being sent; to how many webhooks."""
        now = clock.now()
        if now >= self._next_tidying:
            self._next_tidying = now + TIDY_EVERY
            delete_old(self._database, now=now)
        self._at_work = {i: thread for i, thread in self._at_work.items() if thread.is_alive()}
        free = AT_ONCE - len(self._at_work)
        begun = [i for i in _waiting(self._database, now) if i not in self._at_work][: max(free, 0)]
        for webhook_id in begun:
            thread = threading.Thread(target=self._tell, args=(webhook_id,), daemon=True)
            self._at_work[webhook_id] = thread
            thread.start()
        return len(begun)

    def join(self, seconds: float) -> None:
        """Wait for those at work."""
        for thread in self._at_work.values():
            thread.join(seconds)

    def _tell(self, webhook_id: int) -> None:
        ends = time.monotonic() + TURN_SECONDS
        try:
            while (
                not self._stop.is_set() and time.monotonic() < ends and send_next(self._database, webhook_id)
            ):
                pass
        except Exception as error:
            if not (isinstance(error, SQLAlchemyError) and trouble(error)):
                log_error(error, doing=f"webhook {webhook_id}")


def send_next(database: Database, webhook_id: int, *, delivery_id: int | None = None) -> Answer | None:
    """Send a webhook's next due delivery, or this one; how it was answered, None where there is none."""
    with database.writing() as session:
        taken = _take(session, webhook_id, delivery_id, now=clock.now())
        if taken is None:
            return None
        url, envelope, row = taken
        try:
            secrets = signing_secrets(session, webhook_id, now=clock.now())
        except NotReady as problem:
            _note(session, webhook_id, row, Answer(None, str(problem), 0.0), now=clock.now())
            return Answer(None, str(problem), 0.0)
    body = message_body(envelope)
    headers = signature.headers(secrets, envelope.event_id, int(clock.now().timestamp()), body)
    answer = post(url, body, headers, allowed=Allowed(settings().webhook_allow))
    _note_surely(database, webhook_id, row, answer)
    return answer


def delete_old(database: Database, *, now: datetime) -> int:
    """Delete deliveries that arrived a week ago, and whatever is older than thirty days; how many."""
    with database.writing() as session:
        old = or_(
            (DELIVERY.c.state == DELIVERED) & (DELIVERY.c.created_at < now - KEPT_DELIVERED),
            DELIVERY.c.created_at < now - KEPT_AT_ALL,
        )
        return session.execute(delete(DELIVERY).where(old)).rowcount


def wait_after(attempts: int, *, chance: random.Random | None = None) -> timedelta:
    """How long to wait after so many failures: longer each time, and never the same for all."""
    # Twenty times three times as long already exceeds the longest wait.
    wait = min(_FIRST_WAIT * _LONGER ** min(attempts - 1, 20), _LONGEST_WAIT)
    return wait * (chance or random).uniform(0.75, 1.25)


def _waiting(database: Database, now: datetime) -> list[int]:
    """The webhooks that something is due for, whoever waits longest first."""
    due = (
        select(DELIVERY.c.due_at)
        .where(DELIVERY.c.webhook_id == HOOK.c.id, DELIVERY.c.state == PENDING, DELIVERY.c.due_at <= now)
        .order_by(DELIVERY.c.due_at)
        .limit(1)
        .scalar_subquery()
    )
    free = or_(HOOK.c.paused_until.is_(None), HOOK.c.paused_until <= now)
    with database.reading() as session:
        found = session.execute(select(HOOK.c.id, due).where(HOOK.c.disabled_at.is_(None), free)).all()
    return [i for i, since in sorted(found, key=lambda row: row[1] or now) if since is not None]


def _take(session: Session, webhook_id: int, delivery_id: int | None, *, now: datetime):
    """The address, the event and the row of the delivery to be sent, which is now this process's."""
    mine = [DELIVERY.c.webhook_id == webhook_id, DELIVERY.c.state == PENDING]
    if delivery_id is None:
        live = (HOOK.c.disabled_at.is_(None), or_(HOOK.c.paused_until.is_(None), HOOK.c.paused_until <= now))
        due = select(DELIVERY.c.id).join(HOOK, HOOK.c.id == DELIVERY.c.webhook_id)
        due = due.where(*mine, *live, DELIVERY.c.due_at <= now).order_by(DELIVERY.c.due_at, DELIVERY.c.id)
        delivery_id = session.scalar(due.limit(1))
        # Read again in the update: of two that found the same, one has it.
        mine.append(DELIVERY.c.due_at <= now)
    row = session.execute(
        update(DELIVERY)
        .where(*mine, DELIVERY.c.id == delivery_id)
        .values(due_at=now + LEASE)
        .returning(DELIVERY)
    ).one_or_none()
    if row is None:
        return None
    url = session.scalar(select(HOOK.c.url).where(HOOK.c.id == webhook_id))
    return url, Envelope.of(row, row.source), row


def _note_surely(database: Database, webhook_id: int, row, answer: Answer) -> None:
    """Keep how a delivery went, also where somebody holds the database for long: it would be sent twice."""
    for left in reversed(range(_NOTE_TRIES)):
        try:
            with database.writing() as session:
                _note(session, webhook_id, row, answer, now=clock.now())
            return
        except OperationalError as error:
            if not (left and is_busy(error)):
                raise


def _note(session: Session, webhook_id: int, row, answer: Answer, *, now: datetime) -> None:
    """Keep how a delivery went. Where the webhook was deleted meanwhile there is nothing to keep."""
    attempts = row.attempts + 1
    tried = {
        "attempts": attempts,
        "tried_at": now,
        "status": answer.status,
        "error": answer.error,
        "duration_ms": round(answer.seconds * 1_000),
    }
    if answer.error is None:
        tried["state"] = DELIVERED
    elif now >= row.try_until:
        tried["state"] = FAILED
    else:
        tried["due_at"] = now + max(wait_after(attempts), answer.retry_after or timedelta())
    mine = (DELIVERY.c.id == row.id, DELIVERY.c.state == PENDING)
    session.execute(update(DELIVERY).where(*mine).values(**tried))
    if answer.error is None:
        _well(session, webhook_id, now)
    else:
        _ill(session, webhook_id, answer, now)


def _well(session: Session, webhook_id: int, now: datetime) -> None:
    hook = session.execute(select(HOOK).where(HOOK.c.id == webhook_id).with_for_update()).one_or_none()
    if hook is None:
        return
    healthy = {"failing_since": None, "failures": 0, "paused_until": None, "delivered_at": now}
    session.execute(update(HOOK).where(HOOK.c.id == webhook_id).values(**healthy))
    if hook.failing_since is not None:
        # It is back: what waited only because nobody answered waits no longer.
        unanswered = (
            DELIVERY.c.state == PENDING,
            DELIVERY.c.tried_at.is_not(None),
            DELIVERY.c.status.is_(None),
        )
        session.execute(
            update(DELIVERY)
            .where(DELIVERY.c.webhook_id == webhook_id, *unanswered, DELIVERY.c.due_at > now + LEASE)
            .values(due_at=now)
        )


def _ill(session: Session, webhook_id: int, answer: Answer, now: datetime) -> None:
    hook = session.execute(select(HOOK).where(HOOK.c.id == webhook_id).with_for_update()).one_or_none()
    if hook is None or hook.disabled_at is not None:
        return
    failures, since = hook.failures + 1, hook.failing_since or now
    values = {"failures": failures, "failing_since": since}
    if answer.status is None:
        # Nobody answers: whatever else is due would fail the same way.
        values["paused_until"] = now + min(wait_after(failures), _LONGEST_PAUSE)
    why = "gone" if answer.status == GONE else "failing" if now - since >= DISABLED_AFTER else None
    if why:
        values |= {"disabled_at": now, "disabled_why": why}
        audit(session, SYSTEM, "disable", "webhook", webhook_id, at=now, why=why)
    session.execute(update(HOOK).where(HOOK.c.id == webhook_id).values(**values))

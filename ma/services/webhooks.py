"""Webhooks: other systems that are told of events over HTTPS, and what came of it.

A webhook's secret is shown once, when it is made or renewed. It is derived from the workspace's key
(`ma.db.secret`), so that the database holds nothing to sign with. The times here are real time.
"""

import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import case, delete, func, insert, select, update
from sqlalchemy.orm import Session

from ma.db import secret
from ma.errors import Conflict, InvalidInput, NotFound, NotReady
from ma.events.envelope import Envelope
from ma.events.messages import MESSAGES
from ma.models import Webhook, WebhookDelivery, WebhookType
from ma.services.audit import audit
from ma.services.customer_fields import has_unseen
from ma.services.permissions import require
from ma.types import Actor, Permission
from ma.webhooks import signature
from ma.webhooks.addresses import Address

HOOK, TYPE, DELIVERY = Webhook.__table__, WebhookType.__table__, WebhookDelivery.__table__
LONGEST_NAME = 100
MOST_WEBHOOKS = 50
PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"
# What a webhook is sent to try it; it is no event.
TEST = "Test"
# So long a delivery is tried, and an old secret signs beside the new one.
TRIED_FOR, OLD_SECRET_FOR = timedelta(days=3), timedelta(hours=24)
# Whoever has taken a delivery up and is silent for so long is dead.
LEASE = timedelta(minutes=2)
BY_HAND = "by hand"


@dataclass(frozen=True)
class NewWebhook:
    """A webhook whose secret was just made; `secret` cannot be shown again."""

    webhook_id: int
    secret: str


@dataclass(frozen=True)
class WebhookInfo:
    """What is kept of a webhook, and how many of its deliveries are where."""

    webhook_id: int
    name: str
    url: str
    types: tuple[str, ...]
    created_at: datetime
    created_by: str
    disabled_at: datetime | None
    disabled_why: str | None
    delivered_at: datetime | None
    failing_since: datetime | None
    pending: int
    delivered: int
    failed: int


@dataclass(frozen=True)
class DeliveryInfo:
    """One event on its way to one webhook, without what it says."""

    delivery_id: int
    event_id: str
    type: str
    state: str
    created_at: datetime
    due_at: datetime | None
    tried_at: datetime | None
    attempts: int
    status: int | None
    error: str | None
    duration_ms: int | None


def webhooks(session: Session, actor: Actor) -> list[WebhookInfo]:
    """All webhooks, by name. Raises NotAllowed."""
    require(actor, Permission.MANAGE_WORKSPACE)
    types: dict[int, list[str]] = {}
    for webhook_id, type_ in session.execute(select(TYPE.c.webhook_id, TYPE.c.type).order_by(TYPE.c.type)):
        types.setdefault(webhook_id, []).append(type_)
    states = (PENDING, DELIVERED, FAILED)
    counts = select(
        DELIVERY.c.webhook_id, *(func.sum(case((DELIVERY.c.state == s, 1), else_=0)) for s in states)
    ).group_by(DELIVERY.c.webhook_id)
    counted = {webhook_id: [int(n) for n in numbers] for webhook_id, *numbers in session.execute(counts)}
    return [
        WebhookInfo(
            hook.id, hook.name, hook.url, tuple(types.get(hook.id, ())), hook.created_at, hook.created_by,
            hook.disabled_at, hook.disabled_why, hook.delivered_at, hook.failing_since,
            *counted.get(hook.id, (0, 0, 0)),
        )
        for hook in session.execute(select(HOOK).order_by(HOOK.c.name, HOOK.c.id))
    ]  # fmt: skip


def deliveries(
    session: Session, actor: Actor, webhook_id: int, *, state: str | None = None, limit: int = 50
) -> list[DeliveryInfo]:
    """The latest deliveries of a webhook, the latest first. Raises NotAllowed."""
    require(actor, Permission.MANAGE_WORKSPACE)
    query = select(DELIVERY).where(DELIVERY.c.webhook_id == webhook_id)
    query = query if state is None else query.where(DELIVERY.c.state == state)
    return [
        DeliveryInfo(
            row.id, row.event_id, row.type, row.state, row.created_at,
            row.due_at if row.state == PENDING else None, row.tried_at, row.attempts, row.status, row.error,
            row.duration_ms,
        )
        for row in session.execute(query.order_by(DELIVERY.c.id.desc()).limit(limit))
    ]  # fmt: skip


def create_webhook(
    session: Session, actor: Actor, address: Address, *, name: str, types: Sequence[str], at: datetime
) -> NewWebhook:
    """Tell an address, checked by `ma.webhooks.addresses.check`, of events of these types from now on.

    Raises InvalidInput with every problem at once, NotAllowed, NotReady where there is no key to sign with.
    """
    require(actor, Permission.MANAGE_WORKSPACE)
    name, problems = name.strip(), _type_problems(types)
    if not 1 <= len(name) <= LONGEST_NAME or has_unseen(name):
        problems["name"] = f"Name the system that will be told, with 1 to {LONGEST_NAME} characters."
    if session.scalar(select(func.count()).select_from(HOOK)) >= MOST_WEBHOOKS:
        problems["name"] = f"There are {MOST_WEBHOOKS} webhooks. Delete one that is not needed any more."
    if problems:
        raise InvalidInput(problems)
    salt = signature.new_salt()
    made = _secret(session, salt)
    hook = Webhook(
        url=address.url,
        name=name,
        salt=salt,
        secret_hash=signature.digest(made),
        created_at=at,
        created_by=actor.username,
    )
    session.add(hook)
    session.flush()
    _add_types(session, hook.id, types, at=at)
    # Not the address: its path may hold a secret of the receiver's.
    audit(session, actor, "create", "webhook", hook.id, at=at, host=address.host, types=sorted(set(types)))
    return NewWebhook(hook.id, signature.shown(made))


def change_types(
    session: Session, actor: Actor, webhook_id: int, types: Sequence[str], *, at: datetime
) -> None:
    """Tell a webhook of events of these types from now on. Raises InvalidInput, NotFound."""
    _locked(session, actor, webhook_id)
    if problems := _type_problems(types):
        raise InvalidInput(problems)
    mine = TYPE.c.webhook_id == webhook_id
    session.execute(delete(TYPE).where(mine, TYPE.c.type.not_in(types)))
    kept = set(session.scalars(select(TYPE.c.type).where(mine)))
    # Of the new ones, what happened before is not told.
    _add_types(session, webhook_id, set(types) - kept, at=at)
    audit(session, actor, "change types", "webhook", webhook_id, at=at, types=sorted(set(types)))


def renew_secret(session: Session, actor: Actor, webhook_id: int, *, at: datetime) -> NewWebhook:
    """Give a webhook a new secret; the old one signs beside it for a day. Raises NotFound, NotReady."""
    hook = _locked(session, actor, webhook_id)
    salt = signature.new_salt()
    made = _secret(session, salt)
    same_key = signature.digest(_secret(session, hook.salt)) == hook.secret_hash
    session.execute(
        update(HOOK)
        .where(HOOK.c.id == webhook_id)
        .values(
            salt=salt,
            secret_hash=signature.digest(made),
            previous_salt=hook.salt if same_key else None,
            previous_until=at + OLD_SECRET_FOR,
            paused_until=None,
        )
    )
    if not same_key:
        # Nothing could be signed.
        _try_again(session, webhook_id, DELIVERY.c.state == PENDING, at=at)
    audit(session, actor, "renew secret", "webhook", webhook_id, at=at)
    return NewWebhook(webhook_id, signature.shown(made))


def disable_webhook(session: Session, actor: Actor, webhook_id: int, *, at: datetime) -> None:
    """Tell a webhook of nothing any more; what waits for it waits on. Raises NotFound, Conflict."""
    _locked(session, actor, webhook_id)
    live = (HOOK.c.id == webhook_id, HOOK.c.disabled_at.is_(None))
    values = {"disabled_at": at, "disabled_why": BY_HAND}
    if session.execute(update(HOOK).where(*live).values(**values)).rowcount != 1:
        raise Conflict("This webhook was disabled before.")
    audit(session, actor, "disable", "webhook", webhook_id, at=at, why=BY_HAND)


def enable_webhook(session: Session, actor: Actor, webhook_id: int, *, at: datetime) -> None:
    """Tell a webhook again: what waits for it at once, and what happens from now on.

    What happened while it was disabled it is not told of. Raises NotFound, Conflict.
    """
    hook = _locked(session, actor, webhook_id)
    if hook.disabled_at is None:
        raise Conflict("This webhook is enabled.")
    healthy = {"failing_since": None, "failures": 0, "paused_until": None}
    session.execute(
        update(HOOK).where(HOOK.c.id == webhook_id).values(disabled_at=None, disabled_why=None, **healthy)
    )
    session.execute(update(TYPE).where(TYPE.c.webhook_id == webhook_id).values(since=at))
    _try_again(session, webhook_id, DELIVERY.c.state == PENDING, at=at)
    audit(session, actor, "enable", "webhook", webhook_id, at=at)


def delete_webhook(session: Session, actor: Actor, webhook_id: int, *, at: datetime) -> None:
    """Forget a webhook with all its deliveries. Raises NotFound."""
    _locked(session, actor, webhook_id)
    for table in (DELIVERY, TYPE):
        session.execute(delete(table).where(table.c.webhook_id == webhook_id))
    session.execute(delete(HOOK).where(HOOK.c.id == webhook_id))
    audit(session, actor, "delete", "webhook", webhook_id, at=at)


def retry_deliveries(
    session: Session, actor: Actor, webhook_id: int, *, delivery_id: int | None = None, at: datetime
) -> int:
    """Send a delivery again, also one that arrived; without one, all that failed or wait. How many.

    Raises NotFound, and Conflict while the webhook is disabled.
    """
    hook = _locked(session, actor, webhook_id)
    if hook.disabled_at is not None:
        raise Conflict("This webhook is disabled. Enable it first.")
    which = DELIVERY.c.state != DELIVERED if delivery_id is None else DELIVERY.c.id == delivery_id
    count = _try_again(session, webhook_id, which, at=at)
    if delivery_id is not None and not count:
        raise NotFound("There is no such delivery any more. Reload the list.")
    if count:
        session.execute(update(HOOK).where(HOOK.c.id == webhook_id).values(paused_until=None))
        audit(session, actor, "retry", "webhook", webhook_id, at=at, deliveries=count)
    return count


def add_test(session: Session, actor: Actor, webhook_id: int, *, at: datetime) -> int:
    """A delivery that says nothing, to try a webhook with, also a disabled one; its id.

    Whoever asks for it sends it (`deliveries.send_next`): it is tried once. Raises NotFound.
    """
    _locked(session, actor, webhook_id)
    made = session.execute(
        insert(DELIVERY).values(
            webhook_id=webhook_id, event_id=str(uuid4()), source="ma", type=TEST, version=1, occurred_at=at,
            payload={"webhook_id": webhook_id}, state=PENDING, attempts=0, created_at=at, try_until=at,
            due_at=at + LEASE,
        )
    )  # fmt: skip
    audit(session, actor, "test", "webhook", webhook_id, at=at)
    return made.inserted_primary_key[0]


def message_body(envelope: Envelope) -> bytes:
    """What a receiver is sent: the event with its type and when it happened, as compact JSON."""
    message = {
        "type": envelope.type,
        "timestamp": envelope.occurred_at.isoformat().replace("+00:00", "Z"),
        "id": envelope.event_id,
        "source": envelope.source,
        "version": envelope.version,
        "data": envelope.payload(),
    }
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


def signing_secrets(session: Session, webhook_id: int, *, now: datetime) -> list[bytes]:
    """What signs for a webhook now: its secret, and the one before for a day.

    Raises NotReady where the key is not the one that the secret was made with: nobody could tell that such a
    message is ours.
    """
    hook = session.execute(select(HOOK).where(HOOK.c.id == webhook_id)).one()
    made = _secret(session, hook.salt)
    if not hmac.compare_digest(signature.digest(made), hook.secret_hash):
        raise NotReady("The secret was made with another MA_SECRET. Set that again, or renew the secret.")
    old = hook.previous_salt and hook.previous_until > now
    return [made, _secret(session, hook.previous_salt)] if old else [made]


def _secret(session: Session, salt: str) -> bytes:
    return signature.derived(secret.key(session, signature.PURPOSE), salt)


def _locked(session: Session, actor: Actor, webhook_id: int):
    require(actor, Permission.MANAGE_WORKSPACE)
    row = session.execute(select(HOOK).where(HOOK.c.id == webhook_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"There is no webhook {webhook_id}. It may have been deleted.")
    return row


def _type_problems(types: Sequence[str]) -> dict[str, str]:
    if not types:
        return {"types": "Choose at least one kind of event."}
    if unknown := sorted(set(types) - set(MESSAGES)):
        return {"types": f"There are no events called {', '.join(unknown)}. See docs/events."}
    return {}


def _add_types(session: Session, webhook_id: int, types: Iterable[str], *, at: datetime) -> None:
    rows = [{"webhook_id": webhook_id, "type": one, "since": at} for one in sorted(set(types))]
    if rows:
        session.execute(insert(TYPE), rows)


def _try_again(session: Session, webhook_id: int, which, *, at: datetime) -> int:
    fresh = {"state": PENDING, "due_at": at, "try_until": at + TRIED_FOR, "attempts": 0}
    mine = update(DELIVERY).where(DELIVERY.c.webhook_id == webhook_id, which)
    return session.execute(mine.values(**fresh), execution_options={"preserve_rowcount": True}).rowcount

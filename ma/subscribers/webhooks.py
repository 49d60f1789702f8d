"""Webhooks hear of events: each one wanted becomes a delivery, to be sent by `ma.subscribers.deliveries`.

Nothing is sent here: a receiver that is slow or away keeps no event waiting, neither for others nor for other
receivers.
"""

from collections.abc import Sequence

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from ma import clock
from ma.events.messages import MESSAGES
from ma.models import Webhook, WebhookDelivery, WebhookType
from ma.services.webhooks import PENDING, TRIED_FOR
from ma.subscribers.inbox import Happened

HOOK, TYPE, DELIVERY = Webhook.__table__, WebhookType.__table__, WebhookDelivery.__table__


def on_events(session: Session, happened: Sequence[Happened]) -> None:
    """Make a delivery of each event for each webhook that wants its type."""
    now, rows = clock.now(), []
    wanted: dict[str, list[int]] = {}
    for one in happened:
        type_ = type(one.event).__name__
        if type_ not in wanted:
            wanted[type_] = _wanting(session, type_)
        message = {
            "event_id": one.event_id,
            "source": one.event.module,
            "type": type_,
            "version": one.event.version,
            "occurred_at": one.at,
            "payload": one.event.model_dump(mode="json"),
        }
        times = {"created_at": now, "due_at": now, "try_until": now + TRIED_FOR}
        rows += [
            {"webhook_id": i, "state": PENDING, "attempts": 0, **message, **times} for i in wanted[type_]
        ]
    if rows:
        session.execute(insert(DELIVERY), rows)


HANDLERS = dict.fromkeys(MESSAGES, on_events)


def _wanting(session: Session, type_: str) -> list[int]:
    return list(
        session.scalars(
            select(HOOK.c.id)
            .join(TYPE, TYPE.c.webhook_id == HOOK.c.id)
            .where(TYPE.c.type == type_, HOOK.c.disabled_at.is_(None))
            .order_by(HOOK.c.id)
        )
    )

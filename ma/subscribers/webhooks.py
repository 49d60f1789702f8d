"""Webhooks hear of events: each one wanted becomes a delivery, to be sent by `ma.subscribers.deliveries`.

Nothing is sent here: a receiver that is slow or away keeps no event waiting, neither for others nor for other
receivers. Of somebody who was erased since an event happened nobody is told any more.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from ma import clock
from ma.events.messages import MESSAGES, CustomerErased
from ma.events.people import people, without
from ma.models import Customer, Webhook, WebhookDelivery, WebhookType
from ma.services.webhooks import PENDING, TRIED_FOR
from ma.subscribers import persons
from ma.subscribers.inbox import Happened

HOOK, TYPE, DELIVERY = Webhook.__table__, WebhookType.__table__, WebhookDelivery.__table__

_ERASED = select(Customer.id).where(Customer.id.in_(persons.PEOPLE), Customer.erased_at.is_not(None))


def on_events(session: Session, happened: Sequence[Happened]) -> None:
    """Make a delivery of each event for each webhook that wants its type."""
    now, rows = clock.now(), []
    told = _without_the_erased(session, happened)
    wanted: dict[str, list[int]] = {}
    for one in happened:
        type_ = type(one.event).__name__
        if one.event_id not in told:
            continue
        if type_ not in wanted:
            wanted[type_] = _wanting(session, type_)
        message = {
            "event_id": one.event_id,
            "source": one.event.module,
            "type": type_,
            "version": one.event.version,
            "occurred_at": one.at,
            "payload": told[one.event_id],
        }
        times = {"created_at": now, "due_at": now, "try_until": now + TRIED_FOR}
        rows += [
            {"webhook_id": i, "state": PENDING, "attempts": 0, **message, **times} for i in wanted[type_]
        ]
    if rows:
        session.execute(insert(DELIVERY), rows)


HANDLERS = dict.fromkeys(MESSAGES, on_events)


def _without_the_erased(session: Session, happened: Sequence[Happened]) -> dict[str, dict]:
    """What each event has to tell, by its id; those that tell only of people who were erased are left out."""
    contents = {one.event_id: one.event.model_dump(mode="json") for one in happened}
    # That they are to be erased is what a receiver must hear.
    said = {one.event_id for one in happened if isinstance(one.event, CustomerErased)}
    of = {event_id: people(content) for event_id, content in contents.items() if event_id not in said}
    gone = _erased(session, set().union(*of.values()))
    left = {event_id: without(contents[event_id], gone) for event_id in of if of[event_id] & gone}
    told = {event_id: left.get(event_id, content) for event_id, content in contents.items()}
    return {event_id: content for event_id, content in told.items() if content is not None}


def _erased(session: Session, ids: Iterable[int]) -> set[int]:
    return {
        customer_id
        for part in persons.parts(ids)
        for customer_id in session.scalars(_ERASED, {"people": part})
    }


def _wanting(session: Session, type_: str) -> list[int]:
    return list(
        session.scalars(
            select(HOOK.c.id)
            .join(TYPE, TYPE.c.webhook_id == HOOK.c.id)
            .where(TYPE.c.type == type_, HOOK.c.disabled_at.is_(None))
            .order_by(HOOK.c.id)
        )
    )

"""Recording events in the transaction of the change that caused them."""

from collections.abc import Iterable
from datetime import datetime
from uuid import uuid4

from sqlalchemy import insert
from sqlalchemy.orm import Session

from ma.events.messages import Event
from ma.events.modules import MODULES


def record(session: Session, event: Event, *, at: datetime) -> None:
    """Add the event to its module's outbox: it is sent if, and only if, the caller's transaction commits."""
    record_all(session, [event], at=at)


def record_all(session: Session, events: Iterable[Event], *, at: datetime) -> None:
    """The same for several events, in their order."""
    rows: dict[str, list[dict]] = {}
    for event in events:
        rows.setdefault(event.module, []).append(
            {
                "event_id": str(uuid4()),
                "type": type(event).__name__,
                "version": event.version,
                "occurred_at": at,
                "payload": event.model_dump(mode="json"),
            }
        )
    for module, mine in rows.items():
        session.execute(insert(MODULES[module].outbox), mine)

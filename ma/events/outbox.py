"""Recording an event in the transaction of the change that caused it."""

from datetime import datetime
from uuid import uuid4

from sqlalchemy.orm import Session

from ma.events.messages import Event
from ma.models import OutboxEvent


def record(session: Session, event: Event, *, at: datetime) -> None:
    """Add the event to the outbox: it is sent if, and only if, the caller's transaction commits."""
    session.add(
        OutboxEvent(
            event_id=str(uuid4()),
            type=type(event).__name__,
            version=event.version,
            occurred_at=at,
            payload=event.model_dump(mode="json"),
        )
    )

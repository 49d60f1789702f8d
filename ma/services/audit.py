"""Who did what: one entry beside every change, in its transaction."""

from datetime import datetime

from sqlalchemy.orm import Session

from ma.models import Audit
from ma.types import Actor


def audit(
    session: Session,
    actor: Actor,
    action: str,
    noun: str,
    object_id: object = None,
    *,
    at: datetime,
    **detail,
) -> None:
    """Add an audit entry; `detail` holds ids, counts and field names, never personal data."""
    session.add(
        Audit(
            at=at,
            actor=actor.username,
            action=action,
            noun=noun,
            object_id=None if object_id is None else str(object_id),
            detail=detail,
        )
    )

"""What people of Service do with suppressions: lift one that no longer holds."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ma.errors import Conflict, InvalidInput
from ma.events import outbox
from ma.events.messages import SuppressionsLifted
from ma.models import Suppression
from ma.services.audit import audit
from ma.services.permissions import require
from ma.types import LIFT_REASONS, Actor, Permission

SUPPRESSION = Suppression.__table__


def lift_suppression(
    session: Session, actor: Actor, customer_id: int, *, channel: str, why: str, at: datetime
) -> None:
    """A person is no longer suppressed in a channel; a later bounce or complaint suppresses them again.

    Raises InvalidInput, and Conflict when they are not suppressed (any more).
    """
    require(actor, Permission.WORK_CASES)
    if why not in LIFT_REASONS:
        raise InvalidInput({"why": f"Choose one of: {', '.join(LIFT_REASONS)}."})
    which = (SUPPRESSION.c.customer_id == customer_id, SUPPRESSION.c.channel == channel)
    stood = session.execute(select(SUPPRESSION).where(*which)).one_or_none()
    if stood is None or session.execute(delete(SUPPRESSION).where(*which)).rowcount != 1:
        raise Conflict("Somebody has just lifted this suppression. Reload to see the list as it is.")
    told = {"channel": channel, "reason": stood.reason, "customer_ids": [customer_id]}
    outbox.record(session, SuppressionsLifted(**told), at=at)
    of = {"channel": channel, "reason": stood.reason, "why": why}
    audit(session, actor, "lift", "suppression", customer_id, at=at, **of)

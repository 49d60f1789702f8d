"""What subscribers have given up on, and what people do about it."""

from datetime import datetime

from sqlalchemy.orm import Session

from ma.errors import NotFound
from ma.events.modules import LISTENERS
from ma.services.audit import audit
from ma.services.permissions import require
from ma.subscribers.inbox import retry
from ma.types import Actor, Permission


def retry_parked(
    session: Session, actor: Actor, module: str, *, event_id: str | None = None, at: datetime
) -> int:
    """Give one parked event of a module, or all of them, five more tries; how many. `at` is real time.

    Raises NotAllowed, and NotFound for an unknown module.
    """
    require(actor, Permission.MANAGE_WORKSPACE)
    if module not in LISTENERS:
        raise NotFound(f"There is no module '{module}'. There are: {', '.join(LISTENERS)}.")
    count = retry(session, LISTENERS[module], event_id=event_id, now=at)
    if count:
        audit(session, actor, "retry", "event", event_id, at=at, module=module, events=count)
    return count

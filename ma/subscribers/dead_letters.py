"""What subscribers have given up on, and what people do about it."""

from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ma.errors import Conflict, NotFound
from ma.events.modules import LISTENERS, Listener
from ma.services.audit import audit
from ma.services.permissions import require
from ma.subscribers.inbox import give_up, retry
from ma.types import Actor, Permission


def retry_parked(
    session: Session, actor: Actor, module: str, *, event_id: str | None = None, at: datetime
) -> int:
    """Give one parked event of a module, or all of them, five more tries; how many. `at` is real time.

    Raises NotAllowed, and NotFound for an unknown module.
    """
    require(actor, Permission.MANAGE_WORKSPACE)
    count = retry(session, _module(module), event_id=event_id, now=at)
    if count:
        audit(session, actor, "retry", "event", event_id, at=at, module=module, events=count)
    return count


def give_up_on(session: Session, actor: Actor, module: str, *, event_id: str, at: datetime) -> None:
    """A module will never act on an event that it could not act on; what it would have caused is missing.

    Raises NotAllowed, NotFound for an unknown module, and Conflict when it was acted on in the meantime.
    """
    require(actor, Permission.MANAGE_WORKSPACE)
    gone = "This event is no longer among those that failed. Reload to see the list as it is."
    try:
        found = give_up(session, _module(module), event_id=event_id, now=at)
    except IntegrityError as error:
        raise Conflict(gone) from error
    if not found:
        raise Conflict(gone)
    audit(session, actor, "give up", "event", event_id, at=at, module=module)


def _module(name: str) -> Listener:
    if name not in LISTENERS:
        raise NotFound(f"There is no module '{name}'. There are: {', '.join(LISTENERS)}.")
    return LISTENERS[name]

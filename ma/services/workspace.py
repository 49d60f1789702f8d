"""Creating a workspace and moving its demo clock."""

from datetime import datetime
from zoneinfo import available_timezones

from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.errors import Conflict, InvalidInput
from ma.models import Workspace
from ma.services.audit import audit
from ma.services.permissions import require
from ma.types import Actor, Permission

WORKSPACE_ID = 1


def create_workspace(
    session: Session, actor: Actor, *, name: str, timezone: str, currency: str, at: datetime
) -> None:
    """Create the one workspace of this database; does nothing where it exists.

    Raises InvalidInput for an unknown time zone.
    """
    require(actor, Permission.MANAGE_WORKSPACE)
    if session.get(Workspace, WORKSPACE_ID):
        return
    if timezone not in available_timezones():
        raise InvalidInput({"timezone": f"Unknown time zone '{timezone}'. Use a name such as Europe/Berlin."})
    session.add(Workspace(id=WORKSPACE_ID, name=name, timezone=timezone, currency=currency, created_at=at))
    session.flush()
    audit(session, actor, "create", "workspace", WORKSPACE_ID, at=at)


def move_clock(session: Session, actor: Actor, *, days: int, at: datetime) -> None:
    """Move the demo clock forward by whole days; every screen then shows that later instant.

    Raises Conflict outside the demo world, InvalidInput unless days is 1 to 365.
    """
    require(actor, Permission.MOVE_CLOCK)
    if not 1 <= days <= 365:
        raise InvalidInput({"days": "Move the clock by 1 to 365 days."})
    workspace = session.scalars(select(Workspace).with_for_update()).one()
    if workspace.demo_loaded_at is None:
        raise Conflict("Only the clock of a demo world can be moved. This workspace runs on real time.")
    workspace.clock_offset_seconds += days * 86_400
    audit(session, actor, "move clock", "workspace", WORKSPACE_ID, at=at, days=days)


def has_workspace(session: Session) -> bool:
    """Whether this database has been set up."""
    return session.get(Workspace, WORKSPACE_ID) is not None

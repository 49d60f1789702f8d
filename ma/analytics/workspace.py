"""What this workspace is, and what time it is in it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from ma import clock
from ma.errors import NotReady
from ma.models import Workspace


@dataclass(frozen=True)
class WorkspaceInfo:
    """Name, time zone, currency, and the demo clock. Plain values: safe to cache and to pass on."""

    name: str
    timezone: str
    currency: str
    is_demo: bool
    clock_offset_seconds: int

    def now(self) -> datetime:
        """The present instant as this workspace sees it: real time, moved by the demo clock."""
        return clock.now() + timedelta(seconds=self.clock_offset_seconds)


# Built once: every request and every screen asks it.
_WORKSPACE = select(
    Workspace.name,
    Workspace.timezone,
    Workspace.currency,
    Workspace.demo_loaded_at,
    Workspace.clock_offset_seconds,
)


def workspace(session: Session) -> WorkspaceInfo:
    """The workspace of this database. Raises NotReady when it has none yet."""
    row = session.execute(_WORKSPACE).one_or_none()
    if row is None:
        raise NotReady("This database has no workspace yet. Run: python -m ma init")
    return WorkspaceInfo(
        name=row.name,
        timezone=row.timezone,
        currency=row.currency,
        is_demo=row.demo_loaded_at is not None,
        clock_offset_seconds=row.clock_offset_seconds,
    )

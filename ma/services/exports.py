"""Noting that somebody took data out."""

from datetime import datetime

from sqlalchemy.orm import Session

from ma.services.audit import audit
from ma.services.permissions import require
from ma.types import Actor, Permission

# What was searched or filtered for is often somebody's name or address; so may be a tag that only they had.
_PERSONAL = {"q", "rule", "tag"}


def record_person_export(session: Session, actor: Actor, customer_id: int, *, at: datetime) -> None:
    """Put into the audit log that somebody took out everything held on one person. Raises NotAllowed."""
    require(actor, Permission.EXPORT)
    audit(session, actor, "export", "customer", customer_id, at=at)


def record_export(
    session: Session,
    actor: Actor,
    *,
    frame: str,
    extension: str,
    rows: int,
    params: dict[str, str],
    at: datetime,
) -> None:
    """Put an export into the audit log: which table, in which format, how many rows, with which filters.

    Raises NotAllowed.
    """
    require(actor, Permission.EXPORT)
    filters = {name: value for name, value in params.items() if name not in _PERSONAL}
    audit(session, actor, "export", frame, at=at, extension=extension, rows=rows, params=filters)

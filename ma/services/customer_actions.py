"""What is done to everybody whom a search finds, all at once."""

from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from ma.analytics.customers import Search, found
from ma.errors import Conflict
from ma.services.erasing import erase_customers
from ma.services.permissions import require
from ma.services.segments import add_members, create_static_segment
from ma.services.tags import add_tag, remove_tag
from ma.types import Actor, Permission


def tag_found(session: Session, actor: Actor, search: Search, *, name: str, at: datetime) -> int:
    """Put a tag on everybody found; returns how many did not have it. Raises InvalidInput, InvalidRule."""
    require(actor, Permission.EDIT_CUSTOMERS)
    return add_tag(session, actor, _ids(session, search, at), name, at=at)


def untag_found(session: Session, actor: Actor, search: Search, *, name: str, at: datetime) -> int:
    """Take a tag off everybody found; returns how many had it. Raises InvalidInput, InvalidRule, NotFound."""
    require(actor, Permission.EDIT_CUSTOMERS)
    return remove_tag(session, actor, _ids(session, search, at), name, at=at)


def add_found_to_segment(
    session: Session,
    actor: Actor,
    search: Search,
    *,
    segment_id: int | None = None,
    name: str = "",
    at: datetime,
) -> tuple[int, int]:
    """Put everybody found on a static list, a new one where only a name is given.

    Returns the segment's id and how many were not on it. Raises InvalidInput, InvalidRule, NotFound.
    """
    require(actor, Permission.EDIT_SEGMENTS)
    if segment_id is None:
        segment_id = create_static_segment(session, actor, name=name, at=at)
    return segment_id, add_members(session, actor, segment_id, _ids(session, search, at), at=at)


def erase_found(session: Session, actor: Actor, search: Search, *, expected: int, at: datetime) -> int:
    """Erase everybody found, for good; returns how many. `expected` is the number that the person confirmed.

    Raises Conflict where it is another one by now, InvalidInput, InvalidRule.
    """
    require(actor, Permission.ERASE)
    customers = _ids(session, search, at)
    people = session.scalar(select(func.count()).select_from(customers.subquery()))
    if people != expected:
        raise Conflict(
            f"The search finds {people:,} customers by now, not {expected:,}. Nobody was erased: look again."
        )
    return erase_customers(session, actor, customers, at=at)


def _ids(session: Session, search: Search, at: datetime) -> Select:
    return found(session, search, as_of=at)

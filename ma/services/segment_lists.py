"""Static lists: segments whose people are put on and taken off by hand or from a file."""

from datetime import datetime
from time import perf_counter

from sqlalchemy import Select, func, insert, select
from sqlalchemy.orm import Session

from ma.errors import Conflict
from ma.events import outbox
from ma.events.messages import SegmentCreated
from ma.models import Customer
from ma.services import segment_rows as stored
from ma.services.audit import audit
from ma.services.permissions import require
from ma.services.segment_fields import clean
from ma.services.segment_rows import MEMBER, SEGMENT, Refresh
from ma.types import Actor, Permission


def create_static_segment(
    session: Session, actor: Actor, *, name: str, description: str = "", at: datetime
) -> int:
    """Save a new, empty list that people keep by hand; returns its id. Raises InvalidInput."""
    require(actor, Permission.EDIT_SEGMENTS)
    values = clean(session, {"name": name, "description": description}, but=None)
    row = values | {"created_by": actor.username, "created_at": at, "updated_at": at, "version": 1}
    row |= {"rule": None, "static": True, "size": 0, "refreshed_at": at}
    segment_id = stored.execute(session, insert(SEGMENT).values(**row)).inserted_primary_key[0]
    audit(session, actor, "create", "segment", segment_id, at=at, static=True)
    outbox.record(session, SegmentCreated(segment_id=segment_id), at=at)
    return segment_id


def add_members(session: Session, actor: Actor, segment_id: int, customers: Select, *, at: datetime) -> int:
    """Put customers on a static list; returns how many were not on it before. `customers` selects ids.

    Deleted customers are left out. Raises NotFound, and Conflict for a segment with a rule.
    """
    require(actor, Permission.EDIT_SEGMENTS)
    began = perf_counter()
    _locked_list(session, segment_id)
    entered = stored.add(session, segment_id, customers, at=at)
    if entered:
        record_list_change(session, segment_id, entered=entered, at=at, began=began)
        audit(session, actor, "add members", "segment", segment_id, at=at, customers=entered)
    return entered


def remove_members(
    session: Session, actor: Actor, segment_id: int, customers: Select, *, at: datetime
) -> int:
    """Take customers off a static list; returns how many were on it. `customers` selects ids.

    Raises NotFound, and Conflict for a segment with a rule.
    """
    require(actor, Permission.EDIT_SEGMENTS)
    began = perf_counter()
    _locked_list(session, segment_id)
    left = stored.remove(session, segment_id, customers)
    if left:
        record_list_change(session, segment_id, left=left, at=at, began=began)
        audit(session, actor, "remove members", "segment", segment_id, at=at, customers=left)
    return left


def lists_of(session: Session, customers: Select) -> dict[int, int]:
    """The static lists that customers are on: {segment_id: how many of them}. `customers` selects ids."""
    rows = (
        select(MEMBER.c.segment_id, func.count())
        .join(SEGMENT, SEGMENT.c.id == MEMBER.c.segment_id)
        .join(Customer, Customer.id == MEMBER.c.customer_id)
        .where(SEGMENT.c.static, Customer.deleted_at.is_(None), MEMBER.c.customer_id.in_(customers))
        .group_by(MEMBER.c.segment_id)
        .order_by(MEMBER.c.segment_id)
    )
    return dict(session.execute(rows).all())


def record_list_change(
    session: Session,
    segment_id: int,
    *,
    entered: int = 0,
    left: int = 0,
    at: datetime,
    began: float | None = None,
) -> Refresh:
    """Note the new size of a static list whose members have changed, in its history and as an event.

    For whoever changes members beside `add_members` and `remove_members`, as erasing and merging do.
    """
    refreshed_at = session.scalar(select(SEGMENT.c.refreshed_at).where(SEGMENT.c.id == segment_id))
    size = stored.list_size(session, segment_id)
    return stored.record(
        session,
        Refresh(segment_id, size, entered, left, stored.since(began)),
        at=max(at, refreshed_at or at),
    )


def _locked_list(session: Session, segment_id: int):
    segment = stored.locked(session, segment_id)
    if not segment.static:
        raise Conflict(
            f"“{segment.name}” chooses its people by its rule. Change the rule, or use a static list."
        )
    return segment

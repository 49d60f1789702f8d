"""Rows of segments, as the services that change them share them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter

from sqlalchemy import (
    Column,
    MetaData,
    Row,
    Select,
    Table,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable, DropTable

from ma.db.filling import filling
from ma.errors import Conflict, NotFound, Stale
from ma.events import outbox
from ma.events.messages import SegmentRefreshed
from ma.models import (
    Customer,
    Segment,
    SegmentMember,
    SegmentRefresh,
    SegmentVersion,
    UtcTime,
    Workspace,
)
from ma.models.base import BigKey

SEGMENT, MEMBER, REFRESH = Segment.__table__, SegmentMember.__table__, SegmentRefresh.__table__
VERSION = SegmentVersion.__table__

# Whom a rule chooses, written down once: the difference to the members is then that of one instant,
# also where two statements of a transaction can see different states (PostgreSQL's READ COMMITTED).
_CHOSEN = Table(
    "segment_chosen",
    MetaData(),
    Column("customer_id", BigKey, primary_key=True, autoincrement=False),
    prefixes=["TEMPORARY"],
)


@dataclass(frozen=True)
class Refresh:
    """What a refresh found: the size, and how many entered and left since the one before."""

    segment_id: int
    size: int
    entered: int
    left: int
    duration_ms: int


def locked(session: Session, segment_id: int):
    """The segment's row, held until the transaction ends: two refreshes at once would collide."""
    return locked_with(session, segment_id, ())[0]


def locked_with(session: Session, segment_id: int, others: Iterable[int]) -> tuple[Row, list[Row]]:
    """The segment's row and those of others, as far as they are there, held until the transaction ends.

    In the order of their ids, as `all_locked` takes them: two who want the same rows cannot wait for each
    other.
    """
    wanted = select(SEGMENT).where(SEGMENT.c.id.in_({segment_id, *others})).order_by(SEGMENT.c.id)
    found = {row.id: row for row in session.execute(wanted.with_for_update())}
    if segment_id not in found:
        raise NotFound(f"There is no segment {segment_id}. It may have been deleted; go back to the list.")
    return found.pop(segment_id), list(found.values())


def all_locked(session: Session) -> None:
    """Hold all segments until the transaction ends, so that nobody enters one meanwhile.

    For who deletes customers: on PostgreSQL no foreign key keeps a customer for a segment that they enter.
    """
    session.execute(select(SEGMENT.c.id).order_by(SEGMENT.c.id).with_for_update())


def one_at_a_time(session: Session) -> None:
    """Wait until nobody else changes what rules refer to, and hold that until the transaction ends.

    Two rules saved at the same moment could otherwise use each other, and one could use a segment that is
    just being deleted: each transaction would see a state in which all is well.
    """
    session.execute(select(Workspace.id).with_for_update())


def changed_meanwhile() -> Stale:
    """What the second of two editors is told."""
    return Stale(
        "This segment was changed by somebody else since you opened it. "
        "Nothing was saved: reload and try again."
    )


def execute(session: Session, statement):
    """Run a statement that writes a segment's name. Raises Conflict where it was taken a moment ago."""
    try:
        return session.execute(statement)
    except IntegrityError as error:  # somebody else saved the same name between our check and our write
        raise Conflict("Somebody has just saved a segment with this name. Choose another name.") from error


def rows(session: Session, statement) -> int:
    """How many rows a statement inserted or deleted; for an INSERT the count must be asked for."""
    return session.execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def replace(session: Session, segment_id: int, chosen: Select, *, at: datetime) -> tuple[int, int, int]:
    """Make exactly those whom `chosen` selects the members; (size, entered, left)."""
    session.execute(CreateTable(_CHOSEN))
    session.execute(insert(_CHOSEN).from_select(["customer_id"], chosen))
    # Counted and not taken from the INSERT: where that begins with WITH, SQLite's driver does not say.
    size = session.scalar(select(func.count()).select_from(_CHOSEN))
    leavers = ~exists().where(_CHOSEN.c.customer_id == MEMBER.c.customer_id)
    left = rows(session, delete(MEMBER).where(MEMBER.c.segment_id == segment_id, leavers))
    return size, _enter(session, segment_id, at=at), left


def add(session: Session, segment_id: int, customers: Select, *, at: datetime) -> int:
    """Make customers members who are not deleted and no members yet; how many."""
    _write_chosen(session, customers)
    return _enter(session, segment_id, at=at)


def remove(session: Session, segment_id: int, customers: Select) -> int:
    """Take customers out of the members; how many."""
    _write_chosen(session, customers)
    chosen = exists().where(_CHOSEN.c.customer_id == MEMBER.c.customer_id)
    left = rows(session, delete(MEMBER).where(MEMBER.c.segment_id == segment_id, chosen))
    session.execute(DropTable(_CHOSEN))
    return left


def _enter(session: Session, segment_id: int, *, at: datetime) -> int:
    # Those who stay are taken out first: an INSERT that looks into the table it fills reads its own rows
    # again and again where the planner has no statistics yet (8.4 s instead of 1.2 s on PostgreSQL).
    there = (MEMBER.c.segment_id == segment_id, MEMBER.c.customer_id == _CHOSEN.c.customer_id)
    session.execute(delete(_CHOSEN).where(exists().where(*there)))
    newcomers = select(literal(segment_id), _CHOSEN.c.customer_id, literal(at, UtcTime))
    with filling(session, MEMBER, session.scalar(select(func.count()).select_from(_CHOSEN))):
        entered = rows(
            session, insert(MEMBER).from_select(["segment_id", "customer_id", "entered_at"], newcomers)
        )
    session.execute(DropTable(_CHOSEN))
    return entered


def _write_chosen(session: Session, customers: Select) -> None:
    wanted = customers.subquery("wanted")
    [wanted_id] = wanted.c
    present = select(Customer.id).where(Customer.id.in_(select(wanted_id)), Customer.deleted_at.is_(None))
    session.execute(CreateTable(_CHOSEN))
    session.execute(insert(_CHOSEN).from_select(["customer_id"], present))


def newest_rule(session: Session, segment_id: int) -> int | None:
    """The number of the rule that a segment has now; None for a static list."""
    return session.scalar(select(func.max(VERSION.c.number)).where(VERSION.c.segment_id == segment_id))


def record(session: Session, refresh: Refresh, *, at: datetime, rule_number: int | None = None) -> Refresh:
    """Write down what a refresh found, and by which rule: in the segment, in its history, and as an event."""
    counts = {"size": refresh.size, "entered": refresh.entered, "left": refresh.left}
    session.execute(
        update(SEGMENT)
        .where(SEGMENT.c.id == refresh.segment_id)
        .values(size=refresh.size, refreshed_at=at, refresh_error=None)
    )
    row = {"segment_id": refresh.segment_id, "as_of": at, "duration_ms": refresh.duration_ms}
    session.execute(insert(REFRESH).values(**row, **counts, rule_number=rule_number))
    outbox.record(session, SegmentRefreshed(segment_id=refresh.segment_id, **counts), at=at)
    return refresh


def since(began: float | None) -> int:
    """Whole milliseconds since `perf_counter()` said `began`; 0 where nobody looked at the clock."""
    return 0 if began is None else round((perf_counter() - began) * 1000)


def list_size(session: Session, segment_id: int) -> int:
    """How many members there are who are not deleted."""
    members = select(func.count()).select_from(MEMBER).join(Customer, Customer.id == MEMBER.c.customer_id)
    return session.scalar(members.where(MEMBER.c.segment_id == segment_id, Customer.deleted_at.is_(None)))

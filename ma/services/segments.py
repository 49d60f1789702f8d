"""Saving segments and refreshing who is in them."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter

from sqlalchemy import (
    Column,
    MetaData,
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

from ma.analytics import segments as analytics
from ma.analytics.workspace import workspace
from ma.errors import Conflict, InvalidInput, InvalidRule, NotFound
from ma.events import outbox
from ma.events.messages import SegmentCreated, SegmentDeleted, SegmentRefreshed, SegmentUpdated
from ma.models import Customer, Segment, SegmentMember, SegmentRefresh, UtcTime
from ma.models.base import BigKey
from ma.rules import to_sql
from ma.rules.check import parse
from ma.rules.nodes import to_json
from ma.services.audit import audit
from ma.services.permissions import require
from ma.text import fold
from ma.types import Actor, Permission

SEGMENT, MEMBER, REFRESH = Segment.__table__, SegmentMember.__table__, SegmentRefresh.__table__
LONGEST_NAME = 100
LONGEST_DESCRIPTION = 1000

# Whom the rule chooses, written down once: the difference to the members is then that of one instant,
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


def create_segment(
    session: Session, actor: Actor, *, name: str, rule: dict | str, description: str = "", at: datetime
) -> int:
    """Save a new segment; returns its id. It has no members before `refresh_segment`.

    Raises InvalidInput with every problem at once.
    """
    require(actor, Permission.EDIT_SEGMENTS)
    values = _clean(session, {"name": name, "description": description, "rule": rule}, but=None)
    row = values | {"created_by": actor.username, "created_at": at, "updated_at": at, "version": 1}
    segment_id = _execute(session, insert(SEGMENT).values(**row)).inserted_primary_key[0]
    audit(session, actor, "create", "segment", segment_id, at=at)
    outbox.record(session, SegmentCreated(segment_id=segment_id), at=at)
    return segment_id


def update_segment(
    session: Session,
    actor: Actor,
    segment_id: int,
    *,
    version: int,
    at: datetime,
    name: str | None = None,
    rule: dict | str | None = None,
    description: str | None = None,
) -> list[str]:
    """Change what is given; returns the names of what really changed. Members stay until the next refresh.

    `version` is the one the person saw. Raises InvalidInput with every problem at once, NotFound, and
    Conflict when somebody else changed the segment meanwhile.
    """
    require(actor, Permission.EDIT_SEGMENTS)
    before = analytics.segment(session, segment_id)
    if before.version != version:
        raise _changed_meanwhile()
    if before.static and rule is not None:
        raise InvalidInput({"rule": f"“{before.name}” is a static list and has no rule. Leave the rule out."})
    given = {"name": name, "rule": rule, "description": description}
    values = _clean(
        session, {key: value for key, value in given.items() if value is not None}, but=segment_id
    )
    changed = sorted(key for key in given if key in values and values[key] != getattr(before, key))
    if not changed:
        return []
    result = _execute(
        session,
        update(SEGMENT)
        .where(SEGMENT.c.id == segment_id, SEGMENT.c.version == version)
        .values(**values, updated_at=at, version=version + 1),
    )
    if result.rowcount != 1:
        raise _changed_meanwhile()
    audit(session, actor, "update", "segment", segment_id, at=at, fields=changed)
    outbox.record(session, SegmentUpdated(segment_id=segment_id), at=at)
    return changed


def delete_segment(
    session: Session, actor: Actor, segment_id: int, *, version: int | None = None, at: datetime
) -> None:
    """Delete a segment, its members' list and its history; the customers stay.

    `version` is the one the person saw, where a person decides. Raises NotFound, and Conflict naming the
    campaigns that use it, or when somebody else changed the segment meanwhile.
    """
    require(actor, Permission.EDIT_SEGMENTS)
    segment = _locked(session, segment_id)
    if version is not None and segment.version != version:
        raise _changed_meanwhile()
    name = segment.name
    used = list(analytics.used_by(session, segment_id)["name"])
    if used:
        more = f" and {len(used) - 5:,} more" if len(used) > 5 else ""
        raise Conflict(
            f"“{name}” cannot be deleted because campaigns use it: {', '.join(used[:5])}{more}. "
            "Choose another segment in drafts first; a campaign that was launched keeps its segment."
        )
    for table in (MEMBER, REFRESH):
        session.execute(delete(table).where(table.c.segment_id == segment_id))
    try:
        session.execute(delete(SEGMENT).where(SEGMENT.c.id == segment_id))
    except IntegrityError as error:
        raise Conflict(
            f"A campaign has just begun to use “{name}”. Nothing was deleted; reload the page."
        ) from error
    audit(session, actor, "delete", "segment", segment_id, at=at)
    outbox.record(session, SegmentDeleted(segment_id=segment_id), at=at)


def refresh_segment(session: Session, actor: Actor, segment_id: int, *, at: datetime) -> Refresh:
    """Bring the members in line with the rule as of `at`; those who stay keep the time they entered.

    A segment does not go back: where its last refresh is later than `at`, as for a campaign that is launched
    late, the members are those of that instant. A static list stays as it is, but for customers who were
    deleted. All in the database and in the caller's transaction. Raises NotFound.
    """
    require(actor, Permission.EDIT_SEGMENTS)
    began = perf_counter()
    segment = _locked(session, segment_id)
    at = max(at, segment.refreshed_at or at)
    if segment.static:
        return _refresh_list(session, actor, segment_id, at=at, began=began)
    rule = parse(segment.rule)
    chosen = to_sql.members(rule, as_of=at, timezone=workspace(session).timezone)
    session.execute(CreateTable(_CHOSEN))
    size = _rows(session, insert(_CHOSEN).from_select(["customer_id"], chosen))
    leavers = ~exists().where(_CHOSEN.c.customer_id == MEMBER.c.customer_id)
    left = _rows(session, delete(MEMBER).where(MEMBER.c.segment_id == segment_id, leavers))
    # Those who stay are taken out first: an INSERT that looks into the table it fills reads its own rows
    # again and again where the planner has no statistics yet (8.4 s instead of 1.2 s on PostgreSQL).
    there = (MEMBER.c.segment_id == segment_id, MEMBER.c.customer_id == _CHOSEN.c.customer_id)
    session.execute(delete(_CHOSEN).where(exists().where(*there)))
    newcomers = select(literal(segment_id), _CHOSEN.c.customer_id, literal(at, UtcTime))
    entered = _rows(
        session, insert(MEMBER).from_select(["segment_id", "customer_id", "entered_at"], newcomers)
    )
    session.execute(DropTable(_CHOSEN))
    refresh = _record(session, Refresh(segment_id, size, entered, left, _since(began)), at=at)
    audit(session, actor, "refresh", "segment", segment_id, at=at, size=size, entered=entered, left=left)
    return refresh


# Static lists


def create_static_segment(
    session: Session, actor: Actor, *, name: str, description: str = "", at: datetime
) -> int:
    """Save a new, empty list that people keep by hand; returns its id. Raises InvalidInput."""
    require(actor, Permission.EDIT_SEGMENTS)
    values = _clean(session, {"name": name, "description": description}, but=None)
    row = values | {"created_by": actor.username, "created_at": at, "updated_at": at, "version": 1}
    row |= {"rule": None, "static": True, "size": 0, "refreshed_at": at}
    segment_id = _execute(session, insert(SEGMENT).values(**row)).inserted_primary_key[0]
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
    _write_chosen(session, customers)
    there = (MEMBER.c.segment_id == segment_id, MEMBER.c.customer_id == _CHOSEN.c.customer_id)
    session.execute(delete(_CHOSEN).where(exists().where(*there)))
    newcomers = select(literal(segment_id), _CHOSEN.c.customer_id, literal(at, UtcTime))
    entered = _rows(
        session, insert(MEMBER).from_select(["segment_id", "customer_id", "entered_at"], newcomers)
    )
    session.execute(DropTable(_CHOSEN))
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
    _write_chosen(session, customers)
    chosen = exists().where(_CHOSEN.c.customer_id == MEMBER.c.customer_id)
    left = _rows(session, delete(MEMBER).where(MEMBER.c.segment_id == segment_id, chosen))
    session.execute(DropTable(_CHOSEN))
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
    return _record(
        session,
        Refresh(segment_id, _list_size(session, segment_id), entered, left, _since(began)),
        at=max(at, refreshed_at or at),
    )


def _refresh_list(session: Session, actor: Actor, segment_id: int, *, at: datetime, began: float) -> Refresh:
    gone = exists().where(Customer.id == MEMBER.c.customer_id, Customer.deleted_at.is_not(None))
    left = _rows(session, delete(MEMBER).where(MEMBER.c.segment_id == segment_id, gone))
    size = _list_size(session, segment_id)
    refresh = _record(session, Refresh(segment_id, size, 0, left, _since(began)), at=at)
    audit(session, actor, "refresh", "segment", segment_id, at=at, size=size, entered=0, left=left)
    return refresh


def _record(session: Session, refresh: Refresh, *, at: datetime) -> Refresh:
    """Write down what a refresh found: in the segment, in its history, and as an event."""
    counts = {"size": refresh.size, "entered": refresh.entered, "left": refresh.left}
    session.execute(
        update(SEGMENT).where(SEGMENT.c.id == refresh.segment_id).values(size=refresh.size, refreshed_at=at)
    )
    row = counts | {"segment_id": refresh.segment_id, "as_of": at, "duration_ms": refresh.duration_ms}
    session.execute(insert(REFRESH).values(**row))
    outbox.record(session, SegmentRefreshed(segment_id=refresh.segment_id, **counts), at=at)
    return refresh


def _since(began: float | None) -> int:
    return 0 if began is None else round((perf_counter() - began) * 1000)


def _list_size(session: Session, segment_id: int) -> int:
    members = select(func.count()).select_from(MEMBER).join(Customer, Customer.id == MEMBER.c.customer_id)
    return session.scalar(members.where(MEMBER.c.segment_id == segment_id, Customer.deleted_at.is_(None)))


def _locked_list(session: Session, segment_id: int):
    segment = _locked(session, segment_id)
    if not segment.static:
        raise Conflict(
            f"“{segment.name}” chooses its people by its rule. Change the rule, or use a static list."
        )
    return segment


def _write_chosen(session: Session, customers: Select) -> None:
    wanted = customers.subquery("wanted")
    [wanted_id] = wanted.c
    present = select(Customer.id).where(Customer.id.in_(select(wanted_id)), Customer.deleted_at.is_(None))
    session.execute(CreateTable(_CHOSEN))
    session.execute(insert(_CHOSEN).from_select(["customer_id"], present))


def _rows(session: Session, statement) -> int:
    """How many rows a statement inserted or deleted; for an INSERT the count must be asked for."""
    return session.execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def _locked(session: Session, segment_id: int):
    """The segment's row, held until the transaction ends: two refreshes at once would collide."""
    row = session.execute(select(SEGMENT).where(SEGMENT.c.id == segment_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"There is no segment {segment_id}. It may have been deleted; go back to the list.")
    return row


def _changed_meanwhile() -> Conflict:
    return Conflict(
        "This segment was changed by somebody else since you opened it. "
        "Nothing was saved: reload and try again."
    )


def _clean(session: Session, given: dict, *, but: int | None) -> dict:
    """The given values as they are stored. Raises InvalidInput."""
    values, problems = {}, {}
    if "name" in given:
        name = unicodedata.normalize("NFC", given["name"]).strip()
        values |= {"name": name, "name_folded": fold(name)}
        if problem := _name_problem(session, name, but):
            problems["name"] = problem
    if "description" in given:
        values["description"] = unicodedata.normalize("NFC", given["description"]).strip()
        if problem := _description_problem(values["description"]):
            problems["description"] = problem
    if "rule" in given:
        try:
            values["rule"] = to_json(parse(given["rule"]))
        except InvalidRule as error:
            problems["rule"] = str(error)
    if problems:
        raise InvalidInput(problems)
    return values


def _name_problem(session: Session, name: str, but: int | None) -> str | None:
    if not name:
        return "Give the segment a name."
    if _unseen(name):
        return "The name contains control characters. Type it again instead of pasting it."
    if len(name) > LONGEST_NAME or len(fold(name)) > 2 * LONGEST_NAME:
        return f"The name is too long. Use at most {LONGEST_NAME} characters."
    taken = select(SEGMENT.c.name).where(SEGMENT.c.name_folded == fold(name), SEGMENT.c.id != (but or 0))
    if other := session.scalar(taken):
        return f"There is already a segment named “{other}”. Choose another name, or change that segment."
    return None


def _description_problem(text: str) -> str | None:
    if _unseen(text.replace("\n", " ")):
        return "The description contains control characters. Type it again instead of pasting it."
    if len(text) > LONGEST_DESCRIPTION:
        return f"The description is too long. Use at most {LONGEST_DESCRIPTION:,} characters."
    return None


def _unseen(text: str) -> bool:
    return any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in text)


def _execute(session: Session, statement):
    try:
        return session.execute(statement)
    except IntegrityError as error:  # somebody else saved the same name between our check and our write
        raise Conflict("Somebody has just saved a segment with this name. Choose another name.") from error

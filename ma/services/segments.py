"""Saving segments: their names and rules, each rule a version that can be brought back.

Static lists are in `segment_lists`, refreshing is in `segment_refreshing` and `refresh_runs`.
"""

from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ma.analytics import segments as analytics
from ma.analytics.segment_uses import segments_using
from ma.errors import Conflict, InvalidInput, NotFound
from ma.events import outbox
from ma.events.messages import SegmentCreated, SegmentDeleted, SegmentUpdated
from ma.services import segment_rows as stored
from ma.services.audit import audit
from ma.services.permissions import require
from ma.services.segment_fields import LONGEST_DESCRIPTION, LONGEST_NAME, clean
from ma.services.segment_lists import (
    add_members,
    create_static_segment,
    lists_of,
    record_list_change,
    remove_members,
)
from ma.services.segment_refreshing import Refresh, refresh_one, refresh_segment
from ma.services.segment_rows import MEMBER, REFRESH, SEGMENT, VERSION
from ma.types import Actor, Permission

__all__ = [
    "LONGEST_DESCRIPTION",
    "LONGEST_NAME",
    "Refresh",
    "add_members",
    "create_segment",
    "create_static_segment",
    "delete_segment",
    "lists_of",
    "record_list_change",
    "refresh_one",
    "refresh_segment",
    "remove_members",
    "restore_version",
    "update_segment",
]
_NAMED = 5


def create_segment(
    session: Session, actor: Actor, *, name: str, rule: dict | str, description: str = "", at: datetime
) -> int:
    """Save a new segment; returns its id. It has no members before `refresh_segment`.

    Raises InvalidInput with every problem at once.
    """
    require(actor, Permission.EDIT_SEGMENTS)
    stored.one_at_a_time(session)
    values = clean(session, {"name": name, "description": description, "rule": rule}, but=None)
    row = values | {"created_by": actor.username, "created_at": at, "updated_at": at, "version": 1}
    segment_id = stored.execute(session, insert(SEGMENT).values(**row)).inserted_primary_key[0]
    _write_version(session, actor, segment_id, values["rule"], at=at)
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
    given = {"name": name, "rule": rule, "description": description}
    return _change(session, actor, segment_id, given, version=version, at=at)


def restore_version(
    session: Session, actor: Actor, segment_id: int, number: int, *, version: int, at: datetime
) -> list[str]:
    """Make an older rule the newest version, checked again; returns what changed: ["rule"] or nothing.

    `version` is the segment's that the person saw. Raises InvalidInput where the old rule speaks of what is
    no longer there, NotFound, and Conflict when somebody else changed the segment meanwhile.
    """
    require(actor, Permission.EDIT_SEGMENTS)
    analytics.segment(session, segment_id)
    older = select(VERSION.c.rule).where(VERSION.c.segment_id == segment_id, VERSION.c.number == number)
    rule = session.scalar(older)
    if rule is None:
        raise NotFound(f"This segment has no version {number}. Reload to see those it has.")
    return _change(session, actor, segment_id, {"rule": rule}, version=version, at=at, restored=number)


def delete_segment(
    session: Session, actor: Actor, segment_id: int, *, version: int | None = None, at: datetime
) -> None:
    """Delete a segment, its members' list, its versions and its history; the customers stay.

    `version` is the one the person saw, where a person decides. Raises NotFound, and Conflict naming the
    campaigns and segments that use it, or when somebody else changed the segment meanwhile.
    """
    require(actor, Permission.EDIT_SEGMENTS)
    stored.one_at_a_time(session)
    segment = stored.locked(session, segment_id)
    if version is not None and segment.version != version:
        raise stored.changed_meanwhile()
    _refuse_if_used(session, segment_id, segment.name)
    for table in (MEMBER, REFRESH, VERSION):
        session.execute(delete(table).where(table.c.segment_id == segment_id))
    try:
        session.execute(delete(SEGMENT).where(SEGMENT.c.id == segment_id))
    except IntegrityError as error:
        raise Conflict(
            f"A campaign has just begun to use “{segment.name}”. Nothing was deleted; reload the page."
        ) from error
    audit(session, actor, "delete", "segment", segment_id, at=at)
    outbox.record(session, SegmentDeleted(segment_id=segment_id), at=at)


def _change(
    session: Session,
    actor: Actor,
    segment_id: int,
    given: dict,
    *,
    version: int,
    at: datetime,
    restored: int | None = None,
) -> list[str]:
    given = {key: value for key, value in given.items() if value is not None}
    if "rule" in given:
        stored.one_at_a_time(session)
    before = analytics.segment(session, segment_id)
    if before.version != version:
        raise stored.changed_meanwhile()
    if before.static and "rule" in given:
        raise InvalidInput({"rule": f"“{before.name}” is a static list and has no rule. Leave the rule out."})
    values = clean(session, given, but=segment_id)
    changed = sorted(key for key in given if key in values and values[key] != getattr(before, key))
    if not changed:
        return []
    result = stored.execute(
        session,
        update(SEGMENT)
        .where(SEGMENT.c.id == segment_id, SEGMENT.c.version == version)
        .values(**values, updated_at=at, version=version + 1),
    )
    if result.rowcount != 1:
        raise stored.changed_meanwhile()
    if "rule" in changed:
        _write_version(session, actor, segment_id, values["rule"], at=at, restored=restored)
    detail = {"restored": restored} if restored else {}
    audit(session, actor, "update", "segment", segment_id, at=at, fields=changed, **detail)
    outbox.record(session, SegmentUpdated(segment_id=segment_id), at=at)
    return changed


def _write_version(
    session: Session, actor: Actor, segment_id: int, rule: dict, *, at: datetime, restored: int | None = None
) -> None:
    number = (stored.newest_rule(session, segment_id) or 0) + 1
    row = {"segment_id": segment_id, "number": number, "rule": rule, "restored": restored}
    session.execute(insert(VERSION).values(**row, actor=actor.username, at=at))


def _refuse_if_used(session: Session, segment_id: int, name: str) -> None:
    campaigns = list(analytics.used_by(session, segment_id)["name"])
    if campaigns:
        raise Conflict(
            f"“{name}” cannot be deleted because campaigns use it: {_listed(campaigns)}. "
            "Choose another segment in drafts first; a campaign that was launched keeps its segment."
        )
    segments = list(segments_using(session, segment_id)["name"])
    if segments:
        raise Conflict(
            f"“{name}” cannot be deleted because the rules of other segments use it: {_listed(segments)}. "
            "Take it out of them first."
        )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more

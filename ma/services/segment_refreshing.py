"""Refreshing who is in a segment: one in the caller's transaction, or one by itself that may fail."""

from datetime import datetime
from time import perf_counter

from sqlalchemy import delete, exists, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ma.analytics.catalogue import catalogue
from ma.analytics.segment_uses import used_lists
from ma.analytics.workspace import workspace
from ma.db.engine import Database, is_busy, trouble
from ma.errors import Exposed, InvalidRule, NotAllowed, NotFound
from ma.log import log_error
from ma.models import Customer
from ma.rules import to_sql
from ma.rules.check import parse
from ma.services import segment_rows as stored
from ma.services.audit import audit
from ma.services.permissions import require
from ma.services.segment_rows import MEMBER, SEGMENT, Refresh
from ma.types import Actor, Permission

__all__ = ["Refresh", "note_failure", "refresh_one", "refresh_segment", "why"]


def refresh_segment(
    session: Session,
    actor: Actor,
    segment_id: int,
    *,
    at: datetime,
    current: frozenset[int] = frozenset(),
) -> Refresh:
    """Bring the members in line with the rule as of `at`; those who stay keep the time they entered.

    A segment does not go back: where its last refresh is later than `at`, as for a campaign that is launched
    late, the members are those of that instant. A static list stays as it is, but for customers who were
    deleted. Segments that the rule uses are evaluated with it; of those in `current` the members are taken as
    they are stored, where they are all of one instant: that is then the instant of this refresh, too. All in
    the database and in the caller's transaction. Raises NotFound, and InvalidRule where what the rule speaks
    of is no longer there.
    """
    require(actor, Permission.EDIT_SEGMENTS)
    began = perf_counter()
    used = used_lists(session, segment_id, current) if current else set()
    segment, lists = stored.locked_with(session, segment_id, used)
    instants = [row.refreshed_at or at for row in (segment, *lists)]
    at = max(at, *instants)
    # Somebody may have refreshed one of them since: lists of different instants do not fit together.
    fitting = frozenset(row.id for row in lists) if set(instants[1:]) <= {at} else frozenset()
    if segment.static:
        size, entered, left = _tidied(session, segment_id)
    else:
        known = catalogue(session)
        chosen = to_sql.members(
            parse(segment.rule, known),
            as_of=at,
            timezone=workspace(session).timezone,
            catalogue=known,
            stored=fitting,
        )
        size, entered, left = stored.replace(session, segment_id, chosen, at=at)
    found = Refresh(segment_id, size, entered, left, stored.since(began))
    stored.record(session, found, at=at, rule_number=stored.newest_rule(session, segment_id))
    audit(session, actor, "refresh", "segment", segment_id, at=at, size=size, entered=entered, left=left)
    return found


def refresh_one(database: Database, actor: Actor, segment_id: int, *, at: datetime) -> Refresh:
    """Refresh a segment in a transaction of its own; why that failed is kept with the segment, and raised."""
    try:
        with database.writing() as session:
            return refresh_segment(session, actor, segment_id, at=at)
    except (NotFound, NotAllowed):
        raise
    except Exception as error:
        # A busy database says nothing about the segment.
        if isinstance(error, SQLAlchemyError) and is_busy(error):
            raise
        with database.writing() as session:
            note_failure(session, segment_id, why(error))
        raise


def note_failure(session: Session, segment_id: int, problem: str) -> None:
    """Keep why the last refresh of a segment failed; its members stay those of the refresh before."""
    session.execute(update(SEGMENT).where(SEGMENT.c.id == segment_id).values(refresh_error=problem))


def why(error: Exception) -> str:
    """An error in words to be kept: never with values out of a statement."""
    if isinstance(error, InvalidRule):
        return f"The rule can no longer be evaluated. {error} Edit the rule, then refresh."
    if isinstance(error, Exposed):
        return str(error)
    if isinstance(error, SQLAlchemyError) and (words := trouble(error)):
        return words
    return f"Something went wrong. Refresh again; if it stays, report reference {log_error(error)}."


def _tidied(session: Session, segment_id: int) -> tuple[int, int, int]:
    gone = exists().where(Customer.id == MEMBER.c.customer_id, Customer.deleted_at.is_not(None))
    left = stored.rows(session, delete(MEMBER).where(MEMBER.c.segment_id == segment_id, gone))
    return stored.list_size(session, segment_id), 0, left

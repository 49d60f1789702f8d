"""Rules as SQL: one select of customer ids, the same members on every engine.

Every leaf is true or false for every customer, never NULL: a missing value fails it (or matches, where
the rule says so), so that `not` is the exact complement. Values are always bound parameters.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from sqlalchemy import ColumnElement, Select, and_, case, false, not_, null, or_, select
from sqlalchemy.sql.elements import Grouping

from ma.db.planning import unindexed
from ma.errors import InvalidRule
from ma.models import Customer, SegmentMember
from ma.rules.catalogue import STANDARD, Catalogue
from ma.rules.check import parse
from ma.rules.fields import Field
from ma.rules.nodes import (
    CampaignRule,
    EventRule,
    FieldRule,
    Group,
    Leaf,
    Match,
    Node,
    Not,
    RandomRule,
    SegmentRule,
    leaves,
)
from ma.rules.sql_consent import CHANNELS, consent_condition
from ma.rules.sql_context import Context, Truth, among, known
from ma.rules.sql_events import event_condition
from ma.rules.sql_fields import field_truth
from ma.rules.sql_fields import missing as _missing
from ma.rules.sql_leaves import campaign_condition, random_condition

_NO_SEGMENTS: frozenset[int] = frozenset()


def members(
    node: Node,
    *,
    as_of: datetime,
    timezone: str,
    catalogue: Catalogue = STANDARD,
    stored: frozenset[int] = _NO_SEGMENTS,
) -> Select:
    """A select of the ids of the customers whom a rule chooses; deleted customers never."""
    return _members(node, _context(as_of, timezone, catalogue, stored))


def chosen(
    node: Node,
    *,
    as_of: datetime,
    timezone: str,
    catalogue: Catalogue = STANDARD,
    stored: frozenset[int] = _NO_SEGMENTS,
) -> ColumnElement:
    """The rule for the WHERE clause of a select over customers: true of the same people as `condition`.

    Of others it may be NULL, so it must not be negated.
    """
    return _chosen(node, _context(as_of, timezone, catalogue, stored))


def present() -> ColumnElement:
    """The customers who were not deleted, for selects that test a rule on all of them."""
    return unindexed(Customer.deleted_at).is_(None)


def condition(
    node: Node,
    *,
    as_of: datetime,
    timezone: str,
    catalogue: Catalogue = STANDARD,
    stored: frozenset[int] = _NO_SEGMENTS,
) -> ColumnElement:
    """The rule as a condition over the customer table, never NULL, for use in any select.

    `stored` are segments whose list of members is taken instead of their rule. Raises InvalidRule for a
    segment that is not there or uses itself.
    """
    return _condition(node, _context(as_of, timezone, catalogue, stored))


def undecided(
    node: Node,
    *,
    as_of: datetime,
    timezone: str,
    catalogue: Catalogue = STANDARD,
    stored: frozenset[int] = _NO_SEGMENTS,
) -> ColumnElement:
    """Whether it is missing data that decides about a customer: their true values could turn the rule.

    Kleene's logic, which is that of SQL's NULL: the leaves that are left open are NULL, and so is the rule.
    """
    return _undecided(node, _context(as_of, timezone, catalogue, stored))


def leaf_condition(
    leaf: Leaf,
    *,
    as_of: datetime,
    timezone: str,
    catalogue: Catalogue = STANDARD,
    stored: frozenset[int] = _NO_SEGMENTS,
) -> ColumnElement:
    """One leaf as a condition over the customer table, never NULL."""
    return _truth(leaf, _context(as_of, timezone, catalogue, stored)).holds


def leaf_undecided(
    leaf: Leaf,
    *,
    as_of: datetime,
    timezone: str,
    catalogue: Catalogue = STANDARD,
    stored: frozenset[int] = _NO_SEGMENTS,
) -> ColumnElement:
    """The customers for whom a leaf stays open because data is missing; never NULL."""
    left_open = _truth(leaf, _context(as_of, timezone, catalogue, stored)).open
    return false() if left_open is None else left_open


def missing(field: Field) -> ColumnElement:
    """The customers who have nothing in a field of the catalogue."""
    return _missing(field)


@lru_cache(maxsize=32)
def _context(as_of: datetime, timezone: str, catalogue: Catalogue, stored: frozenset[int]) -> Context:
    """The same one each time: what different calls write for one statement shares its segments."""
    return Context(as_of, timezone, catalogue, stored)


def _members(node: Node, context: Context) -> Select:
    return select(Customer.id).where(present(), _chosen(node, context))


def _chosen(node: Node, context: Context) -> ColumnElement:
    """What nothing negates may be NULL instead of false."""
    match node:
        case Group(Match.ALL, rules):
            return and_(*(_chosen(rule, context) for rule in rules))
        case Group(Match.ANY, rules):
            return or_(*(_chosen(rule, context) for rule in rules))
        case Group() | Not():
            return _condition(node, context)
        case _:
            truth = _truth(node, context)
            return truth.holds if truth.chosen is None else truth.chosen


def _condition(node: Node, context: Context) -> ColumnElement:
    return _joined(node, lambda leaf: _truth(leaf, context).holds)


def _undecided(node: Node, context: Context) -> ColumnElement:
    def three_valued(leaf: Leaf) -> ColumnElement:
        truth = _truth(leaf, context)
        return truth.holds if truth.open is None else case((truth.open, null()), else_=truth.holds)

    left_open = _left_open(node, context)
    if not left_open:
        return false()
    # The brackets must be asked for: NOT a LIKE b IS NULL would mean NOT (a LIKE b IS NULL).
    undecided = Grouping(_joined(node, three_valued)).is_(None)
    if any(isinstance(leaf, SegmentRule) for leaf in leaves(node)):
        # SQLite writes a named query out wherever it is named: once more in each segment on the way.
        return undecided
    # Most people lack nothing. Asked first, that spares them the rest: half of the time in all.
    return and_(or_(*left_open), undecided)


def _left_open(node: Node, context: Context) -> list[ColumnElement]:
    """For each leaf that can be open, for whom it is."""
    truths = [_truth(leaf, context) for leaf in dict.fromkeys(leaves(node))]
    return [truth.open for truth in truths if truth.open is not None]


def _joined(node: Node, leaf: Callable[[Leaf], ColumnElement]) -> ColumnElement:
    match node:
        case Group(Match.ALL, rules):
            return and_(*(_joined(rule, leaf) for rule in rules))
        case Group(kind, rules):
            any_of = or_(*(_joined(rule, leaf) for rule in rules))
            return any_of if kind is Match.ANY else not_(any_of)
        case Not(rule):
            return not_(_joined(rule, leaf))
        case _:
            return leaf(node)


def _truth(leaf: Leaf, context: Context) -> Truth:
    match leaf:
        case FieldRule():
            field = known(leaf.field, context.catalogue.fields, "field")
            if leaf.field in CHANNELS:
                return Truth(consent_condition(leaf, field, context))
            return field_truth(leaf, field, context)
        case EventRule():
            return Truth(event_condition(leaf, context))
        case CampaignRule():
            return Truth(campaign_condition(leaf, context))
        case RandomRule():
            return Truth(random_condition(leaf))
        case SegmentRule(segment_id):
            return _segment_truth(segment_id, context)


# Segments in segments


def _segment_truth(segment_id: int, context: Context) -> Truth:
    if segment_id not in context.written:
        context.written.setdefault(segment_id, _written_out(segment_id, context))
    return context.written[segment_id]


def _written_out(segment_id: int, context: Context) -> Truth:
    """Another segment as named queries at the top of the statement: each once, however often it is used."""
    rule = _segment_rule(segment_id, context)
    if rule is None:
        on_list = select(SegmentMember.customer_id).where(
            SegmentMember.segment_id == segment_id, SegmentMember.entered_at <= context.as_of
        )
        return Truth(among(on_list))
    inner = replace(context, path=(*context.path, segment_id))
    chosen = _members(rule, inner).cte()
    if not _left_open(rule, inner):
        return Truth(among(select(chosen.c.id)))
    left_open = select(Customer.id).where(present(), _undecided(rule, inner)).cte()
    return Truth(among(select(chosen.c.id)), among(select(left_open.c.id)))


def _segment_rule(segment_id: int, context: Context) -> Node | None:
    """The rule of another segment; None where its list of members counts."""
    segments = context.catalogue.segments
    if segments is None or segment_id in context.stored:
        return None
    segment = known(segment_id, segments, "segment")
    if segment_id in context.path:
        raise InvalidRule(
            f"Segment {segment_id} (“{segment.name}”) uses itself",
            remedy="Take it out of its own rule, or out of the segments that its rule uses.",
        )
    return None if segment.rule is None else parse(segment.rule, context.catalogue)

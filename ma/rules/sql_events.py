"""Conditions on what customers did: a measure over those of their events that fulfil a condition."""

from dataclasses import dataclass

from sqlalchemy import BigInteger, ColumnElement, Select, cast, false, func, not_, select, true, type_coerce
from sqlalchemy.sql import functions
from sqlalchemy.sql.elements import True_
from sqlalchemy.sql.functions import GenericFunction

from ma.db.planning import over_sorted
from ma.models import Category, Purchase, PurchaseLine
from ma.rules.events import LINE_FIELDS, MEASURES, EventKind
from ma.rules.nodes import EventRule, FieldRule, Value
from ma.rules.operators import OPERATORS
from ma.rules.sql_context import Context, among_owners, known
from ma.rules.sql_fields import column_condition
from ma.rules.sql_values import Average, DaysSince, Values

_OPPOSITE = {
    "eq": "ne", "ne": "eq", "in": "not_in", "not_in": "in",
    "gt": "lte", "lte": "gt", "gte": "lt", "lt": "gte",
}  # fmt: skip
# The greatest number with which an operator holds.
_AT_MOST = {
    "eq": lambda value: value,
    "in": max,
    "lt": lambda value: value - 1,
    "lte": lambda value: value,
    "between": lambda value: value[1],
}


def event_condition(rule: EventRule, context: Context) -> ColumnElement:
    """A condition on a measure of a customer's events.

    People without any such event have a count and a sum of 0; they fail conditions on the other measures.
    Where these people belong, the condition is not to be among those who have events and fail it.
    """
    kind = known(rule.event, context.catalogue.events, "event")
    is_a_number = MEASURES[rule.measure].field.always_known
    nobody_fails = is_a_number and _holds_for(0, rule.operator, rule.value)
    if nobody_fails or rule.missing_matches:
        return not_(_who(rule, kind, context, holds=False))
    return _who(rule, kind, context, holds=True)


@dataclass(frozen=True)
class Events:
    """A select of events, one row each, and the columns that measures need."""

    rows: Select
    owner: ColumnElement
    at: ColumnElement
    amount: ColumnElement | None
    # Whether an index has them in the order of their owners.
    indexed: bool = False

    def measure(self, aggregate: type[GenericFunction], column: ColumnElement) -> ColumnElement:
        """An aggregate over the events of each owner."""
        return over_sorted(aggregate, column, by=self.owner) if self.indexed else aggregate(column)

    def owners(self) -> Select:
        """Whoever has at least one of them."""
        return self.rows.group_by(self.owner)


def _who(rule: EventRule, kind: EventKind, context: Context, *, holds: bool) -> ColumnElement:
    """Those who have such events, and for whom the condition on the measure holds or does not."""
    operator, negated = rule.operator, not holds
    if negated and operator in _OPPOSITE:
        operator, negated = _OPPOSITE[operator], False
    events = events_of(rule, kind, context)
    owners = events.owners()
    if rule.measure == "days_since_last" and operator in _AT_MOST and not negated:
        # Whose last event is that late has one that is: no need to look at older ones.
        since = DaysSince(events.at, context.today, context.timezone)
        owners = owners.where(since.at_most(_AT_MOST[operator](rule.value)))
    if rule.measure == "count" and not negated and _holds_for_all_from_1(operator, rule.value):
        return among_owners(owners)
    fulfilled = OPERATORS[operator].sql(_measured(rule.measure, events, context), rule.value)
    return among_owners(owners.having(not_(fulfilled) if negated else fulfilled))


def _measured(measure: str, events: Events, context: Context):
    # What it is compared with may be any 64-bit integer.
    count = type_coerce(events.measure(functions.count, events.owner), BigInteger)
    match measure:
        case "count":
            return Values(count)
        case "sum":
            return Values(events.measure(functions.sum, events.amount))
        case "avg":
            return Average(events.measure(functions.sum, events.amount), count)
        case "min":
            return Values(events.measure(functions.min, events.amount))
        case "max":
            return Values(events.measure(functions.max, events.amount))
        case "days_since_last":
            return DaysSince(events.measure(functions.max, events.at), context.today, context.timezone)
        case "days_since_first":
            return DaysSince(events.measure(functions.min, events.at), context.today, context.timezone)


def events_of(rule: EventRule, kind: EventKind, context: Context) -> Events:
    """The events that a condition measures: those of its period which fulfil its `where`."""
    of_lines = [condition for condition in rule.where if condition.field in LINE_FIELDS]
    conditions = [
        column_condition(condition, known(condition.field, kind.fields, "field"), context)
        for condition in rule.where
        if condition.field not in LINE_FIELDS
    ]
    # An unknown buyer is nobody; and a NULL in a list would make NOT IN it unknown.
    chosen = [*kind.where, *context.happened(kind.at, rule.within), kind.owner.is_not(None), *conditions]
    if not of_lines:
        return Events(select(kind.owner).where(*chosen), kind.owner, kind.at, kind.amount, indexed=True)
    lines = [_line_condition(condition, kind, context) for condition in of_lines]
    if not MEASURES[rule.measure].of_amount:
        has_line = Purchase.id.in_(select(PurchaseLine.purchase_id).where(*lines))
        return Events(select(kind.owner).where(*chosen, has_line), kind.owner, kind.at, None)
    amount = kind.line_amount
    rows = select(kind.owner).join(PurchaseLine, PurchaseLine.purchase_id == Purchase.id)
    rows = rows.where(*chosen, *lines)
    if rule.measure == "sum":
        return Events(rows, kind.owner, kind.at, amount)
    # One amount for each order. PostgreSQL's sum of integers is a decimal, which is slow to add up again.
    columns = (
        kind.owner.label("owner"),
        kind.at.label("at"),
        cast(func.sum(amount), BigInteger).label("amount"),
    )
    orders = rows.with_only_columns(*columns).group_by(Purchase.id, kind.owner, kind.at).subquery()
    return Events(select(orders.c.owner), orders.c.owner, orders.c.at, orders.c.amount)


def _line_condition(rule: FieldRule, kind: EventKind, context: Context) -> ColumnElement:
    field = known(rule.field, kind.fields, "field")
    condition = column_condition(rule, field, context)
    if field.column.table is not Category.__table__:
        return condition
    return PurchaseLine.category_id.in_(select(Category.id).where(condition))


class _Number:
    """A number that is compared at once, for what a rule says of people who have no or only one event."""

    def __init__(self, number: int):
        self.number = number

    def one_of(self, values: tuple) -> ColumnElement:
        return _constant(self.number in values)

    def above(self, value) -> ColumnElement:
        return _constant(self.number > value)

    def at_least(self, value) -> ColumnElement:
        return _constant(self.number >= value)

    def below(self, value) -> ColumnElement:
        return _constant(self.number < value)

    def at_most(self, value) -> ColumnElement:
        return _constant(self.number <= value)

    def within(self, low, high) -> ColumnElement:
        return _constant(low <= self.number <= high)


def _constant(holds: bool) -> ColumnElement:
    return true() if holds else false()


def _holds_for(number: int, operator: str, value: Value) -> bool:
    return isinstance(OPERATORS[operator].sql(_Number(number), value), True_)


def _holds_for_all_from_1(operator: str, value: Value) -> bool:
    """Whether every number from 1 on fulfils a comparison. It can change only at its values."""
    values = value if isinstance(value, tuple) else (value,)
    numbers = {1, *(v + step for v in values for step in (0, 1))}
    return all(_holds_for(number, operator, value) for number in numbers if number >= 1)

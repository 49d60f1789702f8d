"""Rules as SQL: one select of customer ids, the same members on every engine.

Every leaf is true or false for every customer, never NULL: a missing value fails it (or matches, where
the rule says so), so that `not` is the exact complement. Values are always bound parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    and_,
    extract,
    not_,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.sql.elements import Grouping

from ma.clock import day_start, local_day
from ma.db.letters import ascii_lower
from ma.db.planning import unindexed
from ma.models import Customer
from ma.rules.fields import FIELDS, Field, Kind
from ma.rules.nodes import FieldRule, Group, Match, Node, Not
from ma.rules.operators import OPERATORS
from ma.text import fold


def members(node: Node, *, as_of: datetime, timezone: str) -> Select:
    """A select of the ids of the customers whom a rule chooses; deleted customers never."""
    return select(Customer.id).where(present(), condition(node, as_of=as_of, timezone=timezone))


def present() -> ColumnElement:
    """The customers who were not deleted, for selects that test a rule on all of them."""
    return unindexed(Customer.deleted_at).is_(None)


def condition(node: Node, *, as_of: datetime, timezone: str) -> ColumnElement:
    """The rule as a condition over the customer table, never NULL, for use in any select."""
    return _joined(node, lambda leaf: _two_valued(leaf, as_of, timezone))


def undecided(node: Node, *, as_of: datetime, timezone: str) -> ColumnElement:
    """Whether it is missing data that decides about a customer: their true values could turn the rule.

    SQL's own three-valued logic: the rule without the guards that make it two-valued is then NULL.
    """
    # The brackets must be asked for: NOT a LIKE b IS NULL would mean NOT (a LIKE b IS NULL).
    return Grouping(_joined(node, lambda leaf: _three_valued(leaf, as_of, timezone))).is_(None)


def _joined(node: Node, leaf: Callable[[FieldRule], ColumnElement]) -> ColumnElement:
    match node:
        case Group(Match.ALL, rules):
            return and_(*(_joined(rule, leaf) for rule in rules))
        case Group(kind, rules):
            any_of = or_(*(_joined(rule, leaf) for rule in rules))
            return any_of if kind is Match.ANY else not_(any_of)
        case Not(rule):
            return not_(_joined(rule, leaf))
        case FieldRule():
            return leaf(node)


def _two_valued(leaf: FieldRule, as_of: datetime, timezone: str) -> ColumnElement:
    holds, column = _three_valued(leaf, as_of, timezone), FIELDS[leaf.field].column
    never_null = leaf.missing_matches or OPERATORS[leaf.operator].tests_presence or not column.nullable
    return holds if never_null else and_(column.is_not(None), holds)


def _three_valued(leaf: FieldRule, as_of: datetime, timezone: str) -> ColumnElement:
    field, operator = FIELDS[leaf.field], OPERATORS[leaf.operator]
    if operator.tests_presence:
        return field.column.is_not(None) if operator.name == "is_set" else field.column.is_(None)
    holds = operator.sql(_compared(field, as_of, timezone), leaf.value)
    return or_(field.column.is_(None), holds) if leaf.missing_matches else holds


def _compared(field: Field, as_of: datetime, timezone: str):
    match field.kind:
        case Kind.TEXT:
            return _Text(field.column)
        case Kind.CODE:
            return _Code(ascii_lower(field.column))
        case Kind.CHOICE | Kind.YES_NO | Kind.NUMBER:
            return _Values(field.column)
        case Kind.COUNT | Kind.MONEY:
            # A small integer column must still be compared with any 64-bit integer.
            return _Values(type_coerce(unindexed(field.column), BigInteger))
        case Kind.AGE:
            return _Age(field.column, local_day(as_of, timezone))
        case Kind.DATE:
            return _Days(field.column, local_day(as_of, timezone))
        case Kind.MOMENT:
            return _Moments(unindexed(field.column), local_day(as_of, timezone), timezone)


@dataclass(frozen=True)
class _Values:
    """A column compared with values as they are."""

    column: ColumnElement

    def one_of(self, values: tuple) -> ColumnElement:
        return self.column == values[0] if len(values) == 1 else self.column.in_(values)

    def above(self, value) -> ColumnElement:
        return self.column > value

    def at_least(self, value) -> ColumnElement:
        return self.column >= value

    def below(self, value) -> ColumnElement:
        return self.column < value

    def at_most(self, value) -> ColumnElement:
        return self.column <= value

    def within(self, low, high) -> ColumnElement:
        return and_(self.at_least(low), self.at_most(high))


@dataclass(frozen=True)
class _Text:
    """A folded column, compared with folded text."""

    column: ColumnElement

    def one_of(self, values: tuple[str, ...]) -> ColumnElement:
        return _Values(self.column).one_of(tuple(self.fold(value) for value in values))

    def contains(self, value: str) -> ColumnElement:
        return self.column.contains(self.fold(value), autoescape=True)

    def starts_with(self, value: str) -> ColumnElement:
        return self.column.startswith(self.fold(value), autoescape=True)

    def ends_with(self, value: str) -> ColumnElement:
        return self.column.endswith(self.fold(value), autoescape=True)

    @staticmethod
    def fold(value: str) -> str:
        return fold(value)


class _Code(_Text):
    """A column with its capital letters A-Z made small, compared with text treated alike."""

    @staticmethod
    def fold(value: str) -> str:
        return "".join(c.lower() if c.isascii() else c for c in value.strip())


@dataclass(frozen=True)
class _Days(_Values):
    """A date column, compared with days; both ends of a range belong to it."""

    today: date

    def comes_round(self, first: date, last: date) -> ColumnElement:
        """Whether the month and day occur in a period; 29 February falls on 1 March in other years."""
        if (last - first).days >= 365:
            return self.column == self.column
        month_day = extract("month", self.column) * 100 + extract("day", self.column)
        start, end = first.month * 100 + first.day, last.month * 100 + last.day
        if start == 301 and (first - timedelta(days=1)).day == 28:
            start = 229
        if first.year == last.year:
            return month_day.between(start, end)
        return or_(month_day >= start, month_day <= end)


@dataclass(frozen=True)
class _Moments(_Values):
    """A column of instants, compared by their calendar day in a time zone."""

    today: date
    timezone: str

    def above(self, value: date) -> ColumnElement:
        return self.at_least(value + timedelta(days=1))

    def at_least(self, value: date) -> ColumnElement:
        return self.column >= day_start(value, self.timezone)

    def below(self, value: date) -> ColumnElement:
        return self.column < day_start(value, self.timezone)

    def at_most(self, value: date) -> ColumnElement:
        return self.below(value + timedelta(days=1))


@dataclass(frozen=True)
class _Age:
    """A column of birth dates, compared by age on a day: whoever is older was born earlier."""

    column: ColumnElement
    today: date

    def at_least(self, years: int) -> ColumnElement:
        return self.column <= self._born_by(years)

    def above(self, years: int) -> ColumnElement:
        return self.at_least(years + 1)

    def below(self, years: int) -> ColumnElement:
        return self.column > self._born_by(years)

    def at_most(self, years: int) -> ColumnElement:
        return self.below(years + 1)

    def within(self, low: int, high: int) -> ColumnElement:
        return and_(self.at_least(low), self.at_most(high))

    def one_of(self, ages: tuple[int, ...]) -> ColumnElement:
        return or_(*(self.within(low, high) for low, high in _runs(ages)))

    def _born_by(self, years: int) -> date:
        """The last birth date of those who have reached an age."""
        year = self.today.year - years
        try:
            return self.today.replace(year=year)
        except ValueError:  # today is 29 February and that year had none
            return date(year, 2, 28)


def _runs(numbers: tuple[int, ...]) -> list[tuple[int, int]]:
    """The runs of consecutive numbers: (3, 4, 5, 9) has (3, 5) and (9, 9). Keeps the SQL short."""
    runs: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs

"""What a rule is made of: groups, negation and leaves. Frozen values without behaviour of their own."""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class Match(StrEnum):
    """How many of a group's rules must hold."""

    ALL = "all"
    ANY = "any"
    NONE = "none"


class Unit(StrEnum):
    """What a window is counted in."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Window:
    """A length of time counted in calendar units: 90 days, 3 months."""

    count: int
    unit: Unit

    def before(self, day: date) -> date:
        """The day that lies this long before a day."""
        return self._shift(day, -self.count)

    def after(self, day: date) -> date:
        """The day that lies this long after a day."""
        return self._shift(day, self.count)

    def _shift(self, day: date, count: int) -> date:
        match self.unit:
            case Unit.DAY:
                return day + timedelta(days=count)
            case Unit.WEEK:
                return day + timedelta(weeks=count)
            case Unit.MONTH:
                return add_months(day, count)
            case Unit.YEAR:
                return add_months(day, 12 * count)


def add_months(day: date, months: int) -> date:
    """The same day of the month, so many months later; the month's last day where it has no such day."""
    years, month0 = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(years, month0 + 1, min(day.day, monthrange(years, month0 + 1)[1]))


Scalar = str | int | float | bool | date
Value = Scalar | tuple[Scalar, ...] | Window | None


@dataclass(frozen=True, slots=True)
class Group:
    """Several rules, of which all, any or none must hold. Never empty."""

    match: Match
    rules: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Everybody whom the rule does not choose."""

    rule: "Node"


@dataclass(frozen=True, slots=True)
class FieldRule:
    """A fact of the customer's profile. With `missing_matches`, people without that fact are chosen too."""

    field: str
    operator: str
    value: Value = None
    missing_matches: bool = False


Node = Group | Not | FieldRule


def leaves(node: Node) -> Iterator[FieldRule]:
    """Every leaf, from left to right."""
    match node:
        case Group():
            for rule in node.rules:
                yield from leaves(rule)
        case Not():
            yield from leaves(node.rule)
        case _:
            yield node


def to_json(node: Node) -> dict:
    """The rule as JSON-ready values; `check.parse` reads it back as an equal rule."""
    match node:
        case Group():
            return {node.match.value: [to_json(rule) for rule in node.rules]}
        case Not():
            return {"not": to_json(node.rule)}
        case FieldRule():
            leaf = {"field": node.field, "operator": node.operator} | _value_json(node.value)
            return leaf | ({"missing": "match"} if node.missing_matches else {})


def _value_json(value: Value) -> dict:
    match value:
        case None:
            return {}
        case Window():
            return {"value": value.count, "unit": value.unit.value}
        case tuple():
            return {"value": [_scalar_json(item) for item in value]}
        case _:
            return {"value": _scalar_json(value)}


def _scalar_json(value: Scalar) -> str | int | float | bool:
    return value.isoformat() if isinstance(value, date) else value

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


@dataclass(frozen=True, slots=True)
class Between:
    """Calendar days from the first to the last, both included; None is open on that side."""

    first: date | None
    last: date | None


Within = Window | Between | None


@dataclass(frozen=True, slots=True)
class EventRule:
    """What a customer did: a measure over those of their events that fulfil all of `where`, in a period.

    `within` None is all time. A `Window` begins that long before `as_of` and ends there.
    """

    event: str
    measure: str
    operator: str
    value: Value
    where: tuple[FieldRule, ...] = ()
    within: Within = None
    missing_matches: bool = False


class Did(StrEnum):
    """What a customer did with a campaign's message, or what happened to it."""

    WAS_SENT = "was_sent"
    DELIVERED = "delivered"
    OPENED = "opened"
    CLICKED = "clicked"
    CONVERTED = "converted"
    UNSUBSCRIBED = "unsubscribed"


@dataclass(frozen=True, slots=True)
class CampaignRule:
    """At least once, in one campaign, in any of a channel, or (both None) in any, in a period."""

    did: Did
    campaign: int | None = None
    channel: str | None = None
    within: Within = None


@dataclass(frozen=True, slots=True)
class SegmentRule:
    """Who is in another segment: by its rule at the same instant, or on its list."""

    segment_id: int


@dataclass(frozen=True, slots=True)
class RandomRule:
    """A stable part of everybody: of a named split into hundredths of a percent, those in [start, end).

    `start` and `end` are in percent, 0 to 100; the same split puts the same people in the same place.
    """

    split: str
    start: float
    end: float


Leaf = FieldRule | EventRule | CampaignRule | SegmentRule | RandomRule
Node = Group | Not | Leaf


def leaves(node: Node) -> Iterator[Leaf]:
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
        case EventRule():
            return _event_json(node)
        case CampaignRule():
            which = node.campaign or ({"channel": node.channel} if node.channel else "any")
            return {"campaign": which, "did": node.did.value} | _within_json(node.within)
        case SegmentRule():
            return {"in_segment": node.segment_id}
        case RandomRule():
            return {"random": node.split, "from": node.start, "to": node.end}


def _event_json(rule: EventRule) -> dict:
    data: dict = {"event": rule.event}
    if rule.where:
        conditions = [to_json(condition) for condition in rule.where]
        data["where"] = conditions[0] if len(conditions) == 1 else {"all": conditions}
    data |= {"measure": rule.measure, "operator": rule.operator} | _value_json(rule.value)
    data |= _within_json(rule.within)
    return data | ({"missing": "match"} if rule.missing_matches else {})


def _within_json(within: Within) -> dict:
    match within:
        case None:
            return {}
        case Window():
            return {"within": {"last": within.count, "unit": within.unit.value}}
        case Between(first, None):
            return {"within": {"from": first.isoformat()}}
        case Between(None, last):
            return {"within": {"to": last.isoformat()}}
        case Between(first, last):
            return {"within": {"from": first.isoformat(), "to": last.isoformat()}}


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

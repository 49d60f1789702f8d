"""Customers in groups by one fact of their profile, each group with the rule that chooses its people.

The groups part everybody: whoever lacks the fact is in "Unknown". A group has a value by which addresses and
notebooks name it: the value itself (US), or a range: 18..24 is from 18 to 24, 65.. from 65 on.
"""

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    case,
    cast,
    exists,
    extract,
    func,
    literal,
    not_,
    select,
)
from sqlalchemy.orm import Session

from ma.analytics.catalogue import own_fields
from ma.analytics.workspace import workspace
from ma.clock import local_day
from ma.db.tally import KEY, PERSON
from ma.errors import InvalidInput
from ma.models import Customer
from ma.money import amount, unit
from ma.rules import to_sql
from ma.rules.catalogue import Catalogue
from ma.rules.check import parse
from ma.rules.facts import field_fact
from ma.rules.fields import FIELDS, Field, Kind
from ma.rules.sql_consent import CHANNELS
from ma.rules.sql_values import compared

UNKNOWN, OTHER = "", "*"
# Of a text, such as the city, only the commonest values are groups of their own: those of so many customers,
# the newest who have one.
MOST, MOST_ROWS = 20, 200_000
_KINDS = (Kind.CHOICE, Kind.AGE, Kind.YES_NO, Kind.NUMBER, Kind.COUNT, Kind.MONEY, Kind.MOMENT, Kind.DATE)
# Texts by which people can be grouped; names and addresses are as good as unique.
_TEXTS = ("city", "postal_code")
# The age says it better.
_LEFT_OUT = ("birth_date",)
# Choices that say numbers: 25-34, 65+, Under 15K.
IN_ORDER = ("age_band", "income_band", "household_size", "kids")
_AGES = (18, 25, 35, 45, 55, 65)
_COUNTS = (1, 2, 5, 10, 25, 50, 100)
_AMOUNTS = (25, 50, 100, 250, 500, 1000, 2500, 5000)
_SCORES = (20, 40, 60, 80)
_NUMBERS = (0, 1, 10, 100, 1_000, 10_000, 100_000)
_CHANCES = (0.2, 0.4, 0.6, 0.8)
_EXPECTED_ORDERS = (0.5, 1, 2, 5, 10, 25)
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_DAYS_AGO = (31, 91, 181, 366)


def profile_fields(session: Session) -> dict[str, str]:
    """The fields by which people can be grouped: name -> title. A list has many values each: it cannot."""
    known = _fields(session)
    return {field.name: field.title for field in known.fields.values() if _groups(field)}


def _fields(session: Session) -> Catalogue:
    """The fields of the profile, the workspace's own included; of events and campaigns nothing is asked."""
    return Catalogue(fields=FIELDS | {field.name: field for field in own_fields(session)})


def _groups(field: Field) -> bool:
    if field.name in _LEFT_OUT:
        return False
    own_text = field.kind is Kind.TEXT and field.rows is not None
    return field.kind in _KINDS or own_text or field.name in _TEXTS


@dataclass(frozen=True, eq=False)
class Grouping:
    """The groups of one field at one instant.

    `fact` is the group in SQL, on the row where the field stands: NULL where it is unknown, else a value, or
    the place of a range in `ranges`. `names` says how values are written where that is not the value itself.
    """

    field: Field
    fact: ColumnElement
    ranges: tuple[str, ...]
    names: dict[str, str]
    today: date
    currency: str

    @property
    def of_customers(self) -> Select:
        """Every customer's group, deleted ones included, for db.tally: person and key, a text."""
        people = select(Customer.id.label(PERSON), func.coalesce(cast(self.fact, String), UNKNOWN).label(KEY))
        rows = self.field.rows
        if rows is None:
            return people
        return people.outerjoin(rows.owner.class_, and_(rows.owner == Customer.id, *rows.where))

    def is_other(self) -> ColumnElement:
        """Whether a customer is in the group of all values that have none of their own."""
        other, rows = cast(self.fact, String) == OTHER, self.field.rows
        return other if rows is None else exists().where(rows.owner == Customer.id, *rows.where, other)

    def value(self, key: str) -> str:
        """The value of the group that SQL found."""
        return self.ranges[int(key)] if self.ranges and key != UNKNOWN else key

    def label(self, value: str) -> str:
        """A group as people read it."""
        if value == UNKNOWN:
            return "Unknown"
        if value == OTHER:
            return "Others"
        if ".." in value and self.ranges:
            return _range_label(self, *_ends(value))
        if self.field.kind is Kind.YES_NO:
            return value.capitalize()
        return self.names.get(value, value)

    def place(self, value: str) -> int:
        """Where a group stands where groups have an order of their own; others are alike, Unknown last."""
        if value in (UNKNOWN, OTHER):
            return 1_000_000 + (value == UNKNOWN)
        if self.ranges:
            return self.ranges.index(value) if value in self.ranges else 0
        if self.field.name in IN_ORDER or self.field.kind is Kind.DATE:
            number = re.search(r"\d+", value)
            # "Under 15K" stands before "15-24K".
            return 2 * int(number[0]) + value[0].isdigit() if number else 0
        return 0

    def rule(self, value: str) -> dict | None:
        """The leaf that chooses the people of a group; None where no rule can (Others).

        Raises InvalidInput for what is no value of this field.
        """
        return _rule(self.field, value, today=self.today)


def grouping(session: Session, name: str, *, as_of: datetime) -> Grouping:
    """The groups of a field of the profile, the workspace's own included. Raises InvalidInput."""
    known = _fields(session)
    if name not in known.fields or not _groups(known.fields[name]):
        raise InvalidInput({"by": f"People cannot be grouped by '{name}'."})
    place = workspace(session)
    field, today = known.fields[name], local_day(as_of, place.timezone)
    # On its own row: in another table, each customer's is looked up once and not in a list for each group.
    on_row = replace(known, fields={**known.fields, name: replace(field, rows=None)})
    ranges, names = (), {}
    if name in CHANNELS or field.kind is Kind.YES_NO:
        fact = _yes_no(field, as_of, place.timezone, on_row)
    elif steps := _steps(field, place.currency):
        ranges = _ranges(steps, whole=field.kind in (Kind.AGE, Kind.COUNT))
        if field.kind is Kind.MOMENT:
            ranges = tuple(f"{low}..{high}" for low, high in zip((0, *steps), (*(s - 1 for s in steps), ""),
                                                                 strict=True))  # fmt: skip
        conditions = [
            _holds(_rule(field, value, today=today), as_of, place.timezone, on_row) for value in ranges
        ]
        fact = case(*[(condition, i) for i, condition in enumerate(conditions)], else_=None)
    elif field.kind is Kind.DATE:
        fact = cast(extract("year", field.column), Integer)
    elif field.kind in (Kind.TEXT, Kind.CODE):
        fact, names = _commonest(session, field)
    else:
        fact = field.column
    return Grouping(field, fact, ranges, names, today, place.currency)


def in_group(session: Session, name: str, value: str, *, as_of: datetime) -> ColumnElement:
    """Whether a customer, maybe a deleted one, is in a group of a field. Raises InvalidInput."""
    groups = grouping(session, name, as_of=as_of)
    rule = groups.rule(value)
    if rule is None:
        return groups.is_other()
    return _holds(rule, as_of, workspace(session).timezone, _fields(session))


def _holds(rule: dict, as_of: datetime, timezone: str, known: Catalogue) -> ColumnElement:
    return to_sql.condition(parse(rule, known), as_of=as_of, timezone=timezone, catalogue=known)


def _yes_no(field: Field, as_of: datetime, timezone: str, known: Catalogue) -> ColumnElement:
    def leaf(value: bool) -> ColumnElement:
        rule = {"field": field.name, "operator": "eq", "value": value}
        return _holds(rule, as_of, timezone, known)

    no = not_(leaf(True)) if not field.can_be_missing else leaf(False)
    return case((leaf(True), "yes"), (no, "no"), else_=None)


def _commonest(session: Session, field: Field) -> tuple[ColumnElement, dict[str, str]]:
    """A text's commonest values among the newest customers, and how each is written; all others together."""
    names = {value: written for value, written, _ in session.execute(_values(field).limit(MOST))}
    folded = _folded(field)
    unknown, is_common = field.column.is_(None), folded.in_(list(names))
    return case((unknown, None), (is_common, folded), else_=literal(OTHER)), names


def _values(field: Field) -> Select:
    """The values of a text as rules compare them, and one way each is written, the commonest first."""
    fact = field_fact(field)
    there = (to_sql.present(),) if field.rows is None else field.rows.where
    newest = (Customer.id if field.rows is None else field.rows.owner).desc()
    known = select(_folded(field).label("folded"), fact.label("written")).where(fact.is_not(None), *there)
    rows, people = known.order_by(newest).limit(MOST_ROWS).subquery(), func.count()
    values = select(rows.c.folded, func.min(rows.c.written), people).group_by(rows.c.folded)
    return values.order_by(people.desc(), rows.c.folded)


def _folded(field: Field) -> ColumnElement:
    return compared(field.column, field.kind, today=date.min, timezone="UTC").column


def _steps(field: Field, currency: str) -> tuple[float, ...]:
    """Where the ranges of a number begin."""
    if field.name == "engagement":
        return _SCORES
    if field.name == "expected_orders":
        return _EXPECTED_ORDERS
    if _is_chance(field):
        return _CHANCES
    if field.kind is Kind.COUNT and field.high - field.low < MOST:
        # Few enough for each to be a group of its own.
        return tuple(range(field.low + 1, field.high + 1))
    amounts = tuple(step * unit(currency) for step in _AMOUNTS)
    return {
        Kind.AGE: _AGES,
        Kind.COUNT: _COUNTS,
        Kind.MONEY: amounts,
        Kind.MOMENT: _DAYS_AGO,
        Kind.NUMBER: _NUMBERS,
    }.get(field.kind, ())


def _is_chance(field: Field) -> bool:
    return field.kind is Kind.NUMBER and (field.low, field.high) == (0, 1)


def _ranges(steps: tuple[float, ...], *, whole: bool) -> tuple[str, ...]:
    """Ranges that part all numbers: whole ones end before the next begins, others where it begins."""
    ends = [step - 1 for step in steps] if whole else steps
    return tuple(f"{low}..{high}" for low, high in zip(("", *steps), (*ends, ""), strict=True))


def _ends(value: str) -> tuple[float | None, float | None]:
    low, dots, high = value.partition("..")
    if not dots:
        raise ValueError("No range.")
    return (_number(low) if low else None, _number(high) if high else None)


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError("No number.")
    return float(text) if "." in text else int(text)


def _range_label(grouping: Grouping, low: float | None, high: float | None) -> str:
    field, kind = grouping.field, grouping.field.kind
    if kind is Kind.MOMENT:
        if high is None:
            return f"More than {low - 1} days ago"
        return f"In the last {high} days" if not low else f"{low}–{high} days ago"
    if kind is Kind.COUNT and field.low and (high == field.low or low == field.high):
        # The ends of a scale, as of the scores from 1 to 5.
        return f"{high or low}"
    if kind is Kind.MONEY:
        low, high = (None if v is None else amount(v, grouping.currency) for v in (low, high))
    elif _is_chance(field):
        low, high = (None if v is None else f"{v * 100:.4g} %" for v in (low, high))
    else:
        low, high = (None if v is None else f"{v:,}" for v in (low, high))
    if low is None:
        whole = kind in (Kind.AGE, Kind.COUNT)
        return "None" if kind is Kind.COUNT and high == "0" else f"Up to {high}" if whole else f"Below {high}"
    if high is None:
        return f"{low} or more"
    if kind in (Kind.AGE, Kind.COUNT):
        return low if low == high else f"{low}–{high}"
    return f"{low} to below {high}"


def _rule(field: Field, value: str, *, today: date) -> dict | None:
    """The leaf of a group; that of Unknown and of Others is the same for every kind of field."""
    if value == UNKNOWN:
        if not field.can_be_missing:
            raise InvalidInput({"value": f"The {field.label} of everybody is known."})
        return _leaf(field, "is_missing")
    if value == OTHER:
        return None
    if field.kind is Kind.YES_NO:
        if value not in ("yes", "no"):
            raise InvalidInput({"value": f"The {field.label} is 'yes' or 'no', not '{value}'."})
        return _leaf(field, "eq", value == "yes")
    if field.kind in (Kind.CHOICE, Kind.TEXT, Kind.CODE):
        return _leaf(field, "eq", value)
    return _range_rule(field, value, today)


def _leaf(field: Field, operator: str, *value: object) -> dict:
    leaf = {"field": field.name, "operator": operator}
    return leaf | {"value": value[0] if len(value) == 1 else list(value)} if value else leaf


def _range_rule(field: Field, value: str, today: date) -> dict:
    refused = InvalidInput({"value": f"'{value}' is no range of the {field.label}, such as 10..20."})
    try:
        if field.kind is Kind.DATE:
            first, last = date(int(value), 1, 1), date(int(value), 12, 31)
            return _leaf(field, "between", first.isoformat(), last.isoformat())
        low, high = _ends(value)
    except ValueError:
        raise refused from None
    whole = field.kind is not Kind.NUMBER
    if (low is None and high is None) or (whole and any(isinstance(end, float) for end in (low, high))):
        raise refused
    if field.kind is Kind.MOMENT:
        return _ago(field, low or 0, high, today)
    above = "lte" if field.kind in (Kind.AGE, Kind.COUNT) else "lt"
    parts = [_leaf(field, "gte", low)] if low is not None else []
    parts += [_leaf(field, above, high)] if high is not None else []
    return parts[0] if len(parts) == 1 else {"all": parts}


def _ago(field: Field, low: int, high: int | None, today: date) -> dict:
    """Days ago as calendar days; the latest range is open towards the present, so that nobody is lost."""

    def ago(days: int) -> str:
        return (today - timedelta(days=days)).isoformat()

    if high is None:
        return _leaf(field, "before", ago(low - 1))
    if low == 0:
        return _leaf(field, "after", ago(high + 1))
    return _leaf(field, "between", ago(high), ago(low))

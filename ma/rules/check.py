"""Reading a rule from JSON: everything that is not exactly right is refused, with its place and the remedy.

Nothing is ever skipped in silence: that would widen an audience.
"""

import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

from ma.errors import InvalidRule
from ma.rules.fields import FIELDS, LARGEST, Field, Kind
from ma.rules.nodes import FieldRule, Group, Match, Node, Not, Scalar, Unit, Value, Window, to_json
from ma.rules.operators import OPERATORS, Operand, Operator, operators_of
from ma.text import fold

MAX_DEPTH = 10
MAX_RULES = 200
MAX_VALUES = 1000
MAX_BYTES = 64 * 1024
MAX_TEXT = 500
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
# A hundred years of each unit.
LONGEST = {Unit.DAY: 36_525, Unit.WEEK: 5_217, Unit.MONTH: 1_200, Unit.YEAR: 100}

_GROUPS = (*(match.value for match in Match), "not")
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def parse(rule: str | dict) -> Node:
    """The rule written in a JSON text, or in the dict it stands for.

    Raises InvalidRule with the path of the first thing that is wrong and what to do about it.
    """
    data = _read(rule) if isinstance(rule, str) else rule
    node = _node(data, "", _Spent())
    if _bytes(json.dumps(to_json(node), ensure_ascii=False)) > MAX_BYTES:
        raise _too_long()
    return node


@dataclass
class _Spent:
    """How much of the limits a rule has used."""

    depth: int = 0
    rules: int = 0
    values: int = 0


class _Object(dict):
    """A JSON object that remembers a key written twice."""

    twice: str | None = None


def _read(text: str) -> object:
    if _bytes(text) > MAX_BYTES:
        raise _too_long()
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise _too_deep("") from None
    except ValueError as error:  # also an integer of thousands of digits
        where = (
            f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        )
        raise InvalidRule(
            f"This is not valid JSON{where}", remedy="Check quotes, commas and brackets there."
        ) from None


def _object(pairs: list[tuple[str, object]]) -> _Object:
    result = _Object(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        result.twice = next(key for key in keys if keys.count(key) > 1)
    return result


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _too_long() -> InvalidRule:
    return InvalidRule("The rule is longer than 64 KiB", remedy="Split it into several segments.")


def _too_deep(path: str) -> InvalidRule:
    return InvalidRule(
        f"The rule nests more than {MAX_DEPTH} groups",
        path=path,
        remedy="Flatten it, or split it into segments.",
    )


def _node(data: object, path: str, spent: _Spent) -> Node:
    if not isinstance(data, dict):
        raise InvalidRule(
            f"Expected a rule but found {_shown(data)}",
            path=path,
            remedy='Write an object such as {"field": "country", "operator": "eq", "value": "DE"}.',
        )
    if twice := getattr(data, "twice", None):
        raise InvalidRule(f"The key {_shown(twice)} stands twice", path=path, remedy="Keep one of them.")
    if "field" in data:
        return _field_rule(data, path, spent)
    if len(data) != 1:
        if not data:
            raise InvalidRule("The rule is empty", path=path, remedy="Add at least one condition.")
        unknown = next((key for key in data if key not in _GROUPS), None)
        if unknown is None:
            raise InvalidRule(
                f"A group has one of {_listed(_GROUPS)}, not several",
                path=path,
                remedy="Nest one in the other.",
            )
        raise _unknown("key", unknown, (*_GROUPS, "field"), path)
    [(key, inner)] = data.items()
    if key not in _GROUPS:
        raise _unknown("key", key, (*_GROUPS, "field"), path)
    return _group(key, inner, _join(path, key), spent)


def _group(key: str, inner: object, path: str, spent: _Spent) -> Node:
    spent.depth += 1
    if spent.depth > MAX_DEPTH:
        raise _too_deep(path)
    if key == "not":
        node: Node = Not(_node(inner, path, spent))
    else:
        if not isinstance(inner, list):
            raise InvalidRule(
                f"'{key}' needs a list of rules but has {_shown(inner)}", path=path, remedy="Put it in [ ]."
            )
        if not inner:
            raise InvalidRule(
                "The group is empty", path=path, remedy="Add at least one rule to it, or delete the group."
            )
        node = Group(Match(key), tuple(_node(rule, f"{path}[{i}]", spent) for i, rule in enumerate(inner)))
    spent.depth -= 1
    return node


def _field_rule(data: dict, path: str, spent: _Spent) -> FieldRule:
    spent.rules += 1
    if spent.rules > MAX_RULES:
        raise InvalidRule(
            f"There are more than {MAX_RULES} conditions",
            path=path,
            remedy="Split the rule into several segments.",
        )
    field = _named("field", data["field"], FIELDS, path)
    if "operator" not in data:
        raise InvalidRule(
            "The operator is missing", path=path, remedy=f"Add one of {_listed(operators_of(field))}."
        )
    operator = _operator(field, data["operator"], path)
    known = ["field", "operator"]
    if operator.operand is not Operand.NOTHING:
        known.append("value")
        if field.can_be_missing:
            known.append("missing")
    if operator.operand is Operand.WINDOW:
        known.append("unit")
    for key in data:
        if key not in known:
            raise _unknown("key", key, known, path, reason=_why_not(key, field, operator))
    missing = "missing" in data
    if missing and data["missing"] != "match":
        raise InvalidRule(
            f"'missing' cannot be {_shown(data['missing'])}",
            path=_join(path, "missing"),
            remedy='Write "match", or leave it out: unknown values then do not match.',
        )
    return FieldRule(field.name, operator.name, _value(field, operator, data, path, spent), missing)


def _operator(field: Field, name: object, path: str) -> Operator:
    allowed = operators_of(field)
    if isinstance(name, str) and name in OPERATORS and name not in allowed:
        raise InvalidRule(
            f"'{field.name}' ({field.kind}) has no operator '{name}'",
            path=path,
            remedy=f"Use one of {_listed(allowed)}.",
        )
    return _named("operator", name, allowed, path)


def _named(what: str, name: object, known: dict, path: str):
    if not isinstance(name, str):
        raise InvalidRule(f"The {what} must be a name, not {_shown(name)}", path=path)
    if name not in known:
        raise _unknown(what, name, known, path)
    return known[name]


def _why_not(key: object, field: Field, operator: Operator) -> str:
    if key == "value":
        return f"'{operator.name}' takes no value."
    if key == "missing":
        return f"'{field.name}' is never unknown, or '{operator.name}' already asks for it."
    if key == "unit":
        return f"'{operator.name}' takes no unit."
    return ""


def _value(field: Field, operator: Operator, data: dict, path: str, spent: _Spent) -> Value:
    if operator.operand is Operand.NOTHING:
        return None
    if "value" not in data:
        raise InvalidRule(
            "The value is missing", path=path, remedy=f"Add a 'value': {_expected(field, operator)}."
        )
    raw, where = data["value"], _join(path, "value")
    if operator.operand is Operand.WINDOW:
        _spend(spent, 1, where)
        return _window(raw, data, path)
    if operator.operand is Operand.ONE:
        _spend(spent, 1, where)
        return _scalar(field, raw, where)
    if not isinstance(raw, list):
        raise InvalidRule(
            f"'{operator.name}' needs a list, not {_shown(raw)}",
            path=where,
            remedy=f"Write {_expected(field, operator)}.",
        )
    if not raw:
        raise InvalidRule("The list is empty", path=where, remedy="Choose at least one value.")
    if operator.operand is Operand.RANGE and len(raw) != 2:
        raise InvalidRule(
            f"'between' needs two values, not {len(raw)}",
            path=where,
            remedy="Write the lowest and the highest.",
        )
    _spend(spent, len(raw), where)
    values = tuple(_scalar(field, item, f"{where}[{i}]") for i, item in enumerate(raw))
    if operator.operand is Operand.RANGE and values[0] > values[1]:
        raise InvalidRule("The first value is above the second", path=where, remedy="Swap them.")
    return values


def _spend(spent: _Spent, values: int, path: str) -> None:
    spent.values += values
    if spent.values > MAX_VALUES:
        raise InvalidRule(
            f"There are more than {MAX_VALUES:,} values in the rule",
            path=path,
            remedy="Use fewer, or split the rule into several segments.",
        )


def _window(count: object, data: dict, path: str) -> Window:
    units = {unit.value: unit for unit in Unit}
    if "unit" not in data:
        raise InvalidRule("The unit is missing", path=path, remedy=f"Add a 'unit': one of {_listed(units)}.")
    unit = _named("unit", data["unit"], units, _join(path, "unit"))
    if not _is_whole(count) or not 1 <= count <= LONGEST[unit]:
        raise InvalidRule(
            f"Expected a number of {unit}s but found {_shown(count)}",
            path=_join(path, "value"),
            remedy=f"Write a whole number from 1 to {LONGEST[unit]:,}.",
        )
    return Window(count, unit)


def _scalar(field: Field, raw: object, path: str) -> Scalar:
    value = _SCALARS[field.kind](field, raw, path)
    if value is None:
        raise InvalidRule(
            f"'{field.name}' cannot be compared with {_shown(raw)}", path=path, remedy=f"Write {_one(field)}."
        )
    return value


def _text(field: Field, raw: object, path: str) -> str | None:
    if not isinstance(raw, str):
        return None
    if "\0" in raw or any("\ud800" <= c <= "\udfff" for c in raw):
        raise InvalidRule(
            "The text holds characters that cannot be stored",
            path=path,
            remedy="Type it again instead of pasting it.",
        )
    if not (fold(raw) if field.kind is not Kind.CHOICE else raw):
        raise InvalidRule(
            "The text is empty", path=path, remedy="Use 'is_missing' to find people without it."
        )
    if len(raw) > MAX_TEXT:
        raise InvalidRule(f"The text is longer than {MAX_TEXT} characters", path=path, remedy="Shorten it.")
    return raw


def _yes_no(field: Field, raw: object, path: str) -> bool | None:
    return raw if isinstance(raw, bool) else None


def _is_whole(raw: object) -> bool:
    return isinstance(raw, int) and not isinstance(raw, bool) and -LARGEST - 1 <= raw <= LARGEST


def _whole(field: Field, raw: object, path: str) -> int | None:
    return raw if _is_whole(raw) and field.low <= raw <= field.high else None


def _number(field: Field, raw: object, path: str) -> float | None:
    # Always a float: PostgreSQL's driver would send a mixture of the two in one list wrongly.
    if isinstance(raw, float):
        return raw if math.isfinite(raw) and field.low <= raw <= field.high else None
    return float(raw) if _whole(field, raw, path) is not None else None


def _day(field: Field, raw: object, path: str) -> date | None:
    if not isinstance(raw, str) or not _DAY.fullmatch(raw):
        return None
    try:
        day = date.fromisoformat(raw)
    except ValueError:
        return None
    return day if FIRST_DAY <= day <= LAST_DAY else None


_SCALARS: dict[Kind, Callable[[Field, object, str], Scalar | None]] = {
    Kind.TEXT: _text,
    Kind.CODE: _text,
    Kind.CHOICE: _text,
    Kind.YES_NO: _yes_no,
    Kind.COUNT: _whole,
    Kind.MONEY: _whole,
    Kind.AGE: _whole,
    Kind.NUMBER: _number,
    Kind.DATE: _day,
    Kind.MOMENT: _day,
}


def _one(field: Field) -> str:
    match field.kind:
        case Kind.TEXT | Kind.CODE | Kind.CHOICE:
            return "a text in quotes"
        case Kind.YES_NO:
            return "true or false"
        case Kind.MONEY:
            return "an amount in minor units: 80000 for 800.00"
        case Kind.DATE | Kind.MOMENT:
            return f"a day from {FIRST_DAY} to {LAST_DAY}, such as 2026-01-31"
        case Kind.NUMBER:
            return f"a number from {field.low} to {field.high}"
        case Kind.COUNT:
            return "a whole number from 0 on"
        case _:
            return f"a whole number from {field.low} to {field.high}"


def _expected(field: Field, operator: Operator) -> str:
    match operator.operand:
        case Operand.MANY:
            return f"a list [ ], each item {_one(field)}"
        case Operand.RANGE:
            return f"[lowest, highest], each {_one(field)}"
        case Operand.WINDOW:
            return "a whole number, and a 'unit'"
        case _:
            return _one(field)


def _unknown(what: str, name: object, known: Iterable[str], path: str, *, reason: str = "") -> InvalidRule:
    known = list(known)
    close = get_close_matches(name.lower(), known, n=1, cutoff=0.6) if isinstance(name, str) else []
    if not close and what == "field" and isinstance(name, str):
        labels = {label: field.name for field in FIELDS.values() for label in (field.label, field.title)}
        close = [labels[label] for label in get_close_matches(name, labels, n=1, cutoff=0.8)]
    if reason:
        remedy = f"{reason} Leave it out."
    elif close:
        remedy = f"Did you mean '{close[0]}'?"
    else:
        remedy = f"Use one of {_listed(known)}."
    return InvalidRule(f"Unknown {what} {_shown(name)}", path=path, remedy=remedy)


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    shown = names if len(names) <= 12 else [*names[:12], "…"]
    return ", ".join(shown)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            text = "".join(c if c.isprintable() else "?" for c in value[:40])
            return f"'{text}{'…' if len(value) > 40 else ''}'"
        case int() | float():
            return str(value) if not isinstance(value, int) or abs(value) <= LARGEST else "an enormous number"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return f"a {type(value).__name__}"

"""Reading the values of a rule: what stands beside an operator, days, windows of time, texts."""

import math
import re
from collections.abc import Callable
from datetime import date

from ma.errors import InvalidRule
from ma.rules.fields import LARGEST, Field, Kind
from ma.rules.limits import FIRST_DAY, LAST_DAY, LONGEST, MAX_TEXT
from ma.rules.nodes import Between, Scalar, Unit, Value, Window, Within
from ma.rules.operators import Operand, Operator
from ma.rules.refusals import Spent, join, listed, named, require_keys, require_object, shown
from ma.text import fold

_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UNITS = {unit.value: unit for unit in Unit}
_WITHIN = (
    'Write {"last": 90, "unit": "day"} or {"from": "2026-01-01", "to": "2026-01-31"}, '
    "or leave 'within' out for all time."
)


def value(field: Field, operator: Operator, data: dict, path: str, spent: Spent) -> Value:
    """What a field or measure is compared with: `value`, and `unit` where the operator has one."""
    if operator.operand is Operand.NOTHING:
        return None
    if "value" not in data:
        raise InvalidRule(
            "The value is missing", path=path, remedy=f"Add a 'value': {_expected(field, operator)}."
        )
    raw, where = data["value"], join(path, "value")
    if operator.operand is Operand.WINDOW:
        spent.value(1, where)
        return window(raw, data, path, key="value")
    if operator.operand is Operand.ONE:
        spent.value(1, where)
        return _trimmed(field, operator, _scalar(field, raw, where))
    if not isinstance(raw, list):
        raise InvalidRule(
            f"'{operator.name}' needs a list, not {shown(raw)}",
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
    spent.value(len(raw), where)
    values = (_scalar(field, item, f"{where}[{i}]") for i, item in enumerate(raw))
    values = tuple(_trimmed(field, operator, item) for item in values)
    if operator.operand is Operand.RANGE and values[0] > values[1]:
        raise InvalidRule("The first value is above the second", path=where, remedy="Swap them.")
    return values


def within(data: dict, path: str) -> Within:
    """The period that a rule's `within` says; None for all time."""
    if "within" not in data:
        return None
    path = join(path, "within")
    period = require_object(data["within"], path, remedy=_WITHIN)
    if not period:
        raise InvalidRule("The period is empty", path=path, remedy=_WITHIN)
    if "last" in period or "unit" in period:
        reason = "A period has either a length or days."
        require_keys(period, ("last", "unit"), path, why_not={"from": reason, "to": reason})
        if "last" not in period:
            raise InvalidRule("The length is missing", path=path, remedy="Add a 'last': a whole number.")
        return window(period["last"], period, path, key="last")
    require_keys(period, ("from", "to", "last", "unit"), path)
    first, last = (_end(period, key, path) for key in ("from", "to"))
    if first and last and first > last:
        raise InvalidRule("The period ends before it begins", path=path, remedy="Swap the two days.")
    return Between(first, last)


def _end(period: dict, key: str, path: str) -> date | None:
    if key not in period:
        return None
    found = _day(None, period[key], path)
    if found is None:
        raise InvalidRule(
            f"Expected a day but found {shown(period[key])}", path=join(path, key), remedy=f"Write {_A_DAY}."
        )
    return found


def window(count: object, data: dict, path: str, *, key: str) -> Window:
    """A length of time: `count`, read from a key of `data`, and its `unit` there."""
    if "unit" not in data:
        raise InvalidRule("The unit is missing", path=path, remedy=f"Add a 'unit': one of {listed(_UNITS)}.")
    unit = named(
        "unit", data["unit"], _UNITS, join(path, "unit"), labels={f"{name}s": name for name in _UNITS}
    )
    if not is_whole(count) or not 1 <= count <= LONGEST[unit]:
        raise InvalidRule(
            f"Expected a number of {unit}s but found {shown(count)}",
            path=join(path, key),
            remedy=f"Write a whole number from 1 to {LONGEST[unit]:,}.",
        )
    return Window(count, unit)


def is_whole(raw: object) -> bool:
    """Whether it is a whole number that a database can hold."""
    return isinstance(raw, int) and not isinstance(raw, bool) and -LARGEST - 1 <= raw <= LARGEST


def require_storable(text: str, path: str) -> None:
    """Refuse what PostgreSQL or UTF-8 cannot hold."""
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise InvalidRule(
            "The text holds characters that cannot be stored",
            path=path,
            remedy="Type it again instead of pasting it.",
        )


def _scalar(field: Field, raw: object, path: str) -> Scalar:
    found = _SCALARS[field.kind](field, raw, path)
    if found is None:
        raise InvalidRule(
            f"'{field.name}' cannot be compared with {shown(raw)}", path=path, remedy=f"Write {_one(field)}."
        )
    return found


# Blanks around a text do not count. Around a part of one they do where a word can stand beside it: " van " is
# not in "Ivan". So the sentence says what is compared.
_TRIMMED = {"contains": str, "not_contains": str, "starts_with": str.lstrip, "ends_with": str.rstrip}


def _trimmed(field: Field, operator: Operator, found: Scalar) -> Scalar:
    if not isinstance(found, str) or field.kind is Kind.CHOICE:
        return found
    return _TRIMMED.get(operator.name, str.strip)(found)


def _text(field: Field, raw: object, path: str) -> str | None:
    if not isinstance(raw, str):
        return None
    require_storable(raw, path)
    if not (fold(raw) if field.kind is not Kind.CHOICE else raw):
        remedy = "Use 'is_missing' to find people without it." if field.can_be_missing else "Write something."
        raise InvalidRule("The text is empty", path=path, remedy=remedy)
    if len(raw) > MAX_TEXT:
        raise InvalidRule(f"The text is longer than {MAX_TEXT} characters", path=path, remedy="Shorten it.")
    return raw


def _yes_no(field: Field, raw: object, path: str) -> bool | None:
    return raw if isinstance(raw, bool) else None


def _whole(field: Field, raw: object, path: str) -> int | None:
    return raw if is_whole(raw) and field.low <= raw <= field.high else None


def _number(field: Field, raw: object, path: str) -> float | None:
    # Always a float: PostgreSQL's driver would send a mixture of the two in one list wrongly.
    if isinstance(raw, float):
        return float(raw) if math.isfinite(raw) and field.low <= raw <= field.high else None
    return float(raw) if _whole(field, raw, path) is not None else None


def _day(field: Field | None, raw: object, path: str) -> date | None:
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
    Kind.LIST: _text,
    Kind.YES_NO: _yes_no,
    Kind.COUNT: _whole,
    Kind.MONEY: _whole,
    Kind.AGE: _whole,
    Kind.NUMBER: _number,
    Kind.DATE: _day,
    Kind.MOMENT: _day,
}
_A_DAY = f"a day from {FIRST_DAY} to {LAST_DAY}, such as 2026-01-31"


def _one(field: Field) -> str:
    match field.kind:
        case Kind.TEXT | Kind.CODE | Kind.CHOICE | Kind.LIST:
            return "a text in quotes"
        case Kind.YES_NO:
            return "true or false"
        case Kind.MONEY:
            most = "" if field.high == LARGEST else f", at most {field.high:,}"
            return f"an amount in minor units: 80000 for 800.00{most}"
        case Kind.DATE | Kind.MOMENT:
            return _A_DAY
        case Kind.NUMBER:
            return f"a number from {field.low:,} to {field.high:,}"
        case Kind.COUNT if field.high == LARGEST:
            return "a whole number from 0 on"
        case _:
            return f"a whole number from {field.low:,} to {field.high:,}"


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

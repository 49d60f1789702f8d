"""The catalogue of operators: one row holds the name, words, operand, kinds of field and SQL."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from ma.rules.fields import Field, Kind


class Operand(StrEnum):
    """What stands beside an operator."""

    NOTHING = "nothing"
    ONE = "a value"
    MANY = "a list"
    RANGE = "two values"
    WINDOW = "a window"


_TEXTS = frozenset({Kind.TEXT, Kind.CODE})
NUMBERS = frozenset({Kind.COUNT, Kind.NUMBER, Kind.MONEY, Kind.AGE})
_DAYS = frozenset({Kind.DATE, Kind.MOMENT})
_LISTS = _TEXTS | NUMBERS | {Kind.CHOICE}


@dataclass(frozen=True)
class Operator:
    """One way to compare. `sql` gets the compared column of `to_sql` and the value; presence has none."""

    name: str
    words: str
    operand: Operand
    kinds: frozenset[Kind]
    sql: Callable | None

    @property
    def tests_presence(self) -> bool:
        """Whether it asks only if the fact is known."""
        return self.operand is Operand.NOTHING

    def words_of(self, field: Field) -> str:
        """The words beside a field: what is unknown of nobody exists or does not."""
        return _WHERE_ABSENT.get(self.name, self.words) if field.absent else self.words

    @property
    def title(self) -> str:
        """The words as the editor shows them, with an ellipsis where the value stands inside."""
        return self.words.replace("{}", "…")

    def title_of(self, field: Field) -> str:
        """Likewise, beside a field."""
        return self.words_of(field).replace("{}", "…")


_WHERE_ABSENT = {"is_set": "exists", "is_missing": "does not exist yet"}


_ROWS = (
    Operator("eq", "is", Operand.ONE, _LISTS | {Kind.YES_NO}, lambda x, v: x.one_of((v,))),
    Operator("ne", "is not", Operand.ONE, _LISTS, lambda x, v: ~x.one_of((v,))),
    Operator("in", "is any of", Operand.MANY, _LISTS, lambda x, v: x.one_of(v)),
    Operator("not_in", "is none of", Operand.MANY, _LISTS, lambda x, v: ~x.one_of(v)),
    Operator("gt", "is more than", Operand.ONE, NUMBERS, lambda x, v: x.above(v)),
    Operator("gte", "is at least", Operand.ONE, NUMBERS, lambda x, v: x.at_least(v)),
    Operator("lt", "is less than", Operand.ONE, NUMBERS, lambda x, v: x.below(v)),
    Operator("lte", "is at most", Operand.ONE, NUMBERS, lambda x, v: x.at_most(v)),
    Operator("contains", "contains", Operand.ONE, _TEXTS, lambda x, v: x.contains(v)),
    Operator("not_contains", "does not contain", Operand.ONE, _TEXTS, lambda x, v: ~x.contains(v)),
    Operator("starts_with", "starts with", Operand.ONE, _TEXTS, lambda x, v: x.starts_with(v)),
    Operator("ends_with", "ends with", Operand.ONE, _TEXTS, lambda x, v: x.ends_with(v)),
    Operator(
        "in_last", "is in the last", Operand.WINDOW, _DAYS, lambda x, v: x.within(v.before(x.today), x.today)
    ),
    Operator(
        "more_than_ago", "is more than {} ago", Operand.WINDOW, _DAYS, lambda x, v: x.below(v.before(x.today))
    ),
    Operator(
        "in_next",
        "is in the next",
        Operand.WINDOW,
        frozenset({Kind.DATE}),
        lambda x, v: x.within(x.today, v.after(x.today)),
    ),
    Operator(
        "anniversary_in_next",
        "has its anniversary in the next",
        Operand.WINDOW,
        frozenset({Kind.DATE}),
        lambda x, v: x.comes_round(x.today, v.after(x.today)),
    ),
    Operator("before", "is before", Operand.ONE, _DAYS, lambda x, v: x.below(v)),
    Operator("after", "is after", Operand.ONE, _DAYS, lambda x, v: x.above(v)),
    Operator("on", "is on", Operand.ONE, _DAYS, lambda x, v: x.within(v, v)),
    Operator("between", "is between", Operand.RANGE, NUMBERS | _DAYS, lambda x, v: x.within(*v)),
    Operator("has_any", "has any of", Operand.MANY, frozenset({Kind.LIST}), lambda x, v: x.any_of(v)),
    Operator("has_all", "has all of", Operand.MANY, frozenset({Kind.LIST}), lambda x, v: x.all_of(v)),
    Operator("has_none", "has none of", Operand.MANY, frozenset({Kind.LIST}), lambda x, v: ~x.any_of(v)),
    Operator("is_set", "is known", Operand.NOTHING, frozenset(Kind), None),
    Operator("is_missing", "is unknown", Operand.NOTHING, frozenset(Kind), None),
)

OPERATORS: dict[str, Operator] = {operator.name: operator for operator in _ROWS}


def operators_of(field: Field) -> dict[str, Operator]:
    """The operators a field has, in the order in which the editor lists them."""
    return _operators_of(field.kind, field.can_be_missing)


def comparisons_of(field: Field) -> dict[str, Operator]:
    """Those of them that compare, as measures of events have them: not whether it is known."""
    return {name: operator for name, operator in operators_of(field).items() if not operator.tests_presence}


@cache
def _operators_of(kind: Kind, can_be_missing: bool) -> dict[str, Operator]:
    return {
        operator.name: operator
        for operator in _ROWS
        if kind in operator.kinds and (can_be_missing or not operator.tests_presence)
    }

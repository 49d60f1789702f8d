"""Rules as one English sentence, from the same nodes as the SQL."""

from datetime import date

from ma.money import SYMBOLS, digits
from ma.rules.fields import FIELDS, Field, Kind
from ma.rules.nodes import FieldRule, Group, Match, Node, Not, Scalar, Window
from ma.rules.operators import OPERATORS, Operand

# Longer lists of values end in "and 992 more".
SHOWN = 8


def english(node: Node, *, currency: str) -> str:
    """The rule as a sentence: "Customers where country is DE, and number of orders is at least 3." """
    return f"Customers where {_phrase(node, currency, top=True)}."


def _phrase(node: Node, currency: str, *, top: bool = False) -> str:
    match node:
        case Group(kind, (only,)):
            return (
                f"not ({_phrase(only, currency, top=True)})"
                if kind is Match.NONE
                else _phrase(only, currency, top=top)
            )
        case Group(kind, rules):
            word = ", and " if kind is Match.ALL else ", or "
            joined = word.join(_phrase(rule, currency) for rule in rules)
            if kind is Match.NONE:
                return f"not ({joined})"
            return joined if top else f"({joined})"
        case Not(rule):
            return f"not ({_phrase(rule, currency, top=True)})"
        case FieldRule():
            return _leaf(node, currency)


def _leaf(leaf: FieldRule, currency: str) -> str:
    field, operator = FIELDS[leaf.field], OPERATORS[leaf.operator]
    value = value_words(leaf, currency)
    words = operator.words if "{}" in operator.words or not value else f"{operator.words} {{}}"
    phrase = f"{field.label} {words.replace('{}', value)}"
    return f"{phrase} (or is unknown)" if leaf.missing_matches else phrase


def value_words(leaf: FieldRule, currency: str) -> str:
    """A leaf's value as it stands in the sentence; "" when it has none."""
    field = FIELDS[leaf.field]
    match OPERATORS[leaf.operator].operand:
        case Operand.NOTHING:
            return ""
        case Operand.WINDOW:
            return _window(leaf.value)
        case Operand.RANGE:
            return " and ".join(_scalar(field, item, currency) for item in leaf.value)
        case Operand.MANY:
            return _listed([_scalar(field, item, currency) for item in leaf.value])
        case _:
            return _scalar(field, leaf.value, currency)


def _window(window: Window) -> str:
    return f"{window.count:,} {window.unit}{'' if window.count == 1 else 's'}"


def _listed(words: list[str]) -> str:
    if len(words) > SHOWN:
        return f"{', '.join(words[:SHOWN])} or {len(words) - SHOWN:,} more"
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _scalar(field: Field, value: Scalar, currency: str) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case date():
            return f"{value.day} {value:%B} {value.year}"
        case str():
            return value if field.kind is Kind.CHOICE else f"“{value}”"
        case _ if field.kind is Kind.MONEY:
            return amount(value, currency)
        case float():
            return f"{value:,.15g}"
        case _:
            return f"{value:,}"


def amount(minor: int, currency: str) -> str:
    """An amount in minor units as people write it: $1,250 or 12.50 CHF."""
    decimals = digits(currency)
    whole, part = divmod(abs(minor), 10**decimals)
    number = f"{whole:,}" + (f".{part:0{decimals}}" if part else "")
    sign = "-" if minor < 0 else ""
    symbol = SYMBOLS.get(currency)
    return f"{sign}{symbol}{number}" if symbol else f"{sign}{number} {currency}"

"""Numbers that conditions compare with: which may be typed, and in what steps."""

from ma.rules.fields import LARGEST, Field, Kind

# A range of more is not worth showing before somebody leaves it.
_SHORT = 1_000


def is_bounded(field: Field) -> bool:
    """Whether a number of the field lies in a range that helps to know, such as from 0 to 1."""
    return field.kind is not Kind.MONEY and field.low is not None and field.high - field.low <= _SHORT


def hint(field: Field) -> str:
    """What an empty box says."""
    return f"{field.low:,} to {field.high:,}" if is_bounded(field) else "Type a number"


def step(field: Field) -> float:
    """By how much a click changes a number."""
    return 0.05 if field.kind is Kind.NUMBER and field.high - field.low <= 1 else 1


def allowed(field: Field) -> str:
    """What may be typed, in the middle of a sentence: "a number from 0 to 1"."""
    if field.kind is Kind.MONEY:
        return "an amount" if field.high == LARGEST else "a smaller amount"
    noun = "a number" if field.kind is Kind.NUMBER else "a whole number"
    most = "on" if field.high == LARGEST else f"to {field.high:,}"
    return f"{noun} from {field.low:,} {most}"


def fits(field: Field, value: object) -> bool:
    """Whether a number can be compared with the field."""
    kinds = (int, float) if field.kind is Kind.NUMBER else (int,)
    return isinstance(value, kinds) and field.low <= value <= field.high

"""Customers with missing data and awkward values, and rules over every field and operator."""

import random
from datetime import UTC, date, datetime, timedelta

import pandas as pd
from hypothesis import strategies as st

from ma.models import Customer
from ma.rules.fields import FIELDS, Field, Kind
from ma.rules.operators import Operand, Operator, operators_of
from ma.text import fold

PEOPLE = 240
ZONES = [
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Pacific/Apia",
    "America/Havana",
    "Australia/Lord_Howe",
]
# Instants where a day is easily got wrong: midnights, changes of the clocks, leap days, ends of months.
INSTANTS = [
    datetime(2026, 3, 8, 4, 59, 59, 999_999, tzinfo=UTC),  # a microsecond before midnight in New York
    datetime(2026, 3, 8, 5, tzinfo=UTC),  # midnight in New York, the clocks change two hours later
    datetime(2026, 3, 9, 3, 59, 59, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 22, 59, 59, tzinfo=UTC),
    datetime(2026, 11, 1, 4, 30, tzinfo=UTC),  # the hour that New York and Havana have twice
    datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
    datetime(2024, 2, 29, 12, tzinfo=UTC),
    datetime(2025, 2, 28, 23, 30, tzinfo=UTC),
    datetime(2025, 3, 1, 0, 30, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 7, 31, 18, 30, tzinfo=UTC),  # midnight in Kolkata
]
TEXTS = [
    "Anna", "ANNA", "Joanna", "Änne", "a\u0308nne", "Straße", "STRASSE", "İpek", "ıpek", "ﬁnn", "FINN",
    "Σίσυφος", "ΣΊΣΥΦΟΣ", "名前", "50%", "5_0", "500", "a/b", "a\\b", "O'Brien", 'say "x"', "%", "_",
    "van der Berg", "😀 x",
]  # fmt: skip
CODES = [
    "SW1A 1AA",
    "sw1a 1aa",
    "00123",
    "123",
    "Ä-1",
    "ä-1",
    "K%1",
    "k_1",
    "+49 170 1",
    "0049170",
    "İ1",
    "i1",
]
CHOICES = ["DE", "de", "US", "65+", "", "1 Adult Kids", "GROCERY", "Grocery", "ß", "O'x"]


def customers() -> pd.DataFrame:
    """The same customers each time, as rows of the customer table."""
    chance = random.Random(20261122)

    def maybe(value, share=0.25):
        return None if chance.random() < share else value

    def instant():
        return chance.choice(INSTANTS) + chance.choice(
            [
                timedelta(0),
                timedelta(microseconds=chance.choice([-1, 1])),
                timedelta(hours=chance.randint(-2400, 60)),
            ]
        )

    def day():
        near = instant().date() + timedelta(days=chance.randint(-40, 40))
        return chance.choice([near, date(2024, 2, 29), date(1999, 3, 1)])

    def born():
        leap = chance.choice([date(1988, 2, 29), date(2000, 2, 29), date(1989, 2, 28), date(1989, 3, 1)])
        years = chance.randint(0, 90)
        near = day()
        return chance.choice([leap, near.replace(year=near.year - years, day=min(near.day, 28))])

    rows = []
    for i in range(1, PEOPLE + 1):
        row = {
            "id": i,
            "split_bucket": i * 41 % 10_000,
            "search_text": "",
            "version": 1,
            "created_at": INSTANTS[0],
        }
        row |= {name: maybe(chance.choice(TEXTS)) for name in ("first_name", "last_name", "city")}
        row |= {"email": maybe(f"{chance.choice('aAäÄ%_')}{i}@Example.com")}
        row |= {"external_id": maybe(f"{chance.choice(CODES)}#{i}")}
        row |= {name: maybe(chance.choice(CODES)) for name in ("phone", "postal_code")}
        for field in FIELDS.values():
            if field.rows is not None:
                continue
            if field.kind is Kind.CHOICE:
                row[field.name] = maybe(chance.choice(CHOICES)[: field.column.type.length])
            elif field.kind is Kind.YES_NO:
                row[field.name] = chance.random() < 0.5
        row |= {"birth_date": maybe(born()), "joined_on": maybe(day())}
        row |= {"orders": chance.choice([0, 1, 2, 3, 2**31 - 1]), "visits": chance.choice([0, 1, 5])}
        row |= {"spend_minor": chance.choice([-500, 0, 1, 80_000, 2**62]), "average_order_minor": maybe(800)}
        row |= {name: maybe(instant()) for name in ("first_order_at", "last_order_at", "last_visit_at")}
        row |= {"engagement": maybe(chance.choice([0.0, 12.5, 50.0, 99.999, 100.0]))}
        row |= {
            f"{name}_folded": row[name] and fold(row[name])
            for name in ("first_name", "last_name", "email", "city")
        }
        row |= {"updated_at": INSTANTS[0], "deleted_at": None}
        rows.append(row)
    return pd.DataFrame(
        rows, columns=[column.name for column in Customer.__table__.columns if column.name in rows[0]]
    )


def as_dicts(frame: pd.DataFrame) -> list[dict]:
    """The customers as the evaluator reads them, with None for what is missing."""
    records = frame.astype(object).where(frame.notna(), None).to_dict("records")
    for record in records:
        for name, value in record.items():
            if isinstance(value, pd.Timestamp):
                record[name] = value.to_pydatetime()
    return records


def _storable(text: str) -> bool:
    return bool(fold(text))


_ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=4)
_PART = st.builds(
    lambda text, start, length: text[start : start + length],
    st.sampled_from(TEXTS + CODES),
    st.integers(0, 3),
    st.integers(1, 6),
)
# Words with the blanks beside them.
_BETWEEN = st.sampled_from(["an ", "er ", " der ", " berg", " x", "1A ", " 170 ", " 1", " b", "a "])
_TEXT = st.one_of(st.sampled_from(TEXTS + CODES), _BETWEEN, _PART, _PART.map(str.swapcase), _ANY_TEXT).filter(
    _storable
)
DAYS = st.one_of(
    st.builds(
        lambda at, days: at.date() + timedelta(days=days), st.sampled_from(INSTANTS), st.integers(-3, 3)
    ),
    st.dates(date(1900, 1, 1), date(2199, 12, 31)),
).map(date.isoformat)
_VALUES = {
    Kind.TEXT: _TEXT,
    Kind.CODE: _TEXT,
    Kind.CHOICE: st.sampled_from([choice for choice in CHOICES if choice] + ["unheard of"]),
    Kind.YES_NO: st.booleans(),
    Kind.COUNT: st.one_of(st.integers(0, 6), st.sampled_from([2**31 - 1, 2**31, 2**63 - 1])),
    Kind.MONEY: st.sampled_from([-501, -500, 0, 1, 799, 800, 80_000, 2**62, 2**63 - 1, -(2**63) + 1]),
    Kind.NUMBER: st.one_of(st.sampled_from([0, 12.5, 50, 99.999, 100]), st.floats(0, 100)),
    Kind.AGE: st.integers(0, 150),
    Kind.DATE: DAYS,
    Kind.MOMENT: DAYS,
    Kind.LIST: st.one_of(st.sampled_from(["vip", "STRASSE", "A_B", "50%", "unheard of"]), _TEXT),
}


def _values(field: Field):
    """Values that a rule may compare a field with, at its limits and within."""
    usual = _VALUES[field.kind]
    if field.kind is Kind.NUMBER and field.high == 1:
        return st.one_of(st.sampled_from([0, 0.1, 0.25, 0.5, 1]), st.floats(0, 1))
    if field.kind is Kind.COUNT and field.high < 10:
        return st.integers(field.low, field.high)
    if field.kind is Kind.MONEY:
        return usual.filter(lambda amount: amount >= field.low)
    return usual


@st.composite
def leaves(draw, field: Field | None = None, operator: Operator | None = None) -> dict:
    """A condition on any field with any of its operators, or on those given."""
    field = field or draw(st.sampled_from(list(FIELDS.values())))
    operator = operator or draw(st.sampled_from(list(operators_of(field).values())))
    leaf = {"field": field.name, "operator": operator.name}
    return leaf | draw(operands(field, operator, _values(field)))


@st.composite
def operands(draw, field: Field, operator: Operator, values) -> dict:
    """What stands beside an operator: a value of those given, a unit, and whether missing ones match."""
    beside = {}
    match operator.operand:
        case Operand.NOTHING:
            return {}
        case Operand.ONE:
            beside["value"] = draw(values)
        case Operand.MANY:
            beside["value"] = draw(st.lists(values, min_size=1, max_size=5))
        case Operand.RANGE:
            beside["value"] = sorted(draw(st.lists(values, min_size=2, max_size=2)))
        case Operand.WINDOW:
            count, unit = draw(lengths())
            beside |= {"value": count, "unit": unit}
    if field.can_be_missing and draw(st.booleans()):
        beside["missing"] = "match"
    return beside


@st.composite
def lengths(draw) -> tuple[int, str]:
    """A length of time: so many of a unit."""
    unit = draw(st.sampled_from(["day", "week", "month", "year"]))
    longest = {"day": 800, "week": 110, "month": 40, "year": 100}[unit]
    return draw(st.integers(1, longest)), unit

"""A workspace's catalogue, and rules of every kind over it, made by looking at the catalogue itself."""

from dataclasses import replace
from datetime import date

from hypothesis import strategies as st

from ma.models import AttributeValue
from ma.rules.catalogue import Catalogue, KnownSegment
from ma.rules.check import LONGEST
from ma.rules.events import EVENTS, behaviour, measures_of
from ma.rules.fields import FIELDS, Field, Kind, Rows
from ma.rules.nodes import (
    Between,
    CampaignRule,
    Did,
    EventRule,
    FieldRule,
    Group,
    Match,
    Not,
    RandomRule,
    SegmentRule,
    Unit,
    Window,
)
from ma.rules.operators import Operand, comparisons_of, operators_of
from ma.types import Channel


def _own(number: int, label: str, kind: Kind, column, **limits) -> Field:
    rows = Rows(AttributeValue.customer_id, (AttributeValue.attribute_id == number,))
    return Field(f"attribute:{number}", label, kind, column, "Theirs.", rows=rows, **limits)


OWN = (
    _own(12, "Shoe size", Kind.TEXT, AttributeValue.text_folded),
    _own(14, "Points", Kind.NUMBER, AttributeValue.number, low=-(10**15), high=10**15),
    _own(15, "Owns a dog", Kind.YES_NO, AttributeValue.flag),
    _own(16, "Renewal", Kind.DATE, AttributeValue.day),
    _own(17, "Interests", Kind.LIST, AttributeValue.text_folded),
)
CATALOGUE = Catalogue(
    fields=FIELDS | {field.name: field for field in OWN},
    events=EVENTS | {"cart_abandoned": behaviour("cart_abandoned")},
    campaigns={3: "Autumn sale"},
    segments={7: KnownSegment("Loyal", {"field": "orders", "operator": "gte", "value": 10})},
)
MANY_SEGMENTS = replace(CATALOGUE, segments={n: KnownSegment(f"Number {n}", None) for n in range(1, 9)})

_TEXT = st.text("aAzZ09ßéİıﬁ%_*\\'\"` \u00a0\u0301,;{}[]:名😀", max_size=8).map("x{}y".format)
_DAYS = st.dates(date(1900, 1, 1), date(2199, 12, 31))


def _windows():
    return st.sampled_from(list(Unit)).flatmap(
        lambda unit: st.builds(Window, st.integers(1, LONGEST[unit]), st.just(unit))
    )


def _between():
    pairs = st.tuples(_DAYS, _DAYS).map(sorted).map(lambda pair: Between(*pair))
    return pairs | st.builds(Between, _DAYS, st.none()) | st.builds(Between, st.none(), _DAYS)


def _scalars(field: Field):
    match field.kind:
        case Kind.TEXT | Kind.CODE | Kind.CHOICE | Kind.LIST:
            return _TEXT
        case Kind.YES_NO:
            return st.booleans()
        case Kind.NUMBER:
            return st.floats(field.low, min(field.high, 10**15))
        case Kind.DATE | Kind.MOMENT:
            return _DAYS
        case _:
            return st.integers(field.low, field.high)


def _values(field: Field, operand: Operand):
    match operand:
        case Operand.NOTHING:
            return st.none()
        case Operand.WINDOW:
            return _windows()
        case Operand.ONE:
            return _scalars(field)
        case Operand.MANY:
            return st.lists(_scalars(field), min_size=1, max_size=4).map(tuple)
        case Operand.RANGE:
            return st.tuples(_scalars(field), _scalars(field)).map(lambda pair: tuple(sorted(pair)))


def _missing(field: Field, operand: Operand):
    return st.booleans() if field.can_be_missing and operand is not Operand.NOTHING else st.just(False)


@st.composite
def field_rules(draw, fields):
    field = draw(st.sampled_from(list(fields.values())))
    operator = draw(st.sampled_from(list(operators_of(field).values())))
    value = draw(_values(field, operator.operand))
    return FieldRule(field.name, operator.name, value, draw(_missing(field, operator.operand)))


@st.composite
def event_rules(draw, events):
    event = draw(st.sampled_from(list(events.values())))
    measure = draw(st.sampled_from(list(measures_of(event).values())))
    operator = draw(st.sampled_from(list(comparisons_of(measure.field).values())))
    return EventRule(
        event.name,
        measure.name,
        operator.name,
        draw(_values(measure.field, operator.operand)),
        tuple(draw(st.lists(field_rules(event.fields), max_size=3))),
        draw(st.none() | _windows() | _between()),
        draw(_missing(measure.field, operator.operand)),
    )


def campaign_rules(catalogue):
    within = st.none() | _windows() | _between()
    did = st.sampled_from(list(Did))
    return (
        st.builds(CampaignRule, did, st.sampled_from(list(catalogue.campaigns)), within=within)
        | st.builds(CampaignRule, did, channel=st.sampled_from([c.value for c in Channel]), within=within)
        | st.builds(CampaignRule, did, within=within)
    )


def _random_rules():
    hundredths = st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)).map(sorted)
    return st.builds(
        lambda split, ends: RandomRule(split, *(n // 100 if n % 100 == 0 else n / 100 for n in ends)),
        _TEXT,
        hundredths.filter(lambda ends: ends[0] < ends[1]),
    )


def leaves(catalogue: Catalogue = CATALOGUE):
    """Leaves of every kind."""
    return (
        field_rules(catalogue.fields)
        | event_rules(catalogue.events)
        | campaign_rules(catalogue)
        | st.builds(SegmentRule, st.sampled_from(list(catalogue.segments)))
        | _random_rules()
    )


def nodes(catalogue: Catalogue = CATALOGUE):
    """Rules with leaves of every kind in groups."""
    return st.recursive(
        leaves(catalogue),
        lambda inner: (
            st.builds(Group, st.sampled_from(list(Match)), st.lists(inner, min_size=1, max_size=3).map(tuple))
            | st.builds(Not, inner)
        ),
        max_leaves=6,
    )

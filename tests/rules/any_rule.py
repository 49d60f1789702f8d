"""Rules with leaves of every kind, about the customers of `people` and what they did, as JSON."""

from hypothesis import strategies as st

from ma.rules.events import EVENTS, MEASURES, EventKind, Measure, behaviour, measures_of
from ma.rules.fields import FIELDS
from ma.rules.operators import Operator, comparisons_of
from tests.rules import people
from tests.rules.doings import AMOUNTS, CATEGORIES, CHANNELS, OWN, REASONS, SEGMENTS
from tests.rules.people import CODES, DAYS, lengths, operands

EVENT_KINDS = [*EVENTS.values(), behaviour("cart_abandoned")]
FIELD_LIST = [*FIELDS.values(), *OWN]
_MEASURED = {
    "count": st.one_of(st.integers(0, 6), st.sampled_from([2**31, 2**63 - 1])),
    "days": st.one_of(st.integers(0, 500), st.sampled_from([0, 1, 54_750])),
    "amount": st.one_of(
        st.sampled_from([*AMOUNTS, *(a + 1 for a in AMOUNTS), 10**12, -(10**12)]), st.integers(-1500, 3000)
    ),
}
_OF_EVENTS = {
    "category": st.sampled_from([*CATEGORIES, "WINE", "strasse", "unheard of"]),
    "product": st.sampled_from(CODES),
    "quantity": st.integers(0, 4),
    "order_amount": st.sampled_from(AMOUNTS),
    "page": st.sampled_from(CODES),
    "device": st.sampled_from(["mobile", "Desktop", "desktop"]),
    "reason": st.sampled_from([*REASONS, "unheard of"]),
    "channel": st.sampled_from(CHANNELS),
}


@st.composite
def periods(draw) -> dict:
    """A period of an event or campaign leaf, or none."""
    match draw(st.sampled_from(["", "last", "between", "from", "to"])):
        case "last":
            count, unit = draw(lengths())
            return {"within": {"last": count, "unit": unit}}
        case "between":
            first, last = sorted([draw(DAYS), draw(DAYS)])
            return {"within": {"from": first, "to": last}}
        case "":
            return {}
        case end:
            return {"within": {end: draw(DAYS)}}


@st.composite
def event_conditions(draw, event: EventKind) -> dict:
    """A condition on an event's own field."""
    field = draw(st.sampled_from(list(event.fields.values())))
    operator = draw(st.sampled_from(list(people.operators_of(field).values())))
    beside = draw(operands(field, operator, _OF_EVENTS[field.name]))
    return {"field": field.name, "operator": operator.name} | beside


@st.composite
def event_leaves(
    draw, event: EventKind | None = None, measure: Measure | None = None, operator: Operator | None = None
) -> dict:
    """A measure over events."""
    event = event or draw(st.sampled_from(EVENT_KINDS))
    measure = measure or draw(st.sampled_from(list(measures_of(event).values())))
    operator = operator or draw(st.sampled_from(list(comparisons_of(measure.field).values())))
    values = _MEASURED["days" if "days" in measure.name else "amount" if measure.of_amount else "count"]
    leaf = {"event": event.name, "measure": measure.name, "operator": operator.name}
    match draw(st.lists(event_conditions(event), max_size=2)):
        case [one]:
            leaf["where"] = one
        case [*several] if several:
            leaf["where"] = {"all": several}
    return leaf | draw(periods()) | draw(operands(measure.field, operator, values))


@st.composite
def campaign_leaves(draw, did: str | None = None) -> dict:
    """What somebody did with messages."""
    which = st.sampled_from([1, 2, 3, 4, "any", *({"channel": c} for c in [*CHANNELS, "direct_mail"])])
    from_dids = ["was_sent", "delivered", "opened", "clicked", "converted", "unsubscribed"]
    return {"campaign": draw(which), "did": did or draw(st.sampled_from(from_dids))} | draw(periods())


@st.composite
def random_leaves(draw) -> dict:
    """A part of a named split, in hundredths of a percent."""
    first, last = sorted(draw(st.lists(st.integers(0, 10_000), min_size=2, max_size=2, unique=True)))
    name = draw(st.sampled_from(["autumn test", "Autumn TEST ", "Straße", "holdout 2026"]))
    return {"random": name, "from": first / 100, "to": last / 100}


SEGMENT_LEAVES = st.sampled_from([{"in_segment": number} for number in SEGMENTS])
FIELD_LEAVES = st.sampled_from(FIELD_LIST).flatmap(people.leaves)
ANY_LEAF = st.one_of(FIELD_LEAVES, event_leaves(), campaign_leaves(), SEGMENT_LEAVES, random_leaves())
EVENT_MEASURE_OPERATORS = [
    (event, measure, operator)
    for event in EVENT_KINDS
    for measure in measures_of(event).values()
    for operator in comparisons_of(measure.field).values()
]
assert {measure.name for _, measure, _ in EVENT_MEASURE_OPERATORS} == set(MEASURES)


def _grouped(inner):
    lists = st.lists(inner, min_size=1, max_size=4)
    groups = [lists.map(lambda rules, key=key: {key: rules}) for key in ("all", "any", "none")]
    return st.one_of(*groups, inner.map(lambda rule: {"not": rule}))


RULES = st.recursive(ANY_LEAF, _grouped, max_leaves=6)

"""Reading the leaves of a rule: fields, events, campaigns, other segments and random splits."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from ma.errors import InvalidRule
from ma.rules.catalogue import Catalogue
from ma.rules.check_values import is_whole, require_storable, value, within
from ma.rules.events import MEASURES, EventKind, Measure, measures_of
from ma.rules.fields import Field
from ma.rules.limits import MAX_ID, MAX_SPLIT
from ma.rules.nodes import CampaignRule, Did, EventRule, FieldRule, Leaf, RandomRule, SegmentRule
from ma.rules.operators import OPERATORS, Operand, Operator, comparisons_of, operators_of
from ma.rules.refusals import (
    Spent,
    join,
    listed,
    named,
    require_keys,
    require_object,
    shown,
    unknown,
    visible,
)
from ma.text import fold
from ma.types import Channel

# How a field that the workspace defined itself is named: attribute:12.
OWN = "attribute:"
_SHOWN_IDS = 5


def leaf(data: dict, path: str, spent: Spent, catalogue: Catalogue) -> Leaf:
    """The leaf that an object stands for; its keys stand once each, and one of `LEAVES` is among them."""
    spent.rule(path)
    read = next(read for key, read in LEAVES.items() if key in data)
    return read(data, path, spent, catalogue)


def _field_rule(data: dict, path: str, spent: Spent, catalogue: Catalogue) -> FieldRule:
    field = _field(data["field"], catalogue.fields, path)
    return _compared(field, data, path, spent)


def _field(name: object, fields: Mapping[str, Field], path: str) -> Field:
    if isinstance(name, str) and name not in fields and name.startswith(OWN):
        raise InvalidRule(
            f"Unknown field {shown(name)}",
            path=path,
            remedy="It may have been deleted: choose another field, or delete this condition.",
        )
    return named("field", name, fields, path, labels=_labels(fields.values()))


def _labels(fields: Iterable[Field]) -> dict[str, str]:
    return {field.label: field.name for field in fields}


def _compared(field: Field, data: dict, path: str, spent: Spent) -> FieldRule:
    """One condition on a field of a customer or of an event."""
    operator = _operator(field, operators_of(field), data, path)
    known, why_not = _keys_beside(field, operator)
    require_keys(data, ("field", "operator", *known), path, why_not=why_not)
    missing = _missing(data, path)
    return FieldRule(field.name, operator.name, value(field, operator, data, path, spent), missing)


def _operator(field: Field, allowed: Mapping[str, Operator], data: dict, path: str) -> Operator:
    if "operator" not in data:
        raise InvalidRule("The operator is missing", path=path, remedy=f"Add one of {listed(allowed)}.")
    name = data["operator"]
    if isinstance(name, str) and name in OPERATORS and name not in allowed:
        raise InvalidRule(
            f"'{field.name}' ({field.kind}) has no operator '{name}'",
            path=path,
            remedy=f"Use one of {listed(allowed)}.",
        )
    titles = {operator.words: operator.name for operator in allowed.values()}
    return named("operator", name, allowed, path, labels=titles)


def _keys_beside(field: Field, operator: Operator) -> tuple[list[str], dict[str, str]]:
    """The further keys of a condition, and why the others are out of place."""
    known = []
    if operator.operand is not Operand.NOTHING:
        known += ["value", "missing"] if field.can_be_missing else ["value"]
    if operator.operand is Operand.WINDOW:
        known.append("unit")
    return known, {
        "value": f"'{operator.name}' takes no value.",
        "missing": f"'{field.name}' is never unknown, or '{operator.name}' already asks for it.",
        "unit": f"'{operator.name}' takes no unit.",
    }


def _missing(data: dict, path: str) -> bool:
    if "missing" in data and data["missing"] != "match":
        raise InvalidRule(
            f"'missing' cannot be {shown(data['missing'])}",
            path=join(path, "missing"),
            remedy='Write "match", or leave it out: unknown values then do not match.',
        )
    return "missing" in data


def _event_rule(data: dict, path: str, spent: Spent, catalogue: Catalogue) -> EventRule:
    labels = {words: e.name for e in catalogue.events.values() for words in (e.label, e.plural)}
    event = named("event", data["event"], catalogue.events, join(path, "event"), labels=labels)
    measure = _measure(event, data, path)
    field = measure.field
    operator = _operator(field, comparisons_of(field), data, path)
    known, why_not = _keys_beside(field, operator)
    require_keys(data, ("event", "where", "measure", "operator", "within", *known), path, why_not=why_not)
    return EventRule(
        event.name,
        measure.name,
        operator.name,
        value(field, operator, data, path, spent),
        _where(event, data, path, spent, catalogue),
        within(data, path),
        _missing(data, path),
    )


def _measure(event: EventKind, data: dict, path: str) -> Measure:
    allowed = measures_of(event)
    if "measure" not in data:
        raise InvalidRule("The measure is missing", path=path, remedy=f"Add one of {listed(allowed)}.")
    name, path = data["measure"], join(path, "measure")
    if isinstance(name, str) and name in MEASURES and name not in allowed:
        raise InvalidRule(
            f"{shown(event.name)} has no amount, so no {shown(name)}",
            path=path,
            remedy=f"Use one of {listed(allowed)}.",
        )
    return named("measure", name, allowed, path, labels={m.field.label: m.name for m in allowed.values()})


def _where(
    event: EventKind, data: dict, path: str, spent: Spent, catalogue: Catalogue
) -> tuple[FieldRule, ...]:
    """The conditions on the events themselves: one, or a list of which all must hold."""
    if "where" not in data:
        return ()
    path = join(path, "where")
    remedy = 'Write a condition such as {"field": "category", "operator": "eq", "value": "wine"}.'
    where = require_object(data["where"], path, remedy=remedy)
    if not where:
        raise InvalidRule("The condition is empty", path=path, remedy="Fill it in, or leave 'where' out.")
    if "all" not in where:
        return (_condition(event, where, path, spent, catalogue),)
    require_keys(where, ("all",), path)
    conditions, path = where["all"], join(path, "all")
    if not isinstance(conditions, list):
        raise InvalidRule(
            f"'all' needs a list of conditions but has {shown(conditions)}",
            path=path,
            remedy="Put it in [ ].",
        )
    if not conditions:
        raise InvalidRule("The group is empty", path=path, remedy="Add a condition, or leave 'where' out.")
    places = ((condition, f"{path}[{i}]") for i, condition in enumerate(conditions))
    return tuple(
        _condition(event, require_object(condition, place, remedy=remedy), place, spent, catalogue)
        for condition, place in places
    )


def _condition(event: EventKind, data: dict, path: str, spent: Spent, catalogue: Catalogue) -> FieldRule:
    spent.rule(path)
    if "field" not in data:
        raise InvalidRule(
            f"'where' holds conditions on fields of the event, not {shown(next(iter(data), data))}",
            path=path,
            remedy=f"Write one 'field', or a list of them in 'all', with {listed(event.fields)}.",
        )
    name = data["field"]
    if isinstance(name, str) and name in catalogue.fields and name not in event.fields:
        raise InvalidRule(
            f"'{name}' is a field of the customer, not of the event",
            path=path,
            remedy=f"Put it beside the event, or use one of {listed(event.fields)}.",
        )
    field = named("field", name, event.fields, path, labels=_labels(event.fields.values()))
    return _compared(field, data, path, spent)


_DID = {did.value: did for did in Did}
_CHANNELS = {channel.value: channel for channel in Channel}


def _campaign_rule(data: dict, path: str, spent: Spent, catalogue: Catalogue) -> CampaignRule:
    require_keys(data, ("campaign", "did", "within"), path)
    campaign, channel = _which(data["campaign"], join(path, "campaign"), catalogue)
    if "did" not in data:
        raise InvalidRule(
            "What they did is missing", path=path, remedy=f"Add a 'did': one of {listed(_DID)}."
        )
    labels = {"sent": "was_sent", "received": "delivered", "bought": "converted"}
    did = named("did", data["did"], _DID, join(path, "did"), labels=labels)
    return CampaignRule(did, campaign, channel, within(data, path))


def _which(which: object, path: str, catalogue: Catalogue) -> tuple[int | None, str | None]:
    """The campaign's id or the channel that a rule speaks of; both None for any campaign."""
    if which == "any" and isinstance(which, str):
        return None, None
    if isinstance(which, dict):
        chosen = require_object(which, path, remedy="")
        if "channel" not in chosen:
            raise InvalidRule(
                "The channel is missing", path=path, remedy=f"Add a 'channel': one of {listed(_CHANNELS)}."
            )
        require_keys(chosen, ("channel",), path)
        labels = {channel.label: channel.value for channel in Channel}
        channel = named("channel", chosen["channel"], _CHANNELS, join(path, "channel"), labels=labels)
        return None, channel.value
    if isinstance(which, str):
        raise unknown("campaign", which, ("any",), path)
    remedy = 'Write the id of a campaign, "any", or {"channel": "email"}.'
    return _id("campaign", which, catalogue.campaigns, path, remedy=remedy), None


def _segment_rule(data: dict, path: str, spent: Spent, catalogue: Catalogue) -> SegmentRule:
    require_keys(data, ("in_segment",), path)
    segments = catalogue.segments
    names = None if segments is None else {number: known.name for number, known in segments.items()}
    which, path = data["in_segment"], join(path, "in_segment")
    return SegmentRule(_id("segment", which, names, path, remedy="Write the id of a segment."))


def _id(what: str, number: object, known: Mapping[int, str] | None, path: str, *, remedy: str) -> int:
    """The id of something the workspace has; where that is not known, any id."""
    if not is_whole(number) or not 1 <= number <= MAX_ID:
        raise InvalidRule(f"This is not the id of a {what}: {shown(number)}", path=path, remedy=remedy)
    if known is not None and number not in known:
        some = [f"{other} ({visible(name)})" for other, name in list(known.items())[:_SHOWN_IDS]]
        more = ", …" if len(known) > _SHOWN_IDS else ""
        instead = f"Use {', '.join(some)}{more}." if some else "There is no other: delete this condition."
        raise InvalidRule(
            f"Unknown {what} {number}", path=path, remedy=f"It may have been deleted. {instead}"
        )
    return number


def _random_rule(data: dict, path: str, spent: Spent, catalogue: Catalogue) -> RandomRule:
    require_keys(data, ("random", "from", "to"), path)
    split = _split(data["random"], join(path, "random"))
    start, end = (_percent(data, key, path) for key in ("from", "to"))
    if start >= end:
        raise InvalidRule(
            "The part is empty", path=path, remedy="'from' must be less than 'to': from 0 to 50 is one half."
        )
    return RandomRule(split, start, end)


def _split(name: object, path: str) -> str:
    if not isinstance(name, str):
        raise InvalidRule(
            f"A random split needs a name, not {shown(name)}", path=path, remedy="Write a text in quotes."
        )
    require_storable(name, path)
    if not fold(name):
        raise InvalidRule("The split has no name", path=path, remedy="Give it one, such as 'autumn test'.")
    # Another name is another split: what cannot be seen would choose other people.
    if not fold(name).isprintable():
        raise InvalidRule(
            f"The name {shown(name)} has characters that cannot be seen",
            path=path,
            remedy="Type it again instead of pasting it.",
        )
    if len(name) > MAX_SPLIT:
        raise InvalidRule(f"The name is longer than {MAX_SPLIT} characters", path=path, remedy="Shorten it.")
    return name


def _percent(data: dict, key: str, path: str) -> float:
    if key not in data:
        raise InvalidRule(f"'{key}' is missing", path=path, remedy=f"Add a '{key}': a number from 0 to 100.")
    number = data[key]
    # Also false for NaN. Exact in hundredths: as the number is written, not as it is stored.
    if (is_whole(number) or isinstance(number, float)) and 0 <= number <= 100:
        exact = Decimal(str(float(number)))
        if exact == exact.quantize(Decimal("0.01")):
            return int(number) if exact == int(number) else number
    raise InvalidRule(
        f"Expected a percentage but found {shown(number)}",
        path=join(path, key),
        remedy="Write a number from 0 to 100 with at most two decimals.",
    )


# What makes an object a leaf: the first of its keys that is one of these.
LEAVES: dict[str, Callable[[dict, str, Spent, Catalogue], Leaf]] = {
    "field": _field_rule,
    "event": _event_rule,
    "campaign": _campaign_rule,
    "in_segment": _segment_rule,
    "random": _random_rule,
}

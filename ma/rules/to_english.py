"""Rules as one English sentence, from the same nodes as the SQL."""

import re
from dataclasses import replace
from datetime import date
from functools import partial

from ma.money import SYMBOLS, digits
from ma.rules.catalogue import STANDARD, Catalogue
from ma.rules.check_leaves import OWN
from ma.rules.events import EVENTS, MEASURES, EventKind, behaviour
from ma.rules.fields import FIELDS, Field, Kind
from ma.rules.nodes import (
    Between,
    CampaignRule,
    Did,
    EventRule,
    FieldRule,
    Group,
    Leaf,
    Match,
    Node,
    Not,
    RandomRule,
    Scalar,
    SegmentRule,
    Value,
    Window,
    Within,
)
from ma.rules.operators import OPERATORS, Operand
from ma.types import Channel

# Longer lists of values end in "and 992 more".
SHOWN = 8

_SINGLE = str.maketrans('“”„‟"', "‘’‚‛'")
_PLAIN = re.compile(r"[\w+.-]+( [\w+.-]+)*")
# "gender is unknown" is who has none; whose gender is recorded so, has “unknown”.
_OF_SENTENCES = frozenset({"and", "or", "not", "any", "none", "more", "known", "unknown", "exists", "does"})

_DID = {
    Did.WAS_SENT: "were sent",
    Did.DELIVERED: "received",
    Did.OPENED: "opened",
    Did.CLICKED: "clicked on",
    Did.CONVERTED: "converted after",
    Did.UNSUBSCRIBED: "unsubscribed after",
}
_CHANNEL = {
    Channel.EMAIL: "any e-mail campaign",
    Channel.SMS: "any SMS campaign",
    Channel.PUSH: "any push campaign",
    Channel.DIRECT_MAIL: "any direct mail campaign",
    Channel.ADS: "any ads campaign",
}


def english(node: Node, *, currency: str, catalogue: Catalogue = STANDARD) -> str:
    """The rule as a sentence: "Customers where country is DE, and number of orders is at least 3." """
    return f"Customers where {_phrase(node, currency, catalogue, top=True)}."


def phrase(leaf: Node, *, currency: str, catalogue: Catalogue = STANDARD) -> str:
    """One leaf or group as it stands inside the sentence: "they opened any e-mail campaign".

    What the catalogue does not have is said to be gone; nothing is refused here.
    """
    return _phrase(leaf, currency, catalogue)


def _phrase(node: Node, currency: str, catalogue: Catalogue, *, top: bool = False) -> str:
    inner = partial(_phrase, currency=currency, catalogue=catalogue)
    match node:
        case Group(Match.NONE, (only,)):
            return f"not ({inner(only, top=True)})"
        case Group(_, (only,)):
            return inner(only, top=top)
        case Group(kind, rules):
            word = ", and " if kind is Match.ALL else ", or "
            joined = word.join(inner(rule) for rule in rules)
            if kind is Match.NONE:
                return f"not ({joined})"
            return joined if top else f"({joined})"
        case Not(rule):
            return f"not ({inner(rule, top=True)})"
        case _:
            return _leaf(node, currency, catalogue)


def _leaf(leaf: Leaf, currency: str, catalogue: Catalogue) -> str:
    match leaf:
        case FieldRule():
            return _comparison(_field(leaf.field, catalogue), leaf, currency)
        case EventRule():
            return _event(leaf, currency, catalogue)
        case CampaignRule():
            return f"they {_DID[leaf.did]} {_campaign(leaf, catalogue)}{_within(leaf.within)}"
        case SegmentRule():
            return f"they are in {_segment(leaf.segment_id, catalogue)}"
        case RandomRule():
            return f"they are in {_part(leaf)} of the random split {_quoted(visible(leaf.split))}"


def _comparison(field: Field, rule: FieldRule | EventRule, currency: str, *, label: str = "") -> str:
    operator = OPERATORS[rule.operator]
    words = _value(field, rule.operator, rule.value, currency)
    template = operator.words_of(field)
    template = template if "{}" in template or not words else f"{template} {{}}"
    said = f"{label or visible(field.label)} {template.replace('{}', words)}"
    return f"{said} (or {field.absent or 'is unknown'})" if rule.missing_matches else said


def _field(name: str, catalogue: Catalogue) -> Field:
    if found := catalogue.fields.get(name):
        return found
    number = name.removeprefix(OWN)
    if catalogue.fields is not FIELDS:
        return _gone(name, number)
    # Without a workspace nobody can say whether a field of its own is still there.
    return replace(_gone(name, number), label=f"own field {number}")


def _gone(name: str, shown: str) -> Field:
    return Field(name, f"a field that is gone ({shown})", Kind.TEXT, None, "")


def fact(leaf: FieldRule | SegmentRule, *, catalogue: Catalogue = STANDARD) -> str:
    """What can be unknown of a leaf: "age", "being in the segment “Loyal”"."""
    if isinstance(leaf, SegmentRule):
        return f"being in {_segment(leaf.segment_id, catalogue)}"
    return visible(_field(leaf.field, catalogue).label)


def _event(rule: EventRule, currency: str, catalogue: Catalogue) -> str:
    label = _measured(rule, currency, catalogue)
    return _comparison(MEASURES[rule.measure].field, rule, currency, label=label)


def _measured(rule: EventRule, currency: str, catalogue: Catalogue) -> str:
    event = catalogue.events.get(rule.event) or behaviour(rule.event)
    label = visible(MEASURES[rule.measure].field.label)
    # "days since the last purchase", but "number of purchases".
    of = f" {_one(event)}" if rule.measure.startswith("days_since") else f" of {_several(event)}"
    return f"{label}{of}{_within(rule.within)}{_where(event, rule, currency)}"


def _one(event: EventKind) -> str:
    return event.label if event.name in EVENTS else f"{_quoted(visible(event.label))} event"


def _several(event: EventKind) -> str:
    return event.plural if event.name in EVENTS else f"{_quoted(visible(event.label))} events"


def _where(event: EventKind, rule: EventRule, currency: str) -> str:
    if not rule.where:
        return ""
    said = []
    for condition in rule.where:
        field = event.fields.get(condition.field)
        field = field or Field(
            condition.field, f"a field that is gone ({condition.field})", Kind.TEXT, None, ""
        )
        said.append(_comparison(field, condition, currency))
    return f" (where {' and '.join(said)})"


def _within(within: Within) -> str:
    match within:
        case None:
            return ""
        case Window():
            return f" in the last {_window(within)}"
        case Between(first, None):
            return f" from {_day(first)} on"
        case Between(None, last):
            return f" up to {_day(last)}"
        case Between(first, last) if first == last:
            return f" on {_day(first)}"
        case Between(first, last):
            return f" from {_day(first)} to {_day(last)}"


def _campaign(rule: CampaignRule, catalogue: Catalogue) -> str:
    if rule.campaign is None:
        return _CHANNEL[Channel(rule.channel)] if rule.channel else "any campaign"
    if catalogue.campaigns is None:
        return f"campaign {rule.campaign}"
    if rule.campaign not in catalogue.campaigns:
        return f"a campaign that is gone ({rule.campaign})"
    return f"the campaign {_quoted(visible(catalogue.campaigns[rule.campaign]))}"


def _segment(segment_id: int, catalogue: Catalogue) -> str:
    if catalogue.segments is None:
        return f"segment {segment_id}"
    if segment_id not in catalogue.segments:
        return f"a segment that is gone ({segment_id})"
    return f"the segment {_quoted(visible(catalogue.segments[segment_id].name))}"


def _part(rule: RandomRule) -> str:
    if rule.start == 0:
        return f"the first {rule.end:g} %"
    if rule.end == 100:
        return f"the last {round(100 - rule.start, 2):g} %"
    return f"the part from {rule.start:g} % to {rule.end:g} %"


def visible(name: str) -> str:
    """A stored name on one line: what cannot be seen, or would break the line, is a space."""
    return " ".join(_one_line(name).split()) or "without a name"


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _quoted(text: str) -> str:
    """A value or name in quotes, which it cannot close itself."""
    return f"“{_one_line(text).translate(_SINGLE)}”"


def _choice(value: str) -> str:
    """A choice as it is where it cannot be taken for words of the sentence, else in quotes."""
    is_plain = _PLAIN.fullmatch(value) and _OF_SENTENCES.isdisjoint(value.casefold().split())
    return value if is_plain else _quoted(value)


def _value(field: Field, operator: str, value: Value, currency: str) -> str:
    match OPERATORS[operator].operand:
        case Operand.NOTHING:
            return ""
        case Operand.WINDOW:
            return _window(value)
        case Operand.RANGE:
            return " and ".join(_scalar(field, item, currency) for item in value)
        case Operand.MANY:
            word = "and" if operator == "has_all" else "or"
            return _listed([_scalar(field, item, currency) for item in value], word)
        case _:
            return _scalar(field, value, currency)


def _window(window: Window) -> str:
    return f"{window.count:,} {window.unit}{'' if window.count == 1 else 's'}"


def _listed(words: list[str], word: str) -> str:
    if len(words) > SHOWN:
        return f"{', '.join(words[:SHOWN])} {word} {len(words) - SHOWN:,} more"
    return f" {word} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _day(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"


def _scalar(field: Field, value: Scalar, currency: str) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case date():
            return _day(value)
        case str():
            return _choice(value) if field.kind is Kind.CHOICE else _quoted(value)
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

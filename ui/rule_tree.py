"""The rule under work: a tree of dicts in the session, and how it is read from JSON and written as JSON.

Every node has an id of its own, which names its widgets; `face` changes where they must forget what they
show. A click only touches the session of whoever clicked (`ui.rule_changes`); what the tree is worth is
decided by `ma.rules.check` and by the services.
"""

from collections.abc import Iterator
from datetime import datetime
from uuid import uuid4

import streamlit as st

from ma import clock
from ma.analytics.catalogue import catalogue as read_catalogue
from ma.rules.catalogue import Catalogue
from ma.rules.check import parse
from ma.rules.events import MEASURES
from ma.rules.fields import Field
from ma.rules.nodes import (
    Between,
    CampaignRule,
    EventRule,
    FieldRule,
    Group,
    Match,
    Node,
    Not,
    RandomRule,
    SegmentRule,
    Unit,
    Window,
    Within,
    to_json,
)
from ma.rules.operators import NUMBERS, OPERATORS, Operand, Operator, operators_of
from ui.session import reading

# Each screen and each segment has its own rule under work: what was not saved of one must not be lost by
# opening another.
_PLACE = "rule-editor-place"
_STATE = "rule-editor-state "
_SEGMENT = "segment "
# Periods that are chosen as they are: "90 day" is in the last 90 days.
PRESETS = ("7 day", "30 day", "90 day", "6 month", "12 month")


def open_with(token: str, rule: dict, *, version: int = 0, but: int | None = None, anew: bool = False) -> int:
    """Begin to work on a rule, or go on with the draft named by `token`, unless it is to begin `anew`.

    Returns the version of the rule under work: an older one, when somebody else has saved another since.
    `but` is the segment whose rule it is: it cannot name itself. Raises InvalidRule for a rule that has
    become wrong, as when a field of one's own was deleted.
    """
    st.session_state[_PLACE] = f"{_SEGMENT}{token}"
    kept = state()
    if anew or not kept or (kept["version"] != version and touched_at() is None):
        known = _known(but)
        _begin(token, tree(parse(rule, known)), version, known, but)
        _forget_untouched()
    return state()["version"]


def open_filters(token: str, rules: list[dict]) -> None:
    """Begin to work on filters, all of which must hold, unless those named by `token` are under work."""
    st.session_state[_PLACE] = "filters"
    if state().get("for") != token:
        known = _known(None)
        _begin(token, group(Match.ALL.value, [_node(parse(rule, known)) for rule in rules]), 0, known, None)


def renamed(token: str) -> None:
    """What is under work is called so from now on."""
    state()["for"] = token


def _known(but: int | None) -> Catalogue:
    with reading() as session:
        return read_catalogue(session, but=but)


def _begin(token: str, root: dict, version: int, known: Catalogue, but: int | None) -> None:
    st.session_state[_key()] = {
        "for": token,
        "draft": uuid4().hex,
        "version": version,
        "root": root,
        "catalogue": known,
        "but": but,
        "past": [],
        "future": [],
        "found": {},
    }


def _key() -> str:
    return f"{_STATE}{st.session_state.get(_PLACE, _SEGMENT)}"


def _forget_untouched() -> None:
    """Forget the rules of other segments that were opened and left as they were."""
    for name in [name for name in st.session_state if name.startswith(f"{_STATE}{_SEGMENT}")]:
        if name != _key() and "touched_at" not in st.session_state[name]:
            del st.session_state[name]


def touch() -> None:
    """Note that the person has changed something of what is under work."""
    state()["touched_at"] = clock.now()


def touched_at() -> datetime | None:
    """When the person last changed something of what is under work; None while it is as it was opened."""
    return state().get("touched_at")


def state() -> dict:
    """All that is kept about the rule under work; empty when there is none."""
    return st.session_state.get(_key(), {})


def close() -> None:
    """Forget the rule under work."""
    st.session_state.pop(_key(), None)


def root() -> dict:
    """The outermost group of the rule under work."""
    return state()["root"]


def catalogue() -> Catalogue:
    """What the rule under work can speak of, read when the work on it began."""
    return state()["catalogue"]


def rule() -> dict:
    """The rule under work as JSON, finished or not."""
    return to_rule(root())


def key(node: dict, part: str) -> str:
    """The key of a widget of a node."""
    return f"{node['id']}-{node['face']}-{part}"


# Making nodes


def _new(**parts: object) -> dict:
    return {"id": uuid4().hex, "face": 0, **parts}


def group(match: str, rules: list[dict]) -> dict:
    """A group of nodes."""
    return _new(match=match, rules=rules)


def field_leaf(field: str, operator: str, value: object, *, of: str = "", **other: object) -> dict:
    """A condition on a field: of the profile, or of the event `of`."""
    usual = {"unit": Unit.DAY.value, "missing": False}
    return _new(leaf="field", of=of, field=field, operator=operator, value=value, **usual | other)


def event_leaf(event: str, measure: str, operator: str, value: object, **other: object) -> dict:
    """A condition on what people did."""
    usual = {"where": [], "within": within(None), "missing": False}
    return _new(leaf="event", event=event, measure=measure, operator=operator, value=value, **usual | other)


def campaign_leaf(which: int | str, did: str, **other: object) -> dict:
    """A condition on messages; `which` is a campaign's id, a channel, or "any"."""
    return _new(leaf="campaign", which=which, did=did, **{"within": within(None)} | other)


def segment_leaf(segment: int | None) -> dict:
    """A condition on being in another segment; None: none was chosen yet."""
    return _new(leaf="segment", segment=segment)


def random_leaf(split: str, start: float, end: float) -> dict:
    """A random part of everybody."""
    return _new(leaf="random", split=split, start=start, end=end)


def within(period: Within) -> dict:
    """A period as the editor keeps it; what is not shown is kept for when it is chosen again."""
    kept = {"how": "ever", "last": 90, "unit": Unit.DAY.value, "first": None, "until": None}
    match period:
        case None:
            return kept
        case Window(count, unit):
            preset = f"{count} {unit.value}"
            how = preset if preset in PRESETS else "last"
            return kept | {"how": how, "last": count, "unit": unit.value}
        case Between(first, last):
            how = "between" if first and last else "since" if first else "until"
            days = {"first": first and first.isoformat(), "until": last and last.isoformat()}
            return kept | {"how": how} | days


# From a rule to the tree, and back


def tree(node: Node) -> dict:
    """A rule as the root of a tree, which is always a group."""
    top = _node(node)
    return top if "rules" in top else group(Match.ALL.value, [top])


def _node(node: Node) -> dict:
    match node:
        case Group():
            return group(node.match.value, [_node(inner) for inner in node.rules])
        case Not():
            return group(Match.NONE.value, [_node(node.rule)])
        case FieldRule():
            return _field_node(node)
        case EventRule():
            return event_leaf(
                node.event,
                node.measure,
                node.operator,
                to_json(node)["value"],
                where=[_field_node(condition, of=node.event) for condition in node.where],
                within=within(node.within),
                missing=node.missing_matches,
            )
        case CampaignRule():
            which = node.campaign or node.channel or "any"
            return campaign_leaf(which, node.did.value, within=within(node.within))
        case SegmentRule():
            return segment_leaf(node.segment_id)
        case RandomRule():
            return random_leaf(node.split, node.start, node.end)


def _field_node(leaf: FieldRule, *, of: str = "") -> dict:
    data = to_json(leaf)
    unit = data.get("unit", Unit.DAY.value)
    missing = leaf.missing_matches
    return field_leaf(leaf.field, leaf.operator, data.get("value"), of=of, unit=unit, missing=missing)


def to_rule(node: dict) -> dict:
    """A node as JSON, finished or not."""
    if "rules" in node:
        return {node["match"]: [to_rule(inner) for inner in node["rules"]]}
    return _TO_RULE[node["leaf"]](node)


def _field_json(node: dict) -> dict:
    leaf = {"field": node["field"], "operator": node["operator"]}
    operand = OPERATORS[node["operator"]].operand
    if operand is Operand.NOTHING:
        return leaf
    leaf["value"] = node["value"]
    if operand is Operand.WINDOW:
        leaf["unit"] = node["unit"]
    return leaf | _missing_json(node)


def _event_json(node: dict) -> dict:
    data: dict = {"event": node["event"]}
    if node["where"]:
        conditions = [_field_json(condition) for condition in node["where"]]
        data["where"] = conditions[0] if len(conditions) == 1 else {"all": conditions}
    data |= {"measure": node["measure"], "operator": node["operator"], "value": node["value"]}
    return data | _within_json(node["within"]) | _missing_json(node)


def _campaign_json(node: dict) -> dict:
    which = node["which"]
    named = which if isinstance(which, int) or which == "any" else {"channel": which}
    return {"campaign": named, "did": node["did"]} | _within_json(node["within"])


def _segment_json(node: dict) -> dict:
    return {"in_segment": node["segment"]}


def _random_json(node: dict) -> dict:
    return {"random": node["split"], "from": node["start"], "to": node["end"]}


_TO_RULE = {
    "field": _field_json,
    "event": _event_json,
    "campaign": _campaign_json,
    "segment": _segment_json,
    "random": _random_json,
}


def _missing_json(node: dict) -> dict:
    return {"missing": "match"} if node["missing"] and field_of(node).can_be_missing else {}


def _within_json(period: dict) -> dict:
    match period["how"]:
        case preset if preset in PRESETS:
            count, unit = preset.split()
            return {"within": {"last": int(count), "unit": unit}}
        case "last":
            return {"within": {"last": period["last"], "unit": period["unit"]}}
        case "since":
            return {"within": {"from": period["first"]}}
        case "until":
            return {"within": {"to": period["until"]}}
        case "between":
            return {"within": {"from": period["first"], "to": period["until"]}}
    return {}


# What is known of nodes


def field_of(node: dict) -> Field:
    """What a condition compares: a field of the profile or of an event, or an event's measure."""
    if node["leaf"] == "event":
        return MEASURES[node["measure"]].field
    return fields(node["of"])[node["field"]]


def fields(of: str = "") -> dict[str, Field]:
    """The fields of the profile, or of an event."""
    return catalogue().events[of].fields if of else catalogue().fields


def operators(node: dict) -> dict[str, Operator]:
    """The operators that a condition can have, in the order in which they are offered."""
    found = operators_of(field_of(node))
    if node["leaf"] == "event":
        return {name: operator for name, operator in found.items() if not operator.tests_presence}
    return found


def first_operator(field: Field) -> str:
    """The operator to begin with: of numbers "is at least", as hardly anybody asks for just one."""
    return "gte" if field.kind in NUMBERS else next(iter(operators_of(field)))


def first_value(node: dict) -> object:
    """The value to begin with, by the operator and what is compared."""
    match OPERATORS[node["operator"]].operand:
        case Operand.WINDOW:
            return 30
        case Operand.MANY:
            return []
        case Operand.RANGE:
            return [None, None]
        case Operand.ONE if field_of(node).kind.value == "yes or no":
            return True
        case _:
            return None


def children(node: dict) -> list[dict]:
    """What stands in a node: the rules of a group, the conditions of an event."""
    return node.get("rules") or node.get("where") or []


def walk(node: dict) -> Iterator[dict]:
    """A node and everything in it, from the top."""
    yield node
    for inner in children(node):
        yield from walk(inner)


def find(node_id: str) -> dict | None:
    """A node by its id; None when a click comes from a screen that is no longer true."""
    return _places().get(node_id, (None, None))[0]


def parent(node_id: str) -> dict | None:
    """The group, or the event, in which a node stands; None for the root and for what is gone."""
    return _places().get(node_id, (None, None))[1]


def _places() -> dict[str, tuple[dict, dict | None]]:
    """Every node by its id with what it stands in, found once for each change."""
    kept = state()
    if not kept:
        return {}
    if "places" not in kept:
        kept["places"] = {kept["root"]["id"]: (kept["root"], None)} | {
            inner["id"]: (inner, node) for node in walk(kept["root"]) for inner in children(node)
        }
    return kept["places"]


def changed() -> None:
    """Forget what was found out about the rule: it is another one now, by what the person did."""
    for name in ("verdict", "places"):
        state().pop(name, None)
    touch()


def depth(node_id: str) -> int:
    """In how many groups a node stands, itself included if it is one."""
    found, above = 0, find(node_id)
    while above is not None:
        found += "rules" in above
        above = parent(above["id"])
    return found


def height(node: dict) -> int:
    """How many groups stand in one another in a node, itself included."""
    return 1 + max(map(height, node["rules"]), default=0) if "rules" in node else 0

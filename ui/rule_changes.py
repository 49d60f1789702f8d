"""What clicks do to the rule under work.

They come from a screen that may be out of date, so every node may be gone; such a click changes nothing.
"""

from collections.abc import Callable
from copy import deepcopy
from uuid import uuid4

import streamlit as st

from ma.rules.events import measures_of
from ma.rules.limits import LONGEST, MAX_DEPTH
from ma.rules.nodes import Match, Node, Unit
from ma.rules.operators import NUMBERS, OPERATORS, Operand, operators_of
from ui import rule_tree
from ui.rule_history import change
from ui.rule_tree import find, first_value, parent

FIELD, EVENT, CAMPAIGN, SEGMENT, RANDOM, GROUP = "field", "event", "campaign", "segment", "random", "group"


def new(kind: str, name: str = "") -> dict:
    """A new node of a kind, finished where there is anything sensible to begin with."""
    match kind:
        case "event":
            last = rule_tree.within(None) | {"how": "90 day"}
            return rule_tree.event_leaf(name or "purchase", "count", "gte", 1, within=last)
        case "campaign":
            return rule_tree.campaign_leaf("any", "opened")
        case "segment":
            return rule_tree.segment_leaf(None)
        case "random":
            return rule_tree.random_leaf("random test", 0, 50)
        case "group":
            return rule_tree.group(Match.ANY.value, [new(FIELD)])
        case _ if name:
            fields = rule_tree.fields()
            node = rule_tree.field_leaf(name, rule_tree.first_operator(fields[name]), None)
            return node | {"value": first_value(node)}
        case _:
            return rule_tree.field_leaf("orders", "gte", 1)


# The shape of the tree


@change
def set_match(node_id: str, key: str) -> None:
    """Take a group's all, any or none from its widget."""
    if (node := find(node_id)) and st.session_state.get(key):
        node["match"] = st.session_state[key]


@change
def add(node_id: str, kind: str = FIELD) -> None:
    """Put a new node of a kind at the end of a group."""
    node = find(node_id)
    if node is not None and (kind != GROUP or rule_tree.depth(node_id) < MAX_DEPTH):
        node["rules"].append(new(kind))


def add_chosen(node_id: str, key: str) -> None:
    """The same for the kind that a menu chose."""
    if kind := st.session_state.get(key):
        add(node_id, kind)


@change
def add_condition(node_id: str) -> None:
    """Put a condition on the events themselves at the end of an event's; its value is still missing."""
    node = find(node_id)
    if node is None or not (fields := rule_tree.fields(node["event"])):
        return
    taken = {condition["field"] for condition in node["where"]}
    name = next((name for name in fields if name not in taken), next(iter(fields)))
    node["where"].append(_condition(node["event"], name))


def _condition(event: str, name: str) -> dict:
    field = rule_tree.fields(event)[name]
    several = field.suggests and "in" in operators_of(field)
    operator = "in" if several else rule_tree.first_operator(field)
    node = rule_tree.field_leaf(name, operator, None, of=event)
    return node | {"value": first_value(node)}


@change
def add_filter(key: str) -> None:
    """Put a filter by the field that a widget chose at the end of the filters; its value is still missing."""
    if (name := st.session_state.get(key)) in rule_tree.fields():
        rule_tree.root()["rules"].append(new(FIELD, name))


@change
def delete(node_id: str) -> None:
    """Take out a condition, or a group with all that is in it."""
    if above := parent(node_id):
        rule_tree.children(above).remove(find(node_id))


@change
def duplicate(node_id: str) -> None:
    """Put a copy beside a condition or group."""
    above, node = parent(node_id), find(node_id)
    if above and _fits(node, above):
        among = rule_tree.children(above)
        among.insert(among.index(node) + 1, _copy(node))


def _copy(node: dict) -> dict:
    copied = deepcopy(node)
    for inner in rule_tree.walk(copied):
        inner["id"] = uuid4().hex
    return copied


def _fits(node: dict, group: dict) -> bool:
    """Whether a node may stand in a group without nesting too deeply."""
    return rule_tree.depth(group["id"]) + rule_tree.height(node) <= MAX_DEPTH


def moves(node_id: str) -> list[str]:
    """Which of `MOVES` a node can make where it stands."""
    node, above = find(node_id), parent(node_id)
    if node is None:
        return []
    found = (
        ["wrap"] if rule_tree.depth(node_id) + rule_tree.height(node) - ("rules" in node) < MAX_DEPTH else []
    )
    if above is None:
        return found
    among = above["rules"]
    place = among.index(node)
    if "rules" in node:
        found.append("unwrap")
    if place and "rules" in among[place - 1] and _fits(node, among[place - 1]):
        found.insert(0, "into")
    if parent(above["id"]):
        found.insert(0, "out")
    if place < len(among) - 1:
        found.insert(0, "down")
    if place:
        found.insert(0, "up")
    return ["duplicate", *found]


@change
def move(node_id: str, how: str) -> None:
    """Move a node among its neighbours, into the group above it or out of its own; wrap it, or unwrap it."""
    if how not in moves(node_id):
        return
    node, above = find(node_id), parent(node_id)
    if above is None:
        rule_tree.state()["root"] = rule_tree.group(Match.ALL.value, [node])
        return
    among = above["rules"]
    place = among.index(node)
    match how:
        case "up" | "down":
            other = place + (1 if how == "down" else -1)
            among[place], among[other] = among[other], among[place]
        case "into":
            among[place - 1]["rules"].append(among.pop(place))
        case "out":
            outer = parent(above["id"])["rules"]
            outer.insert(outer.index(above) + 1, among.pop(place))
        case "wrap":
            among[place] = rule_tree.group(Match.ALL.value, [node])
        case "unwrap":
            among[place : place + 1] = node["rules"]


def move_chosen(node_id: str, key: str) -> None:
    """What a menu chose to do with a node."""
    how = st.session_state.get(key)
    if how == "duplicate":
        duplicate(node_id)
    elif how:
        move(node_id, how)


@change
def replace(rule: Node) -> None:
    """Put another rule in the place of the whole one."""
    rule_tree.state()["root"] = rule_tree.tree(rule)


# One condition


@change
def set_subject(node_id: str, key: str) -> None:
    """Take what a condition is about from its widget: a field by its name, or "event visit", "campaign" …

    Operator and value stay where they still fit.
    """
    node, chosen = find(node_id), st.session_state.get(key)
    if node is None or not chosen:
        return
    kind, _, name = chosen.rpartition(" ")
    if kind == EVENT and node["leaf"] == EVENT:
        _set_event(node, name)
    elif chosen in rule_tree.fields(node.get("of", "")) and node["leaf"] == FIELD:
        _set_field(node, chosen)
    elif kind == EVENT and name in rule_tree.catalogue().events:
        _become(node, new(EVENT, name))
    elif chosen in (CAMPAIGN, SEGMENT, RANDOM):
        _become(node, new(chosen))
    elif chosen in rule_tree.fields():
        _become(node, new(FIELD, chosen))


def _become(node: dict, other: dict) -> None:
    if other["leaf"] == node["leaf"]:
        return
    node_id, face = node["id"], node["face"] + 1
    node.clear()
    node.update(other | {"id": node_id, "face": face})


def _set_field(node: dict, name: str) -> None:
    before = rule_tree.field_of(node)
    if before.name == name:
        return
    node["field"] = name
    after = rule_tree.field_of(node)
    same_kind = after.kind is before.kind and not (after.suggests or before.suggests)
    becomes_number = after.kind in NUMBERS and before.kind not in NUMBERS
    if node["operator"] not in rule_tree.operators(node) or becomes_number:
        node["operator"] = rule_tree.first_operator(after)
        same_kind = False
    if not same_kind:
        node["value"] = first_value(node)


def _set_event(node: dict, name: str) -> None:
    event = rule_tree.catalogue().events.get(name)
    if event is None:
        return
    node["event"] = name
    node["where"] = [c | {"of": name} for c in node["where"] if c["field"] in event.fields]
    if node["measure"] not in measures_of(event):
        _set_measure(node, "count")


@change
def set_measure(node_id: str, key: str) -> None:
    """Take what is measured over events from its widget."""
    node, name = find(node_id), st.session_state.get(key)
    if node is not None and name in measures_of(rule_tree.catalogue().events[node["event"]]):
        _set_measure(node, name)


def _set_measure(node: dict, name: str) -> None:
    before = rule_tree.field_of(node).kind
    node["measure"] = name
    if rule_tree.field_of(node).kind is not before:
        node["value"] = first_value(node)


@change
def set_operator(node_id: str, key: str) -> None:
    """Take a condition's operator from its widget; the value stays where it still fits."""
    node, name = find(node_id), st.session_state.get(key)
    if node is None or name not in rule_tree.operators(node):
        return
    before, after = OPERATORS[node["operator"]].operand, OPERATORS[name].operand
    node["operator"] = name
    if before is after:
        return
    first = node["value"][0] if isinstance(node["value"], list) and node["value"] else node["value"]
    if before is Operand.ONE and after is Operand.MANY:
        node["value"] = [] if first is None else [first]
    elif before is Operand.MANY and after is Operand.ONE:
        node["value"] = first if node["value"] else None
    else:
        node["value"] = first_value(node)


@change
def set_value(node_id: str, key: str, to_model: Callable, place: int | None = None) -> None:
    """Take a condition's value, or one place of it, from its widget."""
    node = find(node_id)
    if node is None or key not in st.session_state:
        return
    value = to_model(st.session_state[key])
    if place is None:
        node["value"] = value
    elif isinstance(node["value"], list):
        node["value"] = [value if i == place else old for i, old in enumerate(node["value"])]


@change
def set_unit(node_id: str, key: str) -> None:
    """Take a window's unit from its widget."""
    node, unit = find(node_id), st.session_state.get(key)
    if node and unit:
        node["unit"] = unit
        node["value"] = min(node["value"] or 1, LONGEST[Unit(unit)])


@change
def set_part(node_id: str, key: str, part: str, to_model: Callable = lambda value: value) -> None:
    """Take any other part of a condition from its widget: the campaign, the step, the segment, the split."""
    node = find(node_id)
    if node is not None and part in node and key in st.session_state:
        node[part] = to_model(st.session_state[key])


@change
def set_range(node_id: str, key: str) -> None:
    """Take the two ends of a random part from its widget."""
    node, ends = find(node_id), st.session_state.get(key)
    if node is not None and ends:
        node["start"], node["end"] = ends


@change
def set_period(node_id: str, key: str, part: str, to_model: Callable = lambda value: value) -> None:
    """Take a part of a period from its widget."""
    node = find(node_id)
    if node is None or key not in st.session_state:
        return
    period = node["within"]
    if part == "how" and period["how"] in rule_tree.PRESETS:
        # The number and the unit begin with what was chosen in words.
        count, period["unit"] = period["how"].split()
        period["last"] = int(count)
    period[part] = to_model(st.session_state[key])
    if part == "unit":
        period["last"] = min(period["last"] or 1, LONGEST[Unit(period["unit"])])


@change
def toggle_missing(node_id: str) -> None:
    """Let people of whom the fact is unknown match, or no longer."""
    if node := find(node_id):
        node["missing"] = not node["missing"]

"""The rule under work: a tree of dicts in the session, and what clicks do to it.

Every node has an id of its own, which names its widgets. A click only touches the session of whoever clicked;
what the tree is worth is decided by `ma.rules.check` and by the services.
"""

from collections.abc import Callable, Iterator
from uuid import uuid4

import streamlit as st

from ma.analytics import segments
from ma.errors import InvalidRule
from ma.rules.check import LONGEST, parse
from ma.rules.fields import FIELDS, Field, Kind
from ma.rules.nodes import FieldRule, Group, Match, Node, Not, Unit, to_json
from ma.rules.operators import OPERATORS, Operand, operators_of
from ui.session import reading

# Each screen has its own rule under work: one must not lose what was not saved on the other.
_PLACE = "rule-editor-place"
_NEW = {"field": "orders", "operator": "gte", "value": 1}


def open_with(token: str, rule: dict, *, version: int = 0) -> int:
    """Begin to work on a rule, unless the one named by `token` is being worked on already.

    Returns the version of the rule under work: an older one, when somebody else has saved another since.
    """
    st.session_state[_PLACE] = "segment"
    if _state().get("for") != token:
        root = _tree(parse(rule))
        _begin(token, root if "rules" in root else _group(Match.ALL.value, [root]), version)
    return _state()["version"]


def open_filters(token: str, rules: list[dict]) -> None:
    """Begin to work on filters, all of which must hold, unless those named by `token` are under work."""
    st.session_state[_PLACE] = "filters"
    if _state().get("for") != token:
        _begin(token, _group(Match.ALL.value, [_tree(parse(rule)) for rule in rules]), 0)


def renamed(token: str) -> None:
    """What is under work is called so from now on."""
    _state()["for"] = token


def _begin(token: str, root: dict, version: int) -> None:
    st.session_state[_key()] = {"for": token, "version": version, "root": root, "choices": {}}


def _key() -> str:
    return f"rule-editor-{st.session_state.get(_PLACE, 'segment')}"


def _state() -> dict:
    return st.session_state.get(_key(), {})


def close() -> None:
    """Forget the rule under work."""
    st.session_state.pop(_key(), None)


def rule() -> dict:
    """The rule under work as JSON, finished or not."""
    return _json(root())


def finished() -> dict[str, dict]:
    """The filters under work in which nothing is missing, as JSON by their id."""
    return {
        node["id"]: _json(node)
        for node in root()["rules"]
        if not any(problem(inner) for inner in _walk(node))
    }


def is_finished() -> bool:
    """Whether nothing is missing in the rule under work; if so, `ma.rules.check` accepts it."""
    return whole_problem() is None and not any(problem(node) for node in _walk(root()))


def root() -> dict:
    """The outermost group of the rule under work."""
    return _state()["root"]


def _group(match: str, rules: list[dict]) -> dict:
    return {"id": uuid4().hex, "match": match, "rules": rules}


def _leaf(
    field: str, operator: str, value: object, unit: str = Unit.DAY.value, missing: bool = False
) -> dict:
    return {
        "id": uuid4().hex,
        "field": field,
        "operator": operator,
        "value": value,
        "unit": unit,
        "missing": missing,
    }


def _tree(node: Node) -> dict:
    match node:
        case Group():
            return _group(node.match.value, [_tree(inner) for inner in node.rules])
        case Not():
            return _group(Match.NONE.value, [_tree(node.rule)])
        case FieldRule():
            data = to_json(node)
            unit = data.get("unit", Unit.DAY.value)
            return _leaf(node.field, node.operator, data.get("value"), unit, node.missing_matches)


def _json(node: dict) -> dict:
    if "rules" in node:
        return {node["match"]: [_json(inner) for inner in node["rules"]]}
    operator = OPERATORS[node["operator"]]
    leaf = {"field": node["field"], "operator": operator.name}
    if operator.operand is Operand.NOTHING:
        return leaf
    leaf["value"] = node["value"]
    if operator.operand is Operand.WINDOW:
        leaf["unit"] = node["unit"]
    return leaf | ({"missing": "match"} if node["missing"] and FIELDS[node["field"]].can_be_missing else {})


def _walk(node: dict) -> Iterator[dict]:
    yield node
    for inner in node.get("rules", ()):
        yield from _walk(inner)


def _find(node_id: str) -> dict | None:
    """A node by its id; None when a click comes from a screen that is no longer true."""
    if _key() not in st.session_state:
        return None
    return next((node for node in _walk(root()) if node["id"] == node_id), None)


def _parent(node_id: str) -> dict | None:
    if _key() not in st.session_state:
        return None
    children = ((node, inner) for node in _walk(root()) for inner in node.get("rules", ()))
    return next((node for node, inner in children if inner["id"] == node_id), None)


def _copy(node: dict) -> dict:
    copied = node | {"id": uuid4().hex}
    if "rules" in node:
        copied["rules"] = [_copy(inner) for inner in node["rules"]]
    return copied


def whole_problem() -> str | None:
    """What is wrong with the rule beside its unfinished parts: the limits."""
    try:
        parse(rule())
    except InvalidRule as error:
        if any(problem(node) for node in _walk(root())):
            return None
        return str(error)
    return None


def problem(node: dict) -> str | None:
    """What is missing in one group or condition."""
    if "rules" in node:
        return None if node["rules"] else "This group is empty: add a rule to it, or delete it."
    operand = OPERATORS[node["operator"]].operand
    value = node["value"]
    if operand is not Operand.NOTHING and (
        value in (None, "", []) or (isinstance(value, list) and None in value)
    ):
        return {Operand.MANY: "Choose at least one value.", Operand.RANGE: "Fill in both values."}.get(
            operand, "Fill in a value."
        )
    try:
        parse(_json(node))
    except InvalidRule as error:
        return f"{error.problem}. {error.remedy}"
    return None


# What clicks do. They come from a screen that may be out of date, so every node may be gone.


def set_match(node_id: str, key: str) -> None:
    """Take a group's all, any or none from its widget."""
    if (node := _find(node_id)) and st.session_state.get(key):
        node["match"] = st.session_state[key]


def add(node_id: str, *, group: bool) -> None:
    """Put a new condition, or a new group with one, at the end of a group."""
    if node := _find(node_id):
        node["rules"].append(_group(Match.ANY.value, [_leaf(**_NEW)]) if group else _leaf(**_NEW))


def add_filter(key: str) -> None:
    """Put a filter by the field that a widget chose at the end of the filters; its value is still missing."""
    name = st.session_state.get(key)
    if name not in FIELDS or not _state():
        return
    node = _leaf(name, next(iter(operators_of(FIELDS[name]))), None)
    root()["rules"].append(node | {"value": _first_value(node)})


def delete(node_id: str) -> None:
    """Take out a condition, or a group with all that is in it."""
    if parent := _parent(node_id):
        parent["rules"] = [node for node in parent["rules"] if node["id"] != node_id]


def duplicate(node_id: str) -> None:
    """Put a copy beside a condition or group."""
    if parent := _parent(node_id):
        places = [node["id"] for node in parent["rules"]]
        parent["rules"].insert(places.index(node_id) + 1, _copy(_find(node_id)))


def set_field(node_id: str, key: str) -> None:
    """Take a condition's field from its widget; operator and value stay where they still fit."""
    node, name = _find(node_id), st.session_state.get(key)
    if node is None or name not in FIELDS:
        return
    same_kind = FIELDS[name].kind is FIELDS[node["field"]].kind is not Kind.CHOICE
    node["field"] = name
    if node["operator"] not in operators_of(FIELDS[name]):
        node["operator"] = next(iter(operators_of(FIELDS[name])))
        same_kind = False
    if not same_kind:
        node["value"] = _first_value(node)


def set_operator(node_id: str, key: str) -> None:
    """Take a condition's operator from its widget; the value stays where it still fits."""
    node, name = _find(node_id), st.session_state.get(key)
    if node is None or name not in operators_of(FIELDS[node["field"]]):
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
        node["value"] = _first_value(node)


def set_value(node_id: str, key: str, to_model: Callable, place: int | None = None) -> None:
    """Take a condition's value, or one place of it, from its widget."""
    node = _find(node_id)
    if node is None or key not in st.session_state:
        return
    value = to_model(st.session_state[key])
    if place is None:
        node["value"] = value
    else:
        node["value"] = [value if i == place else old for i, old in enumerate(node["value"])]


def set_unit(node_id: str, key: str) -> None:
    """Take a window's unit from its widget."""
    node, unit = _find(node_id), st.session_state.get(key)
    if node and unit:
        node["unit"] = unit
        node["value"] = min(node["value"] or 1, LONGEST[Unit(unit)])


def toggle_missing(node_id: str) -> None:
    """Let people of whom the fact is unknown match, or no longer."""
    if node := _find(node_id):
        node["missing"] = not node["missing"]


def _first_value(node: dict) -> object:
    match OPERATORS[node["operator"]].operand:
        case Operand.WINDOW:
            return 30
        case Operand.MANY:
            return []
        case Operand.RANGE:
            return [None, None]
        case Operand.ONE if FIELDS[node["field"]].kind is Kind.YES_NO:
            return True
        case _:
            return None


def choices(field: Field) -> dict[str, int]:
    """The values of a choice field in the data with their counts, read once for each rule under work."""
    known = _state()["choices"]
    if field.name not in known:
        with reading() as session:
            found = segments.choices(session, field.name)
        known[field.name] = dict(zip(found["value"], found["customers"].tolist(), strict=True))
    return known[field.name]

"""The rule editor: nested groups of conditions in, the rule's JSON out.

The rule under work is a tree of dicts in the session. Every node has an id of its own, which names its
widgets; their callbacks change the tree. A callback only touches the session of whoever typed; what the tree
is worth is decided by `ma.rules.check` and by the services.
"""

from collections.abc import Callable, Iterator
from datetime import date
from uuid import uuid4

import streamlit as st

from ma.analytics import segments
from ma.errors import InvalidRule
from ma.rules.check import FIRST_DAY, LAST_DAY, LONGEST, MAX_DEPTH, MAX_TEXT, parse
from ma.rules.fields import FIELDS, Field, Kind
from ma.rules.nodes import FieldRule, Group, Match, Node, Not, Unit, to_json
from ma.rules.operators import OPERATORS, Operand, operators_of
from ui.session import reading
from ui.tables import digits, symbol
from ui.text import literal

_STATE = "rule-editor"
# Beyond it a browser's numbers are no longer exact.
_SAFE = 2**53 - 1
_MATCHES = {Match.ALL.value: "All of", Match.ANY.value: "Any of", Match.NONE.value: "None of"}
_NEW = {"field": "orders", "operator": "gte", "value": 1}


def open_with(token: str, rule: dict, *, version: int = 0) -> int:
    """Begin to work on a rule, unless the one named by `token` is being worked on already.

    Returns the version of the rule under work: an older one, when somebody else has saved another since.
    """
    if st.session_state.get(_STATE, {}).get("for") != token:
        _begin(token, rule, version)
    return st.session_state[_STATE]["version"]


def _begin(token: str, rule: dict, version: int) -> None:
    root = _tree(parse(rule))
    if "rules" not in root:
        root = _group(Match.ALL.value, [root])
    st.session_state[_STATE] = {"for": token, "version": version, "root": root, "choices": {}}


def close() -> None:
    """Forget the rule under work."""
    st.session_state.pop(_STATE, None)


def rule() -> dict:
    """The rule under work as JSON, finished or not."""
    return _json(st.session_state[_STATE]["root"])


def is_finished() -> bool:
    """Whether nothing is missing in the rule under work; if so, `ma.rules.check` accepts it."""
    return _whole_problem() is None and not any(_problem(node) for node in _walk(_root()))


def draw(currency: str) -> None:
    """Draw the rule under work. Belongs in a fragment, so that a change redraws little."""
    _draw_group(_root(), depth=1, currency=currency)
    if problem := _whole_problem():
        st.error(literal(problem), icon=":material/error:")


# The tree


def _root() -> dict:
    return st.session_state[_STATE]["root"]


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
    if _STATE not in st.session_state:
        return None
    return next((node for node in _walk(_root()) if node["id"] == node_id), None)


def _parent(node_id: str) -> dict | None:
    if _STATE not in st.session_state:
        return None
    children = ((node, inner) for node in _walk(_root()) for inner in node.get("rules", ()))
    return next((node for node, inner in children if inner["id"] == node_id), None)


def _copy(node: dict) -> dict:
    copied = node | {"id": uuid4().hex}
    if "rules" in node:
        copied["rules"] = [_copy(inner) for inner in node["rules"]]
    return copied


def _whole_problem() -> str | None:
    """What is wrong with the rule beside its unfinished parts: the limits."""
    try:
        parse(rule())
    except InvalidRule as error:
        if any(_problem(node) for node in _walk(_root())):
            return None
        return str(error)
    return None


def _problem(node: dict) -> str | None:
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


# What clicks do


def _set_match(node_id: str, key: str) -> None:
    if (node := _find(node_id)) and st.session_state.get(key):
        node["match"] = st.session_state[key]


def _add(node_id: str, *, group: bool) -> None:
    if node := _find(node_id):
        node["rules"].append(_group(Match.ANY.value, [_leaf(**_NEW)]) if group else _leaf(**_NEW))


def _delete(node_id: str) -> None:
    if parent := _parent(node_id):
        parent["rules"] = [node for node in parent["rules"] if node["id"] != node_id]


def _duplicate(node_id: str) -> None:
    if parent := _parent(node_id):
        places = [node["id"] for node in parent["rules"]]
        parent["rules"].insert(places.index(node_id) + 1, _copy(_find(node_id)))


def _set_field(node_id: str, key: str) -> None:
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


def _set_operator(node_id: str, key: str) -> None:
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


def _set_value(node_id: str, key: str, to_model: Callable, place: int | None = None) -> None:
    node = _find(node_id)
    if node is None or key not in st.session_state:
        return
    value = to_model(st.session_state[key])
    if place is None:
        node["value"] = value
    else:
        node["value"] = [value if i == place else old for i, old in enumerate(node["value"])]


def _set_unit(node_id: str, key: str) -> None:
    node, unit = _find(node_id), st.session_state.get(key)
    if node and unit:
        node["unit"] = unit
        node["value"] = min(node["value"] or 1, LONGEST[Unit(unit)])


def _toggle_missing(node_id: str) -> None:
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


# What is drawn


def _draw_group(node: dict, *, depth: int, currency: str) -> None:
    node_id = node["id"]
    with st.container(border=True, key=f"rule-group-{node_id}", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            key = f"{node_id}-match"
            st.session_state.setdefault(key, node["match"])
            st.segmented_control(
                "How many of these rules must hold",
                list(_MATCHES),
                format_func=_MATCHES.get,
                key=key,
                required=True,
                label_visibility="collapsed",
                on_change=_set_match,
                args=(node_id, key),
            )
            if depth > 1:
                st.space("stretch")
                _icon(node_id, "duplicate", "content_copy", "Duplicate this group", _duplicate)
                _icon(node_id, "delete", "delete", "Delete this group and its rules", _delete)
        for inner in node["rules"]:
            if "rules" in inner:
                _draw_group(inner, depth=depth + 1, currency=currency)
            else:
                _draw_leaf(inner, currency)
        if problem := _problem(node):
            st.caption(f":red[:material/error: {literal(problem)}]")
        with st.container(horizontal=True, gap="small"):
            _button(node_id, "Add rule", "add", _add, group=False)
            if depth < MAX_DEPTH:
                _button(node_id, "Add group", "library_add", _add, group=True)


def _button(node_id: str, label: str, icon: str, on_click: Callable, **options) -> None:
    st.button(
        label,
        key=f"{node_id}-{label}",
        icon=f":material/{icon}:",
        type="tertiary",
        on_click=on_click,
        args=(node_id,),
        kwargs=options,
    )


def _icon(node_id: str, name: str, icon: str, help: str, on_click: Callable) -> None:
    st.button(
        "",
        key=f"{node_id}-{name}",
        icon=f":material/{icon}:",
        help=help,
        type="tertiary",
        on_click=on_click,
        args=(node_id,),
    )


def _draw_leaf(node: dict, currency: str) -> None:
    node_id, field, operator = node["id"], FIELDS[node["field"]], OPERATORS[node["operator"]]
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"rule-{node_id}"):
        key = f"{node_id}-field"
        st.session_state.setdefault(key, field.name)
        st.selectbox(
            "Field",
            list(FIELDS),
            format_func=_field_title,
            key=key,
            width=205,
            label_visibility="collapsed",
            on_change=_set_field,
            args=(node_id, key),
        )
        key = f"{node_id}-operator-{field.name}"
        st.session_state.setdefault(key, operator.name)
        st.selectbox(
            "Operator",
            list(operators_of(field)),
            format_func=_operator_title,
            key=key,
            width=195,
            label_visibility="collapsed",
            on_change=_set_operator,
            args=(node_id, key),
        )
        if operator.operand is Operand.NOTHING:
            st.space("stretch")
        else:
            _draw_value(node, field, currency)
        if field.can_be_missing and operator.operand is not Operand.NOTHING:
            _draw_missing(node, field)
        _icon(node_id, "duplicate", "content_copy", "Duplicate this rule", _duplicate)
        _icon(node_id, "delete", "close", "Delete this rule", _delete)
    if problem := _problem(node):
        st.caption(f":red[:material/error: {literal(problem)}]")


def _field_title(name: str) -> str:
    return FIELDS[name].title


def _operator_title(name: str) -> str:
    return OPERATORS[name].title


def _draw_missing(node: dict, field: Field) -> None:
    st.button(
        "or unknown" if node["missing"] else "",
        key=f"{node['id']}-missing",
        icon=":material/check_box:" if node["missing"] else ":material/person_off:",
        help=f"People whose {field.label} is unknown match too. Click to leave them out."
        if node["missing"]
        else f"People whose {field.label} is unknown do not match. Click to let them match.",
        type="tertiary",
        on_click=_toggle_missing,
        args=(node["id"],),
    )


def _draw_value(node: dict, field: Field, currency: str) -> None:
    match OPERATORS[node["operator"]].operand:
        case Operand.WINDOW:
            _draw_window(node)
        case Operand.MANY:
            _draw_many(node, field, currency)
        case Operand.RANGE:
            _draw_one(node, field, currency, "From", place=0)
            _draw_one(node, field, currency, "to", place=1)
        case _:
            _draw_one(node, field, currency, "Value")


def _draw_window(node: dict) -> None:
    key = f"{node['id']}-count-{node['unit']}"
    st.session_state.setdefault(key, node["value"])
    st.number_input(
        "How many",
        min_value=1,
        max_value=LONGEST[Unit(node["unit"])],
        step=1,
        value=None,
        key=key,
        width=125,
        label_visibility="collapsed",
        on_change=_set_value,
        args=(node["id"], key, _same),
    )
    key = f"{node['id']}-unit"
    st.session_state.setdefault(key, node["unit"])
    st.selectbox(
        "Unit",
        [unit.value for unit in Unit],
        format_func=lambda unit: f"{unit}s",
        key=key,
        width=115,
        label_visibility="collapsed",
        on_change=_set_unit,
        args=(node["id"], key),
    )
    st.space("stretch")


def _draw_many(node: dict, field: Field, currency: str) -> None:
    """A list: chosen from the data where the field has choices, else typed value by value."""
    key = f"{node['id']}-many-{field.name}"
    counts = _choices(field) if field.kind is Kind.CHOICE else {}
    shown = {_typed(value, field, currency): value for value in node["value"]}
    st.session_state.setdefault(key, node["value"] if counts else list(shown))
    st.multiselect(
        "Values",
        [*counts, *(v for v in node["value"] if v not in counts)] if counts else list(shown),
        format_func=lambda value: _with_count(value, counts),
        key=key,
        accept_new_options=not counts,
        placeholder="Choose values" if counts else "Type a value, then Enter",
        label_visibility="collapsed",
        on_change=_set_value,
        args=(
            node["id"],
            key,
            lambda values: [_untyped(v, field, currency) if not counts else v for v in values],
        ),
    )


def _draw_one(node: dict, field: Field, currency: str, label: str, place: int | None = None) -> None:
    value = node["value"] if place is None else node["value"][place]
    key = f"{node['id']}-value-{field.name}-{place}"
    common = {"label": label, "key": key, "label_visibility": "collapsed", "on_change": _set_value}
    match field.kind:
        case Kind.YES_NO:
            st.session_state.setdefault(key, value)
            st.segmented_control(
                **common,
                options=[True, False],
                format_func=lambda yes: "Yes" if yes else "No",
                required=True,
                args=(node["id"], key, bool, place),
            )
            st.space("stretch")
        case Kind.CHOICE:
            counts = _choices(field)
            st.session_state.setdefault(key, value)
            st.selectbox(
                **common,
                options=[*counts, *([value] if value and value not in counts else [])],
                index=None,
                format_func=lambda choice: _with_count(choice, counts),
                accept_new_options=not counts,
                placeholder="Choose a value" if counts else "Type a value",
                args=(node["id"], key, _same, place),
            )
        case Kind.DATE | Kind.MOMENT:
            st.session_state.setdefault(key, date.fromisoformat(value) if value else None)
            st.date_input(
                **common,
                value=None,
                min_value=FIRST_DAY,
                max_value=LAST_DAY,
                format="YYYY-MM-DD",
                args=(node["id"], key, _iso, place),
            )
        case Kind.TEXT | Kind.CODE:
            st.session_state.setdefault(key, value or "")
            st.text_input(
                **common,
                max_chars=MAX_TEXT,
                placeholder="Type a text",
                args=(node["id"], key, _same, place),
            )
        case _ if value is not None and abs(value) > _SAFE:
            st.text_input(label, f"{value:,}", disabled=True, label_visibility="collapsed", key=f"{key}-huge")
        case _:
            _draw_number(field, currency, value, common, (node["id"], key), place)


def _draw_number(field: Field, currency: str, value, common: dict, args: tuple, place: int | None) -> None:
    unit = 10 ** digits(currency) if field.kind is Kind.MONEY else 1
    whole = field.kind is not Kind.NUMBER and unit == 1
    number = int if whole else float
    st.session_state.setdefault(
        common["key"], None if value is None else number(value / unit if unit > 1 else value)
    )
    low, high = max(field.low, -_SAFE) // unit, min(field.high, _SAFE) // unit
    if field.kind is Kind.MONEY:
        st.markdown(f":gray[{literal(symbol(currency).strip())}]", width="content")
    st.number_input(
        **common,
        value=None,
        min_value=number(low),
        max_value=number(high),
        step=number(10 if field.kind is Kind.MONEY else 1),
        format=None if whole else ("%.2f" if field.kind is Kind.MONEY else "%g"),
        placeholder=f"Amount in {currency}" if field.kind is Kind.MONEY else "Type a number",
        args=(*args, _to_number(field, unit), place),
    )


def _to_number(field: Field, unit: int) -> Callable:
    def change(value: float | None) -> float | int | None:
        if value is None:
            return None
        return float(value) if field.kind is Kind.NUMBER else round(value * unit)

    return change


def _same(value):
    return value


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _typed(value: object, field: Field, currency: str) -> str:
    """A value of a typed list as the person writes it."""
    if field.kind is Kind.MONEY:
        places = digits(currency)
        return f"{value / 10**places:.{places}f}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _untyped(text: str, field: Field, currency: str) -> object:
    """The value that a person wrote; what is no number stays text, and is then refused with the reason."""
    if field.kind in (Kind.TEXT, Kind.CODE, Kind.CHOICE):
        return text
    try:
        number = float(text.replace(",", "").strip())
        return number if field.kind is Kind.NUMBER else _exact(number * _unit(field, currency))
    except (ValueError, OverflowError):
        return text


def _unit(field: Field, currency: str) -> int:
    return 10 ** digits(currency) if field.kind is Kind.MONEY else 1


def _exact(number: float) -> float | int:
    return round(number) if abs(number - round(number)) < 1e-6 else number


def _choices(field: Field) -> dict[str, int]:
    """The values of a choice field in the data with their counts, read once for each rule under work."""
    known = st.session_state[_STATE]["choices"]
    if field.name not in known:
        with reading() as session:
            found = segments.choices(session, field.name)
        known[field.name] = dict(zip(found["value"], found["customers"].tolist(), strict=True))
    return known[field.name]


def _with_count(value: str, counts: dict[str, int]) -> str:
    return f"{value} ({counts[value]:,})" if value in counts else str(value)

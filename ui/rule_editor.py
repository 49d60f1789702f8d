"""The rule editor: nested groups of conditions as widgets over the rule under work (`ui.rule_tree`)."""

from collections.abc import Callable
from datetime import date

import streamlit as st

from ma.money import digits, symbol
from ma.rules.check import FIRST_DAY, LAST_DAY, LONGEST, MAX_DEPTH, MAX_TEXT
from ma.rules.fields import FIELDS, Field, Kind
from ma.rules.nodes import Match, Unit
from ma.rules.operators import OPERATORS, Operand, operators_of
from ui import rule_tree
from ui.text import literal

# Beyond it a browser's numbers are no longer exact.
_SAFE = 2**53 - 1
_MATCHES = {Match.ALL.value: "All of", Match.ANY.value: "Any of", Match.NONE.value: "None of"}


def draw(currency: str) -> None:
    """Draw the rule under work. Belongs in a fragment, so that a change redraws little."""
    _draw_group(rule_tree.root(), depth=1, currency=currency)
    if problem := rule_tree.whole_problem():
        st.error(literal(problem), icon=":material/error:")


def draw_filters(currency: str) -> None:
    """Draw the filters under work, one below the other, and the fields to add one by."""
    for node in rule_tree.root()["rules"]:
        if "rules" in node:
            _draw_group(node, depth=2, currency=currency)
        else:
            _draw_leaf(node, currency, is_filter=True)
    if problem := rule_tree.whole_problem():
        st.error(literal(problem), icon=":material/error:")
    # Another filter, another widget: it comes back empty.
    key = f"{rule_tree.root()['id']}-by-{len(rule_tree.root()['rules'])}"
    st.selectbox(
        "Add a filter",
        list(FIELDS),
        index=None,
        format_func=_field_title,
        placeholder="Add a filter by …",
        label_visibility="collapsed",
        width=280,
        key=key,
        on_change=rule_tree.add_filter,
        args=(key,),
    )


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
                on_change=rule_tree.set_match,
                args=(node_id, key),
            )
            if depth > 1:
                st.space("stretch")
                _icon(node_id, "duplicate", "content_copy", "Duplicate this group", rule_tree.duplicate)
                _icon(node_id, "delete", "delete", "Delete this group and its rules", rule_tree.delete)
        for inner in node["rules"]:
            if "rules" in inner:
                _draw_group(inner, depth=depth + 1, currency=currency)
            else:
                _draw_leaf(inner, currency)
        if problem := rule_tree.problem(node):
            st.caption(f":red[:material/error: {literal(problem)}]")
        with st.container(horizontal=True, gap="small"):
            _button(node_id, "Add rule", "add", rule_tree.add, group=False)
            if depth < MAX_DEPTH:
                _button(node_id, "Add group", "library_add", rule_tree.add, group=True)


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


def _draw_leaf(node: dict, currency: str, *, is_filter: bool = False) -> None:
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
            on_change=rule_tree.set_field,
            args=(node_id, key),
        )
        key = f"{node_id}-operator-{field.name}"
        st.session_state.setdefault(key, operator.name)
        st.selectbox(
            "Operator",
            list(operators_of(field)),
            format_func=_operator_title,
            key=key,
            width=225,
            label_visibility="collapsed",
            on_change=rule_tree.set_operator,
            args=(node_id, key),
        )
        if operator.operand is Operand.NOTHING:
            st.space("stretch")
        else:
            _draw_value(node, field, currency)
        if field.can_be_missing and operator.operand is not Operand.NOTHING:
            _draw_missing(node, field)
        if not is_filter:
            _icon(node_id, "duplicate", "content_copy", "Duplicate this rule", rule_tree.duplicate)
        what = "filter" if is_filter else "rule"
        _icon(node_id, "delete", "close", f"Delete this {what}", rule_tree.delete)
    if problem := rule_tree.problem(node):
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
        on_click=rule_tree.toggle_missing,
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
        on_change=rule_tree.set_value,
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
        on_change=rule_tree.set_unit,
        args=(node["id"], key),
    )
    st.space("stretch")


def _draw_many(node: dict, field: Field, currency: str) -> None:
    """A list: chosen from the data where the field has choices, else typed value by value."""
    key = f"{node['id']}-many-{field.name}"
    counts = rule_tree.choices(field) if field.kind is Kind.CHOICE else {}
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
        on_change=rule_tree.set_value,
        args=(
            node["id"],
            key,
            lambda values: [_untyped(v, field, currency) if not counts else v for v in values],
        ),
    )


def _draw_one(node: dict, field: Field, currency: str, label: str, place: int | None = None) -> None:
    value = node["value"] if place is None else node["value"][place]
    key = f"{node['id']}-value-{field.name}-{place}"
    common = {"label": label, "key": key, "label_visibility": "collapsed", "on_change": rule_tree.set_value}
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
            counts = rule_tree.choices(field)
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


def _with_count(value: str, counts: dict[str, int]) -> str:
    return f"{value} ({counts[value]:,})" if value in counts else str(value)

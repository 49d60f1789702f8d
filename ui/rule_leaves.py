"""One condition as a row of widgets; its first says what it is about."""

from collections.abc import Callable

import streamlit as st

from ma.rules.events import measures_of
from ma.rules.nodes import Did
from ma.rules.operators import OPERATORS, Operand
from ma.text import in_sentence
from ma.types import Channel
from ui import rule_changes, rule_choices, rule_tree, rule_values
from ui.rule_changes import CAMPAIGN, EVENT, RANDOM, SEGMENT
from ui.rule_verdict import verdict
from ui.text import literal

_OTHERS = {
    CAMPAIGN: "Campaigns · messages",
    SEGMENT: "In segment · other rules",
    RANDOM: "Random part · split",
}
_DID = {
    Did.WAS_SENT: "was sent",
    Did.DELIVERED: "received",
    Did.OPENED: "opened",
    Did.CLICKED: "clicked in",
    Did.CONVERTED: "bought after",
    Did.UNSUBSCRIBED: "unsubscribed from",
}
MOVES = {
    "duplicate": ":material/content_copy: Duplicate",
    "up": ":material/arrow_upward: Move up",
    "down": ":material/arrow_downward: Move down",
    "out": ":material/move_up: Move out of this group",
    "into": ":material/move_item: Move into the group above",
    "wrap": ":material/select_all: Wrap in a group",
    "unwrap": ":material/deselect: Take the rules out of this group",
}


def draw_leaf(node: dict, currency: str, *, is_filter: bool = False) -> None:
    """Draw one condition with what can be done to it, and what is missing in it."""
    with _row(f"rule-row-{node['id']}"):
        with _widgets(f"rule-{node['leaf']}-{node['id']}"):
            _draw_subject(node, is_filter=is_filter)
            _DRAW[node["leaf"]](node, currency)
        with _actions(node):
            if node["leaf"] == "event":
                _where_button(node)
            if node["leaf"] in ("field", "event"):
                _draw_missing(node)
            if not is_filter:
                menu(node)
            what = "filter" if is_filter else "rule"
            icon(node["id"], "delete", "close", f"Delete this {what}", rule_changes.delete)
    if node["leaf"] == "event" and node["where"]:
        _draw_conditions(node, currency)
    draw_problem(node)
    _draw_doubts(node)


def _row(key: str):
    return st.container(horizontal=True, vertical_alignment="top", gap="xsmall", key=key)


def _widgets(key: str):
    return st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="stretch", key=key)


def _actions(node: dict):
    return st.container(
        horizontal=True,
        vertical_alignment="center",
        gap="xxsmall",
        width="content",
        key=f"rule-actions-{node['id']}",
    )


def draw_problem(node: dict) -> None:
    """What is missing in a node, under it."""
    if problem := verdict().problems.get(node["id"]):
        st.markdown(f":red[:material/error: {literal(problem)}]")


def _draw_doubts(node: dict) -> None:
    for doubt in rule_choices.doubts(node):
        st.markdown(f":orange[:material/help:] {literal(doubt)}")


def menu(node: dict) -> None:
    """What can be done to a node where it stands."""
    if moves := rule_changes.moves(node["id"]):
        key = f"{node['id']}-menu"
        st.menu_button(
            "",
            moves,
            format_func=MOVES.get,
            icon=":material/more_vert:",
            type="tertiary",
            help="Copy or move this group" if "rules" in node else "Copy or move this rule",
            key=key,
            on_click=rule_changes.move_chosen,
            args=(node["id"], key),
        )


def icon(node_id: str, name: str, icon: str, help: str, on_click: Callable) -> None:
    """A quiet button without words."""
    st.button(
        "",
        key=f"{node_id}-{name}",
        icon=f":material/{icon}:",
        help=help,
        type="tertiary",
        on_click=on_click,
        args=(node_id,),
    )


# What it is about


def _draw_subject(node: dict, *, is_filter: bool) -> None:
    subjects = profile_subjects() if is_filter else _subjects()
    key = rule_tree.key(node, "field")
    st.session_state.setdefault(key, _subject(node))
    st.selectbox(
        "Field",
        list(subjects),
        format_func=subjects.get,
        key=key,
        width=rule_values.wide_enough(subjects.get(st.session_state[key], ""), 190),
        label_visibility="collapsed",
        filter_mode="contains",
        on_change=rule_changes.set_subject,
        args=(node["id"], key),
    )


def _subject(node: dict) -> str:
    match node["leaf"]:
        case "field":
            return node["field"]
        case "event":
            return f"{EVENT} {node['event']}"
    return node["leaf"]


def profile_subjects() -> dict[str, str]:
    """The fields of the profile as they are offered, the workspace's own ones first."""
    found = rule_tree.state()["found"]
    if "profile" not in found:
        fields = rule_tree.fields().values()
        own = {f.name: f"{f.title} · own field" for f in fields if f.name.startswith("attribute:")}
        found["profile"] = own | {f.name: f.title for f in fields if f.name not in own}
    return found["profile"]


def _subjects() -> dict[str, str]:
    found = rule_tree.state()["found"]
    if "subjects" not in found:
        events = rule_tree.catalogue().events.values()
        happened = {
            f"{EVENT} {e.name}": f"{e.plural[0].upper()}{e.plural[1:]} · what they did" for e in events
        }
        found["subjects"] = happened | _OTHERS | profile_subjects()
    return found["subjects"]


# The rows by kind


def _draw_field(node: dict, currency: str) -> None:
    _draw_operator(node)
    rule_values.draw_value(node, currency)


def _draw_operator(node: dict, label: str = "Operator", width: int = 190) -> None:
    field = rule_tree.field_of(node)
    key = rule_tree.key(node, f"operator-{field.name}")
    st.session_state.setdefault(key, node["operator"])
    titles = {name: operator.title_of(field) for name, operator in rule_tree.operators(node).items()}
    st.selectbox(
        label,
        list(titles),
        format_func=titles.get,
        key=key,
        width=rule_values.wide_enough(titles[node["operator"]], width),
        label_visibility="collapsed",
        on_change=rule_changes.set_operator,
        args=(node["id"], key),
    )


def _draw_missing(node: dict) -> None:
    field = rule_tree.field_of(node)
    if not field.can_be_missing or OPERATORS[node["operator"]].operand is Operand.NOTHING:
        return
    who = "for whom there is none" if field.absent else f"whose {literal(field.label)} is unknown"
    st.button(
        f"or {field.absent or 'unknown'}" if node["missing"] else "",
        key=f"{node['id']}-missing",
        icon=":material/check_box:" if node["missing"] else ":material/person_off:",
        help=f"People {who} match too. Click to leave them out."
        if node["missing"]
        else f"People {who} do not match. Click to let them match.",
        type="tertiary",
        on_click=rule_changes.toggle_missing,
        args=(node["id"],),
    )


def _draw_event(node: dict, currency: str) -> None:
    event = rule_tree.catalogue().events[node["event"]]
    key = rule_tree.key(node, f"measure-{event.name}")
    st.session_state.setdefault(key, node["measure"])
    measures = measures_of(event)
    st.selectbox(
        "Measure",
        list(measures),
        format_func=lambda name: measures[name].field.title,
        key=key,
        width=rule_values.wide_enough(measures[node["measure"]].field.title, 140),
        label_visibility="collapsed",
        on_change=rule_changes.set_measure,
        args=(node["id"], key),
    )
    _draw_operator(node, width=135)
    rule_values.draw_value(node, currency)
    rule_values.draw_period(node)


def _where_button(node: dict) -> None:
    event = rule_tree.catalogue().events[node["event"]]
    if event.fields and not node["where"]:
        fields = ", ".join(field.label for field in event.fields.values())
        help = literal(f"Count only some of the {event.plural}, by {fields}")
        icon(node["id"], "where", "filter_alt", help, rule_changes.add_condition)


def _draw_conditions(node: dict, currency: str) -> None:
    """Which of the events count: all conditions on them hold for one and the same event."""
    fields = rule_tree.fields(node["event"])
    for place, condition in enumerate(node["where"]):
        with _row(f"rule-row-{condition['id']}"):
            with _widgets(f"rule-where-{condition['id']}"):
                st.markdown(":gray[where its]" if place == 0 else ":gray[and its]", width=64)
                key = rule_tree.key(condition, f"detail-{node['event']}")
                st.session_state.setdefault(key, condition["field"])
                st.selectbox(
                    "Detail",
                    list(fields),
                    format_func=lambda name: fields[name].title,
                    key=key,
                    width=rule_values.wide_enough(fields[condition["field"]].title, 160),
                    label_visibility="collapsed",
                    on_change=rule_changes.set_subject,
                    args=(condition["id"], key),
                )
                _draw_field(condition, currency)
            with _actions(condition):
                if place == len(node["where"]) - 1:
                    icon(node["id"], "where", "add", "Add another condition", rule_changes.add_condition)
                _draw_missing(condition)
                icon(condition["id"], "delete", "close", "Delete this condition", rule_changes.delete)
        draw_problem(condition)
        _draw_doubts(condition)


def _draw_campaign(node: dict, currency: str) -> None:
    _select(node, "did", "Step", {did.value: _DID[did] for did in Did}, width=180)
    campaigns = rule_tree.catalogue().campaigns or {}
    channels = {channel.value: f"any {in_sentence(channel.label)} campaign" for channel in Channel}
    _select(node, "which", "Campaign", {"any": "any campaign"} | channels | dict(campaigns))
    rule_values.draw_period(node)


def _draw_segment(node: dict, currency: str) -> None:
    segments = rule_tree.catalogue().segments or {}
    names = {segment_id: known.name for segment_id, known in segments.items()}
    empty = "Choose a segment" if names else "There is no other segment yet"
    _select(
        node, "segment", "Segment", dict(sorted(names.items(), key=lambda item: item[1].casefold())), empty
    )


def _draw_random(node: dict, currency: str) -> None:
    key = rule_tree.key(node, "split")
    st.session_state.setdefault(key, node["split"])
    st.text_input(
        "Name of the split",
        max_chars=100,
        placeholder="Name of the split",
        help=None,
        key=key,
        width=190,
        label_visibility="collapsed",
        on_change=rule_changes.set_part,
        args=(node["id"], key, "split"),
    )
    key = rule_tree.key(node, "range")
    st.session_state.setdefault(key, (float(node["start"]), float(node["end"])))
    with st.container(width="stretch"):
        st.slider(
            "Which part, in percent",
            0.0,
            100.0,
            step=1.0,
            format="%g %%",
            key=key,
            label_visibility="collapsed",
            on_change=rule_changes.set_range,
            args=(node["id"], key),
        )


def _select(
    node: dict, part: str, label: str, options: dict, placeholder: str = "", width: int | str = "stretch"
) -> None:
    key = rule_tree.key(node, part)
    st.session_state.setdefault(key, node[part])
    # What was deleted since stays to be seen; the rule then says what is wrong with it.
    gone = (
        {node[part]: f"{node[part]} (gone)"} if node[part] is not None and node[part] not in options else {}
    )
    shown = options | gone
    st.selectbox(
        label,
        list(shown),
        index=None if node[part] is None else 0,
        format_func=shown.get,
        placeholder=placeholder,
        key=key,
        width=width,
        label_visibility="collapsed",
        on_change=rule_changes.set_part,
        args=(node["id"], key, part),
    )


_DRAW = {
    "field": _draw_field,
    "event": _draw_event,
    "campaign": _draw_campaign,
    "segment": _draw_segment,
    "random": _draw_random,
}

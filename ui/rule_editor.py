"""The rule editor: nested groups of conditions as widgets over the rule under work (`ui.rule_tree`)."""

import streamlit as st

from ma.rules.limits import MAX_DEPTH
from ma.rules.nodes import Match
from ui import rule_changes, rule_tree
from ui.rule_changes import CAMPAIGN, EVENT, FIELD, GROUP, RANDOM, SEGMENT
from ui.rule_leaves import draw_leaf, draw_problem, icon, menu, profile_subjects
from ui.rule_verdict import verdict
from ui.text import literal

_MATCHES = {Match.ALL.value: "All of", Match.ANY.value: "Any of", Match.NONE.value: "None of"}
_KINDS = {
    FIELD: ":material/person: About the customer",
    EVENT: ":material/shopping_cart: What they bought or did",
    CAMPAIGN: ":material/campaign: What they got from campaigns",
    SEGMENT: ":material/filter_alt: Being in another segment",
    RANDOM: ":material/casino: A random part of everybody",
}


def draw(currency: str) -> None:
    """Draw the rule under work. Belongs in a fragment, so that a change redraws little."""
    _draw_group(rule_tree.root(), depth=1, currency=currency)
    _draw_whole_problem()


def draw_filters(currency: str) -> None:
    """Draw the filters under work, one below the other, and the fields to add one by."""
    for node in rule_tree.root()["rules"]:
        if "rules" in node:
            _draw_group(node, depth=2, currency=currency)
        else:
            draw_leaf(node, currency, is_filter=node["leaf"] == "field")
    _draw_whole_problem()
    # Another filter, another widget: it comes back empty.
    key = f"{rule_tree.root()['id']}-by-{len(rule_tree.root()['rules'])}"
    fields = profile_subjects()
    st.selectbox(
        "Add a filter",
        list(fields),
        index=None,
        format_func=fields.get,
        placeholder="Add a filter by …",
        label_visibility="collapsed",
        width=280,
        key=key,
        on_change=rule_changes.add_filter,
        args=(key,),
    )


def _draw_whole_problem() -> None:
    if problem := verdict().whole:
        st.error(literal(problem), icon=":material/error:")


def _draw_group(node: dict, *, depth: int, currency: str) -> None:
    node_id = node["id"]
    with st.container(border=True, key=f"rule-group-{node['match']}-{node_id}", gap="small"):
        with st.container(
            horizontal=True, vertical_alignment="center", gap="small", key=f"rule-head-{node_id}"
        ):
            key = rule_tree.key(node, "match")
            st.session_state.setdefault(key, node["match"])
            st.segmented_control(
                "How many of these rules must hold",
                list(_MATCHES),
                format_func=_MATCHES.get,
                key=key,
                required=True,
                label_visibility="collapsed",
                on_change=rule_changes.set_match,
                args=(node_id, key),
            )
            st.markdown(":gray[these are true]", width="content")
            st.space("stretch")
            menu(node)
            if depth > 1:
                icon(node_id, "delete", "close", "Delete this group and its rules", rule_changes.delete)
        for inner in node["rules"]:
            if "rules" in inner:
                _draw_group(inner, depth=depth + 1, currency=currency)
            else:
                draw_leaf(inner, currency)
        draw_problem(node)
        _draw_adding(node_id, depth)


def _draw_adding(node_id: str, depth: int) -> None:
    with st.container(horizontal=True, gap="small"):
        key = f"{node_id}-add"
        st.menu_button(
            "Add rule",
            list(_KINDS),
            format_func=_KINDS.get,
            icon=":material/add:",
            type="tertiary",
            key=key,
            on_click=rule_changes.add_chosen,
            args=(node_id, key),
        )
        if depth < MAX_DEPTH:
            st.button(
                "Add group",
                icon=":material/library_add:",
                type="tertiary",
                key=f"{node_id}-add-group",
                on_click=rule_changes.add,
                args=(node_id, GROUP),
            )

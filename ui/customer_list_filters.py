"""Narrowing the list of customers: consent, tag and any field of the profile."""

import json

import streamlit as st

from ma.analytics.tags import tag_names
from ma.rules.check import parse
from ma.rules.to_english import english
from ma.text import in_sentence
from ma.types import Channel
from ui import customer_list_address as address
from ui import rule_changes, rule_editor, rule_tree, rule_verdict
from ui.customer_list_address import Shown
from ui.page import current_actor
from ui.session import reading
from ui.text import literal


def draw(shown: Shown, *, currency: str, round_number: int) -> None:
    """Draw the filters and put what they say into the address."""
    _follow(shown)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="customer-filters"):
        with (
            st.popover(_heading(), icon=":material/filter_list:", key="filter-menu"),
            st.container(key="filter-rows", gap="small"),
        ):
            rule_editor.draw_filters(currency)
        _tag(shown, round_number)
        _consent(shown, round_number)
    _chips(shown, currency)


def _follow(shown: Shown) -> None:
    """Keep the filters under work and those of the address the same, whichever was changed."""
    rule_tree.open_filters(_token(shown.rules), list(shown.rules))
    rules = tuple(rule_verdict.finished().values())
    if rules != shown.rules:
        address.keep_rules(rules)
        address.first_page()
        rule_tree.renamed(_token(rules))


def _token(rules: tuple[dict, ...]) -> str:
    return json.dumps(rules)


def _heading() -> str:
    filters = len(rule_verdict.finished())
    return f"Filter ({filters})" if filters else "Filter"


def _tag(shown: Shown, round_number: int) -> None:
    with reading() as session:
        names = tag_names(session)
    if not names and not shown.tag:
        return
    # A tag of a colleague's address that nobody has any more stays to be seen.
    names += [shown.tag] if shown.tag and shown.tag not in names else []
    tag = st.selectbox(
        "Tag",
        names,
        index=names.index(shown.tag) if shown.tag else None,
        placeholder="Any tag",
        format_func=literal,
        label_visibility="collapsed",
        width=170,
        key=f"customers-tag-{round_number}",
        on_change=address.first_page,
    )
    address.keep("tag", tag or "")


def _consent(shown: Shown, round_number: int) -> None:
    channels = st.pills(
        "They allow messages by",
        [channel.value for channel in Channel],
        format_func=lambda channel: f"Allows {in_sentence(Channel(channel).label)}",
        selection_mode="multi",
        default=list(shown.consent),
        label_visibility="collapsed",
        key=f"customers-consent-{round_number}",
        on_change=address.first_page,
    )
    address.keep("consent", ",".join(channels))


def _chips(shown: Shown, currency: str) -> None:
    """Each filter in English, to be taken off with a click."""
    filters = rule_verdict.finished()
    if not filters:
        return
    known = rule_tree.catalogue()
    with st.container(horizontal=True, gap="small", key="filter-chips"):
        for node_id, rule in filters.items():
            sentence = english(parse(rule, known), currency=currency, catalogue=known)
            words = sentence.removeprefix("Customers where ").removesuffix(".")
            st.button(
                literal(words[0].upper() + words[1:]),
                icon=":material/close:",
                help="Take this filter off",
                key=f"chip-{node_id}",
                on_click=_take_off,
                args=(node_id,),
            )
        st.button("Clear all", type="tertiary", key="clear-filters", on_click=_clear)


def _take_off(node_id: str) -> None:
    current_actor()
    rule_changes.delete(node_id)


def _clear() -> None:
    current_actor()
    address.everybody()

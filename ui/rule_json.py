"""The rule under work as JSON: to read, copy, save, and to put another in its place."""

import json

import streamlit as st

from ma.errors import InvalidRule
from ma.rules.check import parse
from ma.rules.to_english import english
from ui import rule_changes, rule_tree
from ui.text import literal

_HEIGHT = 380


def written(rule: dict) -> str:
    """A rule as people read it: short ones on a line, the rest indented."""
    return json.dumps(rule, ensure_ascii=False, indent=2)


def draw(currency: str) -> None:
    """Draw the rule's JSON, and a place to paste another."""
    text = written(rule_tree.rule())
    left, right = st.columns(2, gap="medium")
    with left:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**The rule as it is**")
            st.space("stretch")
            st.download_button(
                "Download",
                text,
                "rule.json",
                "application/json",
                on_click="ignore",
                icon=":material/download:",
                type="tertiary",
                key="rule-download",
            )
        st.code(text, language="json", height=_HEIGHT)
        st.caption("The button in its corner copies it. Amounts are in the smallest unit of the currency.")
    with right:
        _draw_other(text, currency)


def _draw_other(text: str, currency: str) -> None:
    st.markdown("**Another rule**", help="Paste a rule, or change this one, and check it before you use it.")
    # Whatever changes the rule brings its text here; what was typed stays until then.
    key = f"rule-text-{hash(text)}"
    st.session_state.setdefault(key, rule_tree.state().get("text") or text)
    typed = st.text_area("Rule as JSON", key=key, height=_HEIGHT, label_visibility="collapsed")
    with st.container(horizontal=True):
        checked = st.button("Check", icon=":material/fact_check:", key="rule-check")
        st.button(
            "Use this rule",
            icon=":material/check:",
            type="primary",
            key="rule-use",
            on_click=_use,
            args=(key,),
        )
    refused = rule_tree.state().pop("refused", None)
    if checked or refused:
        _tell(typed, currency)


def _use(key: str) -> None:
    """Put the typed rule in the place of the one under work, if it is right."""
    state = rule_tree.state()
    if not state or key not in st.session_state:
        return
    try:
        node = parse(st.session_state[key], rule_tree.catalogue())
    except InvalidRule:
        state["refused"] = True
        return
    state.pop("text", None)
    rule_changes.replace(node)
    st.session_state["rule-as"] = "builder"


def _tell(text: str, currency: str) -> None:
    try:
        node = parse(text, rule_tree.catalogue())
    except InvalidRule as error:
        where = f" at `{error.path.replace('`', '')}`" if error.path else ""
        remedy = f"  \n{literal(error.remedy)}" if error.remedy else ""
        st.error(f"{literal(error.problem)}{where}.{remedy}", icon=":material/error:")
    else:
        sentence = english(node, currency=currency, catalogue=rule_tree.catalogue())
        st.success(f"This rule is right. {literal(sentence)}", icon=":material/check:")

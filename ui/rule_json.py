"""The rule under work as JSON: to read, copy, save, and to put another in its place.

What is typed is kept with the rule until it is used or discarded, whichever view is shown meanwhile.
"""

import json

import streamlit as st

from ma.errors import InvalidRule
from ma.rules.check import parse
from ma.rules.nodes import to_json
from ma.rules.to_english import english
from ui import rule_changes, rule_tree
from ui.text import literal

_HEIGHT = 380
_SAVING = "Saving takes it in place of the rule"


def written(rule: dict) -> str:
    """A rule as people read it: short ones on a line, the rest indented."""
    return json.dumps(rule, ensure_ascii=False, indent=2)


def unused() -> str | None:
    """The text that was typed and that the rule under work does not follow; None where there is none."""
    typed = rule_tree.state().get("typed", "")
    return typed if typed.strip() not in ("", written(rule_tree.rule())) else None


def keep(text: str) -> None:
    """Keep a text as typed, not used yet."""
    rule_tree.state()["typed"] = text


def to_save() -> dict:
    """The rule that the typed text stands for. Raises InvalidRule."""
    return to_json(parse(unused(), rule_tree.catalogue()))


def draw_reminder() -> None:
    """Say that there is typed text that is not used, where the text itself is not shown."""
    if unused() is None:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="rule-unused"):
        st.markdown(
            f":orange[:material/data_object:] The JSON that you typed is not used yet. {_SAVING} below.",
            width="stretch",
        )
        st.button("Show it", key="rule-unused-show", on_click=_show)
        st.button("Discard it", type="tertiary", key="rule-unused-discard", on_click=_discard)


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
    # Whatever changes the rule brings its text here, unless something else was typed.
    key = _key()
    st.session_state.setdefault(key, unused() or text)
    typed = st.text_area(
        "Rule as JSON",
        key=key,
        height=_HEIGHT,
        label_visibility="collapsed",
        on_change=_keep,
        args=(key,),
    )
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
        if unused():
            st.button("Discard", type="tertiary", key="rule-discard", on_click=_discard)
    refused = rule_tree.state().pop("refused", None)
    if checked or refused:
        _tell(typed, currency)
    elif unused():
        st.info(f"This text is not used yet. {_SAVING} as it is.", icon=":material/edit_note:")


def _key() -> str:
    return f"rule-text-{hash(written(rule_tree.rule()))}"


def _keep(key: str) -> None:
    if rule_tree.state() and key in st.session_state:
        keep(st.session_state[key])
        rule_tree.touch()


def _show() -> None:
    st.session_state["rule-as"] = "json"


def _discard() -> None:
    if state := rule_tree.state():
        state.pop("typed", None)
        st.session_state[_key()] = written(rule_tree.rule())


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
    state.pop("typed", None)
    rule_changes.replace(node)
    st.session_state["rule-as"] = "builder"


def problem(error: InvalidRule) -> str:
    """What is wrong with a text, where, and what to do about it, as Markdown."""
    where = f" at `{error.path.replace('`', '')}`" if error.path else ""
    remedy = f"  \n{literal(error.remedy)}" if error.remedy else ""
    return f"{literal(error.problem)}{where}.{remedy}"


def _tell(text: str, currency: str) -> None:
    try:
        node = parse(text, rule_tree.catalogue())
    except InvalidRule as error:
        st.error(problem(error), icon=":material/error:")
    else:
        sentence = english(node, currency=currency, catalogue=rule_tree.catalogue())
        so_far = f", but not used yet. {_SAVING} as it is" if unused() else ""
        st.success(f"This rule is right{so_far}. {literal(sentence)}", icon=":material/check:")

"""The screen of a workspace without segments: what a segment is, and rules to start from."""

import streamlit as st

from ma.analytics import segments as analytics
from ma.analytics.catalogue import catalogue as read_catalogue
from ma.analytics.customers import customer_count
from ma.rules.check import parse
from ma.rules.to_english import english
from ma.types import Actor, Permission
from ui.links import here, link
from ui.segment_templates import Template, all_templates
from ui.session import now, reading, workspace
from ui.text import literal


def starter(actor: Actor) -> None:
    """Draw what a segment is and, for whoever may build one, the usual ones with their counts."""
    st.info(
        "**No segments yet.** A segment is a group of customers described by a rule, such as everybody who "
        "bought in the last month. Campaigns are sent to segments.",
        icon=":material/filter_alt:",
    )
    if not actor.may(Permission.EDIT_SEGMENTS):
        st.caption("Your role reads segments. A marketer can build the first one.")
        return
    place, as_of = workspace(), now()
    with reading() as session:
        everybody = customer_count(session, as_of=as_of).people
    if everybody == 0:
        _nobody_to_choose_from(actor)
        return
    with reading() as session:
        known = read_catalogue(session)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Start from one of these", anchor=False, width="content")
        st.space("stretch")
        here("Start with an empty rule", icon=":material/add:", id="new")
    drawn = {}
    with st.grid(columns=3, border=True, min_column_width=260):
        for name, template in all_templates(place.currency, known.events).items():
            if template.rule is None:
                _lacking(template)
                continue
            rule = parse(template.rule, known)
            sentence = english(rule, currency=place.currency, catalogue=known)
            drawn[name] = (rule, _card(template, sentence))
    # The cards stand first: counting a large workspace takes its time.
    for rule, slot in drawn.values():
        with reading() as session:
            audience = analytics.audience(session, rule, as_of=as_of)
        slot.markdown(f"**{audience.people:,}** :gray[of {audience.everybody:,} customers]")


def _nobody_to_choose_from(actor: Actor) -> None:
    st.markdown("There are no customers yet, so no rule can choose anybody. They come first.")
    with st.container(horizontal=True, vertical_alignment="center"):
        if actor.may(Permission.IMPORT):
            link("files", "Import customers from a file", icon=":material/upload:")
        here("Write a rule for later", icon=":material/add:", id="new")


def _card(template: Template, sentence: str):
    """One template; returns the place of its count."""
    with st.container(height="stretch", gap="small", key=f"template-{template.name.replace(' ', '-')}"):
        with st.container(gap="xxsmall"):
            st.markdown(f"**{template.name}**", help=literal(sentence))
            st.markdown(f":gray[{template.purpose}]")
        st.space("stretch")
        with st.container(horizontal=True, vertical_alignment="center"):
            slot = st.empty()
            slot.markdown(":gray[Counting …]")
            st.space("stretch")
            here(f"Start from {template.name.lower()}", id="new", template=template.name)
    return slot


def _lacking(template: Template) -> None:
    """A template that these data cannot carry."""
    with st.container(height="stretch", gap="small"):
        with st.container(gap="xxsmall"):
            st.markdown(f":gray[**{template.name}**]")
            st.markdown(f":gray[{template.purpose}]")
        st.space("stretch")
        st.caption(f":material/block: {literal(template.needs)}")

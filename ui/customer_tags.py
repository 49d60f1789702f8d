"""A customer's tags, changed where they stand."""

from datetime import datetime

import streamlit as st

from ma.analytics.tags import customer_tags, tag_names
from ma.services.tags import tag_customer, untag_customer
from ma.types import Actor, Permission
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, reading, writing
from ui.text import literal


def show(actor: Actor, customer_id: int, as_of: datetime) -> None:
    """The tags as badges for readers; for editors a field in which a tag is typed, chosen or taken off."""
    may_edit = actor.may(Permission.EDIT_CUSTOMERS)
    with reading() as session:
        present = customer_tags(session, customer_id=customer_id, as_of=as_of)["name"].tolist()
        names = tag_names(session) if may_edit else []
    if not may_edit:
        with st.container(horizontal=True, gap="small", key="customer-tags"):
            for name in present:
                st.badge(literal(name), icon=":material/label:", color="primary")
        return
    key = f"customer-tags-{customer_id}"
    # What the database says wins over the widget's own memory: a tag that was refused, or that a colleague
    # put on meanwhile, must show as it is.
    st.session_state[key] = present
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="customer-tags"):
        st.markdown(":gray[:material/label:]", width="content")
        st.multiselect(
            "Tags",
            list(dict.fromkeys([*names, *present])),
            accept_new_options=True,
            placeholder="Add a tag",
            key=key,
            on_change=_change,
            args=(customer_id, present, key),
            label_visibility="collapsed",
        )


def _change(customer_id: int, before: list[str], key: str) -> None:
    actor = current_actor()
    wanted = st.session_state[key]
    with shown():
        at = now()
        with writing() as session:
            for name in wanted:
                if name not in before:
                    tag_customer(session, actor, customer_id, name, at=at)
            for name in before:
                if name not in wanted:
                    untag_customer(session, actor, customer_id, name, at=at)

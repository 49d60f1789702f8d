"""Next best action: what to send whom next, and what is bought together."""

import streamlit as st

from ma.types import Permission
from ui import next_action_affinity, next_action_list
from ui.page import page
from ui.session import now

actor = page(
    "Next best action",
    Permission.READ,
    subtitle="What to send whom next: the message that should earn most beyond its cost, and its offer.",
)

VIEWS = ("Actions", "Bought together")
view = st.segmented_control(
    "View",
    VIEWS,
    default=VIEWS[0],
    key="part",
    bind="query-params",
    required=True,
    label_visibility="collapsed",
)
as_of = now()
if view == VIEWS[1]:
    next_action_affinity.draw(actor, as_of)
else:
    next_action_list.draw(actor, as_of)

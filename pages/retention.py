"""Retention: customers by the month of their first purchase, and who came back."""

import streamlit as st

from ma.analytics import cohorts
from ma.errors import Exposed
from ma.types import Permission
from ui import cohort_choice, cohort_kept, cohort_view
from ui.links import link
from ui.page import page
from ui.session import now, reading, workspace
from ui.text import literal

actor = page(
    "Retention",
    Permission.READ,
    subtitle="Customers by the month of their first purchase, and how many of them came back.",
)

place, as_of = workspace(), now()
with reading() as session:
    begun = cohorts.first_purchase(session, as_of=as_of) is not None
if not begun:
    st.info(
        "**No purchases yet.** This page shows for each month the customers who bought for the first time, "
        "and how many of them bought again in the months after. It fills with the orders you import.",
        icon=":material/grid_view:",
    )
    if actor.may(Permission.IMPORT):
        link("files", "Import purchases from a file", icon=":material/upload:")
    st.stop()
choice = cohort_choice.draw()
try:
    found = cohort_kept.cohorts(choice, as_of)
except Exposed as error:
    # As where the segment was deleted a moment ago.
    st.error(literal(error), icon=":material/error:")
    st.stop()
if found.empty:
    st.info("**Nobody chosen by these filters has bought yet.** Take one off.", icon=":material/info:")
    st.stop()
cohort_view.draw(actor, found, choice, currency=place.currency, as_of=as_of)

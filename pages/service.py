"""Service: tickets of what went wrong for whom, and who is not to be written to."""

import streamlit as st

from ma.text import whole_number
from ma.types import Permission
from ui import suppression_list, ticket_list, ticket_view
from ui.links import here
from ui.page import page

wanted = st.query_params.get("id", "")
actor = page(
    "Ticket" if wanted else "Service",
    Permission.READ,
    subtitle=None if wanted else "What went wrong for whom, to look into, and who is not to be written to.",
)
TICKETS, SUPPRESSIONS = "Tickets", "Suppressions"

if wanted and (ticket_id := whole_number(wanted, digits=18)) is None:
    st.error("The address names no ticket. Choose one from the list.", icon=":material/error:")
    here("All tickets", icon=":material/arrow_back:")
elif wanted:
    ticket_view.show(actor, ticket_id)
else:
    view = st.segmented_control(
        "View",
        (TICKETS, SUPPRESSIONS),
        default=TICKETS,
        key="list",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )
    if view == SUPPRESSIONS:
        suppression_list.draw(actor)
    else:
        ticket_list.draw()

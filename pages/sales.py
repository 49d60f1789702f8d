"""Sales: the pipeline of leads, and one lead with what can be done about it."""

import streamlit as st

from ma.text import whole_number
from ma.types import Permission
from ui import lead_list, lead_view
from ui.links import here
from ui.page import page

wanted = st.query_params.get("id", "")
actor = page(
    "Lead" if wanted else "Sales",
    Permission.READ,
    subtitle=None if wanted else "People who showed interest in a campaign, for somebody to talk to.",
)

if not wanted:
    lead_list.draw(actor)
elif (lead_id := whole_number(wanted, digits=18)) is None:
    st.error("The address names no lead. Choose one from the list.", icon=":material/error:")
    here("All leads", icon=":material/arrow_back:")
else:
    lead_view.show(actor, lead_id)

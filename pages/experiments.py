"""Experiments: what tests of messages and holdouts show, and how sure it is."""

import streamlit as st

from ma.text import whole_number
from ma.types import Permission
from ui import experiment_list, experiment_view
from ui.links import here
from ui.page import page
from ui.session import now

page(
    "Experiments",
    Permission.READ,
    subtitle="Messages against each other, and people sent a campaign against people held out: what differs, "
    "how sure that is, and where nothing can be seen.",
)

wanted = st.query_params.get("campaign", "")
if wanted:
    here("All experiments", icon=":material/arrow_back:")
    campaign_id = whole_number(wanted)
    if campaign_id is None:
        st.error("The address names no campaign. Choose one from the list.", icon=":material/error:")
        st.stop()
    experiment_view.show(campaign_id, as_of=now())
else:
    experiment_list.draw(as_of=now())

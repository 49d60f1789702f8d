"""Campaigns: the list, a new one, and one campaign from draft to its end."""

import streamlit as st

from ma.analytics import campaigns as campaign_list
from ma.analytics import segments as segment_list
from ma.text import whole_number
from ma.types import Permission
from ui import campaign_calendar, campaign_form, campaign_overlap, campaign_table, campaign_view
from ui.links import here, link
from ui.page import page
from ui.session import now, reading

wanted = st.query_params.get("id", "")
title = "New campaign" if wanted == "new" else "Campaigns"
actor = page(title, Permission.READ)

if wanted == "new":
    here("All campaigns", icon=":material/arrow_back:")
    campaign_form.create(actor)
    st.stop()
if wanted:
    here("All campaigns", icon=":material/arrow_back:")
    campaign_id = whole_number(wanted)
    if campaign_id is None:
        st.error("The address names no campaign. Choose one from the list.", icon=":material/error:")
        st.stop()
    campaign_view.show(actor, campaign_id)
    st.stop()

campaign_form.leave()
as_of = now()
# As the address has them, too.
VIEWS = ("List", "Calendar", "Overlap")
with reading() as session:
    everything = campaign_list.campaigns(session, as_of=as_of)
    no_segments = segment_list.segments(session, as_of=as_of).empty

may_edit = actor.may(Permission.EDIT_CAMPAIGNS)
if everything.empty:
    st.info(
        "**No campaigns yet.** A campaign sends one message to the people of a segment "
        "and shows what came of it.",
        icon=":material/campaign:",
    )
    if no_segments:
        st.caption("It needs a segment to go to. Build one first.")
        link("segments", "Build a segment")
    elif may_edit:
        here("Plan the first campaign", icon=":material/add:", id="new")
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom"):
    view = st.segmented_control(
        "View",
        VIEWS,
        default="List",
        key="view",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )
    st.space("stretch")
    if may_edit and st.button("New campaign", type="primary", icon=":material/add:", key="new-campaign"):
        st.query_params.from_dict({"id": "new"})
        st.rerun()
if view == "Calendar":
    campaign_calendar.draw(actor)
elif view == "Overlap":
    campaign_overlap.draw(actor)
else:
    campaign_table.draw(everything)

"""Campaigns: the list, a new one, and one campaign from draft to its end."""

import streamlit as st

from ma.analytics import campaigns as campaign_list
from ma.analytics import segments as segment_list
from ma.text import whole_number
from ma.types import CampaignStatus, Channel, Permission
from ui import campaign_form, campaign_view, tables
from ui.export import export_button
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
with reading() as session:
    frame = campaign_list.campaigns(session, as_of=as_of)
    no_segments = segment_list.segments(session, as_of=as_of).empty

may_edit = actor.may(Permission.EDIT_CAMPAIGNS)
with st.container(horizontal=True, vertical_alignment="bottom"):
    present = [s.value for s in CampaignStatus if (frame["status"] == s).any()]
    status = st.pills(
        "Status",
        present,
        format_func=str.capitalize,
        key="status",
        bind="query-params",
        label_visibility="collapsed",
    )
    st.space("stretch")
    if may_edit and st.button("New campaign", type="primary", icon=":material/add:", key="new-campaign"):
        st.query_params["id"] = "new"
        st.rerun()
    if len(frame):
        export_button("campaigns", status=status or "")

if frame.empty:
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

shown = frame[frame["status"] == status] if status else frame
table = shown.assign(
    status_shown=shown["status"].str.capitalize(),
    channel=shown["channel"].map(lambda c: Channel(c).label),
    when=shown["launched_at"].fillna(shown["scheduled_at"]),
    source=shown["source"].str.capitalize(),
)
event = st.dataframe(
    table[["name", "status_shown", "channel", "segment", "when", "sent", "source"]],
    hide_index=True,
    placeholder="–",
    on_select="rerun",
    selection_mode="single-row",
    key=f"campaign-list-{status}",
    height=min(38 * len(table) + 40, 720),
    column_config={
        "name": st.column_config.TextColumn("Campaign", width="large"),
        "status_shown": "Status",
        "channel": "Channel",
        "segment": "Segment",
        "when": tables.moment("Launched or scheduled"),
        "sent": tables.count("Sent to"),
        "source": "Results",
    },
)
if event.selection.rows:
    st.query_params["id"] = str(int(table.iloc[event.selection.rows[0]]["campaign_id"]))
    st.rerun()
st.caption(f"{len(shown):,} campaigns. Select a row to open it.")

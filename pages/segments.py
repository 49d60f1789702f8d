"""Segments: the list, a new one, and one segment with its people and its rule."""

import streamlit as st

from ma.analytics import segments as analytics
from ma.text import whole_number
from ma.types import Permission
from ui import segment_view, static_list, tables
from ui.export import export_button
from ui.links import here
from ui.page import page
from ui.session import now, reading

wanted = st.query_params.get("id", "")
actor = page("New segment" if wanted == "new" else "Segments", Permission.READ)

if wanted == "new":
    segment_view.create(actor)
    st.stop()
if wanted:
    segment_id = whole_number(wanted)
    if segment_id is None:
        st.error("The address names no segment. Choose one from the list.", icon=":material/error:")
        here("All segments", icon=":material/arrow_back:")
        st.stop()
    segment_view.show(actor, segment_id)
    st.stop()

as_of = now()
with reading() as session:
    frame = analytics.segments(session, as_of=as_of)
    history = analytics.size_history(session, as_of=as_of)

may_edit = actor.may(Permission.EDIT_SEGMENTS)
if frame.empty:
    segment_view.starter(may_edit)
    st.stop()

with st.container(horizontal=True, vertical_alignment="center"):
    st.caption("Groups of customers, described by a rule or kept as a list. Campaigns are sent to them.")
    st.space("stretch")
    export_button("segments")
    if may_edit and st.button("New static list", icon=":material/playlist_add:", key="new-list"):
        static_list.create()
    if may_edit and st.button("New segment", type="primary", icon=":material/add:", key="new"):
        st.query_params["id"] = "new"
        st.rerun()

sizes = history.groupby("segment_id")["size"].agg(list)
table = frame.assign(
    sizes=frame["segment_id"].map(sizes),
    about=frame["description"].where(frame["description"] != "", frame["rule"]),
    refreshed=[segment_view.ago(moment, as_of) for moment in frame["refreshed_at"]],
)
event = st.dataframe(
    table[["name", "size", "sizes", "refreshed", "about"]],
    hide_index=True,
    placeholder="–",
    on_select="rerun",
    selection_mode="single-row",
    key="segment-list",
    height=min(35 * len(table) + 38, 720),
    column_config={
        "name": st.column_config.TextColumn("Segment", width="medium", pinned=True),
        "size": tables.count("Customers"),
        "sizes": st.column_config.LineChartColumn("Size so far", width="small", y_min=0),
        "refreshed": "Last refresh",
        "about": st.column_config.TextColumn("Who is in it", width="large"),
    },
)
if event.selection.rows:
    st.query_params["id"] = str(int(table.iloc[event.selection.rows[0]]["segment_id"]))
    st.rerun()
st.caption(f"{len(frame):,} segments, sizes as of their last refresh. Select a row to open it.")

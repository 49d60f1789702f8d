"""The list of segments: searched, compared, refreshed, with what is wrong with any of them."""

import streamlit as st

from ma.analytics import segments as analytics
from ma.text import fold
from ma.types import Actor, Permission
from ui import segment_refresh, segment_starter, static_list, tables
from ui.export import export_button
from ui.links import here
from ui.moments import ago
from ui.session import now, reading
from ui.text import literal

MOST_COMPARED = 6
_NAMED = 3


def draw(actor: Actor) -> None:
    """Draw the list, or what to begin with where there is none."""
    as_of = now()
    with reading() as session:
        frame = analytics.segments(session, as_of=as_of)
        history = analytics.size_history(session, as_of=as_of)
    if frame.empty:
        segment_starter.starter(actor)
        return
    st.caption("Groups of customers, described by a rule or kept as a list. Campaigns are sent to them.")
    told = st.container()
    _head(actor, frame, told)
    segment_refresh.progress()
    _warnings(frame)
    found = _searched(frame)
    if found.empty:
        st.caption("No segment has these words in its name, description or rule.")
        return
    _table(found, history, as_of)
    kept = "" if len(found) == len(frame) else f" of {len(frame):,}"
    st.caption(f"{len(found):,}{kept} segments, sizes as of their last refresh. Select a row to open it.")


def _head(actor: Actor, frame, told) -> None:
    may_edit = actor.may(Permission.EDIT_SEGMENTS)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text_input(
            "Search segments",
            type="search",
            live=True,
            placeholder="Name, description or rule",
            label_visibility="collapsed",
            max_chars=100,
            width=260,
            key="segment-q",
        )
        st.space("stretch")
        if len(frame) > 1:
            _compare(frame)
        if (~frame["static"]).any():
            segment_refresh.start_all(actor, told)
        export_button("segments")
        if may_edit and st.button("New static list", icon=":material/playlist_add:", key="new-list"):
            static_list.create()
        if may_edit and st.button("New segment", type="primary", icon=":material/add:", key="new"):
            st.query_params["id"] = "new"
            st.rerun()


def _compare(frame) -> None:
    names = dict(zip(frame["segment_id"].tolist(), frame["name"], strict=True))
    with st.popover("Compare", icon=":material/join:", key="compare-menu"):
        chosen = st.multiselect(
            f"Two to {MOST_COMPARED} segments",
            list(names),
            format_func=names.get,
            max_selections=MOST_COMPARED,
            placeholder="Choose segments",
            key="compare-chosen",
        )
        if st.button(
            "Compare them", type="primary", icon=":material/join:", key="compare", disabled=len(chosen) < 2
        ):
            st.query_params.from_dict({"compare": ",".join(map(str, chosen))})
            st.rerun()


def _warnings(frame) -> None:
    """What cannot be refreshed, and where that is repaired."""
    for row in frame[frame["problem"].notna()].head(_NAMED).itertuples():
        _warning(row, f"The rule of **{literal(row.name)}** is no longer valid. {literal(row.problem)}")
    failed = frame[frame["refresh_error"].notna() & frame["problem"].isna()]
    for row in failed.head(_NAMED).itertuples():
        _warning(row, f"**{literal(row.name)}** could not be refreshed. {literal(row.refresh_error)}")
    more = int((frame["problem"].notna() | frame["refresh_error"].notna()).sum())
    more -= min(int(frame["problem"].notna().sum()), _NAMED) + min(len(failed), _NAMED)
    if more > 0:
        st.caption(f"{more:,} more segments could not be refreshed; the table says which.")


def _warning(row, words: str) -> None:
    said, way = st.columns([7, 1], vertical_alignment="center")
    said.warning(words, icon=":material/sync_problem:")
    with way:
        here("Open", icon=":material/arrow_forward:", id=row.segment_id)


def _searched(frame):
    words = fold(st.session_state.get("segment-q") or "").split()
    text = (frame["name"] + " " + frame["description"] + " " + frame["rule"]).map(fold)
    for word in words:
        frame, text = frame[fits := text.str.contains(word, regex=False)], text[fits]
    return frame


def _table(frame, history, as_of) -> None:
    sizes = history.groupby("segment_id")["size"].agg(list)
    table = frame.assign(
        sizes=frame["segment_id"].map(sizes),
        about=frame["description"].where(frame["description"] != "", frame["rule"]),
        refreshed=[ago(moment, as_of) for moment in frame["refreshed_at"]],
        state=[_state(row) for row in frame.itertuples()],
    )
    shown = ["name", "size", "sizes", "refreshed", "state", "about"]
    event = st.dataframe(
        table[shown if table["state"].notna().any() else [name for name in shown if name != "state"]],
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
            "state": st.column_config.TextColumn("State", width=140),
            "about": st.column_config.TextColumn("Who is in it", width="large"),
        },
    )
    if event.selection.rows:
        st.query_params["id"] = str(int(table.iloc[event.selection.rows[0]]["segment_id"]))
        st.rerun()


def _state(row) -> str | None:
    if isinstance(row.problem, str):
        return "Rule no longer valid"
    if isinstance(row.refresh_error, str):
        return "Refresh failed"
    return "Rule changed since" if row.stale else None

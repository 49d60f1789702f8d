"""One segment: its rule, its size and how that changed, its people, its versions, and what uses it."""

from datetime import datetime

import streamlit as st

from ma.analytics import segments as analytics
from ma.analytics.catalogue import catalogue
from ma.analytics.segment_uses import segments_using
from ma.analytics.segments import SegmentInfo
from ma.charts.segment_history import size_history_chart
from ma.errors import NotFound
from ma.rules.check import parse
from ma.types import Actor, Permission
from ui import (
    list_upload,
    picture,
    segment_actions,
    segment_drift,
    segment_editor,
    segment_explanation,
    segment_versions,
    static_list,
    tables,
)
from ui.export import export_button
from ui.links import here, link
from ui.moments import ago
from ui.page import current_actor
from ui.segment_people import COLUMNS, table
from ui.segment_templates import EVERYBODY
from ui.session import now, reading, workspace
from ui.text import literal

PAGE_SIZE = 25
_PEOPLE, _HISTORY, _EXPLAINED, _VERSIONS, _USED = "People", "History", "Explained", "Versions", "Used by"
_DRIFT = "Drift"


def show(actor: Actor, segment_id: int) -> None:
    """Draw one segment, or its editor when the address asks for it."""
    here("All segments", icon=":material/arrow_back:")
    try:
        with reading() as session:
            segment = analytics.segment(session, segment_id)
    except NotFound as error:
        st.warning(str(error), icon=":material/search_off:")
        return
    may_edit = actor.may(Permission.EDIT_SEGMENTS)
    if st.query_params.get("edit") == "yes" and not segment.static and may_edit:
        segment_editor.edit(segment)
    elif st.query_params.get("upload") == "yes" and segment.static and may_edit:
        list_upload.draw(segment)
    else:
        _overview(actor, segment)


def _overview(actor: Actor, segment: SegmentInfo) -> None:
    as_of = now()
    with reading() as session:
        known = catalogue(session)
        campaigns = analytics.used_by(session, segment.segment_id)
        users = segments_using(session, segment.segment_id)
        history = analytics.size_history(session, as_of=as_of, segment_id=segment.segment_id)
        everybody = analytics.count(session, EVERYBODY, as_of=as_of)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(literal(segment.name), anchor=False, width="content")
        if segment.stale:
            st.badge("Changed since the last refresh", icon=":material/update:", color="orange")
        st.space("stretch")
        if actor.may(Permission.EDIT_SEGMENTS):
            segment_actions.draw(segment, campaigns, users)
        export_button("segment_members", segment_id=segment.segment_id)
    if segment.description:
        st.text(segment.description)
    problem = analytics.rule_problem(segment.rule, known)
    _sentence(segment, known, problem)
    if segment.refresh_error and not problem:
        st.warning(
            f"The last refresh failed, so that the people are those of the one before. "
            f"{literal(segment.refresh_error)}",
            icon=":material/sync_problem:",
        )
    _cards(segment, history, everybody, as_of)
    _tabs(actor, segment, history, campaigns, users, known, problem)


def _sentence(segment: SegmentInfo, known, problem: str | None) -> None:
    with st.container(border=True):
        if segment.static:
            st.markdown(f"**{analytics.STATIC}** :gray[People are put on it and taken off by hand.]")
        elif problem is None:
            currency = workspace().currency
            st.text(analytics.sentence(segment.rule, currency=currency, catalogue=known))
        else:
            st.error(
                f"This rule is no longer valid, so that the segment cannot be refreshed. {literal(problem)} "
                "Edit the rule, or bring back an older version.",
                icon=":material/rule:",
            )


def _tabs(actor: Actor, segment: SegmentInfo, history, campaigns, users, known, problem: str | None) -> None:
    names = (
        [_PEOPLE, _HISTORY, _DRIFT, _USED]
        if segment.static
        else [_PEOPLE, _HISTORY, _DRIFT, _EXPLAINED, _VERSIONS, _USED]
    )
    # Only the open one runs: opening a segment must not evaluate its rule.
    tabs = dict(
        zip(names, st.tabs(names, on_change="rerun", key=f"segment-tab-{segment.segment_id}"), strict=True)
    )
    draw = {
        _PEOPLE: lambda: _members(actor, segment),
        _HISTORY: lambda: _history(segment, history),
        _DRIFT: lambda: segment_drift.draw(segment),
        _EXPLAINED: lambda: _explained(segment, known, problem),
        _VERSIONS: lambda: segment_versions.draw(actor, segment),
        _USED: lambda: _used(campaigns, users),
    }
    for name, tab in tabs.items():
        if tab.open:
            with tab:
                draw[name]()


def _cards(segment: SegmentInfo, history, everybody: int, as_of: datetime) -> None:
    sizes = [int(size) for size in history["size"]]
    with st.grid(columns=3, border=True, min_column_width=190):
        st.metric(
            "Customers",
            "–" if segment.size is None else f"{segment.size:,}",
            f"{sizes[-1] - sizes[-2]:+,}" if len(sizes) > 1 else None,
            delta_color="off",
            delta_arrow="auto" if len(sizes) > 1 and sizes[-1] != sizes[-2] else "off",
            delta_description=f"since the {'change' if segment.static else 'refresh'} before"
            if len(sizes) > 1
            else None,
            chart_data=sizes if len(sizes) > 2 else None,
            chart_type="area",
            height="stretch",
        )
        st.metric(
            "Share of all customers",
            "–"
            if segment.size is None or not everybody
            else f"{segment.size / everybody:.1%}".replace("%", " %"),
            height="stretch",
        )
        last = history.iloc[-1] if len(history) else None
        st.metric(
            "Last change" if segment.static else "Last refresh",
            ago(segment.refreshed_at, as_of),
            None if last is None else f"{last.entered:,} entered, {last.left:,} left",
            delta_color="off",
            delta_arrow="off",
            height="stretch",
        )


def _members(actor: Actor, segment: SegmentInfo) -> None:
    as_of, currency = now(), workspace().currency
    with reading() as session:
        count = analytics.member_count(session, as_of=as_of, segment_id=segment.segment_id)
        pages = max(1, -(-count // PAGE_SIZE))
        number = min(max(st.session_state.get("members-page", 1), 1), pages)
        people = analytics.members(
            session,
            as_of=as_of,
            segment_id=segment.segment_id,
            sort="name",
            limit=PAGE_SIZE,
            offset=(number - 1) * PAGE_SIZE,
        )
    if not count:
        st.caption("Nobody is on it yet." if segment.static else "Nobody was in it at the last refresh.")
        return
    may_remove = segment.static and actor.may(Permission.EDIT_SEGMENTS)
    chosen = table(people, currency, [*COLUMNS, "entered_at"], may_choose=may_remove)
    if may_remove:
        static_list.remove_button(segment, people["customer_id"].iloc[chosen].tolist())
    with st.container(horizontal=True, vertical_alignment="center"):
        if pages > 1:
            st.pagination(pages, key="members-page")
        when = "last change" if segment.static else "last refresh"
        st.caption(f"{count:,} people, as of the {when} ({ago(segment.refreshed_at, as_of)})")


def _history(segment: SegmentInfo, history) -> None:
    if history.empty:
        st.caption("It was not refreshed yet.")
        return
    place = workspace()
    if len(history) > 1:
        figure = size_history_chart(history, timezone=place.timezone)
        with st.container(horizontal=True, vertical_alignment="center"):
            what = "change" if segment.static else "refresh"
            st.markdown(f"**Size** :gray[customers after each {what}]")
            st.space("stretch")
            export_button("segment_size_history", key="export-size", segment_id=segment.segment_id)
        picture.chart(figure, key=f"size-history-{segment.segment_id}", file="segment-size")
    st.dataframe(
        history[["as_of", "size", "entered", "left", "duration_ms"]].iloc[::-1],
        hide_index=True,
        height=min(35 * len(history) + 38, 320),
        column_config={
            "as_of": tables.moment("As of", place.timezone),
            "size": tables.count("Customers"),
            "entered": tables.count("Entered"),
            "left": tables.count("Left"),
            "duration_ms": st.column_config.NumberColumn("Took", format="%,d ms"),
        },
    )
    what = "changes" if segment.static else "refreshes"
    st.caption(f"The latest {len(history):,} {what}.")


def _explained(segment: SegmentInfo, known, problem: str | None) -> None:
    if problem is not None:
        st.caption("A rule that is no longer valid cannot be explained.")
        return
    # The people above are those of the last refresh; this is evaluated now.
    st.caption("The rule as it is, evaluated now.")
    segment_explanation.draw(
        parse(segment.rule, known), currency=workspace().currency, as_of=now(), catalogue=known
    )


def _used(campaigns, users) -> None:
    current_actor()
    if campaigns.empty and users.empty:
        st.caption("No campaign and no other segment uses it.")
    if len(campaigns):
        st.subheader("Campaigns that use it", anchor=False)
        for campaign in campaigns.itertuples():
            words = f"{literal(campaign.name)} ({campaign.status})"
            link("campaigns", words, icon=":material/campaign:", id=campaign.campaign_id)
    if len(users):
        st.subheader("Segments whose rules use it", anchor=False)
        for user in users.itertuples():
            here(literal(user.name), icon=":material/filter_alt:", id=user.segment_id)

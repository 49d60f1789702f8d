"""Refreshing segments: one at a click, or all with live progress."""

import streamlit as st

from ma import clock
from ma.analytics import refresh_runs
from ma.analytics.refresh_runs import Run
from ma.analytics.segments import SegmentInfo
from ma.services.refresh_runs import cancel_run
from ma.services.segments import refresh_one
from ma.types import Actor, Permission
from ui import refresh_job, session
from ui.errors import shown
from ui.moments import ago
from ui.page import current_actor
from ui.session import now, reading, writing
from ui.text import literal


def button(segment: SegmentInfo) -> None:
    """Refresh one segment; why it failed is kept with it."""
    if not st.button("Refresh", icon=":material/refresh:", key="refresh", help="Find who belongs to it now"):
        return
    with shown() as attempt:
        refresh = refresh_one(session.database(), current_actor(), segment.segment_id, at=now())
    if attempt.ok:
        st.toast(
            f"{refresh.size:,} customers: {refresh.entered:,} entered, {refresh.left:,} left.",
            icon=":material/check:",
        )
        st.rerun()


def start_all(actor: Actor, told) -> None:
    """The button that refreshes all segments; what goes wrong is told in the container `told`."""
    if not actor.may(Permission.EDIT_SEGMENTS):
        return
    if st.button(
        "Refresh all", icon=":material/sync:", key="refresh-all", help="Find who belongs to each now"
    ):
        with told, shown() as attempt:
            refresh_job.start(current_actor())
        if attempt.ok:
            st.rerun()


def progress() -> None:
    """The refresh of all segments that is under way, or how the last one ended."""
    with reading() as reader:
        run = refresh_runs.last_run(reader)
    if run is None:
        return
    if run.under_way(now=clock.now()):
        _live(run.run_id)
        return
    st.caption(_ended(run))


@st.fragment(run_every=1.0)
def _live(run_id: int) -> None:
    actor = current_actor()
    with reading() as reader:
        run = refresh_runs.last_run(reader)
    if run is None or run.run_id != run_id or not run.under_way(now=clock.now()):
        # The whole list has other sizes now.
        st.rerun()
    tried = run.done + run.failed
    with st.container(horizontal=True, vertical_alignment="center", border=True, key="refresh-progress"):
        words = f"{literal(run.actor)} refreshes all segments: {tried:,} of {run.segments:,}"
        words += f", {run.failed:,} failed" if run.failed else ""
        st.progress(run.share, text=words, width="stretch")
        if run.cancelled_by:
            st.caption("Ends before the next segment")
        elif actor.may(Permission.EDIT_SEGMENTS):
            st.button(
                "Cancel", icon=":material/close:", key="cancel-refresh", on_click=_cancel, args=(run_id,)
            )


def _cancel(run_id: int) -> None:
    at = now()
    with shown(), writing() as writer:
        cancel_run(writer, current_actor(), run_id, at=at)


def _ended(run: Run) -> str:
    when = ago(run.as_of, now())
    who = literal(run.actor)
    if run.cancelled_by:
        how = f"cancelled by {literal(run.cancelled_by)} after {run.done:,} of {run.segments:,}"
    elif run.done + run.failed < run.segments:
        how = f"broken off after {run.done:,} of {run.segments:,}"
    else:
        how = f"{run.done:,} refreshed" + (f", {run.failed:,} failed" if run.failed else "")
    return f"Last refresh of all segments: {when} by {who}, {how}."

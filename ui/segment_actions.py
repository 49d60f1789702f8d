"""What can be done with one segment: edit, refresh, delete."""

import streamlit as st

from ma.analytics.segments import SegmentInfo
from ma.services import segments
from ui import segment_refresh, static_list
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, writing
from ui.text import literal

_NAMED = 5


def draw(segment: SegmentInfo, campaigns: list[str], users: list[str]) -> None:
    """The buttons; `campaigns` and `users` (other segments) use it, by name."""
    if segment.static:
        static_list.actions(segment)
    elif st.button("Edit rule", type="primary", icon=":material/edit:", key="edit"):
        st.query_params["edit"] = "yes"
        st.rerun()
    segment_refresh.button(segment)
    with st.popover("Delete", icon=":material/delete:", key="delete"):
        if campaigns or users:
            _in_use(campaigns, users)
        else:
            _delete(segment)


def _in_use(campaigns: list[str], users: list[str]) -> None:
    if campaigns:
        st.markdown(f"It cannot be deleted because campaigns use it: {_listed(campaigns)}.")
    if users:
        st.markdown(f"It cannot be deleted because the rules of other segments use it: {_listed(users)}.")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(literal(name) for name in names[:_NAMED]) + more


def _delete(segment: SegmentInfo) -> None:
    lost = "Its list of people" if segment.static else "Its rule with all its versions, its list of people"
    st.markdown(f"{lost} and its history of sizes will be lost. No customer is deleted.")
    if not st.button(
        "Delete segment", type="primary", icon=":material/delete_forever:", key="delete-for-good"
    ):
        return
    at = now()
    with shown() as attempt, writing() as session:
        segments.delete_segment(session, current_actor(), segment.segment_id, version=segment.version, at=at)
    if attempt.ok:
        st.toast("The segment is deleted.", icon=":material/check:")
        st.query_params.clear()
        st.rerun()

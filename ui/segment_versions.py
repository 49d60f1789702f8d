"""The rules that a segment has had: which there were, what changed between two, and bringing one back."""

import streamlit as st

from ma.analytics import segment_versions as analytics
from ma.analytics.segments import SegmentInfo
from ma.services.segments import refresh_segment, restore_version
from ma.types import Actor, Permission
from ui import tables
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, reading, writing
from ui.text import literal

_ICONS = {
    "added": (":material/add:", "green"),
    "removed": (":material/remove:", "red"),
    "changed": (":material/edit:", "orange"),
    "moved": (":material/move_down:", "blue"),
    "how many must hold": (":material/account_tree:", "violet"),
}


def draw(actor: Actor, segment: SegmentInfo) -> None:
    """Every version with its sentence and size, what changed, and the way back."""
    with reading() as session:
        frame = analytics.versions(session, segment_id=segment.segment_id)
    if frame.empty:
        st.caption("No version of this rule is kept.")
        return
    st.dataframe(
        frame[["number", "at", "actor", "size", "sentence", "restored"]],
        hide_index=True,
        placeholder="–",
        column_config={
            "number": st.column_config.NumberColumn("Version", width="small", pinned=True),
            "at": tables.moment("Since"),
            "actor": "By",
            "size": tables.count("Customers", help="At the last refresh while this was the rule"),
            "sentence": st.column_config.TextColumn("Rule", width="large"),
            "restored": st.column_config.NumberColumn("Brought back", help="The older version it repeats"),
        },
    )
    numbers = frame["number"].tolist()
    if len(numbers) == 1:
        st.caption("The rule has not been changed since the segment was made.")
        return
    _compare(actor, segment, numbers)


def _compare(actor: Actor, segment: SegmentInfo, numbers: list[int]) -> None:
    newest = numbers[0]

    def label(number: int) -> str:
        return f"Version {number}" + (" (now)" if number == newest else "")

    with st.container(horizontal=True, vertical_alignment="bottom"):
        older = st.selectbox(
            "From", numbers, index=1, format_func=label, width=180, key=f"from-{segment.segment_id}-{newest}"
        )
        newer = st.selectbox(
            "To", numbers, index=0, format_func=label, width=180, key=f"to-{segment.segment_id}-{newest}"
        )
    with shown() as attempt, reading() as session:
        changes = analytics.changes(session, segment_id=segment.segment_id, older=older, newer=newer)
    if attempt.ok:
        _changes(changes)
    if actor.may(Permission.EDIT_SEGMENTS):
        _restore(segment, numbers)


def _changes(changes) -> None:
    if changes.empty:
        st.caption("These two say the same.")
        return
    with st.container(border=True, gap="small", key="version-changes"):
        for change in changes.itertuples():
            icon, colour = _ICONS[change.change]
            words = [
                literal(part) for part in (change.before, change.after) if isinstance(part, str) and part
            ]
            said = words[0] if change.change == "moved" else " → ".join(words)
            place = f"  \n:gray[in {literal(change.place)}]" if isinstance(change.place, str) else ""
            heading = change.change[0].upper() + change.change[1:]
            st.markdown(f"{icon} :{colour}[**{heading}**] {said}{place}")


def _restore(segment: SegmentInfo, numbers: list[int]) -> None:
    with st.popover("Bring back an older rule", icon=":material/history:", key="restore-menu"):
        number = st.selectbox("Version", numbers[1:], key=f"restore-number-{segment.segment_id}-{numbers[0]}")
        st.caption(
            "It becomes the newest version and the segment is refreshed by it. Versions in between stay."
        )
        if not st.button(
            f"Bring back version {number}", type="primary", icon=":material/history:", key="restore"
        ):
            return
        at = now()
        with shown() as attempt, writing() as session:
            actor = current_actor()
            changed = restore_version(
                session, actor, segment.segment_id, number, version=segment.version, at=at
            )
            if changed:
                refresh = refresh_segment(session, actor, segment.segment_id, at=at)
    if attempt.ok:
        told = (
            f"{refresh.size:,} customers by the rule of version {number}."
            if changed
            else "It is that rule already."
        )
        st.toast(told, icon=":material/check:")
        st.rerun()

"""Static lists: segments whose people are put on and taken off by hand."""

from secrets import token_hex

import streamlit as st

from ma.analytics import customers as customer_data
from ma.analytics import segments as analytics
from ma.analytics.segments import SegmentInfo
from ma.services import segments
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, reading, writing
from ui.text import literal

_FOUND = 8


def create() -> None:
    """Open the form of a new list."""
    _create(token_hex(4))


def actions(segment: SegmentInfo) -> None:
    """What can be done with a list: add people one by one, and rename it."""
    if st.button("Add people", type="primary", icon=":material/person_add:", key="add-people"):
        _add(segment, token_hex(4))
    if st.button("Upload people", icon=":material/upload_file:", key="upload-people"):
        st.query_params.from_dict({"id": str(segment.segment_id), "upload": "yes"})
        st.rerun()
    if st.button("Rename", icon=":material/edit:", key="rename-list"):
        _rename(segment, token_hex(4))


def remove_button(segment: SegmentInfo, customer_ids: list[int]) -> None:
    """Take the chosen people off the list."""
    label = f"Take {len(customer_ids):,} off the list" if customer_ids else "Take off the list"
    if not st.button(
        label,
        icon=":material/person_remove:",
        key="remove-members",
        disabled=not customer_ids,
        help=None if customer_ids else "Choose people in the table first.",
    ):
        return
    with shown() as attempt:
        at = now()
        with writing() as session:
            chosen = analytics.these(customer_ids)
            left = segments.remove_members(session, current_actor(), segment.segment_id, chosen, at=at)
    if attempt.ok:
        st.toast(f"{left:,} taken off the list.", icon=":material/check:")
        st.rerun()


@st.dialog("New static list", icon=":material/playlist_add:")
def _create(opening: str) -> None:
    actor = current_actor()
    st.caption("A list that you keep by hand. For people described by a rule, make a segment.")
    name, description = _fields("", "", opening)
    if not st.button("Save list", type="primary", icon=":material/save:", key="save-list"):
        return
    with shown() as attempt:
        at = now()
        with writing() as session:
            segment_id = segments.create_static_segment(
                session, actor, name=name, description=description, at=at
            )
    if attempt.ok:
        st.query_params.from_dict({"id": str(segment_id)})
        st.rerun()


@st.dialog("Rename this list", icon=":material/edit:")
def _rename(segment: SegmentInfo, opening: str) -> None:
    actor = current_actor()
    name, description = _fields(segment.name, segment.description, opening)
    if not st.button("Save changes", type="primary", icon=":material/save:", key="save-list"):
        return
    with shown() as attempt:
        at = now()
        with writing() as session:
            segments.update_segment(
                session,
                actor,
                segment.segment_id,
                version=segment.version,
                at=at,
                name=name,
                description=description,
            )
    if attempt.ok:
        st.rerun()


@st.dialog("Add people to this list", icon=":material/person_add:", width="medium")
def _add(segment: SegmentInfo, opening: str) -> None:
    actor = current_actor()
    q = st.text_input(
        "Search customers",
        type="search",
        live=True,
        placeholder="Name, e-mail, phone, city, postal code or id",
        max_chars=200,
        key=f"list-q-{opening}",
    )
    if not q.strip():
        st.caption("To add many at once, upload a file, or search them on the customers page.")
        return
    with reading() as session:
        frame = customer_data.customers(session, as_of=now(), q=q, limit=_FOUND)
    if frame.empty:
        st.caption("Nobody fits this search.")
        return
    told = {
        int(row.customer_id): " · ".join(
            literal(part) for part in (row.name, row.email, row.city) if isinstance(part, str) and part
        )
        for row in frame.itertuples()
    }
    ids = [
        customer_id
        for customer_id, words in told.items()
        if st.checkbox(words or f"Customer {customer_id}", key=f"list-{customer_id}-{opening}")
    ]
    if not st.button(
        "Add to list", type="primary", icon=":material/playlist_add:", key="add-members", disabled=not ids
    ):
        return
    with shown() as attempt:
        at = now()
        with writing() as session:
            chosen = analytics.these(ids)
            entered = segments.add_members(session, actor, segment.segment_id, chosen, at=at)
    if attempt.ok:
        st.toast(f"{entered:,} added to the list.", icon=":material/check:")
        st.rerun()


def _fields(name: str, description: str, opening: str) -> tuple[str, str]:
    return (
        st.text_input("Name", name, max_chars=segments.LONGEST_NAME, key=f"list-name-{opening}"),
        st.text_input(
            "Description",
            description,
            max_chars=segments.LONGEST_DESCRIPTION,
            placeholder="What it is for (optional)",
            key=f"list-description-{opening}",
        ),
    )

"""The notes tab of a customer."""

from datetime import datetime

import streamlit as st

from ma.analytics.notes import customer_notes
from ma.clock import local_day
from ma.services.notes import LONGEST, add_note, delete_note, edit_note, may_change
from ma.types import Actor, Permission
from ui.customer_facts import shown_day
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, reading, writing
from ui.text import literal_lines


def show(actor: Actor, customer_id: int, as_of: datetime, timezone: str) -> None:
    """The form for a new note, and the notes there are, the latest first."""
    with reading() as session:
        notes = customer_notes(session, customer_id=customer_id, as_of=as_of)
    if actor.may(Permission.EDIT_CUSTOMERS):
        _form(customer_id)
    if notes.empty:
        st.caption("No notes yet. What colleagues should know about this customer belongs here.")
    for note in notes.itertuples():
        with st.container(border=True, key=f"note-{note.note_id}"):
            st.markdown(literal_lines(note.text))
            with st.container(horizontal=True, vertical_alignment="center"):
                edited = "" if note.edited_at is None or note.edited_at != note.edited_at else ", edited"
                st.caption(_signed(note.author, note.written_at, timezone, edited), width="content")
                st.space("stretch")
                if may_change(actor, note.author):
                    _buttons(note.note_id, note.text)


def _signed(author: str, at: datetime, timezone: str, edited: str) -> str:
    return literal_lines(f"{author}, {shown_day(local_day(at, timezone))}{edited}")


def _form(customer_id: int) -> None:
    # A form that was saved starts anew; one that was refused keeps what was typed.
    opening = st.session_state.setdefault("note-opening", 0)
    with st.form(f"note-form-{customer_id}-{opening}", border=False):
        text = st.text_area(
            "New note",
            max_chars=LONGEST,
            height=90,
            placeholder="Called about the delivery; wants a call back on Friday.",
            key=f"note-text-{customer_id}-{opening}",
        )
        sent = st.form_submit_button("Add note", icon=":material/note_add:", key=f"add-note-{opening}")
    if not sent:
        return
    actor = current_actor()
    with shown() as attempt:
        at = now()
        with writing() as session:
            add_note(session, actor, customer_id, text, at=at)
    if attempt.ok:
        st.session_state["note-opening"] = opening + 1
        st.toast("The note is saved.", icon=":material/check:")
        st.rerun()


def _buttons(note_id: int, text: str) -> None:
    if st.button("Edit", type="tertiary", icon=":material/edit:", key=f"edit-note-{note_id}"):
        _edit(note_id, text)
    if st.button("Delete", type="tertiary", icon=":material/delete:", key=f"delete-note-{note_id}"):
        _delete(note_id, text)


@st.dialog("Edit note", icon=":material/edit_note:")
def _edit(note_id: int, text: str) -> None:
    actor = current_actor()
    with st.form(f"edit-note-form-{note_id}", border=False):
        wanted = st.text_area("Note", value=text, max_chars=LONGEST, height=160, key=f"note-new-{note_id}")
        sent = st.form_submit_button("Save note", type="primary", icon=":material/check:")
    if not sent:
        return
    with shown() as attempt:
        at = now()
        with writing() as session:
            edit_note(session, actor, note_id, wanted, at=at)
    if attempt.ok:
        st.rerun()


@st.dialog("Delete this note?", icon=":material/delete:")
def _delete(note_id: int, text: str) -> None:
    actor = current_actor()
    st.markdown(literal_lines(text[:300] + ("…" if len(text) > 300 else "")))
    st.caption("It is gone for everybody. There is no way back.")
    with st.container(horizontal=True):
        confirmed = st.button("Delete note", type="primary", icon=":material/delete:", key="note-delete-yes")
        if st.button("Keep", key="note-delete-no"):
            st.rerun()
    if not confirmed:
        return
    with shown() as attempt:
        at = now()
        with writing() as session:
            delete_note(session, actor, note_id, at=at)
    if attempt.ok:
        st.rerun()

"""What can be done to everybody whom the list finds, on all its pages: each in its dialog."""

from collections.abc import Callable

import streamlit as st

from ma.analytics import customers as customer_data
from ma.analytics import segments as segment_data
from ma.analytics.customers import Search
from ma.analytics.tags import tag_names
from ma.errors import InvalidInput
from ma.services import customer_actions as actions
from ma.types import Actor, Permission
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, reading, writing
from ui.text import literal


def menu(actor: Actor, search: Search) -> None:
    """The menu of what this role may do with all customers found; draws nothing where that is nothing."""
    dialogs: dict[str, Callable] = {}
    if actor.may(Permission.EDIT_CUSTOMERS):
        dialogs |= {"Add a tag": _add_tag, "Remove a tag": _remove_tag}
    if actor.may(Permission.EDIT_SEGMENTS):
        dialogs["Add to a list"] = _add_to_list
    if actor.may(Permission.ERASE):
        dialogs["Erase for good"] = _erase
    if not dialogs:
        return
    chosen = st.menu_button("Actions", list(dialogs), icon=":material/checklist:", key="customer-actions")
    if chosen:
        dialogs[chosen](search)


def _exactly(search: Search) -> int:
    with reading() as session:
        return customer_data.customer_count(session, search, as_of=now(), most=None).people


def _customers(people: int) -> str:
    return f"{people:,} customer{'' if people == 1 else 's'}"


def _done(words: str) -> None:
    st.toast(words, icon=":material/check:")
    st.rerun()


@st.dialog("Add a tag", icon=":material/label:")
def _add_tag(search: Search) -> None:
    actor, people = current_actor(), _exactly(search)
    st.markdown(f"All **{_customers(people)}** found get it, on every page of the list.")
    with reading() as session:
        names = tag_names(session)
    name = st.selectbox(
        "Tag",
        names,
        index=None,
        format_func=literal,
        accept_new_options=True,
        placeholder="Choose a tag, or type a new one",
        key="bulk-tag",
    )
    if not st.button(f"Tag {_customers(people)}", type="primary", icon=":material/label:", key="bulk-tag-go"):
        return
    with shown() as attempt, st.spinner("Tagging …"), writing() as session:
        changed = actions.tag_found(session, actor, search, name=name or "", at=now())
    if attempt.ok:
        _done(f"“{literal(name)}” was put on {_customers(changed)}{_others(people - changed, 'had')}.")


@st.dialog("Remove a tag", icon=":material/label_off:")
def _remove_tag(search: Search) -> None:
    actor, people = current_actor(), _exactly(search)
    st.markdown(f"It is taken off all **{_customers(people)}** found who have it.")
    with reading() as session:
        names = tag_names(session)
    name = st.selectbox(
        "Tag",
        names,
        index=names.index(search.tag) if search.tag in names else None,
        format_func=literal,
        placeholder="Choose a tag",
        key="bulk-untag",
    )
    if not st.button("Remove tag", type="primary", icon=":material/label_off:", key="bulk-untag-go"):
        return
    with shown() as attempt, st.spinner("Removing …"), writing() as session:
        changed = actions.untag_found(session, actor, search, name=name or "", at=now())
    if attempt.ok:
        rest = people - changed
        _done(f"“{literal(name)}” was taken off {_customers(changed)}{_others(rest, 'did not have')}.")


def _others(people: int, verb: str) -> str:
    if not people:
        return ""
    return f"; {people:,} {verb} it{' before' if verb == 'had' else ''}"


@st.dialog("Add to a list", icon=":material/playlist_add:")
def _add_to_list(search: Search) -> None:
    actor, people = current_actor(), _exactly(search)
    st.markdown(
        f"All **{_customers(people)}** found are put on a list: a segment that stays as it is until "
        "somebody changes it."
    )
    with reading() as session:
        segments = segment_data.segments(session, as_of=now())
    lists = segments[segments["static"]].set_index("segment_id")["name"].to_dict()
    chosen = st.selectbox(
        "List",
        [None, *lists],
        format_func=lambda segment_id: literal(lists[segment_id]) if segment_id else "A new list",
        key="bulk-list",
    )
    name = "" if chosen else st.text_input("Name of the new list", max_chars=100, key="bulk-list-name")
    if not st.button(f"Add {_customers(people)}", type="primary", icon=":material/add:", key="bulk-list-go"):
        return
    with shown() as attempt, st.spinner("Adding …"), writing() as session:
        if not chosen and not name.strip():
            raise InvalidInput({"name": "Give the new list a name."})
        _, added = actions.add_found_to_segment(
            session, actor, search, segment_id=chosen, name=name, at=now()
        )
    if attempt.ok:
        on = literal(lists.get(chosen, name))
        _done(f"{_customers(added)} added to “{on}”{_others(people - added, 'had been on')}.")


@st.dialog("Erase for good", icon=":material/person_remove:")
def _erase(search: Search) -> None:
    actor, people = current_actor(), _exactly(search)
    st.markdown(
        f"Everything that is known about **{_customers(people)}** is deleted: names, addresses, consent, "
        "notes, visits. Sales and campaign results keep counting what they did, without a name. "
        "**There is no way back**, and an import will not bring them back."
    )
    typed = st.text_input(
        f"Type the number {people:,} to confirm", live=True, key="bulk-erase-number", autocomplete="off"
    )
    confirmed = typed.strip().replace(",", "") == str(people)
    sure = st.button(
        f"Erase {_customers(people)}",
        type="primary",
        icon=":material/person_remove:",
        disabled=not confirmed,
        key="bulk-erase-go",
    )
    if not (sure and confirmed):
        return
    with shown() as attempt, st.spinner("Erasing …"), writing() as session:
        erased = actions.erase_found(session, actor, search, expected=people, at=now())
    if attempt.ok:
        _done(f"{_customers(erased)} erased.")

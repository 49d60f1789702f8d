"""Saved views of the list of customers: open, save, share, delete."""

import streamlit as st

from ma.analytics import views as view_data
from ma.errors import NotFound
from ma.services import views as saved
from ma.text import whole_number
from ma.types import Actor
from ui import customer_list_address as address
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, reading, writing
from ui.text import literal

SCREEN = "customers"


def follow(actor: Actor) -> None:
    """An address that names nothing but a view becomes that view's; one of nobody's view says so."""
    if "view" not in st.query_params:
        return
    try:
        view = _view(actor)
    except NotFound as error:
        st.query_params.pop("view")
        st.warning(literal(error), icon=":material/bookmark:")
        return
    if not address.params():
        st.query_params.update(view.params)


def draw(actor: Actor) -> None:
    """The menu of views; its name is that of the view one is looking at."""
    with reading() as session:
        views = view_data.views(session, screen=SCREEN, owner=actor.username)
    known = {row.view_id: row for row in views.itertuples()}
    current = known.get(whole_number(st.query_params.get("view", "")) or 0)
    label = literal(current.name) if current else "Views"
    with st.popover(label, icon=":material/bookmark:", key="view-menu"):
        for view in known.values():
            _one(view, is_current=view is current)
        if not known:
            st.caption("A view keeps search, filters, columns and order under a name.")
        if current and current.own and current.params != address.params():
            st.button(
                "Save changes to this view",
                icon=":material/save:",
                key="change-view",
                width="stretch",
                on_click=_change,
                args=(int(current.view_id),),
            )
        _new()


def _one(view, *, is_current: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            literal(view.name),
            icon=":material/check:" if is_current else ":material/bookmark:",
            type="tertiary",
            key=f"open-view-{view.view_id}",
            on_click=_open,
            args=(int(view.view_id),),
        )
        st.space("stretch")
        if view.shared:
            st.caption("shared" if view.own else f"by {literal(view.owner)}", width="content")
        if view.own:
            st.button(
                "",
                icon=":material/delete:",
                type="tertiary",
                help="Delete this view; the customers stay",
                key=f"delete-view-{view.view_id}",
                on_click=_delete,
                args=(int(view.view_id),),
            )


def _new() -> None:
    with st.form("new-view", border=False, clear_on_submit=True):
        st.text_input("Save what you see as", max_chars=saved.LONGEST_NAME, key="view-name")
        st.checkbox("Share with everybody", key="view-shared")
        st.form_submit_button("Save view", icon=":material/bookmark_add:", on_click=_save, width="stretch")


def _view(actor: Actor) -> view_data.View:
    view_id = whole_number(st.query_params["view"])
    if view_id is None:
        raise NotFound("The address names no view. Choose one from the menu of views.")
    with reading() as session:
        return view_data.view(session, view_id, screen=SCREEN, owner=actor.username)


def _open(view_id: int) -> None:
    actor = current_actor()
    with shown() as attempt, reading() as session:
        view = view_data.view(session, view_id, screen=SCREEN, owner=actor.username)
    if attempt.ok:
        st.query_params.from_dict({**view.params, "view": str(view_id)})


def _save() -> None:
    actor = current_actor()
    values = {"name": st.session_state["view-name"], "shared": st.session_state["view-shared"]}
    with shown() as attempt, writing() as session:
        view_id = saved.save_view(session, actor, screen=SCREEN, params=address.params(), at=now(), **values)
    if attempt.ok:
        st.query_params["view"] = str(view_id)
        st.toast("The view is saved.", icon=":material/check:")


def _change(view_id: int) -> None:
    actor = current_actor()
    with shown() as attempt, writing() as session:
        saved.change_view(session, actor, view_id, params=address.params(), at=now())
    if attempt.ok:
        st.toast("The view is saved.", icon=":material/check:")


def _delete(view_id: int) -> None:
    actor = current_actor()
    with shown() as attempt, writing() as session:
        saved.delete_view(session, actor, view_id, at=now())
    if attempt.ok:
        if st.query_params.get("view") == str(view_id):
            st.query_params.pop("view")
        st.toast("The view is deleted.", icon=":material/check:")

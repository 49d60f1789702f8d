"""What every page does first: who is it, may they, and the title row."""

import streamlit as st

from ma.types import PERMISSIONS, Actor, Permission
from ui import session


def page(title: str, permission: Permission, *, subtitle: str | None = None) -> Actor:
    """Guard the page and draw its title; the first statement of every page file.

    Returns the person signed in. Stops the page, saying why, when nobody is or their role does not include
    the permission.
    """
    actor = session.signed_in()
    if actor is None:
        st.warning("Your session has ended. Reload the page to sign in.", icon=":material/lock:")
        st.stop()
    st.title(title, anchor=False)
    if subtitle:
        st.caption(subtitle)
    if not actor.may(permission):
        st.error(
            f"Your role ({actor.role}) may not {permission}. "
            f"Ask an admin for the role {PERMISSIONS[permission]}.",
            icon=":material/lock:",
        )
        st.stop()
    return actor


def current_actor() -> Actor:
    """The person signed in, read again; the first line of every callback and fragment.

    Callbacks run before the page's guard and fragments without it. When the session has ended, the screen is
    replaced by the sign-in form and nothing after this line runs.
    """
    actor = session.signed_in()
    if actor is None:
        st.rerun()
    return actor

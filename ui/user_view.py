"""One user: role, password, and whether they may sign in."""

import streamlit as st

from ma import clock
from ma.services.auth import set_active, set_role
from ma.services.users import UserInfo, reset_password, users
from ma.types import Actor, Role
from ui import shown_once
from ui.errors import shown
from ui.links import here
from ui.moments import ago
from ui.page import current_actor
from ui.session import reading, writing
from ui.text import literal
from ui.user_list import ROLES


def draw(actor: Actor, user_id: int) -> None:
    """Draw an account with what an admin may do about it."""
    here("All users", icon=":material/arrow_back:")
    now = clock.now()
    with reading() as session:
        found = {one.user_id: one for one in users(session, actor, now=now)}
    user = found.get(user_id)
    if user is None:
        st.error("There is no such user. Choose one from the list.", icon=":material/error:")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(literal(user.name), anchor=False, width="content")
        if not user.active:
            st.badge("Disabled", icon=":material/block:", color="gray")
        if user.user_id == actor.user_id:
            st.badge("You", color="blue")
    st.caption(
        f"Signs in as {literal(user.username)}. Last sign-in: {ago(user.signed_in_at, now)}. "
        f"Signed in with {user.sessions:,} browser{'' if user.sessions == 1 else 's'} now, "
        f"{user.tokens:,} API token{'' if user.tokens == 1 else 's'} in use."
    )
    _role(user)
    with st.container(horizontal=True):
        if st.button("Reset password", icon=":material/lock_reset:", key="reset-password"):
            shown_once.forget()
            _reset(user.user_id, user.name)
        _active(user)


def _role(user: UserInfo) -> None:
    with st.form("user-role", width=560):
        role = st.selectbox(
            "Role", list(ROLES), index=list(Role).index(user.role), format_func=ROLES.get, key="user-role-new"
        )
        saved = st.form_submit_button("Save role", icon=":material/check:")
        st.caption("Another role signs them out; they sign in again with it.")
    if not saved or role == user.role:
        return
    with shown() as attempt, writing() as session:
        set_role(session, current_actor(), user_id=user.user_id, role=role, at=clock.now())
    if attempt.ok:
        st.toast(f"The role is {role} now.", icon=":material/check:")
        st.rerun()


def _active(user: UserInfo) -> None:
    if user.active:
        if st.button("Disable user", icon=":material/block:", key="disable-user"):
            _disable(user.user_id, user.name)
        return
    if not st.button("Enable user", type="primary", icon=":material/check:", key="enable-user"):
        return
    with shown() as attempt, writing() as session:
        set_active(session, current_actor(), user_id=user.user_id, active=True, at=clock.now())
    if attempt.ok:
        st.rerun()


@st.dialog("Disable this user?", icon=":material/block:")
def _disable(user_id: int, name: str) -> None:
    actor = current_actor()
    st.markdown(
        f"**{literal(name)}** is signed out everywhere and cannot sign in until an admin enables them again. "
        "Their API tokens open nothing meanwhile. What they made stays."
    )
    with st.container(horizontal=True):
        confirmed = st.button("Disable user", type="primary", icon=":material/block:", key="disable-user-yes")
        if st.button("Keep", key="disable-user-no"):
            st.rerun()
    if not confirmed:
        return
    with shown() as attempt, writing() as session:
        set_active(session, actor, user_id=user_id, active=False, at=clock.now())
    if attempt.ok:
        st.rerun()


@st.dialog("Reset password", icon=":material/lock_reset:", on_dismiss=shown_once.forget)
def _reset(user_id: int, name: str) -> None:
    actor = current_actor()
    if shown_once.drawn():
        return
    st.markdown(
        f"A new password is made for **{literal(name)}**, to be told them in person. They are signed out "
        "everywhere, and their API tokens are revoked for good."
    )
    with st.container(horizontal=True):
        confirmed = st.button(
            "Make a new password", type="primary", icon=":material/lock_reset:", key="reset-password-yes"
        )
        if st.button("Keep the old one", key="reset-password-no"):
            st.rerun()
    if not confirmed:
        return
    with shown() as attempt, writing() as session:
        password = reset_password(session, actor, user_id, at=clock.now())
    if attempt.ok:
        shown_once.keep(f"The new password of {literal(name)}:", password)
        st.rerun(scope="fragment")

"""Changing one's own password."""

import streamlit as st

from ma import clock
from ma.errors import TooManyAttempts
from ma.services import auth
from ma.services.sign_in import spoken
from ma.types import Actor
from ui.errors import shown
from ui.leave import send
from ui.page import current_actor
from ui.session import writing


def button() -> None:
    """Opens the dialog."""
    if st.button("Change password", icon=":material/password:", key="own-password", width="stretch"):
        _change()


@st.dialog("Change password", icon=":material/password:")
def _change() -> None:
    actor = current_actor()
    with st.form("own-password-form", border=False):
        current = st.text_input(
            "Present password", type="password", autocomplete="current-password", key="own-password-current"
        )
        wanted = st.text_input(
            "New password",
            type="password",
            autocomplete="new-password",
            help="At least 12 characters; a short sentence is fine.",
            key="own-password-new",
        )
        again = st.text_input(
            "New password again", type="password", autocomplete="new-password", key="own-password-again"
        )
        sent = st.form_submit_button("Change password", type="primary", icon=":material/check:")
        st.caption(
            "You are signed out everywhere and sign in with the new one. Your API tokens end, as whoever "
            "knew the old password may have made some."
        )
    if not sent:
        return
    if wanted != again:
        st.error("The new passwords are not the same. Type them again.", icon=":material/error:")
        return
    with shown() as attempt:
        _count(actor)
        with writing() as session:
            auth.change_password(
                session, actor, user_id=actor.user_id, password=wanted, current=current, at=clock.now()
            )
    if attempt.ok:
        send("/auth/logout")


def _count(actor: Actor) -> None:
    """A try of the present password counts as one at the sign-in form: a borrowed screen is no way to guess.

    Raises TooManyAttempts.
    """
    with writing() as session:
        wait = auth.begin_attempt(
            session, username=actor.username, address=st.context.ip_address, at=clock.now()
        )
    if wait:
        raise TooManyAttempts(f"Too many wrong passwords. Wait {spoken(wait)}, then try again.", wait=wait)

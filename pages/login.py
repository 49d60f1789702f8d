"""Signing in, and what a newcomer needs to know."""

from pathlib import Path

import streamlit as st

from ma.services import auth
from ui import company_sign_in, style
from ui.errors import shown
from ui.leave import send
from ui.session import reading, workspace
from ui.sign_in import SignInForm
from ui.text import literal

LOGO = Path(__file__).resolve().parent.parent / "ui" / "logo.svg"


def show() -> None:
    """Draw the sign-in screen; a right password leads to where the person wanted to go."""
    style.sign_in()
    with st.container(key="login", border=True):
        st.image(LOGO.read_text(), width=256)
        st.markdown("Find customers, build segments, run campaigns, and see what they earned.")
        message, place = st.container(), st.empty()
        with message, shown():
            _from_the_company(message, place)
        form = SignInForm()
        with message, shown(), place.container():
            form.draw()
        if form.ticket:
            place.markdown("Signing you in …")
            send("/auth/session", ticket=form.ticket)
        if form.message:
            message.error(form.message, icon=":material/error:")
        if company_sign_in.is_on():
            with shown():
                company_sign_in.button()
        _demo_login()


def _from_the_company(message, place) -> None:
    """Let somebody in who comes back from the identity provider, or say why not."""
    ticket, refusal = company_sign_in.arrived()
    if ticket:
        place.markdown("Signing you in …")
        send("/auth/session", ticket=ticket)
    if refusal:
        message.error(literal(refusal), icon=":material/error:")


def _demo_login() -> None:
    if not workspace().is_demo:
        return
    with reading() as session:
        is_open = auth.has_demo_login(session)
    if is_open:
        st.caption(
            f"This is a demo: sign in as **{auth.DEMO_USERNAME}** with the password **{auth.DEMO_PASSWORD}**."
        )

"""The library's form, held to our rules: see ui/sign_in.py for why."""

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest
from streamlit_authenticator.utilities import hasher

from ma import clock
from ma.models import Audit, SignInFailure, User
from ma.services import auth
from ma.types import SYSTEM
from tests.ui.conftest import PASSWORD
from ui.sign_in import EMPTY, WRONG, Credentials, spoken


def form():
    import streamlit as st

    from ui.sign_in import SignInForm

    form = SignInForm()
    form.draw()
    st.session_state.seen = (form.ticket, form.message)
    st.session_state.left = [key for key in st.session_state if key in ("username", "authentication_status")]


@pytest.fixture
def checked(monkeypatch):
    """The hashes that the library's hasher was asked about."""
    asked = []
    real = hasher.bcrypt.checkpw

    def spy(password, hashed):
        asked.append(hashed.decode())
        return real(password, hashed)

    monkeypatch.setattr(hasher.bcrypt, "checkpw", spy)
    return asked


@pytest.fixture
def enter(workbench):
    """Fills in the form and sends it; gives the ticket and the message."""

    def send(username, password):
        screen = AppTest.from_function(form, default_timeout=30).run()
        screen.text_input[0].set_value(username)
        screen.text_input[1].set_value(password)
        screen.button[0].click().run()
        assert not screen.exception
        assert screen.session_state.left == []
        return screen.session_state.seen

    return send


def test_the_right_password_gives_a_ticket_for_a_session(workbench, enter):
    ticket, message = enter(" Marketer ", PASSWORD)
    assert message is None
    with workbench.writing() as session:
        token = auth.redeem_ticket(session, ticket, at=clock.now())
        assert auth.session_actor(session, token, now=clock.now()).username == "marketer"


def test_an_unknown_name_costs_one_check_like_a_wrong_password(enter, checked):
    assert enter("nobody", "wrong") == (None, WRONG)
    assert checked == [auth.dummy_hash()]
    checked.clear()
    assert enter("marketer", "wrong") == (None, WRONG)
    assert len(checked) == 1
    assert checked != [auth.dummy_hash()]


def test_a_password_too_long_to_hash_costs_one_check_too(enter, checked):
    assert enter("marketer", "x" * 73) == (None, WRONG)
    assert len(checked) == 1


def test_a_disabled_account_looks_like_an_unknown_one(workbench, enter, checked):
    with workbench.writing() as session:
        marketer = auth.find_account(session, "marketer")
        auth.set_active(session, SYSTEM, user_id=marketer.user_id, active=False, at=clock.now())
    assert enter("marketer", PASSWORD) == (None, WRONG)
    assert checked == [auth.dummy_hash()]


def test_nothing_typed_is_not_an_attempt(workbench, enter):
    assert enter("", "") == (None, EMPTY)
    assert enter("marketer", " ") == (None, EMPTY)
    with workbench.reading() as session:
        assert session.scalars(select(SignInFailure)).all() == []


def test_after_five_failures_the_right_password_must_wait(workbench, enter):
    for _ in range(5):
        enter("marketer", "wrong")
    with workbench.writing() as session:
        for row in session.scalars(select(SignInFailure)):
            row.blocked_until = clock.now() + timedelta(seconds=90)
    ticket, message = enter("marketer", PASSWORD)
    assert ticket is None
    assert message == "Too many failed attempts. Wait 2 minutes, then try again."
    with workbench.writing() as session:
        for row in session.scalars(select(SignInFailure)):
            row.blocked_until = clock.now()
    ticket, message = enter("marketer", PASSWORD)
    assert ticket
    assert message is None


def test_a_hash_of_the_older_system_is_upgraded_by_signing_in(workbench, enter, checked):
    with workbench.writing() as session:
        user = session.scalar(select(User).where(User.username == "viewer"))
        user.password_hash = hashlib.sha256(b"old password").hexdigest()
    assert enter("viewer", "wrong") == (None, WRONG)
    assert checked == [auth.dummy_hash()]
    ticket, _message = enter("viewer", "old password")
    assert ticket
    with workbench.reading() as session:
        assert auth.find_account(session, "viewer").password_hash.startswith("$2b$")
    ticket, _message = enter("viewer", "old password")
    assert ticket


def test_sign_ins_are_audited(workbench, enter):
    enter("viewer", "wrong")
    enter("viewer", PASSWORD)
    with workbench.reading() as session:
        actions = session.scalars(
            select(Audit.action).where(Audit.actor == "viewer").order_by(Audit.id)
        ).all()
    assert actions == ["sign in failed", "sign in"]


def test_every_name_is_in_the_credentials_and_nothing_can_be_listed(workbench):
    credentials = Credentials()
    assert "nobody" in credentials
    assert credentials["nobody"]["password"] == auth.dummy_hash()
    assert list(credentials) == []


def test_waits_are_rounded_up_in_words():
    assert spoken(timedelta(milliseconds=200)) == "1 second"
    assert spoken(timedelta(seconds=59)) == "59 seconds"
    assert spoken(timedelta(seconds=61)) == "2 minutes"
    assert spoken(timedelta(minutes=15)) == "15 minutes"

"""Screens without a server: the database of the test behind `ui.session`, and who is signed in."""

import pytest

from ma import clock
from ma.services import auth
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Role
from ui import session as ui_session

PASSWORD = "green tea at four"


@pytest.fixture
def workbench(database, monkeypatch):
    """The test's database behind the screens, with a workspace and one user per role."""
    monkeypatch.setattr(auth, "BCRYPT_COST", 4)
    auth.dummy_hash.cache_clear()
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Test shop", timezone="UTC", currency="EUR", at=clock.now())
        for role in Role:
            auth.create_user(
                session, SYSTEM, username=role, name=role, role=role, password=PASSWORD, at=clock.now()
            )
    monkeypatch.setattr(ui_session, "database", lambda: database)
    yield database
    auth.dummy_hash.cache_clear()


@pytest.fixture
def token(workbench):
    """The token of a new session of a user."""

    def make(username):
        with workbench.writing() as session:
            account = auth.find_account(session, username)
            ticket = auth.issue_ticket(session, account.user_id, at=clock.now())
            return auth.redeem_ticket(session, ticket, at=clock.now())

    return make


@pytest.fixture
def act_as(token, monkeypatch):
    """`act_as("viewer")` makes a user the one in front of the screen; None: nobody."""

    def switch(username):
        bearer = token(username) if username else None
        monkeypatch.setattr(ui_session, "token", lambda: bearer)
        return bearer

    return switch

"""The list of people who may sign in, and new passwords for them."""

from datetime import timedelta

import pytest

from ma import clock
from ma.errors import NotAllowed, NotFound
from ma.services import auth
from ma.services.tokens import create_token
from ma.services.users import reset_password, user_id_of, users
from ma.types import SYSTEM, Actor, Role

NOW = clock.now()


@pytest.fixture
def people(database, monkeypatch):
    """An admin and an analyst, who is signed in and has a token: the actors by role."""
    monkeypatch.setattr(auth, "BCRYPT_COST", 4)
    actors = {}
    with database.writing() as session:
        for role in (Role.ADMIN, Role.ANALYST):
            user_id = auth.create_user(
                session, SYSTEM, username=role, name=role.title(), role=role, password="green tea at four",
                at=NOW,
            )  # fmt: skip
            actors[role] = Actor(role, role, user_id)
        account = auth.find_account(session, "analyst")
        for days in (2, 0):
            auth.record_success(session, account, address=None, at=NOW - timedelta(days=days))
        auth.redeem_ticket(session, auth.issue_ticket(session, account.user_id, at=NOW), at=NOW)
        create_token(session, actors["analyst"], name="report", role="viewer", at=NOW)
        create_token(
            session, actors["analyst"], name="old", role="viewer", days=1, at=NOW - timedelta(days=2)
        )
    return actors


def listed(database, actor=SYSTEM):
    with database.reading() as session:
        return users(session, actor, now=NOW)


def test_the_list_says_who_was_here_last_and_with_what(database, people):
    admin, analyst = listed(database, people["admin"])
    assert (admin.username, admin.role, admin.signed_in_at, admin.sessions) == ("admin", "admin", None, 0)
    assert (analyst.name, analyst.signed_in_at, analyst.sessions, analyst.tokens) == ("Analyst", NOW, 1, 1)
    with database.writing() as session:
        auth.set_active(session, SYSTEM, user_id=people["admin"].user_id + 1, active=False, at=NOW)
    assert [(one.username, one.active) for one in listed(database)] == [("admin", True), ("analyst", False)]


def test_nobody_but_an_admin_sees_or_changes_it(database, people):
    with pytest.raises(NotAllowed):
        listed(database, people["analyst"])
    with database.writing() as session, pytest.raises(NotAllowed):
        reset_password(session, people["analyst"], people["analyst"].user_id, at=NOW)


def test_a_new_password_opens_and_ends_everything_that_was_open(database, people):
    with database.writing() as session:
        made = reset_password(session, people["admin"], people["analyst"].user_id, at=NOW)
    with database.reading() as session:
        account = auth.find_account(session, "analyst")
        assert auth.matches(made, account.password_hash)
    one = listed(database)[1]
    assert (one.sessions, one.tokens) == (0, 0)


def test_a_user_is_found_by_name_as_it_is_typed(database, people):
    with database.reading() as session:
        assert user_id_of(session, " Analyst ") == people["analyst"].user_id
        with pytest.raises(NotFound, match="nobody"):
            user_id_of(session, "nobody")

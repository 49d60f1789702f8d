"""Tokens: who makes them for whom, and how they end."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from ma import clock
from ma.errors import Conflict, InvalidInput, NotAllowed, NotFound
from ma.models import Audit, User
from ma.services import auth
from ma.services.tokens import create_token, revoke_token, token_actor, tokens
from ma.types import SYSTEM, Actor, Role

NOW = clock.now()


@pytest.fixture
def people(database, monkeypatch):
    """A user of each role: the actor by role."""
    monkeypatch.setattr(auth, "BCRYPT_COST", 4)
    actors = {}
    with database.writing() as session:
        for role in Role:
            user_id = auth.create_user(
                session, SYSTEM, username=role, name=role, role=role, password="green tea at four", at=NOW
            )
            actors[role] = Actor(role, role, user_id)
    return actors


def make(database, actor, **values):
    with database.writing() as session:
        return create_token(session, actor, **{"name": "report", "role": "viewer", "at": NOW} | values)


def who(database, secret, now=NOW):
    with database.reading() as session:
        found = token_actor(session, secret, now=now)
    return found and (found[0].username, found[0].role)


def test_an_analyst_makes_a_token_for_themselves(database, people):
    made = make(database, people["analyst"], role="analyst")
    assert who(database, made.secret) == ("analyst", "analyst")
    with database.reading() as session:
        entry = session.scalars(select(Audit).where(Audit.noun == "token")).one()
    assert (entry.actor, entry.action, entry.object_id) == ("analyst", "create", str(made.token_id))
    assert made.secret not in str(entry.detail)


def test_a_viewer_makes_none_and_nobody_but_an_admin_makes_others(database, people):
    with pytest.raises(NotAllowed, match="analyst"):
        make(database, people["viewer"])
    with pytest.raises(NotAllowed, match="for yourself"):
        make(database, people["marketer"], username="analyst")
    # Whether there is such a user is not told either.
    with pytest.raises(NotAllowed, match="for yourself"):
        make(database, people["marketer"], username="nobody")
    made = make(database, people["admin"], username=" Viewer ")
    assert who(database, made.secret) == ("viewer", "viewer")


def test_a_token_gives_no_more_than_its_user_has(database, people):
    with pytest.raises(InvalidInput, match="Choose a lower role"):
        make(database, people["analyst"], role="marketer")
    with pytest.raises(InvalidInput, match="viewer is viewer"):
        make(database, SYSTEM, username="viewer", role="analyst")


def test_every_problem_is_told_at_once(database, people):
    with pytest.raises(InvalidInput) as refused:
        make(database, people["admin"], name=" ", role="king", days=0)
    assert set(refused.value.problems) == {"name", "role", "days"}
    with pytest.raises(InvalidInput, match="no active user"):
        make(database, SYSTEM, username="nobody")
    with pytest.raises(InvalidInput, match="whose"):
        make(database, SYSTEM)


def test_a_token_ends_when_its_days_are_over(database, people):
    made = make(database, people["analyst"], days=30)
    assert who(database, made.secret, NOW + timedelta(days=29, hours=23))
    assert who(database, made.secret, NOW + timedelta(days=30)) is None


def test_a_role_that_was_lowered_lowers_the_token(database, people):
    made = make(database, people["marketer"], role="marketer")
    with database.writing() as session:
        session.get(User, people["marketer"].user_id).role = "analyst"
    assert who(database, made.secret) == ("marketer", "analyst")
    with database.writing() as session:
        session.get(User, people["marketer"].user_id).role = "admin"
    assert who(database, made.secret) == ("marketer", "marketer")


def test_a_changed_password_ends_the_tokens_of_its_user_alone(database, people):
    mine, theirs = make(database, people["analyst"]), make(database, people["marketer"])
    with database.writing() as session:
        analyst = people["analyst"]
        auth.change_password(
            session, SYSTEM, user_id=analyst.user_id, password="black coffee at nine", at=NOW
        )
    assert who(database, mine.secret) is None
    assert who(database, theirs.secret)


def test_one_revokes_one_s_own_and_an_admin_anybody_s(database, people):
    first, second = (make(database, people["analyst"]) for _ in range(2))
    with database.writing() as session, pytest.raises(NotFound):
        revoke_token(session, people["marketer"], first.token_id, at=NOW)
    for actor, made in ((people["analyst"], first), (people["admin"], second)):
        with database.writing() as session:
            revoke_token(session, actor, made.token_id, at=NOW)
        assert who(database, made.secret) is None
    with database.writing() as session, pytest.raises(Conflict, match="before"):
        revoke_token(session, people["admin"], first.token_id, at=NOW)
    with database.writing() as session, pytest.raises(NotFound):
        revoke_token(session, SYSTEM, 99, at=NOW)


def test_the_list_shows_one_s_own_and_how_each_ended(database, people):
    old = make(database, people["analyst"], name="old", days=1)
    gone = make(database, people["analyst"], name="gone")
    make(database, people["marketer"], name="theirs")
    with database.writing() as session:
        revoke_token(session, people["analyst"], gone.token_id, at=NOW)
    with database.reading() as session:
        mine = tokens(session, people["analyst"], now=NOW + timedelta(days=2))
        every = tokens(session, people["admin"], now=NOW)
    assert [(one.name, one.ended) for one in mine] == [("gone", "revoked"), ("old", "expired")]
    assert [one.name for one in every] == ["theirs", "gone", "old"]
    assert old.secret not in str(mine)
    assert old.secret.startswith(mine[1].hint)

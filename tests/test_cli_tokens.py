"""Tokens on the command line: shown once, listed without, revoked."""

import json

import pytest

from ma import clock
from ma.cli import main
from ma.db.engine import connect
from ma.services import auth
from ma.services.tokens import token_actor
from ma.services.workspace import create_workspace
from ma.types import SYSTEM


@pytest.fixture
def run(sqlite_url, monkeypatch, capsys):
    """`run("token", "list")` gives the exit code and what was printed."""
    monkeypatch.setenv("MA_DATABASE_URL", sqlite_url)
    monkeypatch.setattr(auth, "BCRYPT_COST", 4)
    database = connect(sqlite_url)
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Shop", timezone="UTC", currency="EUR", at=clock.now())
        auth.create_user(
            session, SYSTEM, username="anna", name="Anna", role="analyst", password="green tea at four",
            at=clock.now(),
        )  # fmt: skip

    def command(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        printed = capsys.readouterr()
        return ended.value.code, printed.out + printed.err

    command.database = database
    yield command
    database.close()


def opens(run, secret):
    with run.database.reading() as session:
        return token_actor(session, secret, now=clock.now()) is not None


def test_a_token_is_made_listed_and_revoked(run):
    code, printed = run("token", "create", "anna", "--name", "report", "--role", "analyst", "--json")
    assert not code
    made = json.loads(printed)
    assert opens(run, made["token"])
    _, listed = run("token", "list", "--json")
    [one] = json.loads(listed)["tokens"]
    assert (one["name"], one["username"], one["role"], one["ended"]) == ("report", "anna", "analyst", "")
    assert made["token"] not in listed
    code, printed = run("token", "revoke", str(made["token_id"]))
    assert not code
    assert "revoked" in printed
    assert not opens(run, made["token"])
    _, printed = run("token", "list")
    assert "revoked" in printed
    assert "never used" in printed


def test_it_is_printed_once_with_how_to_send_it(run):
    _, printed = run("token", "create", "anna", "--name", "report")
    assert "shown only now" in printed
    assert opens(run, printed.splitlines()[1])
    assert "Authorization: Bearer" in printed


def test_what_cannot_be_is_one_line(run):
    for arguments, words in (
        (("create", "nobody", "--name", "x"), "no active user"),
        (("create", "anna", "--name", "x", "--role", "admin"), "Choose a lower role"),
        (("revoke", "7"), "no token 7"),
    ):
        code, printed = run("token", *arguments)
        assert code == 1
        assert words in printed
        assert len(printed.strip().splitlines()) == 1

"""Webhooks and users on the command line."""

import json

import pytest

from ma import clock
from ma.cli import main
from ma.db.engine import connect
from ma.services import auth
from ma.services.workspace import create_workspace
from ma.settings import settings
from ma.types import SYSTEM
from tests.webhooks.receiver import Receiver


@pytest.fixture
def run(sqlite_url, monkeypatch, capsys):
    """`run("webhook", "list")` gives the exit code and what was printed."""
    monkeypatch.setenv("MA_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("MA_WEBHOOK_ALLOW", "127.0.0.1")
    monkeypatch.setattr(auth, "BCRYPT_COST", 4)
    database = connect(sqlite_url)
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Shop", timezone="UTC", currency="EUR", at=clock.now())
    database.close()

    def command(*arguments):
        settings.cache_clear()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out + printed.err

    return command


def told(run, *arguments):
    code, printed = run(*arguments, "--json")
    assert code == 0, printed
    return json.loads(printed)


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.stop()


def test_a_webhook_is_added_tried_and_deleted(run, receiver):
    made = told(run, "webhook", "add", receiver.url, "--name", "ERP", "--type", "LeadWon")
    assert made["secret"].startswith("whsec_")
    told(run, "webhook", "types", "1", "--type", "LeadWon", "--type", "LeadLost")
    [one] = told(run, "webhook", "list")["webhooks"]
    assert (one["types"], one["disabled_at"]) == (["LeadLost", "LeadWon"], None)
    assert made["secret"] not in str(one)
    assert told(run, "webhook", "test", "1") == {"ok": True, "status": 204, "error": None}
    receiver.answer = 500
    code, printed = run("webhook", "test", "1")
    assert (code, "It answered 500." in printed) == (1, True)
    found = told(run, "webhook", "deliveries", "1")["deliveries"]
    assert [(row["state"], row["status"]) for row in found] == [("failed", 500), ("delivered", 204)]
    assert told(run, "webhook", "retry", "1") == {"deliveries": 1}
    assert told(run, "webhook", "renew-secret", "1")["secret"] != made["secret"]
    told(run, "webhook", "disable", "1")
    assert "disabled (by hand)" in run("webhook", "list")[1]
    assert "Test: It answered 500." in run("webhook", "deliveries", "1")[1]
    told(run, "webhook", "enable", "1")
    told(run, "webhook", "delete", "1")
    assert "There are no webhooks" in run("webhook", "list")[1]


def test_an_address_inside_is_refused(run):
    code, printed = run("webhook", "add", "https://10.0.0.1/", "--name", "x", "--type", "LeadWon")
    assert (code, "private network" in printed) == (1, True)


def test_users_are_listed_changed_and_disabled(run, monkeypatch):
    monkeypatch.setenv("MA_PASSWORD", "green tea at four")
    told(run, "user", "add", "anna", "--role", "admin")
    told(run, "user", "add", "ben")
    told(run, "user", "role", "ben", "analyst")
    told(run, "user", "disable", "ben")
    assert [(one["username"], one["role"], one["active"]) for one in told(run, "user", "list")["users"]] == [
        ("anna", "admin", True),
        ("ben", "analyst", False),
    ]
    told(run, "user", "enable", "ben")
    monkeypatch.setenv("MA_PASSWORD", "black coffee at nine")
    told(run, "user", "password", "ben")
    assert "never signed in" in run("user", "list")[1]
    code, printed = run("user", "disable", "anna")
    assert (code, "last active admin" in printed) == (1, True)
    code, printed = run("user", "role", "carl", "viewer")
    assert (code, "no user 'carl'" in printed) == (1, True)


@pytest.mark.parametrize("text", ["10.1.2.0/99", "https://erp.internal", "erp.internal,10.1/8x"])
def test_exceptions_that_mean_nothing_are_refused_at_the_start(run, monkeypatch, text):
    monkeypatch.setenv("MA_WEBHOOK_ALLOW", text)
    code, printed = run("webhook", "list")
    assert (code, "MA_WEBHOOK_ALLOW" in printed, "10.1.2.0/24" in printed) == (1, True, True)

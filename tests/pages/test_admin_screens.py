"""Users, API tokens and webhooks: who sees them, empty, filled, and with names that try to be code."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from ma import clock
from ma.models import Webhook, WebhookDelivery
from ma.services import auth, webhooks
from ma.services.tokens import create_token, revoke_token
from ma.types import SYSTEM
from ma.webhooks.addresses import Allowed, parse

NASTY = "**x** ![i](http://e.test/i.png) $x$ :material/home:"
SCREENS = ("users", "tokens", "webhooks")


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("MA_SECRET", "a secret of the tests, long enough")


@pytest.fixture
def world(workbench):
    """A user, a token that ended and one that lives, two webhooks (the first was given up on)."""
    now = clock.now()
    with workbench.writing() as session:
        auth.create_user(
            session,
            SYSTEM,
            username="nasty",
            name=NASTY,
            role="analyst",
            password="green tea at four",
            at=now,
        )
        for name in ("Old report", NASTY):
            made = create_token(session, SYSTEM, username="analyst", name=name, role="viewer", at=now)
            if name != NASTY:
                revoke_token(session, SYSTEM, made.token_id, at=now)
        for name in (NASTY, "Quiet"):
            address = parse("https://example.com/hook?key=of-the-receiver", Allowed())
            webhooks.create_webhook(session, SYSTEM, address, name=name, types=["LeadWon"], at=now)
        session.execute(
            update(Webhook).where(Webhook.id == 1).values(disabled_at=now, disabled_why="failing")
        )
        states = (("delivered", 204, None), ("failed", 500, "It answered 500."), ("pending", None, None))
        session.execute(
            insert(WebhookDelivery),
            [
                {
                    "webhook_id": 1, "event_id": f"e{number}", "source": "sales", "type": "LeadWon",
                    "version": 1, "occurred_at": now, "payload": {}, "state": state, "created_at": now,
                    "try_until": now, "due_at": now + timedelta(minutes=30), "attempts": number,
                    "status": status, "error": error,
                }
                for number, (state, status, error) in enumerate(states)
            ],
        )  # fmt: skip
    return workbench


def words(test) -> str:
    kinds = ("title", "subheader", "markdown", "caption", "info", "error", "warning", "text")
    said = [str(element.value) for kind in kinds for element in getattr(test, kind)]
    return "\n".join(said + [table.value.to_csv() for table in test.dataframe])


def buttons(test) -> set[str]:
    return {button.label for button in test.button}


@pytest.mark.parametrize("name", SCREENS)
def test_nobody_sees_anything_without_signing_in(world, screen, act_as, name):
    act_as(None)
    test = screen(name, id="1")
    assert "session has ended" in words(test)
    assert (len(test.dataframe), buttons(test)) == (0, set())
    assert "example.com" not in words(test)


@pytest.mark.parametrize(
    ("role", "name"),
    [(role, name) for role in ("viewer", "analyst", "marketer") for name in ("users", "webhooks")]
    + [("viewer", "tokens")],
)
def test_a_role_that_may_not_is_told_so(world, screen, act_as, role, name):
    act_as(role)
    for params in ({}, {"id": "1"}):
        test = screen(name, **params)
        assert "Ask an admin for the role" in words(test)
        assert (len(test.dataframe), buttons(test)) == (0, set())


def test_empty_screens_say_what_to_do(workbench, screen, act_as):
    act_as("admin")
    assert "No other system is told of anything yet" in words(screen("webhooks"))
    assert "No token is in use" in words(screen("tokens"))
    assert "4 people may sign in" in words(screen("users"))


@pytest.mark.parametrize("name", ["users", "webhooks"])
@pytest.mark.parametrize("wanted", ["99", "x", "-1", "9" * 30])
def test_an_address_that_names_nothing_leads_back(world, screen, act_as, name, wanted):
    act_as("admin")
    test = screen(name, id=wanted)
    assert not test.exception
    assert f"There is no such {name[:-1]}" in words(test) or len(test.dataframe) == 1


def test_users_are_listed_and_opened(world, screen, act_as):
    act_as("admin")
    [table] = screen("users").dataframe
    assert table.value.set_index("username").loc["nasty", "name"] == NASTY
    assert table.value.set_index("username").loc["analyst", "tokens"] == 1
    test = screen("users", id="5")
    assert "**x**" not in words(test)
    assert {"Reset password", "Disable user"} <= buttons(test)


def test_one_gives_another_role_and_never_takes_the_last_admin_away(world, screen, act_as):
    act_as("admin")
    for user_id, role, told in ((5, "viewer", False), (4, "marketer", True)):
        test = screen("users", id=str(user_id))
        test.selectbox(key="user-role-new").select(role)
        test.button[[button.label for button in test.button].index("Save role")].click().run()
        assert ("last active admin" in words(test)) is told
    with world.reading() as session:
        assert auth.find_account(session, "nasty").role == "viewer"
        assert auth.find_account(session, "admin").role == "admin"


def test_tokens_in_use_are_listed_and_on_demand_those_that_ended(world, screen, act_as):
    act_as("analyst")
    test = screen("tokens")
    assert test.dataframe[0].value["name"].tolist() == [NASTY]
    assert "username" not in test.dataframe[0].value
    test.toggle(key="tokens-every").set_value(True).run()
    assert test.dataframe[0].value["state"].tolist() == ["Active", "Revoked"]
    act_as("marketer")
    assert "No token is in use" in words(screen("tokens"))
    act_as("admin")
    assert screen("tokens").dataframe[0].value["username"].tolist() == ["analyst"]


def test_webhooks_say_how_they_are_and_which_was_given_up_on(world, screen, act_as):
    act_as("admin")
    test = screen("webhooks")
    table = test.dataframe[0].value.set_index("name")
    assert table["state"].to_dict() == {NASTY: "Disabled", "Quiet": "Active"}
    assert table.loc[NASTY, ["delivered", "pending", "failed"]].tolist() == [1, 1, 1]
    [warning] = test.warning
    assert "nothing could be delivered for three days" in warning.value
    assert "**x**" not in warning.value


def test_a_webhook_disabled_by_a_restore_says_so(world, screen, act_as):
    with world.writing() as session:
        session.execute(update(Webhook).where(Webhook.id == 1).values(disabled_why="restored"))
    act_as("admin")
    assert "because a backup was restored" in words(screen("webhooks"))
    assert "because a backup was restored" in words(screen("webhooks", id="1"))


def test_one_webhook_shows_what_it_was_sent_and_is_enabled_again(world, screen, act_as):
    act_as("admin")
    test = screen("webhooks", id="1")
    table = test.dataframe[0].value
    assert table["state"].tolist() == ["Waiting", "Given up", "Delivered"]
    assert table["answer"].fillna("").tolist() == ["", "It answered 500.", "Taken (204)"]
    assert table["next"].fillna("").tolist() == ["in 30 min", "", ""]
    assert "Try 2 again now" not in buttons(test)
    test.button(key="enable-webhook").click().run()
    assert "Try 2 again now" in buttons(test)
    test.button(key="retry-all").click().run()
    assert test.dataframe[0].value["state"].tolist() == ["Waiting", "Waiting", "Delivered"]
    test.button(key="disable-webhook").click().run()
    with world.reading() as session:
        assert webhooks.webhooks(session, SYSTEM)[0].disabled_why == "by hand"

"""The attribution screen in each of its states, for each role."""

import io
from datetime import timedelta

import pandas as pd
import pytest
from sqlalchemy import insert, update

from ma import clock
from ma.analytics.credit import MODELS
from ma.models import Campaign, Outcome, Purchase
from ma.services.campaign_imports import import_campaign
from ma.services.customers import import_customers
from ma.services.results import rebuild_results
from ma.types import SYSTEM
from tests.analytics.test_journeys import outcome
from tests.pages.test_campaign_screens import words
from tests.ui.test_routes import ask  # noqa: F401

NASTY = "**x** <b>y</b> ![i](http://e.test/i.png)"
# The address has the words of the choices.
RECORDED = {"credit-conversion": "Conversions that campaigns recorded"}
ROLES = ("viewer", "analyst", "marketer", "admin")


def ago(days):
    return clock.now() - timedelta(days=days)


def post(session, name, channel, ids, *, days, converted=0):
    """A real campaign to these people, that many of whom converted three days later."""
    began = ago(days)
    sent = pd.Series(pd.Timestamp(began), index=range(len(ids)))
    bought = (sent + timedelta(days=3)).where(sent.index < converted)
    outcomes = pd.DataFrame({"customer_id": ids, "sent_at": sent, "converted_at": bought})
    import_campaign(
        session,
        SYSTEM,
        name=name,
        channel=channel,
        started_at=began,
        ended_at=ago(1),
        outcomes=outcomes.assign(revenue_minor=bought.notna() * 100),
        at=clock.now(),
    )


def card(number):
    return {
        "id": number, "name": f"Card {number}", "name_folded": f"card {number}", "channel": "direct_mail",
        "status": "running", "source": "imported", "steps": "sent,converted", "launched_at": ago(12),
        "conversion_window_days": 30, "created_by": "test", "created_at": ago(12), "updated_at": ago(12),
    }  # fmt: skip


@pytest.fixture
def world(workbench):
    """40 customers; a card to 30 of them 20 days ago, a text to 20 of these 10 days ago; 25 orders since."""
    with workbench.writing() as session:
        frame = pd.DataFrame({"email": [f"ada{n}@example.com" for n in range(40)]})
        ids = list(import_customers(session, SYSTEM, frame, source="test", at=ago(40)))
        post(session, NASTY, "direct_mail", ids[:30], days=20, converted=6)
        post(session, "Text", "sms", ids[10:30], days=10, converted=4)
        orders = [
            {"customer_id": one, "at": ago(5), "amount_minor": 1000, "kind": "sale"} for one in ids[15:40]
        ]
        session.execute(insert(Purchase), orders)
    return workbench


def shown(test):
    return {metric.label: metric.value for metric in test.metric}


def test_nobody_signed_in_learns_nothing(world, act_as, screen):
    act_as(None)
    test = screen("attribution")
    assert not test.exception
    assert "Your session has ended" in words(test)
    assert not test.metric
    assert not test.dataframe


def test_an_empty_workspace_says_what_this_is(workbench, act_as, screen):
    for role in ("viewer", "admin"):
        act_as(role)
        test = screen("attribution")
        assert not test.exception
        assert "Nothing to divide yet" in words(test)
        assert not test.metric


def test_models_stand_side_by_side_for_every_role(world, act_as, screen):
    for role in ROLES:
        act_as(role)
        test = screen("attribution")
        assert not test.exception
        said = shown(test)
        # 15 of the 25 got a card, and a text after it.
        assert (said["Conversions"], said["With a message before"], said["No message before it"]) == (
            "25", "15", "10",
        )  # fmt: skip
        table, paths = (element.value for element in test.dataframe)
        assert list(table["name"]) == ["SMS", "Direct mail", "All of them"]
        assert list(table["last_touch"]) == [15, 0, 15]
        assert list(table["first_touch"]) == [0, 15, 15]
        assert list(table["linear"]) == [7.5, 7.5, 15]
        assert set(table) == {"name", *MODELS}
        assert paths["path"].tolist() == ["Direct mail → SMS"]
        assert "Only 15 conversions have a message before" in words(test)
        assert "does not prove cause" in words(test)
        links = [element.proto.url for element in test.get("link_button")]
        assert any(url.startswith("/export/attribution.csv?") for url in links) == (role != "viewer")


def test_the_screen_shows_what_is_exported(world, act_as, token, screen, ask):  # noqa: F811
    act_as("analyst")
    test = screen("attribution", **{"credit-level": "Campaigns", "credit-of": "Revenue"})
    links = [element.proto.url for element in test.get("link_button")]
    [address] = [url for url in links if url.startswith("/export/attribution.csv?")]
    status, _, content = ask("GET", address, token=token("analyst"))
    assert status == 200
    exported = pd.read_csv(io.BytesIO(content)).set_index(["model", "name"])["revenue_minor"] / 100
    assert ask("GET", address, token=token("viewer"))[0] == 403
    table = test.dataframe[0].value.set_index("name")
    for model in MODELS:
        for name in (NASTY, "Text"):
            assert table.loc[name, model] == exported[model, name]


def test_fewer_models_and_another_window(world, act_as, screen):
    act_as("viewer")
    test = screen("attribution", **{"credit-window": "7 days"})
    # The text went out five days before the orders, the card fifteen.
    table = test.dataframe[0].value.set_index("name")
    assert (table.loc["SMS"] == 15).all()
    assert (table.loc["Direct mail"] == 0).all()
    test.pills(key="credit-models").set_value(["linear", "markov"]).run()
    assert not test.exception
    assert set(test.dataframe[0].value) == {"name", "linear", "markov"}
    test.selectbox(key="credit-window").set_value("1").run()
    assert not test.exception
    assert "had a message in the 1 day before" in words(test)


def test_a_period_without_conversions_says_so(workbench, act_as, screen):
    with workbench.writing() as session:
        frame = pd.DataFrame({"email": ["ada@example.com"]})
        ids = list(import_customers(session, SYSTEM, frame, source="test", at=ago(400)))
        post(session, "Card", "direct_mail", ids, days=300, converted=1)
    act_as("viewer")
    test = screen("attribution")
    assert not test.exception
    assert "No conversions in this period" in words(test)


def test_more_than_twelve_campaigns_have_no_shapley_values_and_the_screen_says_so(world, act_as, screen):
    with world.writing() as session:
        cards = [card(number) for number in range(3, 14)]
        session.execute(insert(Campaign), cards)
        session.execute(insert(Outcome), [outcome(one["id"], 20, ago(12)) for one in cards])
        for one in cards:
            rebuild_results(session, one["id"])
    act_as("marketer")
    test = screen("attribution", **{"credit-level": "Campaigns"})
    assert not test.exception
    assert "Without Shapley" in words(test)
    assert "13 there are 8,192" in words(test)
    assert "shapley" not in test.dataframe[0].value
    assert "table has all 13" in words(test)


def test_simulated_messages_before_real_orders_are_told_apart(world, act_as, screen):
    with world.writing() as session:
        session.execute(update(Campaign).where(Campaign.name == "Text").values(source="simulated"))
    act_as("viewer")
    assert "nobody bought because of them" in words(screen("attribution"))
    recorded = screen("attribution", **RECORDED)
    assert not recorded.exception
    assert shown(recorded)["Conversions"] == "10"
    assert "conversions that campaigns recorded" in words(recorded)
    assert "nobody bought because of them" not in words(recorded)


def test_a_wrong_address_gives_the_usual_view(world, act_as, screen):
    act_as("viewer")
    wrong = {
        "credit-days": "x", "credit-level": "person", "credit-window": "-1", "credit-models": "newest",
        "credit-conversion": "x", "credit-touch": "<b>", "credit-of": "", "credit-half-life": "0",
    }  # fmt: skip
    test = screen("attribution", **wrong)
    assert not test.exception
    assert shown(test)["With a message before"] == "15"

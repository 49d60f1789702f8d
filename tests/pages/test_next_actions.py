"""Next best action in each of its states, for each role."""

import numpy as np
import pytest
from sqlalchemy import func, insert, select, update

from ma import clock
from ma.models import Campaign, CustomerScore, Segment, ValueModel, Workspace
from ma.services import next_actions
from tests.pages.test_campaign_screens import labels, words
from tests.services import campaign_world, next_action_world
from tests.services.campaign_world import NOW
from ui import next_action_words

ROLES = ("viewer", "analyst", "marketer", "admin")


@pytest.fixture
def shop(workbench, monkeypatch):
    """Orders by category, launched campaigns with their costs; the workspace's clock stands at NOW."""
    monkeypatch.setattr(campaign_world, "create_workspace", lambda *args, **more: None)
    with workbench.writing() as session:
        next_action_world.build(session, 240, sent=False)
        # Moved in the database: a screen that is imported meanwhile would keep another `now` for good.
        back = int((NOW - clock.now()).total_seconds())
        session.execute(update(Workspace).values(clock_offset_seconds=back))
    return workbench


@pytest.fixture
def scored(shop):
    with shop.writing() as session:
        found = next_actions.best(session, at=NOW)
        session.execute(
            insert(ValueModel).values(
                id=1, as_of=NOW, status="good", problems=[], customers=1, repeat_customers=1, parameters={},
                figures={}, duration_ms=1, created_by="test",
            )
        )  # fmt: skip
        rows = found.astype(object).where(found.notna(), None).to_dict("records")
        session.execute(
            insert(CustomerScore.__table__), [row | {"model_id": 1, "scored_at": NOW} for row in rows]
        )
    return shop


def shown(test, label):
    return next(metric for metric in test.metric if metric.label == label)


def test_nobody_signed_in_learns_nothing(scored, act_as, screen):
    act_as(None)
    test = screen("next_actions")
    assert not test.exception
    assert "Your session has ended" in words(test)
    assert not test.metric
    assert not test.dataframe


@pytest.mark.parametrize("part", ["Actions", "Bought together", "nonsense"])
def test_an_empty_workspace_says_what_this_is(workbench, act_as, screen, part):
    for role in ROLES:
        act_as(role)
        test = screen("next_actions", part=part)
        assert not test.exception
        assert "Nobody has been scored yet" in words(test) or "Too little to tell" in words(test)


def test_who_is_not_scored_is_said_with_the_way_there(shop, act_as, screen):
    act_as("viewer")
    assert "Nobody has been scored yet" in words(screen("next_actions"))


def test_every_role_reads_the_sums_and_only_editors_go_on(scored, act_as, screen):
    with scored.reading() as session:
        rows = session.execute(
            select(func.count(), func.sum(CustomerScore.next_profit_minor)).where(
                CustomerScore.next_channel.is_not(None)
            )
        ).one()
    for role in ROLES:
        act_as(role)
        test = screen("next_actions")
        assert not test.exception
        assert not test.error
        assert shown(test, "People with a next action").value == f"{rows[0]}"
        assert shown(test, "Expected extra profit").delta.startswith("8 in 10 cases: ")
        assert shown(test, "Chance of a loss").value.endswith("%")
        table = test.dataframe[0].value
        assert table["people"].sum() == rows[0]
        assert table["profit"].sum() * 100 == pytest.approx(rows[1])
        assert "the cost of a message is unknown: Push, Direct mail, Ads" in words(test).replace("\\", "")
        assert ("Save as draft" in labels(test)) == (role in ("marketer", "admin"))


def test_a_segment_of_an_action_has_its_people(scored, act_as, screen):
    act_as("marketer")
    test = screen("next_actions", action="sms~Wine")
    button = next(one for one in test.button if one.key == "next-segment")
    button.click().run()
    with scored.reading() as session:
        size = session.scalar(select(Segment.size).where(Segment.name == "Next best: SMS, Wine"))
        people = session.scalar(
            select(func.count()).where(
                CustomerScore.next_channel == "sms", CustomerScore.next_offer == "Wine"
            )
        )
    assert size == people > 0
    assert button.label == f"Make a segment of {people:,} people"


def test_a_draft_that_lacks_its_words_is_not_saved(scored, act_as, screen):
    act_as("marketer")
    test = screen("next_actions", action="email")
    next(one for one in test.button if one.key == "next-draft").click().run()
    assert test.error
    with scored.reading() as session:
        assert session.scalar(select(func.count(Campaign.id)).where(Campaign.status == "draft")) == 0
        assert session.scalar(select(func.count(Segment.id)).where(Segment.name.like("Next best%"))) == 0
    test.text_input(key="next-subject-email-").set_value("For you")
    test.text_area(key="next-body-email-").set_value("Come in.")
    next(one for one in test.button if one.key == "next-draft").click().run()
    with scored.reading() as session:
        draft = session.execute(select(Campaign).where(Campaign.status == "draft")).scalar_one()
    assert (draft.channel, draft.subject, draft.holdout_share) == ("email", "For you", 0.1)


def test_an_action_in_the_address_that_is_none_shows_the_first(scored, act_as, screen):
    act_as("marketer")
    for wrong in ("", "~", "fax", "sms~Nothing~~", "²~<b>"):
        test = screen("next_actions", action=wrong)
        assert not test.exception
        assert test.selectbox(key="next-action-chosen").value == 0


def test_without_a_price_or_profit_it_says_what_to_do(scored, act_as, screen):
    act_as("viewer")
    with scored.writing() as session:
        session.execute(update(CustomerScore).values(next_channel=None, next_offer=None))
    assert "No message is expected to earn more than it costs" in words(screen("next_actions"))
    with scored.writing() as session:
        session.execute(update(Campaign).values(cost_per_thousand_minor=None))
    assert "What a message costs is unknown" in words(screen("next_actions"))


def test_what_is_bought_together_is_shown_with_its_interval(shop, act_as, screen):
    act_as("analyst")
    for items in ("Categories", "²"):
        test = screen("next_actions", part="Bought together", items=items)
        assert not test.exception
        table = test.dataframe[0].value
        assert np.isfinite(table["expected"]).all()
        assert {table["item_a"][0], table["item_b"][0]} == {"Cheese", "Wine"}
        assert np.isfinite(table["lift"]).all()
        assert "It says what goes together" in words(test)
    # Of each product there are too few.
    test = screen("next_actions", part="Bought together", items="Products")
    assert "orders that name a product in each line" in words(test)


def test_one_customers_card_says_what_and_why(scored, act_as, screen):
    def card(customer_id):
        from streamlit.testing.v1 import AppTest

        def show(customer_id, at):
            from ui import next_action_card as here

            here.draw(customer_id, at)

        return AppTest.from_function(show, args=(customer_id, NOW), default_timeout=60).run()

    act_as("viewer")
    with scored.reading() as session:
        found = next_actions.best(session, at=NOW)
    mine = found.dropna(subset="next_offer").iloc[0]
    test = card(int(mine["customer_id"]))
    assert not test.exception
    text = words(test).replace("\\", "")
    assert mine["next_offer"] in text
    assert next_action_words.each(mine["next_profit_minor"], "EUR") in text
    assert len(test.dataframe[0].value) == 5
    nobody = found[found["next_channel"].isna()].iloc[0]
    assert "Send nothing for now" in words(card(int(nobody["customer_id"])))
    assert not card(99_999).markdown


def test_fractions_of_a_cent_are_told():
    each = next_action_words.each
    assert [each(value, "USD") for value in (0.4, 4.5, 61.7, -0.04, float("nan"))] == [
        "$0.0040", "$0.0450", "$0.62", "-$0.0004", "–",
    ]  # fmt: skip
    assert each(3.26, "JPY") == "¥3"
    assert each(0.05, "JPY") == "¥0.05"

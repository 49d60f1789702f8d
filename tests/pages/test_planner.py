"""The budget planner in each of its states, for each role."""

import io
from datetime import timedelta

import pandas as pd
import pytest
from sqlalchemy import select

from ma import clock
from ma.models import Campaign
from ma.services.campaigns import create_campaign, schedule_campaign, update_campaign
from ma.services.customers import import_customers
from ma.services.segments import create_segment, refresh_segment
from ma.types import SYSTEM
from tests.pages.test_campaign_screens import labels, words
from tests.ui.test_routes import ask  # noqa: F401

RULE = {"all": [{"field": "consent_email", "operator": "eq", "value": True}]}
NASTY = "**x** <b>y</b> ![i](http://e.test/i.png)"
ROLES = ("viewer", "analyst", "marketer", "admin")
ADDRESS = {"campaigns": "1,2", "budget": "12"}


def plan(session, name, *, at, **values):
    usual = {"channel": "email", "segment_id": 1, "subject": "Hi", "body": "Hi"}
    costs = {"fixed_cost_minor": 0, "cost_per_thousand_minor": 500}
    return create_campaign(session, SYSTEM, name=name, at=at, **usual | costs | values)


@pytest.fixture
def world(workbench):
    """2,000 customers; drafts: letter (1), dear one (2), unknown cost (3), nobody (4); scheduled (5)."""
    at = clock.now() - timedelta(days=40)
    frame = pd.DataFrame({"email": [f"ada{n}@example.com" for n in range(2_000)], "consent_email": True})
    with workbench.writing() as session:
        import_customers(session, SYSTEM, frame, source="test", at=at)
        everybody = create_segment(session, SYSTEM, name="Everybody", rule=RULE, at=at)
        plan(session, "Letter", at=at)
        plan(session, NASTY, at=at, fixed_cost_minor=10_000_000)
        plan(session, "Unknown", at=at, cost_per_thousand_minor=None)
        plan(session, "Nobody", at=at, channel="sms")
        later = plan(session, "Later", at=at)
        refresh_segment(session, SYSTEM, everybody, at=at)
        schedule_campaign(session, SYSTEM, later, scheduled_at=clock.now() + timedelta(days=3), at=at)
    return workbench


def shown(test, label):
    return next(metric for metric in test.metric if metric.label == label)


def budgets(database):
    with database.reading() as session:
        return dict(session.execute(select(Campaign.id, Campaign.budget_minor)).all())


def test_nobody_signed_in_learns_nothing(world, act_as, screen):
    act_as(None)
    test = screen("planner", **ADDRESS)
    assert not test.exception
    assert "Your session has ended" in words(test)
    assert "Letter" not in words(test)
    assert not test.metric


def test_an_empty_workspace_says_what_this_is(workbench, act_as, screen):
    for role in ROLES:
        act_as(role)
        test = screen("planner")
        assert not test.exception
        assert "Nothing to split" in words(test)


def test_every_role_reads_the_plan_and_only_editors_may_carry_it_over(world, act_as, screen):
    for role in ROLES:
        act_as(role)
        test = screen("planner", **ADDRESS)
        assert not test.exception
        assert not test.error
        assert shown(test, "Expected extra profit").delta.startswith("8 in 10 cases: ")
        assert ("Set the budget of 1 draft" in labels(test)) == (role in ("marketer", "admin"))


def test_a_plan_says_what_it_earns_against_equal_parts_and_what_limits_each(world, act_as, screen):
    act_as("viewer")
    test = screen("planner", **ADDRESS)
    assert shown(test, "Chance of a loss").value.endswith("%")
    assert shown(test, "Against an even split").value.startswith("+")
    assert shown(test, "Used of the budget").value.replace("\\", "") == "€10.00"
    table = next(frame.value for frame in test.dataframe).set_index("Campaign")
    assert table.loc["Letter", "What limits it"].startswith("Audience: all who are not held out")
    assert table.loc[NASTY, "What limits it"].startswith("Fixed cost: ")
    assert table.loc["Letter", "Messages"] == "2,000 of 2,000 people"
    assert "sales that come anyway do not count" in words(test)


def test_a_choice_is_made_step_by_step_and_stands_in_the_address(world, act_as, screen):
    act_as("viewer")
    test = screen("planner")
    assert "Choose 2 to 10 campaigns" in words(test)
    test.multiselect[0].set_value([1, 5]).run()
    assert "Type a budget. To send all of them to everybody they can reach would cost €20.00" in words(
        test
    ).replace("\\", "")
    test.number_input(key="planner-budget").set_value(12.5).run()
    test.number_input(key="planner-apart").set_value(3).run()
    assert not test.exception
    assert [test.query_params[name] for name in ("campaigns", "budget", "apart")] == ["1,5", "12.5", "3"]
    assert "€12.50" in words(test).replace("\\", "")


def test_an_address_that_means_nothing_asks_for_what_is_missing(world, act_as, screen):
    act_as("viewer")
    for asked in ("x", "1,1", "99,-1,1", "1,2;3"):
        test = screen("planner", campaigns=asked, budget="nan", apart="-4")
        assert not test.exception
        assert "Choose 2 to 10 campaigns" in words(test), asked
    for amount in ("nan", "-5", "1e400"):
        test = screen("planner", campaigns="1,2", budget=amount)
        assert not test.exception
        assert "Type a budget." in words(test), amount


def test_campaigns_that_cannot_be_planned_are_named_with_what_to_enter(world, act_as, screen):
    act_as("marketer")
    test = screen("planner", campaigns="2,3,4", budget="50")
    said = words(test).replace("\\", "")
    assert not test.exception
    assert "“Unknown” is left out." in said
    assert "Enter its cost per thousand messages" in said
    assert "“Nobody” is left out." in said
    assert "2,000 segment, 0 may be contacted" in said
    assert "Keep the money." in said
    assert "Set the budget" not in str(labels(test))
    assert "![i](" not in "".join(element.value for element in test.warning)


def test_a_budget_below_every_fixed_cost_is_called_too_little(world, act_as, screen):
    with world.writing() as session:
        update_campaign(session, SYSTEM, 1, version=1, at=clock.now(), fixed_cost_minor=1_000)
    act_as("viewer")
    test = screen("planner", campaigns="1,2", budget="9")
    assert not test.exception
    assert "**Too little.**" in words(test)
    assert shown(test, "Chance of a loss").value == "–"


def test_the_plan_is_carried_over_into_the_drafts(world, act_as, screen):
    act_as("marketer")
    test = screen("planner", campaigns="1,2,5", budget="15")
    test.button(key="planner-carry").click().run()
    said = words(test).replace("\\", "")
    assert not test.exception
    assert "The budget is set in “Letter”" in "".join(element.value for element in test.success)
    assert "take “Later” back to draft first" in said
    found = budgets(world)
    assert 0 < found[1] <= 1500
    assert found[2] is None
    assert found[5] is None
    assert "The drafts have these budgets." in said
    assert "Set the budget" not in str(labels(test))


def test_a_draft_that_somebody_changed_meanwhile_is_named_and_kept(world, act_as, screen):
    act_as("marketer")
    test = screen("planner", **ADDRESS)
    with world.writing() as session:
        update_campaign(session, SYSTEM, 1, version=1, at=clock.now(), budget_minor=777)
    test.button(key="planner-carry").click().run()
    assert not test.exception
    assert "“Letter” keeps what it has." in words(test).replace("\\", "")
    assert budgets(world)[1] == 777


def test_the_table_leaves_as_a_file_for_those_who_may_export(world, token, ask):  # noqa: F811
    asked = "/export/budget_plan.csv?campaign_ids=1,2,5&budget_minor=1500&days_apart=0"
    status, _, body = ask("GET", asked, token=token("analyst"))
    rows = pd.read_csv(io.BytesIO(body)).set_index("campaign_id")
    assert status == 200
    assert set(rows.index) == {1, 2, 5}
    assert rows["budget_minor"].sum() <= 1500
    assert rows.loc[2, "limit"] == "fixed cost"
    assert ask("GET", asked, token=token("viewer"))[0] == 403
    for wrong in (
        "campaign_ids=1,x&budget_minor=5",
        "campaign_ids=1,2",
        "",
        "campaign_ids=1,99&budget_minor=5",
    ):
        assert ask("GET", f"/export/budget_plan.csv?{wrong}", token=token("admin"))[0] == 404, wrong
    for refused in ("campaign_ids=1&budget_minor=5", "campaign_ids=1,2&budget_minor=0"):
        assert ask("GET", f"/export/budget_plan.csv?{refused}", token=token("admin"))[0] == 400, refused

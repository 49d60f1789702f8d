"""Home, Campaigns and Results in each of their states, for each role."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import func, select, update

from ma import clock
from ma.models import Campaign, CampaignAggregate, Outcome
from ma.services.campaign_imports import import_campaign
from ma.services.campaigns import complete_campaign, create_campaign
from ma.services.customers import import_customers
from ma.services.launches import launch_campaign
from ma.services.segments import create_segment
from ma.types import SYSTEM

NASTY = "**x** <b>y</b> ![i](http://e.test/i.png) $x$ :material/home:"
RULE = {"all": [{"field": "consent_email", "operator": "eq", "value": True}]}
SCREENS = ("home", "campaigns", "results")


def plan(session, name, *, at, **values):
    usual = {"channel": "email", "segment_id": 1, "subject": "Hi", "body": "Hi", "fixed_cost_minor": 5000}
    return create_campaign(
        session, SYSTEM, name=name, at=at, **{**usual, "cost_per_thousand_minor": 1000, **values}
    )


@pytest.fixture
def world(workbench):
    """500 customers, a launched campaign (1), a draft whose name tries to be code (2), a mailing (3)."""
    at = clock.now() - timedelta(days=10)
    frame = pd.DataFrame(
        {
            "first_name": [f"Ada{n}" for n in range(500)],
            "email": [f"ada{n}@example.com" for n in range(500)],
            "consent_email": True,
        }
    )
    with workbench.writing() as session:
        ids = import_customers(session, SYSTEM, frame, source="test", at=at)
        create_segment(session, SYSTEM, name="Everybody", rule=RULE, description="", at=at)
        launched = plan(session, "Launched letter", at=at)
        launch_campaign(session, SYSTEM, launched, at=at, seed=7)
        plan(session, NASTY, at=at)
        import_campaign(
            session,
            SYSTEM,
            name="Real post",
            channel="direct_mail",
            started_at=at,
            ended_at=at + timedelta(days=5),
            outcomes=pd.DataFrame(
                {
                    "customer_id": ids[:100],
                    "sent_at": pd.Timestamp(at),
                    "converted_at": pd.Series(
                        np.where(np.arange(100) < 10, pd.Timestamp(at + timedelta(days=1)), pd.NaT)
                    ).pipe(pd.to_datetime, utc=True),
                    "revenue_minor": 100,
                }
            ),
            at=clock.now(),
        )
    return workbench


def words(test) -> str:
    """Everything a screen says."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "error", "warning", "text")
    said = [str(element.value) for kind in kinds for element in getattr(test, kind)]
    tables = [table.value.to_csv() for table in test.dataframe]
    return "\n".join(said + tables + [f"{metric.label} {metric.value}" for metric in test.metric])


def labels(test) -> set[str]:
    return {button.label for button in test.button}


@pytest.mark.parametrize("name", SCREENS)
def test_nobody_signed_in_learns_nothing(world, act_as, screen, name):
    act_as(None)
    test = screen(name, id="1", campaigns="1")
    assert not test.exception
    said = words(test)
    assert "Your session has ended" in said
    assert "letter" not in said
    assert "Ada" not in said
    assert not test.dataframe
    assert not test.metric


@pytest.mark.parametrize(
    ("name", "expected"),
    [("home", "No customers yet."), ("campaigns", "No campaigns yet."), ("results", "No results yet.")],
)
@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_an_empty_workspace_says_what_this_is(workbench, act_as, screen, name, expected, role):
    act_as(role)
    test = screen(name)
    assert not test.exception
    assert expected in words(test)


@pytest.mark.parametrize("name", SCREENS)
@pytest.mark.parametrize("role", ["viewer", "analyst", "marketer", "admin"])
def test_every_role_reads_every_screen(world, act_as, screen, name, role):
    act_as(role)
    test = screen(name, by="campaign")
    assert not test.exception
    assert not test.error
    assert "Launched letter" in words(test)
    assert ("New campaign" in labels(test)) is (name == "campaigns" and role in ("marketer", "admin"))


@pytest.mark.parametrize("role", ["viewer", "analyst"])
def test_who_may_not_launch_sees_no_way_to(world, act_as, screen, role):
    act_as(role)
    for campaign_id in ("1", "2"):
        test = screen("campaigns", id=campaign_id)
        assert not test.exception
        reading = {"All campaigns", "Other people"}
        assert labels(test) <= reading | {label for label in labels(test) if label.isdigit()}
    test = screen("campaigns", id="new")
    assert "Your role may read campaigns but not create them" in words(test)


def test_a_launched_campaign_shows_the_stored_outcomes(world, act_as, screen):
    act_as("viewer")
    test = screen("campaigns", id="1")
    shown = {metric.label: metric.value for metric in test.metric}
    now = clock.now()
    with world.reading() as session:

        def count(*conditions):
            return session.scalar(select(func.count()).where(Outcome.campaign_id == 1, *conditions))

        sent, delivered = count(Outcome.sent_at <= now), count(Outcome.delivered_at <= now)
        converted = count(Outcome.converted_at <= now)
    assert shown["Sent"] == str(sent) == "500"
    assert shown["Conversion rate"] == f"{converted / delivered * 100:.1f} %"


def test_a_real_mailing_shows_what_is_known_and_dashes_for_the_rest(world, act_as, screen):
    act_as("viewer")
    test = screen("campaigns", id="3")
    assert not test.exception
    said = words(test)
    assert "Sent 100" in said
    assert "ROI –" in said
    assert "without the message leading them there" not in said


def test_results_of_one_campaign_from_the_address(world, act_as, screen):
    act_as("viewer")
    everything = screen("results")
    one = screen("results", campaigns="3")
    assert [m.value for m in everything.metric if m.label == "Messages sent"] == ["600"]
    assert [m.value for m in one.metric if m.label == "Messages sent"] == ["100"]
    assert [m.value for m in one.metric if m.label == "Conversion rate"] == ["10.0 %"]
    assert [m.value for m in one.metric if m.label == "ROI"] == ["–"]
    assert "no known cost" in words(one)


def test_unknown_addresses_are_told_plainly(world, act_as, screen):
    act_as("marketer")
    assert "no campaign 99" in words(screen("campaigns", id="99"))
    assert "names no campaign" in words(screen("campaigns", id="x"))
    assert not screen("results", campaigns="99,x,").exception


def test_names_that_try_to_be_code_stay_text(world, act_as, screen):
    act_as("marketer")
    test = screen("campaigns", id="2")
    heading = test.subheader[0].value
    assert "**x**" not in heading
    assert "![i](" not in heading
    assert r"\*\*x\*\*" in heading


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, ["E-mail", "Everybody", "Everybody at once"]),
        (
            {
                "excluded": [2],
                "variants": [{"share": 0.25, "subject": "Hey", "body": "B", "effects": {"opened": 0.1}}],
                "quiet_from": 1260,
                "quiet_until": 480,
                "timezone": "Asia/Tokyo",
                "budget_minor": 12345,
                "waves": 3,
            },
            [
                "Nobody",
                "Subject B (25.0 %)",
                "Opens +10%",
                "21:00–08:00 (Asia/Tokyo)",
                "€123.45",
                "3, one a day",
            ],
        ),
    ],
)
def test_a_reader_sees_the_whole_plan_and_who_can_be_sent_it(world, act_as, screen, values, said):
    with world.writing() as session:
        create_segment(session, SYSTEM, name="Nobody", rule={"none": [RULE]}, description="", at=clock.now())
        campaign_id = plan(session, "Full plan", at=clock.now(), **values)
    act_as("viewer")
    test = screen("campaigns", id=str(campaign_id))
    assert not test.exception
    shown = words(test)
    assert [text for text in said if text not in shown] == []
    assert "In the segment 500" in shown
    assert "last refreshed" in shown
    assert "Full plan" in shown


def test_archived_campaigns_are_hidden_until_they_are_asked_for(world, act_as, screen):
    act_as("marketer")
    test = screen("campaigns", id="2")
    test.button(key="archive").click().run()
    assert {"Restore", "Duplicate"} <= labels(test)
    assert not {"Launch campaign", "Schedule", "Save draft"} & labels(test)
    test = screen("campaigns")
    assert "x\\" not in words(test)
    assert NASTY not in words(test)
    assert "1 archived not shown" in words(test)
    test = screen("campaigns")
    test.pills(key="status").set_value("archived").run()
    assert test.dataframe[0].value["name"].tolist() == [NASTY]
    test = screen("campaigns", id="2")
    test.button(key="restore").click().run()
    assert "Archive" in labels(test)
    assert NASTY in words(screen("campaigns"))


def test_an_impossible_step_says_why_and_the_screen_shows_how_it_is_now(world, act_as, screen):
    act_as("marketer")
    test = screen("campaigns", id="1")
    with world.writing() as session:
        complete_campaign(session, SYSTEM, 1, at=clock.now())
    test.button(key="pause").click().run()
    assert not test.exception
    assert [r"is completed\. It cannot be paused" in error.value for error in test.error] == [True]
    assert "Pause" not in labels(test)
    assert "Archive" in labels(test)


def test_a_campaign_known_by_its_totals_alone_says_what_is_unknown(world, act_as, screen):
    at = clock.now() - timedelta(days=3)
    with world.writing() as session:
        campaign_id = plan(session, "From the platform", at=at)
        session.execute(
            update(Campaign)
            .where(Campaign.id == campaign_id)
            .values(status="completed", source="imported", launched_at=at, segment_id=None)
        )
        session.add(CampaignAggregate(campaign_id=campaign_id, sent=1234, opened=321))
    act_as("viewer")
    rows = screen("campaigns").dataframe[0].value.set_index("name")
    assert rows.loc["From the platform", "sent"] == 1234
    test = screen("campaigns", id=str(campaign_id))
    assert not test.exception
    assert "only the platform's totals were imported" in words(test)

"""Home, Campaigns and Results in each of their states, for each role."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import func, select

from ma import clock
from ma.models import Campaign, Outcome
from ma.services.campaign_imports import import_campaign
from ma.services.campaigns import create_campaign
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
    test = screen(name)
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
        assert labels(test) <= {"All campaigns"} | {label for label in labels(test) if label.isdigit()}
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


def test_a_wrong_draft_names_every_problem_and_saves_nothing(world, act_as, screen):
    act_as("marketer")
    test = screen("campaigns", id="new")
    test.button[-1].click().run()
    problems = [error.value for error in test.error]
    assert len(problems) >= 4
    assert any("name" in problem.lower() for problem in problems)
    assert any("segment" in problem.lower() for problem in problems)
    with world.reading() as session:
        assert session.scalar(select(func.count(Campaign.id))) == 3

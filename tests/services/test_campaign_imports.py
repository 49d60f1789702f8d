"""Real campaigns come in with what is known about them; what is not known stays unknown."""

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select

from ma.errors import InvalidInput, NotAllowed
from ma.models import Campaign
from ma.services.campaign_imports import import_campaign
from ma.services.due import catch_up
from ma.types import SYSTEM, Actor, Channel, Role
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, campaign, days


@pytest.fixture
def session(database):
    with database.writing() as session:
        world.build(session, 100)
        yield session


def sends(people=50, **changed):
    sent = pd.Timestamp(NOW - days(40))
    frame = pd.DataFrame({"customer_id": np.arange(people, 0, -1), "sent_at": sent})
    answered = frame["customer_id"] % 5 == 0
    frame["converted_at"] = (sent + pd.Timedelta(days=13)).floor("D")
    frame["converted_at"] = frame["converted_at"].where(answered)
    frame["revenue_minor"] = np.where(answered, 2500, 0)
    return frame.assign(**changed)


def bring_in(session, outcomes=None, **values):
    usual = {"name": "Mailing 1", "channel": Channel.DIRECT_MAIL, "started_at": NOW - days(40)}
    usual |= {"ended_at": NOW - days(5), "at": NOW, "outcomes": sends() if outcomes is None else outcomes}
    return import_campaign(session, values.pop("actor", SYSTEM), **usual | values)


def test_what_is_known_is_stored_and_the_rest_is_unknown(session):
    campaign_id = bring_in(session, cost_per_thousand_minor=40_000)
    row = campaign(session, campaign_id)
    assert (row.source, row.status, row.steps) == ("imported", "completed", "sent,converted")
    assert (row.launched_at, row.completed_at) == (NOW - days(40), NOW - days(5))
    assert (row.conversion_window_days, row.cost_per_thousand_minor, row.fixed_cost_minor) == (
        35,
        40_000,
        None,
    )
    frame = world.outcomes(session, campaign_id)
    assert len(frame) == 50
    assert set(frame["source"]) == {"imported"}
    assert frame["delivered_at"].isna().all()
    assert frame["converted_at"].notna().sum() == 10
    results = world.results(session, campaign_id)
    unknown = ["delivered", "opened", "clicked", "bounced", "unsubscribed", "complained", "organic"]
    assert results[unknown].isna().all(axis=None)
    assert (results["sent"].sum(), results["converted"].sum(), results["revenue_minor"].sum()) == (
        50,
        10,
        25_000,
    )
    world.assert_results_are_the_outcomes(session, campaign_id)
    assert world.events(session)[-1] == "CampaignImported"


def test_a_campaign_whose_end_is_to_come_runs_until_then(session):
    campaign_id = bring_in(session, ended_at=NOW + days(10))
    assert campaign(session, campaign_id).status == "running"
    assert catch_up(session, at=NOW) == []
    catch_up(session, at=NOW + days(12))
    assert campaign(session, campaign_id).status == "completed"


def test_an_email_export_with_more_steps_knows_more(session):
    frame = sends()
    frame["delivered_at"] = frame["sent_at"] + pd.Timedelta(seconds=5)
    frame["opened_at"] = (frame["delivered_at"] + pd.Timedelta(hours=1)).where(frame["customer_id"] > 25)
    campaign_id = bring_in(session, frame, channel=Channel.EMAIL)
    assert campaign(session, campaign_id).steps == "sent,delivered,opened,converted"
    assert world.results(session, campaign_id)["opened"].sum() == 25


def test_all_problems_are_told_at_once_and_nothing_is_stored(session):
    frame = sends()
    frame.loc[0, "customer_id"] = 999
    frame.loc[1, "sent_at"] = NOW - days(50)
    frame.loc[2, "converted_at"] = NOW + days(1)
    frame["revenue_minor"] = 1.5
    with pytest.raises(InvalidInput) as refusal:
        bring_in(session, frame, name="", ended_at=NOW - days(60), fixed_cost_minor=-1)
    assert set(refusal.value.problems) == {
        "name",
        "ended_at",
        "fixed_cost_minor",
        "customer_id",
        "sent_at",
        "converted_at",
        "revenue_minor",
    }
    assert session.scalar(select(Campaign.id)) is None


@pytest.mark.parametrize(
    ("outcomes", "field"),
    [
        (sends().drop(columns="sent_at"), "outcomes"),
        (sends().head(0), "outcomes"),
        (sends(customer_id=1), "customer_id"),
        (sends(sent_at=pd.Timestamp("2026-01-20")), "times"),
    ],
)
def test_a_file_that_cannot_be_read_as_outcomes_is_refused(session, outcomes, field):
    with pytest.raises(InvalidInput) as refusal:
        bring_in(session, outcomes)
    assert field in refusal.value.problems


def test_importing_wants_the_role(session):
    with pytest.raises(NotAllowed):
        bring_in(session, actor=Actor(username="ann", role=Role.ANALYST))

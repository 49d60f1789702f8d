"""Real campaigns come in with what is known about them; what is not known stays unknown."""

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select

from ma.errors import InvalidInput, NotAllowed
from ma.models import Audit, Campaign
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
        36,  # the first and the last day included
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
    frame = sends().drop(columns=["converted_at", "revenue_minor"])
    frame["delivered_at"] = frame["sent_at"] + pd.Timedelta(seconds=5)
    frame["opened_at"] = (frame["delivered_at"] + pd.Timedelta(hours=1)).where(frame["customer_id"] > 25)
    frame["unsubscribed_at"] = frame["opened_at"].where(frame["customer_id"] == 30)
    campaign_id = bring_in(session, frame, channel=Channel.EMAIL)
    assert campaign(session, campaign_id).steps == "sent,delivered,opened,unsubscribed"
    results = world.results(session, campaign_id)
    assert (results["opened"].sum(), results["unsubscribed"].sum()) == (25, 1)
    # Columns that were not given: unknown, not zero.
    assert results[["bounced", "clicked", "converted", "complained", "organic"]].isna().all(axis=None)


def test_who_took_a_step_has_taken_those_before_it(session):
    frame = sends(4).drop(columns="revenue_minor")
    sent = frame["sent_at"].iloc[0]
    hour = pd.Timedelta(hours=1)
    never = pd.NaT
    # customer 4: opened after the click; 3: clicked only; 2: converted only; 1: nothing
    frame["delivered_at"] = pd.Series([sent + hour, never, never, never], dtype=frame["sent_at"].dtype)
    frame["opened_at"] = pd.Series([sent + 9 * hour, never, never, never], dtype=frame["sent_at"].dtype)
    frame["clicked_at"] = pd.Series([sent + 5 * hour, sent + 2 * hour, never, never])
    frame["converted_at"] = pd.Series([never, never, sent + 3 * hour, never])
    campaign_id = bring_in(session, frame, channel=Channel.EMAIL)
    found = world.outcomes(session, campaign_id).set_index("customer_id")
    steps = ["delivered_at", "opened_at", "clicked_at", "converted_at"]
    hours = {who: [(found.loc[who, step] - sent) / hour for step in steps] for who in (4, 3, 2, 1)}
    nan = np.nan
    np.testing.assert_equal(
        hours, {4: [1, 5, 5, nan], 3: [2, 2, 2, nan], 2: [3, 3, 3, 3], 1: [nan, nan, nan, nan]}
    )
    world.assert_results_are_the_outcomes(session, campaign_id)


def test_a_column_that_was_not_given_stays_unknown_for_those_who_went_on(session):
    frame = sends(10)
    frame["clicked_at"] = frame["converted_at"]
    campaign_id = bring_in(session, frame, channel=Channel.EMAIL)
    assert world.outcomes(session, campaign_id)[["delivered_at", "opened_at"]].isna().all(axis=None)


def test_a_conversion_after_the_window_is_not_the_campaigns(session):
    frame = sends(10)  # customers 5 and 10 answered after almost 13 days
    frame["clicked_at"] = frame["sent_at"].where(frame["customer_id"] == 1)
    frame.loc[frame["customer_id"] == 5, "converted_at"] = frame["sent_at"] + pd.Timedelta(days=12)
    campaign_id = bring_in(session, frame, conversion_window_days=12)
    found = world.outcomes(session, campaign_id).set_index("customer_id")
    assert found["converted_at"].dropna().index.tolist() == [5]
    assert found["revenue_minor"][found["revenue_minor"] > 0].to_dict() == {5: 2500}
    assert found["clicked_at"].dropna().index.tolist() == [1, 5]
    assert world.results(session, campaign_id)["revenue_minor"].sum() == 2500
    detail = session.scalar(select(Audit.detail).where(Audit.action == "import"))
    assert detail == {"sent": 10, "late_conversions": 1}


def test_the_window_is_by_default_all_days_of_the_campaign(session):
    """From 9 in the morning to 9 in the morning, New York: the last evening still counts."""
    start, end = NOW - days(40), NOW - days(5)
    frame = sends(1, sent_at=pd.Timestamp(start), converted_at=pd.Timestamp(end + days(0.4)), revenue_minor=5)
    campaign_id = bring_in(session, frame, started_at=start, ended_at=end)
    assert world.outcomes(session, campaign_id)["revenue_minor"].tolist() == [5]


@pytest.mark.parametrize(("days_given", "accepted"), [(0, False), (1, True), (366, True), (367, False)])
def test_a_window_has_1_to_366_days(session, days_given, accepted):
    if accepted:
        campaign_id = bring_in(session, conversion_window_days=days_given)
        assert campaign(session, campaign_id).conversion_window_days == days_given
        return
    with pytest.raises(InvalidInput, match="Choose 1 to 366 days"):
        bring_in(session, conversion_window_days=days_given)


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

"""What needs attention: each kind once, and nothing where all is well."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from ma.analytics.attention import attention
from ma.events import outbox
from ma.events.messages import CampaignCreated
from ma.models import Campaign, OutboxEvent, Segment
from ma.services.campaigns import complete_campaign, schedule_campaign
from ma.services.launches import launch_campaign
from ma.types import SYSTEM
from tests.services.campaign_world import NOW, SEGMENT, build, days, draft


@pytest.fixture
def world(database):
    """A workspace whose only segment was refreshed just now."""
    with database.writing() as session:
        build(session, 200)
        session.execute(update(Segment).values(refreshed_at=NOW))
    return database


def kinds(database, at=NOW):
    with database.reading() as session:
        frame = attention(session, as_of=at)
    return list(zip(frame["kind"], frame["subject"], strict=True))


def test_nothing_where_all_is_well(world):
    assert kinds(world) == []


def test_a_segment_not_refreshed_for_a_week(world):
    assert kinds(world, NOW + days(7)) == []
    assert kinds(world, NOW + days(7) + timedelta(seconds=1)) == [("stale", "Everybody")]


def test_a_campaign_that_launches_soon(world):
    with world.writing() as session:
        campaign_id = draft(session, "Soon")
        schedule_campaign(session, SYSTEM, campaign_id, scheduled_at=NOW + days(3), at=NOW)
    assert kinds(world) == [("scheduled", "Soon")]
    assert kinds(world, NOW - timedelta(hours=1)) == []


def test_a_draft_left_for_two_weeks(world):
    with world.writing() as session:
        draft(session, "Forgotten")
    found = kinds(world, NOW + days(14) + timedelta(hours=1))
    assert ("draft", "Forgotten") in found


def test_a_completed_campaign_that_lost_money_and_not_one_that_runs(world):
    with world.writing() as session:
        costly = {"fixed_cost_minor": 10**9, "cost_per_thousand_minor": 0}
        campaign_id = draft(session, "Costly", **costly)
        launch_campaign(session, SYSTEM, campaign_id, at=NOW)
    later = NOW + days(5)
    assert kinds(world, later) == []
    with world.writing() as session:
        complete_campaign(session, SYSTEM, campaign_id, at=later)
    assert kinds(world, later) == [("loss", "Costly")]
    with world.reading() as session:
        row = attention(session, as_of=later).iloc[0]
    assert (row["page"], row["object_id"], row["level"]) == ("results", campaign_id, "problem")


def test_events_that_the_bus_refuses_whatever_the_demo_clock_says(world):
    with world.writing() as session:
        outbox.record(session, CampaignCreated(campaign_id=1, channel="sms"), at=NOW + days(400))
        session.flush()
        session.execute(update(OutboxEvent).values(attempts=2))
    assert kinds(world) == []
    with world.writing() as session:
        session.execute(update(OutboxEvent).values(attempts=3))
    assert kinds(world) == [("events", "")]


def test_an_e_mail_campaign_that_bounced_a_lot(world):
    with world.writing() as session:
        campaign_id = draft(session, "Bouncy", channel="email")
        launch_campaign(session, SYSTEM, campaign_id, at=NOW)
        assert session.get(Campaign, campaign_id).segment_id == SEGMENT
        from ma.models import CampaignResult

        session.execute(update(CampaignResult).where(CampaignResult.sent > 0).values(bounced=20))
    assert ("bounces", "Bouncy") in kinds(world, NOW + days(2))

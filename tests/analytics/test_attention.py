"""What needs attention: each kind once, and nothing where all is well."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from ma.analytics.attention import attention
from ma.events import outbox
from ma.events.messages import CampaignCreated
from ma.models import Campaign, OutboxEvent, Purchase, SalesDeadLetter, Segment, Webhook
from ma.services.campaigns import complete_campaign, schedule_campaign
from ma.services.launches import launch_campaign
from ma.types import SYSTEM
from tests.analytics.result_days import add_day, launched
from tests.services.campaign_world import NOW, SEGMENT, build, days, draft

SENT = {"sent": 1_000, "delivered": 1_000, "clicked": 50}


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


def test_a_webhook_that_was_given_up_on_and_not_one_disabled_by_hand(world):
    with world.writing() as session:
        for name, why in (
            ("ERP", "failing"),
            ("CRM", "gone"),
            ("BI", "restored"),
            ("Old", "by hand"),
            ("Fine", None),
        ):
            times = {"created_at": NOW, "disabled_at": why and NOW}
            session.add(
                Webhook(
                    name=name, url="https://e.test/", salt="", secret_hash="", created_by="x",
                    disabled_why=why, **times,
                )
            )  # fmt: skip
    assert kinds(world) == [("webhook", "ERP"), ("webhook", "CRM"), ("webhook", "BI")]
    with world.reading() as session:
        row = attention(session, as_of=NOW).iloc[0]
    assert (row["page"], row["object_id"], row["level"]) == ("webhooks", 1, "problem")


def test_events_that_the_bus_refuses_whatever_the_demo_clock_says(world):
    with world.writing() as session:
        outbox.record(session, CampaignCreated(campaign_id=1, channel="sms"), at=NOW + days(400))
        session.flush()
        session.execute(update(OutboxEvent).values(attempts=2))
    assert kinds(world) == []
    with world.writing() as session:
        session.execute(update(OutboxEvent).values(attempts=3))
    assert kinds(world) == [("events", "Events between the modules")]


def test_events_that_a_module_has_given_up_on(world):
    letter = {"event_id": "e1", "source": "ma", "type": "OutcomesRecorded", "version": 9, "payload": {}}
    letter |= {"occurred_at": NOW, "failed_at": NOW, "attempts": 4, "retry_at": NOW, "error": "Unreadable"}
    with world.writing() as session:
        session.add(SalesDeadLetter(**letter))
    assert kinds(world) == []
    with world.writing() as session:
        session.execute(update(SalesDeadLetter).values(attempts=5, retry_at=None))
    assert kinds(world) == [("parked", "Failed events")]
    with world.reading() as session:
        row = attention(session, as_of=NOW).iloc[0]
    assert "by Sales after five tries" in row["text"]
    assert row["page"] == "activity"


def test_an_e_mail_campaign_that_bounced_a_lot(world):
    with world.writing() as session:
        campaign_id = draft(session, "Bouncy", channel="email")
        launch_campaign(session, SYSTEM, campaign_id, at=NOW)
        assert session.get(Campaign, campaign_id).segment_id == SEGMENT
        from ma.models import CampaignResult

        session.execute(update(CampaignResult).where(CampaignResult.sent > 0).values(bounced=20))
    assert ("bounces", "Bouncy") in kinds(world, NOW + days(2))


def test_a_segment_whose_refresh_failed_comes_before_hints(world):
    with world.writing() as session:
        session.execute(update(Segment).values(refresh_error="no such field"))
    later = NOW + days(8)
    assert kinds(world, later) == [("failed", "Everybody"), ("stale", "Everybody")]


def test_a_list_kept_by_hand_does_not_age(world):
    with world.writing() as session:
        session.execute(update(Segment).values(static=True))
    assert kinds(world, NOW + days(30)) == []


@pytest.mark.parametrize(("orders", "level", "page"), [(2, "problem", "files"), (90, "hint", "results")])
def test_a_day_outside_its_usual_range_leads_to_where_one_can_act(world, orders, level, page):
    with world.writing() as session:
        for week in range(13):
            at = NOW - days(1 + 7 * week)
            sales = [{"kind": "sale", "at": at, "amount_minor": 2_000}] * (30 if week else orders)
            session.add_all(Purchase(**sale) for sale in sales)
    with world.reading() as session:
        frame = attention(session, as_of=NOW)
    # NOW is a Monday.
    assert frame["subject"].tolist() == ["Revenue of Sunday 1 March", "Orders of Sunday 1 March"]
    assert frame["kind"].unique().tolist() == ["unusual"]
    assert (frame["level"].unique().tolist(), frame["page"].unique().tolist()) == ([level], [page])
    assert f"${orders * 20:,}.00, on a Sunday usually $" in frame["text"][0]
    assert f"{orders}, on a Sunday usually " in frame["text"][1]


def test_a_campaign_outside_the_usual_range_of_its_channel(world):
    with world.writing() as session:
        for number in range(10):
            launched(session, 100 + number, (0, SENT | {"opened": 300 if number else 60}),
                     age_days=5 + 7 * number, now=NOW)  # fmt: skip
    with world.reading() as session:
        frame = attention(session, as_of=NOW)
    assert frame[["level", "kind", "page", "object_id"]].to_numpy().tolist() == [
        ["problem", "unusual", "results", 100]
    ]
    assert frame["text"][0].startswith("Open rate 6.0 %, in its channel usually ")


@pytest.mark.parametrize(("people", "found"), [(20_000, 1), (2_000, 0)])
def test_a_test_that_has_enough_people_leads_to_it_and_a_small_one_does_not(world, people, found):
    half = people // 2
    with world.writing() as session:
        launched(session, 100, age_days=3, now=NOW, status="running", variants=[{"name": "B", "share": 0.5}])
        for variant, bought in (("A", 0.40), ("B", 0.42)):
            counts = {"sent": half, "delivered": half, "converted": round(half * bought)}
            add_day(session, 100, (NOW - days(3)).date(), variant=variant, **counts)
    with world.reading() as session:
        frame = attention(session, as_of=NOW)
    tests = frame[frame["kind"] == "test"]
    assert tests[["page", "object_id"]].to_numpy().tolist() == [["experiments", 100]] * found
    if found:
        assert "20,000 people" in tests["text"].item()
        assert "when its conversion window is over" in tests["text"].item()
    # Old news is none.
    with world.writing() as session:
        session.execute(
            update(Campaign).where(Campaign.id == 100).values(status="completed", completed_at=NOW + days(15))
        )
    for later, count in ((16, found), (30, 0)):
        assert [kind for kind, _ in kinds(world, NOW + days(later))].count("test") == count

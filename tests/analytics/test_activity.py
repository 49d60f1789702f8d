"""What screens show of leads, tickets and events, counted by hand."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from ma import clock
from ma.analytics import activity, frames
from ma.analytics import leads as sales
from ma.analytics import tickets as service
from ma.errors import NotFound
from ma.events.broker import RedisBroker
from ma.events.housekeeping import settle
from ma.models import Lead, OutboxEvent
from ma.subscribers import leads as work
from ma.subscribers.loop import InProcess
from ma.types import SYSTEM
from tests.services import campaign_world as world
from tests.subscribers.bus_world import AT, bought, nothing_to_them, outcomes, record, relay

DAY = timedelta(days=1)
KINDS = {"bounces": 3, "complaint": 1, "unsubscriptions": 1}


@pytest.fixture
def busy(database):
    """Three leads, of which one is won and one is Ann's, and tickets of three kinds."""
    with database.writing() as session:
        world.build(session, 9)
        work.add_rep(session, SYSTEM, name="Ann")
        work.add_rep(session, SYSTEM, name="Bob")
    record(database, bought(1), outcomes("clicked", 2, 3, band=3))
    record(database, outcomes("bounced", 4, 5, 6), outcomes("complained", 7), outcomes("unsubscribed", 8))
    relay(database, InProcess(database))
    with database.writing() as session:
        session.execute(update(Lead).values(owner=None).where(Lead.customer_id == 3))
        work.win_lead(session, SYSTEM, 1, value_minor=700, version=1, at=AT)
    return database


def frame_of(database, name, *, as_of=AT, **params):
    with database.reading() as session:
        return frames.frame(session, name, as_of=as_of, params=params)


def test_open_leads_come_first_and_by_score(busy):
    found = frame_of(busy, "leads", as_of=AT + 3 * DAY)
    assert found["customer_id"].tolist() == [2, 3, 1]
    assert found["days_in_stage"].tolist() == [3, 3, 0]
    assert found["value_minor"].isna().tolist() == [True, True, False]
    assert frame_of(busy, "leads", stage="won")["value_minor"].tolist() == [700]
    with busy.reading() as session:
        assert sales.lead_count(session) == 3
        assert sales.lead_count(session, owner="Bob") == 1


def test_the_pipeline_has_every_stage_in_its_order(busy):
    found = frame_of(busy, "lead_pipeline")
    assert found["stage"].tolist() == ["new", "contacted", "qualified", "proposal", "won", "lost"]
    assert found["leads"].tolist() == [2, 0, 0, 0, 1, 0]
    assert found["value_minor"].tolist() == [0, 0, 0, 0, 700, 0]
    assert found["score"].tolist()[0] == 25


def test_owners_are_listed_with_who_has_nothing_and_what_is_nobodys(busy):
    found = frame_of(busy, "lead_owners")
    assert found["owner"].tolist()[:2] == ["Ann", "Bob"]
    assert found["owner"].isna().tolist() == [False, False, True]
    assert found["open_minor"].tolist() == [0, 0, 0]
    assert found[["open", "won", "won_minor"]].to_numpy().tolist() == [[0, 1, 700], [1, 0, 0], [1, 0, 0]]
    history = frame_of(busy, "lead_changes", lead_id="1")
    assert history["action"].tolist() == ["won", "open"]


def test_leads_are_chosen_by_stage_owner_and_reason(busy):
    def people(**chosen):
        found = frame_of(busy, "leads", **chosen)
        with busy.reading() as session:
            assert sales.lead_count(session, **chosen) == len(found)
        return found["customer_id"].tolist()

    assert people(stage="open") == [2, 3]
    assert people(stage="new,won") == [2, 3, 1]
    assert people(owner="") == [3]
    assert people(owner="Bob", stage="won") == []
    assert people(reason="conversion") == [1]
    assert frame_of(busy, "lead_results").to_numpy().tolist() == [["won", 1, 700]]
    with busy.reading() as session:
        one = sales.lead(session, 1, as_of=AT)
        assert (one["stage"], one["value_minor"], one["lost_reason"]) == ("won", 700, None)
        with pytest.raises(NotFound):
            sales.lead(session, 99, as_of=AT)


def test_a_score_is_the_sum_of_its_parts_and_says_of_what(database):
    events = (
        bought(1, band=2),
        outcomes("clicked", 1, band=4),
        outcomes("clicked", 1, campaign_id=2, band=1),
    )
    record(database, *events, outcomes("clicked", 2, band=3), bought(3, at=AT - 40 * DAY))
    relay(database, InProcess(database))
    for lead in frame_of(database, "leads").itertuples():
        parts = frame_of(database, "lead_score", lead_id=str(lead.lead_id))
        assert parts["points"].sum() == lead.score
    mine = frame_of(database, "leads").iloc[0]
    parts = frame_of(database, "lead_score", lead_id=str(mine["lead_id"])).set_index("part")
    assert parts["count"].to_dict() == {"bought": 1, "clicks": 2, "engagement": 4}
    assert parts["points"].to_dict() == {"bought": 50, "clicks": 20, "engagement": 20}
    signals = frame_of(database, "lead_signals", lead_id=str(mine["lead_id"]))
    assert sorted(signals["step"]) == ["clicked", "clicked", "converted"]
    assert signals["revenue_minor"].dropna().tolist() == [1_000]


def test_a_second_lead_counts_only_what_came_after_the_first_one_ended(database):
    record(database, bought(1))
    relay(database, InProcess(database))
    with database.writing() as session:
        work.lose_lead(session, SYSTEM, 1, reason="not now", version=1, at=AT)
    record(database, outcomes("clicked", 1, campaign_id=2, at=AT + DAY), at=AT + DAY)
    relay(database, InProcess(database))
    assert frame_of(database, "leads")["reason"].tolist() == ["hot_click", "conversion"]
    steps = [frame_of(database, "lead_signals", lead_id=i)["step"].tolist() for i in ("1", "2")]
    assert steps == [["converted"], ["clicked"]]


def test_everybody_who_is_suppressed_is_listed_the_latest_first(busy):
    found = frame_of(busy, "suppressed_people")
    assert sorted(found["customer_id"]) == [4, 5, 6, 7, 8]
    assert frame_of(busy, "suppressed_people", reason="complained")["customer_id"].tolist() == [7]
    assert frame_of(busy, "suppressed_people", channel="sms").empty
    assert frame_of(busy, "suppressed_people", as_of=AT - DAY).empty
    with busy.reading() as session:
        assert service.suppressed_count(session, as_of=AT, reason="bounced") == 3
        assert service.ticket(session, 1, as_of=AT)["kind"] in KINDS
        with pytest.raises(NotFound):
            service.ticket(session, 99, as_of=AT)


def test_tickets_come_by_when_they_are_due_and_say_what_is_late(busy):
    found = frame_of(busy, "tickets", as_of=AT + 2 * DAY)
    assert found["kind"].tolist() == ["complaint", "bounces", "unsubscriptions"]
    assert found["late"].tolist() == [True, False, False]
    assert dict(zip(found["kind"], found["people"], strict=True)) == KINDS
    summary = frame_of(busy, "ticket_summary", as_of=AT + 2 * DAY).set_index("kind")
    assert summary.loc["complaint"].tolist() == [1, 0, 1, 0, 1]
    assert frame_of(busy, "tickets", kind="bounces", status="open")["people"].tolist() == [3]
    assert len(frame_of(busy, "tickets", status=service.NOT_CLOSED)) == 3
    assert frame_of(busy, "tickets", status="closed").empty
    with busy.reading() as session:
        assert service.ticket_count(session, kind="complaint") == 1
    assert frame_of(busy, "suppressions").to_numpy().tolist()[0] == ["email", "bounced", 3]
    assert frame_of(busy, "ticket_changes", ticket_id="1")["action"].tolist() == ["open"]


def test_without_anything_every_frame_is_empty_and_has_its_columns(database):
    for name, columns in (
        ("leads", 17), ("lead_pipeline", 4), ("lead_owners", 6), ("lead_results", 3), ("tickets", 17),
        ("ticket_summary", 6), ("suppressions", 3), ("suppressed_people", 5), ("activity", 10),
        ("event_backlog", 6), ("event_subscribers", 10), ("event_throughput", 3), ("dead_letters", 10),
        ("audit_log", 6),
    ):  # fmt: skip
        assert len(frame_of(database, name).columns) == columns, name


def test_the_feed_shows_the_latest_events_of_all_modules_and_how_far_they_are(database):
    record(database, bought(1), nothing_to_them())
    waiting = frame_of(database, "activity")
    assert set(waiting["state"]) == {"waiting"}
    relay(database, InProcess(database))
    with database.reading() as session:
        sent = activity.activity(session, as_of=AT)
    assert sorted(sent["source"]) == ["ma", "ma", "sales"]
    assert sent["source"].iloc[0] == "sales"
    about = dict(zip(sent["type"], sent["about"], strict=True))
    assert about["OutcomesRecorded"] == "campaign 1, channel email, step converted, 1 outcomes"
    assert about["LeadsOpened"] == "1 leads"
    settle(database, at=AT)
    assert set(frame_of(database, "activity")["state"]) == {"settled"}
    assert frame_of(database, "activity", types="LeadsOpened,LeadWon")["type"].tolist() == ["LeadsOpened"]


def test_the_backlog_says_what_waits_for_how_long_and_why(database, redis_server):
    broker = RedisBroker(redis_server.url)
    redis_server.kill()
    record(database, bought(1), bought(2))
    with database.writing() as session:
        session.execute(update(OutboxEvent).values(recorded_at=clock.now() - DAY))
    with pytest.raises(Exception, match="Redis did not answer"):
        relay(database, broker)
    broker.close()
    found = frame_of(database, "event_backlog").set_index("module")
    assert found["waiting"].tolist() == [2, 0, 0]
    assert found["stuck"].tolist() == [2, 0, 0]
    assert found.loc["ma", "oldest_seconds"] == pytest.approx(86_400, abs=60)
    assert "Redis did not answer" in found.loc["ma", "last_error"]
    assert found["oldest_seconds"].isna().tolist() == [False, True, True]


def test_each_subscriber_says_how_far_behind_it_is(database):
    record(database, bought(1), nothing_to_them())
    with database.writing() as session:
        session.execute(update(OutboxEvent).values(recorded_at=clock.now() - timedelta(minutes=10)))
    behind = frame_of(database, "event_subscribers").set_index("subscriber")
    assert behind["behind"].to_dict() == {"ma": 0, "sales": 1, "service": 1, "webhooks": 0}
    assert behind.loc["sales", "lag_seconds"] == pytest.approx(600, abs=30)
    relay(database, InProcess(database))
    level = frame_of(database, "event_subscribers").set_index("subscriber")
    assert level["behind"].to_dict() == {"ma": 0, "sales": 0, "service": 0, "webhooks": 0}
    assert level.loc["sales", "per_minute"] == pytest.approx(1 / 5)
    assert level.loc["sales", "latency_ms"] == pytest.approx(600_000, rel=0.05)
    assert level["last_type"].dropna().to_dict() == {
        "ma": "LeadsOpened", "sales": "OutcomesRecorded", "service": "OutcomesRecorded",
    }  # fmt: skip
    assert level["position"].isna().all()
    minutes = frame_of(database, "event_throughput", minutes="3")
    assert len(minutes) == 12
    assert minutes.groupby("subscriber")["events"].sum().to_dict() == {
        "ma": 1,
        "sales": 1,
        "service": 1,
        "webhooks": 0,
    }

"""The relay against a real Redis: nothing is lost, whatever dies."""

import json
import threading
from datetime import UTC, datetime

import pytest
import redis
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from ma.db import engine
from ma.db.locks import alone
from ma.errors import BrokerUnavailable
from ma.events import outbox
from ma.events.broker import CHANNEL, STREAM, RedisBroker
from ma.events.envelope import Envelope
from ma.events.housekeeping import LOCK
from ma.events.messages import CampaignCreated, CampaignLaunched, LeadLost, TicketClosed
from ma.events.relay import backlog, relay_once, run_forever
from ma.models import OutboxEvent, SalesOutbox

AT = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)


def record(database, *events):
    with database.writing() as session:
        for event in events:
            outbox.record(session, event, at=AT)


@pytest.fixture
def broker(redis_server):
    broker = RedisBroker(redis_server.url)
    yield broker
    broker.close()


def stream(server):
    client = redis.Redis.from_url(server.url, decode_responses=True)
    entries = [fields for _, fields in client.xrange(STREAM)]
    client.close()
    return entries


def test_relay_sends_events_in_order_to_the_stream(database, redis_server, broker):
    record(database, CampaignCreated(campaign_id=7, channel="email"))
    record(database, CampaignLaunched(campaign_id=7, channel="email", sent=90, holdout=10))
    assert relay_once(database, broker, at=AT) == 2
    created, launched = stream(redis_server)
    assert created["type"] == "CampaignCreated"
    assert created["occurred_at"] == "2026-05-04T09:30:00+00:00"
    assert json.loads(launched["payload"]) == {
        "campaign_id": 7,
        "channel": "email",
        "sent": 90,
        "holdout": 10,
    }
    assert backlog(database) == 0
    assert relay_once(database, broker, at=AT) == 0


def test_relay_sends_what_every_module_tells_and_says_whose_it_is(database, redis_server, broker):
    lost = LeadLost(lead_id=1, customer_id=2, campaign_id=3, reason="not now")
    closed = TicketClosed(ticket_id=4, kind="complaint", customer_id=2, campaign_id=3, resolution="other")
    record(database, CampaignCreated(campaign_id=7, channel="email"), lost, closed)
    assert backlog(database) == 3
    assert relay_once(database, broker, at=AT) == 3
    assert [(e["source"], e["type"]) for e in stream(redis_server)] == [
        ("ma", "CampaignCreated"),
        ("sales", "LeadLost"),
        ("service", "TicketClosed"),
    ]
    with database.reading() as session:
        assert session.scalars(select(SalesOutbox.sent_at)).all() == [AT]


def test_an_entry_of_the_stream_reads_as_what_was_recorded(database, redis_server, broker):
    event = CampaignLaunched(campaign_id=7, channel="email", sent=90, holdout=10)
    record(database, event)
    relay_once(database, broker, at=AT)
    [fields] = stream(redis_server)
    envelope = Envelope.from_fields(fields)
    assert (envelope.source, envelope.occurred_at, envelope.event()) == ("ma", AT, event)


def test_relay_rings_the_channel_for_live_listeners(database, redis_server, broker):
    client = redis.Redis.from_url(redis_server.url, decode_responses=True)
    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(CHANNEL)
    listener.get_message(timeout=2)
    record(database, CampaignCreated(campaign_id=3, channel="sms"))
    relay_once(database, broker, at=AT)
    heard = json.loads(listener.get_message(timeout=2)["data"])
    listener.close()
    client.close()
    assert (heard["type"], heard["payload"]) == ("CampaignCreated", {"campaign_id": 3, "channel": "sms"})


def test_relay_keeps_events_while_redis_is_down_and_sends_them_when_it_returns(
    database, redis_server, broker
):
    redis_server.kill()
    record(database, CampaignCreated(campaign_id=1, channel="email"))
    with pytest.raises(BrokerUnavailable):
        relay_once(database, broker, at=AT)
    assert backlog(database) == 1
    with database.reading() as session:
        waiting = session.scalars(select(OutboxEvent)).one()
    assert waiting.attempts == 1
    assert "Redis did not answer" in waiting.last_error
    redis_server.start()
    assert relay_once(database, broker, at=AT) == 1
    assert [e["type"] for e in stream(redis_server)] == ["CampaignCreated"]


def test_an_event_of_a_change_that_failed_is_never_sent(database, redis_server, broker):
    def fail_after_recording():
        with database.writing() as session:
            outbox.record(session, CampaignCreated(campaign_id=1, channel="email"), at=AT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_recording()
    assert relay_once(database, broker, at=AT) == 0
    assert stream(redis_server) == []


def test_an_event_whose_transaction_commits_late_is_still_sent(postgres_url, redis_server, broker):
    database = engine.connect(postgres_url)
    with database.writing() as slow:
        outbox.record(slow, CampaignCreated(campaign_id=1, channel="email"), at=AT)
        record(database, CampaignCreated(campaign_id=2, channel="email"))
        assert relay_once(database, broker, at=AT) == 1
    assert relay_once(database, broker, at=AT) == 1
    database.close()
    assert [json.loads(e["payload"])["campaign_id"] for e in stream(redis_server)] == [2, 1]


def test_a_relay_killed_after_sending_sends_again(database, redis_server, broker):
    record(database, CampaignCreated(campaign_id=1, channel="email"))
    with database.reading() as session:
        row = session.scalars(select(OutboxEvent)).one()
    broker.send([Envelope.of(row, "ma")])
    assert relay_once(database, broker, at=AT) == 1
    ids = [e["event_id"] for e in stream(redis_server)]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_several_relays_at_once_send_every_event_once(database, redis_server):
    count, each = 300, 20
    record(database, *[CampaignCreated(campaign_id=i, channel="email") for i in range(count)])
    broken = []

    def work():
        broker = RedisBroker(redis_server.url)
        try:
            while backlog(database):
                relay_once(database, broker, at=AT, limit=each)
        except Exception as error:
            broken.append(error)
        broker.close()

    relays = [threading.Thread(target=work) for _ in range(4)]
    for relay in relays:
        relay.start()
    for relay in relays:
        relay.join(timeout=30)
    assert broken == []
    assert [json.loads(e["payload"])["campaign_id"] for e in stream(redis_server)] == list(range(count))


def test_what_could_not_be_marked_is_not_sent(sqlite_url, redis_server, broker, monkeypatch):
    monkeypatch.setattr(engine, "BUSY_MS", 50)
    database = engine.connect(sqlite_url)
    record(database, CampaignCreated(campaign_id=1, channel="email"))
    with database.writing() as somebody:
        somebody.execute(select(OutboxEvent.id))
        with pytest.raises(OperationalError):
            relay_once(database, broker, at=AT)
    assert stream(redis_server) == []
    assert relay_once(database, broker, at=AT) == 1
    database.close()


def test_a_relay_leaves_it_to_the_one_that_is_at_work(database, redis_server, broker):
    record(database, CampaignCreated(campaign_id=1, channel="email"))
    with alone(database, LOCK) as mine:
        assert mine
        assert relay_once(database, broker, at=AT) == 0
    assert relay_once(database, broker, at=AT) == 1


def test_a_relay_that_cannot_begin_says_so_and_tries_again(database, caplog):
    class Impatient(threading.Event):
        tries = 0

        def wait(self, timeout=None):
            self.tries += 1
            if self.tries == 2:
                self.set()

    run_forever(database, "localhost:6379", Impatient())
    logged = [json.loads(record.message) for record in caplog.records if record.name == "ma.errors"]
    assert [(entry["doing"], entry["error"]) for entry in logged] == [("relay", ["ValueError"])] * 2

"""The relay against a real Redis: nothing is lost, whatever dies."""

import json
import threading
from datetime import UTC, datetime

import pytest
import redis
from sqlalchemy import select

from ma.errors import BrokerUnavailable
from ma.events import outbox
from ma.events.broker import CHANNEL, STREAM, RedisBroker
from ma.events.messages import CampaignCreated, CampaignLaunched
from ma.events.relay import backlog, relay_once, run_forever
from ma.models import OutboxEvent

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
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_recording()
    assert relay_once(database, broker, at=AT) == 0
    assert stream(redis_server) == []


def test_a_relay_killed_after_sending_sends_again(database, redis_server, broker):
    record(database, CampaignCreated(campaign_id=1, channel="email"))
    with database.reading() as session:
        broker.send(session.scalars(select(OutboxEvent)).all())
    assert relay_once(database, broker, at=AT) == 1
    ids = [e["event_id"] for e in stream(redis_server)]
    assert len(ids) == 2
    assert len(set(ids)) == 1


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

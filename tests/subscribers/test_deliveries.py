"""Webhooks from the outbox to a real receiver that fails, is slow, redirects, or dies."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from ma import clock
from ma.db import engine
from ma.errors import Conflict
from ma.events.broker import RedisBroker
from ma.events.housekeeping import Housekeeping, settle
from ma.events.messages import SegmentCreated
from ma.models import Audit, OutboxEvent, Webhook, WebhookDelivery, WebhookInbox
from ma.services import webhooks
from ma.settings import settings
from ma.subscribers import deliveries
from ma.subscribers.loop import InProcess
from ma.webhooks import signature
from tests.subscribers.bus_world import drain, record, relay, subscriber
from tests.subscribers.webhook_world import EVENT, TYPES, WON, add, change, hook, later, rows, send, tell
from tests.webhooks.receiver import slow, status

ROOT = Path(__file__).resolve().parent.parent.parent


# From the event to the receiver


def test_what_was_asked_for_is_told_signed_and_nothing_else(database, receivers):
    receiver = receivers()
    made = add(database, receiver)
    tell(database, EVENT, SegmentCreated(segment_id=1), WON)
    assert send(database) == [204, 204]
    with database.reading() as session:
        event_id = session.scalar(select(OutboxEvent.event_id).where(OutboxEvent.type == "CampaignCreated"))
    said = {json.loads(body)["type"]: (headers, body) for headers, body in receiver.received}
    assert set(said) == set(TYPES)
    headers, body = said["CampaignCreated"]
    message = json.loads(body)
    assert message["data"] == {"campaign_id": 5, "channel": "email"}
    assert (message["source"], message["version"], message["timestamp"]) == ("ma", 1, "2026-05-04T09:30:00Z")
    assert headers["webhook-id"] == message["id"] == event_id
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    # What the receiver was given at the start is all it needs.
    secret = base64.b64decode(made.secret.removeprefix("whsec_"))
    expected = signature.headers([secret], headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == expected["webhook-signature"]
    assert {(row.state, row.attempts, row.status) for row in rows(database)} == {("delivered", 1, 204)}


def test_the_secret_is_nowhere_in_the_database(database, receivers):
    made = add(database, receivers())
    with database.reading() as session:
        kept = [tuple(row) for row in session.execute(select(Webhook.__table__))]
        kept += [tuple(row) for row in session.execute(select(Audit.__table__))]
    assert made.secret.removeprefix("whsec_") not in str(kept)


def test_over_redis_each_event_makes_one_delivery_however_often_it_comes(
    database, redis_server, broker, receivers
):
    add(database, receivers())
    record(database, EVENT)
    relay(database, broker)
    with database.writing() as session:
        session.execute(update(OutboxEvent).values(sent_at=None))
    relay(database, broker)
    one = subscriber(database, redis_server.url, "webhooks")
    assert drain(one) == 1
    one.close()
    assert len(rows(database)) == 1


def test_without_webhooks_no_event_waits_for_them(database, redis_server):
    bus = RedisBroker(redis_server.url)
    record(database, EVENT)
    relay(database, bus)
    Housekeeping().tidy(database, bus, now=clock.now())
    with database.reading() as session:
        assert session.scalar(select(func.count()).where(OutboxEvent.settled_at.is_(None))) == 0
        assert session.scalar(select(func.count()).select_from(WebhookInbox)) == 0
    assert sorted(group.name for group in bus.groups()) == ["ma", "sales", "service"]
    bus.close()


def test_an_event_is_kept_until_deliveries_were_made_of_it(database, redis_server, broker, receivers):
    add(database, receivers())
    record(database, EVENT)
    relay(database, broker)
    assert settle(database, at=clock.now()) == 0
    Housekeeping().tidy(database, broker, now=clock.now())
    assert "webhooks" in [group.name for group in broker.groups()]
    one = subscriber(database, redis_server.url, "webhooks")
    drain(one)
    one.close()
    assert settle(database, at=clock.now()) == 1


def test_what_happened_before_is_not_told(database, receivers):
    receiver = receivers()
    record(database, EVENT)
    relay(database, InProcess(database))
    add(database, receiver)
    settle(database, at=clock.now())
    assert relay(database, InProcess(database)) == 0
    assert rows(database) == []


# Failing


def test_a_failure_is_tried_again_later_each_time_and_then_well(database, receivers):
    receiver = receivers()
    receiver.answers = [500, 503, status(429, retry_after="600")]
    add(database, receiver)
    tell(database, EVENT)
    waits = []
    for _ in range(3):
        before = clock.now()
        assert len(send(database)) == 1
        [row] = rows(database)
        assert (row.state, row.error) == ("pending", f"It answered {row.status}.")
        waits.append((row.due_at - before).total_seconds())
        assert send(database) == []
        later(database, timedelta(minutes=11))
    assert 7 < waits[0] < 14
    assert 20 < waits[1] < 40
    assert 595 < waits[2] < 610
    assert hook(database).failures == 3
    assert send(database) == [204]
    assert (rows(database)[0].state, hook(database).failing_since) == ("delivered", None)
    ids = {headers["webhook-id"] for headers, _ in receiver.received}
    assert (len(receiver.received), len(ids)) == (4, 1)


def test_waits_grow_three_times_as_long_to_eight_hours_and_differ():
    first = [deliveries.wait_after(1).total_seconds() for _ in range(200)]
    assert 7.5 <= min(first) < 9 < 11 < max(first) <= 12.5
    assert 67 <= deliveries.wait_after(3).total_seconds() <= 113
    for attempts in (9, 30, 10_000):
        assert 6 <= deliveries.wait_after(attempts) / timedelta(hours=1) <= 10


def test_after_three_days_a_delivery_is_given_up_and_can_be_tried_again(database, receivers):
    receiver = receivers()
    add(database, receiver)
    tell(database, EVENT, WON)
    # One arrives now and then: the receiver works, this event it does not like.
    receiver.answers = [500, 204]
    send(database)
    later(database, timedelta(days=3, hours=1))
    receiver.answers = [500]
    assert send(database) == [500]
    assert [row.state for row in rows(database)] == ["failed", "delivered"]
    assert hook(database).disabled_at is None
    assert change(database, webhooks.retry_deliveries, 1) == 1
    assert send(database) == [204]
    assert [row.state for row in rows(database)] == ["delivered", "delivered"]


def test_who_does_not_answer_is_left_alone_for_a_while_and_then_told_everything(database, receivers):
    receiver = receivers()
    add(database, receiver)
    port = receiver.port
    receiver.stop()
    tell(database, EVENT, WON)
    # The second one is not even tried.
    assert send(database) == ["It refused the connection."]
    assert [row.attempts for row in rows(database)] == [1, 0]
    assert hook(database).paused_until > clock.now()
    with database.writing() as session:
        session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.id == 1)
            .values(due_at=clock.now() + timedelta(hours=8))
        )
        session.execute(update(Webhook).values(paused_until=clock.now()))
    receiver.start(port)
    assert send(database) == [204, 204]


def test_after_three_days_of_failure_it_is_disabled_and_says_so(database, receivers):
    receiver = receivers()
    add(database, receiver)
    receiver.answer = 500
    tell(database, EVENT)
    send(database)
    later(database, timedelta(days=2, hours=23))
    send(database)
    assert hook(database).disabled_at is None
    later(database, timedelta(hours=11))
    send(database)
    found = hook(database)
    assert (found.disabled_why, found.disabled_at is None) == ("failing", False)
    with database.reading() as session:
        entry = session.scalars(select(Audit).where(Audit.action == "disable")).one()
    assert (entry.actor, entry.noun, entry.object_id, entry.detail) == (
        "system",
        "webhook",
        "1",
        {"why": "failing"},
    )
    # From now on nothing is made for it, and nothing waits.
    tell(database, WON)
    settle(database, at=clock.now())
    assert len(rows(database)) == 1
    with pytest.raises(Conflict, match="Enable it first"):
        change(database, webhooks.retry_deliveries, 1)
    receiver.answer = 204
    change(database, webhooks.enable_webhook, 1)
    assert change(database, webhooks.retry_deliveries, 1) == 1
    assert send(database) == [204]


def test_who_is_gone_for_good_is_disabled_at_once(database, receivers):
    receiver = receivers()
    receiver.answer = 410
    add(database, receiver)
    tell(database, EVENT, WON)
    assert send(database) == [410]
    assert hook(database).disabled_why == "gone"


def test_a_redirect_is_not_followed_and_counts_as_a_failure(database, receivers):
    other, receiver = receivers(), receivers()
    receiver.answer = status(302, location=other.url)
    add(database, receiver)
    tell(database, EVENT)
    assert send(database) == [302]
    assert (other.received, rows(database)[0].state) == ([], "pending")


def test_an_address_that_became_private_is_not_told(database, receivers, monkeypatch):
    receiver = receivers()
    add(database, receiver)
    tell(database, EVENT)
    monkeypatch.setenv("MA_WEBHOOK_ALLOW", "")
    settings.cache_clear()
    [answer] = send(database)
    assert "https://" in answer
    assert receiver.received == []


def test_with_another_key_nothing_is_sent_that_nobody_could_verify(database, receivers, monkeypatch):
    receiver = receivers()
    add(database, receiver)
    tell(database, EVENT)
    monkeypatch.setenv("MA_SECRET", "another secret, just as long as that")
    settings.cache_clear()
    [answer] = send(database)
    assert "renew the secret" in answer
    assert receiver.received == []
    change(database, webhooks.renew_secret, 1)
    assert send(database) == [204]
    assert len(receiver.received[0][0]["webhook-signature"].split()) == 1


# Side by side, and dying


def test_a_slow_receiver_holds_nobody_up(database, receivers):
    snail, quick = receivers(), receivers()
    snail.answer = slow(1.5)
    add(database, snail)
    add(database, quick, name="Quick")
    tell(database, *[EVENT] * 5)
    stop = threading.Event()
    sender = deliveries.Sender(database, stop)
    began = time.monotonic()
    while len(quick.received) < 5 and time.monotonic() - began < 10:
        sender.step()
        time.sleep(0.01)
    took = time.monotonic() - began
    stop.set()
    assert (len(quick.received), len(snail.received)) == (5, 1)
    assert took < 1.4
    sender.join(5)
    assert [row.state for row in rows(database) if row.webhook_id == 1].count("delivered") == 1


def test_of_many_senders_at_once_each_delivery_has_one(database, receivers):
    receiver = receivers()
    add(database, receiver)
    tell(database, *[EVENT] * 12)
    threads = [threading.Thread(target=send, args=(database,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 12
    assert len(receiver.received) == 12


KILLED = """
import os, signal, sys
from ma.db.engine import connect
from ma.subscribers import deliveries

real = deliveries.post
def die(*arguments, **options):
    real(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

deliveries.post = die
deliveries.send_next(connect(sys.argv[1]), 1)
"""


def test_a_sender_killed_before_it_could_note_the_answer_sends_again(database, receivers):
    receiver = receivers()
    add(database, receiver)
    tell(database, EVENT)
    url = database.engine.url.render_as_string(hide_password=False)
    killed = subprocess.run([sys.executable, "-c", KILLED, url], cwd=ROOT, env=dict(os.environ), check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(receiver.received) == 1
    # It is the dead one's for two minutes, then anybody's.
    assert send(database) == []
    later(database, timedelta(minutes=2))
    assert send(database) == [204]
    ids = [headers["webhook-id"] for headers, _ in receiver.received]
    assert (len(ids), len(set(ids))) == (2, 1)


def test_it_runs_by_itself_until_it_is_stopped(database, receivers):
    receiver = receivers()
    add(database, receiver)
    stop = threading.Event()
    thread = threading.Thread(target=deliveries.run_forever, args=(database, stop))
    thread.start()
    tell(database, EVENT)
    for _ in range(200):
        if rows(database)[0].state == "delivered":
            break
        time.sleep(0.02)
    stop.set()
    thread.join(5)
    assert len(receiver.received) == 1
    assert rows(database)[0].state == "delivered"


def test_what_arrived_is_noted_however_long_somebody_holds_the_database(sqlite_url, receivers, monkeypatch):
    monkeypatch.setattr(engine, "BUSY_MS", 100)
    database, holder = engine.connect(sqlite_url), engine.connect(sqlite_url)
    released = threading.Event()

    def hold(handler):
        # From the moment it was sent, for longer than a writer waits.
        def keep():
            with holder.writing() as session:
                session.execute(select(Webhook.id))
                held.set()
                time.sleep(0.3)
            released.set()

        held = threading.Event()
        threading.Thread(target=keep).start()
        held.wait(5)
        status(204)(handler)

    receiver = receivers()
    receiver.answer = hold
    add(database, receiver)
    tell(database, EVENT)
    assert deliveries.send_next(database, 1).error is None
    assert released.wait(5)
    assert rows(database)[0].state == "delivered"
    database.close()
    holder.close()


def test_as_a_process_of_its_own_it_listens_and_sends(sqlite_url, redis_server, receivers):
    receiver, database = receivers(), engine.connect(sqlite_url)
    add(database, receiver)
    record(database, EVENT)
    bus = RedisBroker(redis_server.url)
    relay(database, bus)
    bus.close()
    environment = {**os.environ, "MA_DATABASE_URL": sqlite_url, "MA_REDIS_URL": redis_server.url}
    command = [sys.executable, "-m", "ma", "subscribe", "webhooks"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(300):
            if rows(database) and rows(database)[0].state == "delivered":
                break
            time.sleep(0.05)
    finally:
        process.terminate()
        code = process.wait(15)
    assert (len(receiver.received), code) == (1, 0)
    database.close()

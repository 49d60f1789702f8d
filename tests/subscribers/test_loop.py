"""Subscribers over a real Redis, and without one: once each, in any order, whoever dies on the way."""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import redis
from sqlalchemy import select

from ma.db.engine import connect
from ma.errors import BrokerUnavailable
from ma.events.broker import STREAM
from ma.events.envelope import Envelope
from ma.events.messages import CustomerErased, CustomersMerged
from ma.models import OutboxEvent
from ma.subscribers import loop
from ma.subscribers.inbox import receive
from ma.subscribers.loop import InProcess, run_forever, run_in_process
from tests.subscribers.bus_world import (
    AT,
    HOUR,
    SALES,
    bought,
    drain,
    leads,
    nothing_to_them,
    outcomes,
    record,
    recorded,
    relay,
    subscriber,
)

ROOT = Path(__file__).resolve().parent.parent.parent


def pending(server, group="sales"):
    client = redis.Redis.from_url(server.url)
    found = client.xpending(STREAM, group)["pending"]
    client.close()
    return found


def add(server, *fields):
    client = redis.Redis.from_url(server.url)
    for one in fields:
        client.xadd(STREAM, one)
    client.close()


def customers(database):
    return [lead[0] for lead in leads(database)]


def test_a_subscriber_acts_on_what_was_relayed_and_acknowledges_it(database, redis_server, broker):
    record(database, bought(1), nothing_to_them(), bought(2))
    relay(database, broker)
    one = subscriber(database, redis_server.url)
    assert drain(one) == 2
    one.close()
    assert customers(database) == [1, 2]
    assert pending(redis_server) == 0


def test_two_subscribers_of_a_module_share_the_events(database, redis_server, broker, monkeypatch):
    monkeypatch.setattr(loop, "BATCH", 5)
    record(database, *[bought(i) for i in range(1, 41)])
    relay(database, broker)
    pair = [subscriber(database, redis_server.url) for _ in range(2)]
    shares = [0, 0]
    while sum(shares) < 40:
        for i, one in enumerate(pair):
            shares[i] += one.step(wait_seconds=0.02)
    for one in pair:
        one.close()
    assert min(shares) > 0
    assert customers(database) == list(range(1, 41))


KILLED = """
import os, signal, sys
from ma.db.engine import connect
from ma.events.consumer import Consumer
from tests.subscribers.bus_world import subscriber

def die(self, deliveries):
    os.kill(os.getpid(), signal.SIGKILL)

Consumer.acknowledge = die
one = subscriber(connect(sys.argv[1]), sys.argv[2])
while True:
    one.step(wait_seconds=0.05)
"""


def test_a_subscriber_killed_between_commit_and_acknowledgement_has_one_effect(
    database, request, redis_server, broker
):
    url = database.engine.url.render_as_string(hide_password=False)
    record(database, bought(1), bought(2))
    relay(database, broker)
    killed = subprocess.run([sys.executable, "-c", KILLED, url, redis_server.url], cwd=ROOT, check=False)
    assert killed.returncode == -9
    assert (recorded(database), pending(redis_server)) == (2, 2)
    heir = subscriber(database, redis_server.url, claim_after_seconds=0.0)
    assert drain(heir) == 0
    heir.close()
    assert (customers(database), recorded(database), pending(redis_server)) == ([1, 2], 2, 0)


def test_what_somebody_was_given_before_they_died_another_one_does(database, redis_server, broker):
    dead = subscriber(database, redis_server.url)
    drain(dead)
    record(database, bought(1))
    relay(database, broker)
    assert len(dead._consumer.read(10, wait_seconds=0.1)) == 1
    dead.close()
    impatient = subscriber(database, redis_server.url, claim_after_seconds=60.0)
    assert drain(impatient) == 0
    impatient.close()
    heir = subscriber(database, redis_server.url, claim_after_seconds=0.0)
    assert drain(heir) == 1
    heir.close()
    assert customers(database) == [1]


def test_what_could_not_be_saved_is_read_again_before_anything_new(
    sqlite_url, redis_server, broker, monkeypatch
):
    from ma.db import engine

    monkeypatch.setattr(engine, "BUSY_MS", 50)
    database = connect(sqlite_url)
    one = subscriber(database, redis_server.url)
    drain(one)
    record(database, bought(1))
    relay(database, broker)
    with database.writing() as other:
        other.execute(select(OutboxEvent.id))
        with pytest.raises(Exception, match="locked"):
            one.step(wait_seconds=0.5)
    assert pending(redis_server) == 1
    record(database, bought(2))
    relay(database, broker)
    assert drain(one) == 2
    one.close()
    database.close()
    assert pending(redis_server) == 0


def stories():
    """Events of which some concern the same people: clicks, purchases, a merge and an erasure."""
    return [
        outcomes("clicked", 1, 2, 3),
        outcomes("clicked", 4, 5, band=1),
        bought(1),
        bought(2, campaign_id=2),
        outcomes("clicked", 1, 6, campaign_id=2, at=AT - 2 * HOUR),
        CustomersMerged(customer_id=3, merged_id=2),
        CustomerErased(customer_id=6),
        CustomersMerged(customer_id=7, merged_id=3),
        outcomes("converted", 5, campaign_id=3, revenue_minor=700),
        outcomes("clicked", 8, at=AT - 24 * 8 * HOUR),
    ]


def as_sent(database, events):
    record(database, *events)
    with database.reading() as session:
        rows = session.scalars(select(OutboxEvent).order_by(OutboxEvent.id)).all()
    return [Envelope.of(row, "ma") for row in rows]


EXPECTED = [
    # 1: bought (50), two clicks (20), band 4 (20). 5 had a cold click (band 1 then, 4 at the purchase).
    (1, 1, "conversion", 90, 1000),
    (5, 3, "conversion", 80, 700),
    # 2 became 3, and 3 became 7: a purchase and two clicks in one campaign, of which one counts.
    (7, 2, "conversion", 80, 1000),
]


def test_three_copies_of_each_event_in_any_order_have_one_effect(database, redis_server):
    copies = [envelope.to_fields() for envelope in as_sent(database, stories()) for _ in range(3)]
    random.Random(7).shuffle(copies)
    add(redis_server, *copies)
    one = subscriber(database, redis_server.url)
    assert drain(one) == len(stories())
    one.close()
    assert leads(database) == EXPECTED


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_events_changes_nothing(sqlite_url, seed):
    database = connect(sqlite_url)
    envelopes = as_sent(database, stories())
    if seed:
        random.Random(seed).shuffle(envelopes)
    for envelope in envelopes:
        receive(database, SALES, loop.HANDLERS["sales"], [envelope])
    assert leads(database) == EXPECTED
    database.close()


def test_entries_that_are_none_of_ours_are_passed_over(database, redis_server, broker):
    one = subscriber(database, redis_server.url)
    drain(one)
    add(redis_server, {"hello": "world"}, {"event_id": "x", "type": "OutcomesRecorded", "version": "one"})
    record(database, bought(1))
    relay(database, broker)
    assert drain(one) == 1
    one.close()
    assert pending(redis_server) == 0


def test_a_subscriber_outlives_a_redis_that_went_away(database, redis_server, broker, caplog, monkeypatch):
    monkeypatch.setattr(loop, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(loop, "WAIT_SECONDS", 0.05)
    url = database.engine.url.render_as_string(hide_password=False)
    stop = threading.Event()
    own = connect(url)
    thread = threading.Thread(target=run_forever, args=(own, "sales", redis_server.url, stop))
    thread.start()
    try:
        record(database, bought(1))
        relay(database, broker)
        wait_for(lambda: customers(database) == [1])
        redis_server.kill()
        wait_for(lambda: "sales goes on when it answers" in caplog.text)
        redis_server.start()
        record(database, bought(2))
        relay(database, broker)
        wait_for(lambda: customers(database) == [1, 2])
    finally:
        stop.set()
        thread.join(timeout=10)
        own.close()
    assert not thread.is_alive()


def wait_for(true, *, seconds=15):
    for _ in range(seconds * 50):
        if true():
            return
        time.sleep(0.02)
    raise AssertionError("It did not happen.")


def test_without_redis_the_relay_hands_events_to_the_same_subscribers(database):
    record(database, bought(1), nothing_to_them())
    assert relay(database, InProcess(database)) == 3
    assert customers(database) == [1]
    # The third event is that of Sales: the lead that was opened.
    with database.reading() as session:
        assert session.scalars(select(OutboxEvent.sent_at)).all() == [AT, AT]


def test_without_redis_events_wait_while_the_database_is_held(sqlite_url, monkeypatch):
    from ma.db import engine

    monkeypatch.setattr(engine, "BUSY_MS", 50)
    database = connect(sqlite_url)
    record(database, bought(1))
    with database.writing() as other:
        other.execute(select(OutboxEvent.id))
        with pytest.raises(BrokerUnavailable):
            InProcess(database).send(as_sent_now(database))
    assert relay(database, InProcess(database)) == 2
    assert customers(database) == [1]
    database.close()


def as_sent_now(database):
    with database.reading() as session:
        rows = session.scalars(select(OutboxEvent).order_by(OutboxEvent.id)).all()
    return [Envelope.of(row, "ma") for row in rows]


def test_in_process_it_runs_until_it_is_stopped(sqlite_url):
    database = connect(sqlite_url)
    stop = threading.Event()
    thread = threading.Thread(target=run_in_process, args=(database, stop))
    thread.start()
    try:
        record(database, bought(1))
        wait_for(lambda: customers(database) == [1])
    finally:
        stop.set()
        thread.join(timeout=10)
        database.close()
    assert not thread.is_alive()

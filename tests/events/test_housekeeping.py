"""Nothing is lost when Redis forgets, nothing is dropped that somebody needs, and the rest is cleared."""

from datetime import timedelta

import pytest
import redis
from sqlalchemy import delete, func, select, update

from ma import clock
from ma.events.broker import STREAM, RedisBroker
from ma.events.housekeeping import INBOX_KEPT_FOR, KEPT_FOR, Housekeeping, settle
from ma.events.relay import backlog
from ma.models import OutboxEvent, SalesInbox, SalesOutbox, ServiceDeadLetter, ServiceInbox
from ma.subscribers import loop
from tests.subscribers.bus_world import (
    AT,
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


@pytest.fixture
def broker(redis_server):
    broker = RedisBroker(redis_server.url)
    yield broker
    broker.close()


@pytest.fixture
def everybody(database, redis_server):
    """A subscriber for each module."""
    three = {name: subscriber(database, redis_server.url, name) for name in ("ma", "sales", "service")}
    yield three
    for one in three.values():
        one.close()


def tidy(database, broker, *, now=None, by=None):
    (by or Housekeeping()).tidy(database, broker, now=now or clock.now())


def length(server):
    client = redis.Redis.from_url(server.url)
    found = client.xlen(STREAM)
    client.close()
    return found


def settled(database, table=OutboxEvent):
    with database.reading() as session:
        return session.scalar(select(func.count()).where(table.settled_at.is_not(None)))


def customers(database):
    return [lead[0] for lead in leads(database)]


def restart(server):
    server.kill()
    server.start()


def test_what_a_redis_forgot_before_anybody_read_it_is_sent_again(database, redis_server, broker, everybody):
    record(database, *[bought(i) for i in range(1, 6)])
    assert relay(database, broker) == 5
    restart(redis_server)
    tidy(database, broker)
    assert backlog(database) == 5
    assert relay(database, broker) == 5
    assert drain(everybody["sales"]) == 5
    assert customers(database) == [1, 2, 3, 4, 5]


def test_only_what_somebody_lacks_is_sent_again(database, redis_server, broker, everybody):
    record(database, *[bought(i) for i in range(1, 4)], nothing_to_them())
    relay(database, broker)
    for one in everybody.values():
        drain(one)
    record(database, bought(4))
    relay(database, broker)
    drain(everybody["service"])
    restart(redis_server)
    tidy(database, broker)
    # Sales lacks one; its three leads were told to `ma`, which has not heard of them either.
    assert backlog(database) == 1 + 1
    relay(database, broker)
    assert [drain(everybody[name]) for name in ("service", "sales")] == [0, 1]
    assert customers(database) == [1, 2, 3, 4]


def test_the_last_seconds_that_a_restarted_redis_forgot_are_found_among_newer_entries(
    database, redis_server, broker, everybody
):
    by = Housekeeping()
    record(database, bought(1), bought(2))
    relay(database, broker)
    tidy(database, broker, by=by)
    client = redis.Redis.from_url(redis_server.url)
    [_, last] = [entry_id for entry_id, _ in client.xrange(STREAM)]
    client.xdel(STREAM, last)
    client.close()
    record(database, bought(3))
    relay(database, broker)
    # As long as the server is the same, nothing looks for holes: nobody but the relay drops entries.
    tidy(database, broker, by=by, now=clock.now() + timedelta(minutes=1))
    assert backlog(database) == 0
    tidy(database, broker)
    assert backlog(database) == 1
    relay(database, broker)
    assert drain(everybody["sales"]) == 3


def test_a_module_whose_database_was_restored_from_a_backup_gets_what_it_lacks(
    database, redis_server, broker, everybody
):
    record(database, bought(1), bought(2))
    relay(database, broker)
    drain(everybody["sales"])
    with database.writing() as session:
        session.execute(delete(SalesInbox))
    for name in ("service", "ma"):
        drain(everybody[name])
    by = Housekeeping()
    for minutes in (0, 1):
        # The first round drops the entries from the stream, since everybody had acknowledged them.
        tidy(database, broker, by=by, now=clock.now() + timedelta(minutes=minutes))
    assert backlog(database) >= 2
    relay(database, broker)
    assert drain(everybody["sales"]) == 2
    assert customers(database) == [1, 2]


def test_the_stream_keeps_what_one_group_has_not_acknowledged(database, redis_server, broker, everybody):
    tidy(database, broker)
    record(database, *[bought(i) for i in range(1, 6)])
    relay(database, broker)
    drain(everybody["sales"])
    drain(everybody["ma"])
    assert broker.trim() == 0
    held = everybody["service"]._consumer.read(2, wait_seconds=0.1)
    assert (len(held), broker.trim(), length(redis_server)) == (2, 0, 5)
    everybody["service"]._consumer.acknowledge(held[:1])
    assert (broker.trim(), length(redis_server)) == (1, 4)
    everybody["service"]._consumer.acknowledge(held[1:])
    drain(everybody["service"])
    assert (broker.trim(), length(redis_server)) == (4, 0)


def test_a_group_that_others_made_holds_the_stream_too(database, redis_server, broker, everybody):
    client = redis.Redis.from_url(redis_server.url)
    client.xgroup_create(STREAM, "warehouse", id="0", mkstream=True)
    client.close()
    record(database, bought(1))
    relay(database, broker)
    for one in everybody.values():
        drain(one)
    assert broker.trim() == 0


def test_nothing_is_trimmed_before_subscribers_have_begun(database, redis_server, broker, everybody):
    record(database, bought(1))
    relay(database, broker)
    tidy(database, broker)
    assert length(redis_server) == 1
    assert drain(everybody["service"]) == 1
    assert drain(everybody["sales"]) == 1
    assert broker.trim() == 0
    drain(everybody["ma"])
    assert broker.trim() == 1


def test_an_event_is_settled_when_every_subscriber_has_it_or_has_put_it_aside(
    database, redis_server, broker, everybody
):
    def refuse(session, happened):
        raise RuntimeError

    broken = subscriber(database, redis_server.url, "service", handlers={"OutcomesRecorded": refuse})
    record(database, bought(1), nothing_to_them())
    assert settle(database, at=AT) == 0
    relay(database, broker)
    assert settle(database, at=AT) == 1
    drain(everybody["sales"])
    assert settle(database, at=AT) == 0
    drain(broken)
    broken.close()
    assert settle(database, at=AT) == 1
    assert settled(database) == 2
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ServiceDeadLetter)) == 1


def test_settled_events_are_deleted_after_a_week_and_inboxes_forget_them_later(
    database, redis_server, broker, everybody
):
    record(database, bought(1))
    relay(database, broker)
    drain(everybody["sales"])
    now = clock.now()
    tidy(database, broker, now=now + 2 * INBOX_KEPT_FOR)
    assert (recorded(database), count(database, OutboxEvent)) == (1, 1), "Service lacks it still"
    drain(everybody["service"])
    tidy(database, broker, now=now)
    assert settled(database) == 1
    tidy(database, broker, now=now + KEPT_FOR - timedelta(minutes=1))
    assert count(database, OutboxEvent) == 1
    tidy(database, broker, now=now + KEPT_FOR + timedelta(minutes=1))
    assert (count(database, OutboxEvent), recorded(database)) == (0, 1)
    tidy(database, broker, now=now + INBOX_KEPT_FOR + timedelta(minutes=1))
    assert (recorded(database), count(database, ServiceInbox)) == (0, 0)


def count(database, table):
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(table))


def test_a_subscriber_that_is_away_for_long_does_not_make_the_stream_grow(
    database, redis_server, broker, everybody
):
    record(database, *[bought(i) for i in range(1, 6)])
    relay(database, broker)
    for minutes in range(5):
        tidy(database, broker, now=clock.now() + timedelta(minutes=minutes))
        assert relay(database, broker) == 0
    assert length(redis_server) == 5


def test_without_redis_whatever_somebody_lacks_is_handed_over_again(database):
    bus = loop.InProcess(database)
    record(database, bought(1), outcomes("complained", 2))
    relay(database, bus)
    with database.writing() as session:
        session.execute(delete(SalesInbox))
        session.execute(update(SalesOutbox).values(sent_at=None))
    tidy(database, bus)
    assert backlog(database) == 3
    relay(database, bus)
    assert recorded(database) == 2
    assert customers(database) == [1]

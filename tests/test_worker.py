"""The worker does what is due, goes on after errors, and stops when it is told to."""

import logging
import threading

import pytest
from sqlalchemy import func, select

from ma import worker
from ma.models import Customer
from ma.services.campaigns import schedule_campaign
from ma.services.segments import create_segment
from ma.types import SYSTEM
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, campaign, days, draft


@pytest.fixture
def scheduled(database):
    """Two campaigns that are launched a day from NOW."""
    with database.writing() as session:
        world.build(session, 100)
        ids = [draft(session, name=name) for name in ("One", "Two")]
        for campaign_id in ids:
            schedule_campaign(session, SYSTEM, campaign_id, scheduled_at=NOW + days(1), at=NOW)
    return ids


def statuses(database, ids):
    with database.reading() as session:
        return [campaign(session, campaign_id).status for campaign_id in ids]


def test_a_tick_does_what_is_due_and_the_next_one_nothing(database, scheduled):
    assert worker.tick(database, at=NOW) == []
    assert [item.kind for item in worker.tick(database, at=NOW + days(1))] == ["launch", "launch"]
    assert worker.tick(database, at=NOW + days(1)) == []
    assert statuses(database, scheduled) == ["running", "running"]


def test_one_campaign_that_fails_does_not_hold_up_the_others(database, scheduled, monkeypatch, caplog):
    usual = worker.carry_out

    def stumble(session, item):
        if item.campaign_id == scheduled[0]:
            raise RuntimeError("out of luck")
        return usual(session, item)

    monkeypatch.setattr(worker, "carry_out", stumble)
    assert [item.campaign_id for item in worker.tick(database, at=NOW + days(1))] == [scheduled[1]]
    assert statuses(database, scheduled) == ["scheduled", "running"]
    assert f"launch of campaign {scheduled[0]}" in caplog.text
    # Messages can hold names: the log keeps the kind of error and the place.
    assert "RuntimeError" in caplog.text
    assert "out of luck" not in caplog.text


def test_profiles_are_rebuilt_at_most_once_an_hour(database, scheduled):
    def figures():
        with database.reading() as session:
            return set(session.scalars(select(Customer.profiled_at)))

    since = worker.refresh_profiles(database, at=NOW)
    assert (since, figures()) == (NOW, {NOW})
    assert worker.refresh_profiles(database, since=since, at=NOW + days(0.04)) == NOW
    assert worker.refresh_profiles(database, at=NOW + days(0.04)) == NOW
    later = NOW + days(0.05)
    assert worker.refresh_profiles(database, since=since, at=later) == later
    assert figures() == {later}


def test_segments_are_refreshed_every_six_hours_and_campaigns_do_not_wait_for_that(database, scheduled):
    assert worker.refresh_segments(database, at=NOW).done == 1
    assert worker.refresh_segments(database, at=NOW + days(0.24)) is None
    # The demo clock jumps a day: the launches that are due meanwhile happen in between.
    assert worker.refresh_segments(database, at=NOW + days(1)).done == 1
    assert statuses(database, scheduled) == ["running", "running"]
    assert worker.refresh_segments(database, at=NOW + days(1)) is None


def test_a_refresh_of_segments_stops_with_the_worker_and_is_begun_anew(database, scheduled):
    with database.writing() as session:
        rule = {"field": "orders", "operator": "gte", "value": 0}
        create_segment(session, SYSTEM, name="Another", rule=rule, at=NOW)
    stop = threading.Event()
    stop.set()
    assert worker.refresh_segments(database, stop=stop, at=NOW).done == 1
    assert worker.refresh_segments(database, at=NOW).done == 2


def test_it_runs_until_it_is_stopped_and_outlives_trouble(database, scheduled, monkeypatch, caplog):
    monkeypatch.setattr(worker, "EVERY_SECONDS", 0.02)
    usual, ticks = worker.tick, []

    def stumble(database):
        ticks.append(1)
        if len(ticks) < 4:
            raise RuntimeError("the database is away")
        return usual(database)

    monkeypatch.setattr(worker, "tick", stumble)
    stop = threading.Event()
    thread = threading.Thread(target=worker.run_forever, args=(database, stop))
    with caplog.at_level(logging.ERROR):
        thread.start()
        for _ in range(500):
            if len(ticks) > 5:
                break
            stop.wait(0.02)
        stop.set()
        thread.join(timeout=10)
    assert not thread.is_alive()
    assert len(ticks) > 5
    # The same trouble three times is told once.
    assert caplog.text.count("scheduled work") == 1
    with database.reading() as session:
        assert session.scalar(select(func.count(Customer.profiled_at))) == 100

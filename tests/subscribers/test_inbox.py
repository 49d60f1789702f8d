"""An event has its effect once, and one that cannot be used does not hold up the others."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import OperationalError

from ma import clock
from ma.events.envelope import Envelope
from ma.models import SalesDeadLetter
from ma.subscribers.handlers import HANDLERS
from ma.subscribers.inbox import TRIES, receive, retry, retry_due
from tests.subscribers.bus_world import AT, SALES, bought, leads, nothing_to_them, recorded

USUAL = HANDLERS["sales"]


def envelope(event, event_id):
    kind = type(event)
    return Envelope(event_id, event.module, kind.__name__, kind.version, AT, event.model_dump_json())


def letters(database):
    query = select(SalesDeadLetter).order_by(SalesDeadLetter.event_id)
    with database.reading() as session:
        return session.scalars(query).all()


def customers(database):
    return [lead[0] for lead in leads(database)]


def test_each_event_has_its_effect_once_also_within_one_delivery(database):
    events = [envelope(bought(i), f"e{i}") for i in (1, 2)]
    assert receive(database, SALES, USUAL, [*events, *events]) == 2
    assert receive(database, SALES, USUAL, events) == 0
    assert customers(database) == [1, 2]
    assert recorded(database) == 2


def test_events_of_types_that_a_module_does_not_listen_to_leave_no_trace(database):
    assert receive(database, SALES, USUAL, [envelope(nothing_to_them(), "e1")]) == 0
    assert recorded(database) == 0


def test_an_effect_that_fails_leaves_neither_effect_nor_inbox_row(database):
    def half(session, happened):
        USUAL["OutcomesRecorded"](session, happened)
        raise RuntimeError("anna@example.com")

    assert receive(database, SALES, {"OutcomesRecorded": half}, [envelope(bought(1), "e1")]) == 0
    assert (customers(database), recorded(database)) == ([], 0)
    [letter] = letters(database)
    assert (letter.event_id, letter.source, letter.attempts) == ("e1", "ma", 1)
    assert letter.error.startswith("RuntimeError (reference ")
    assert "anna" not in letter.error


def poisoned(session, happened):
    """Sales, with customer 2 as poison."""
    for one in happened:
        if any(outcome.customer_id == 2 for outcome in one.event.outcomes):
            raise ZeroDivisionError
    USUAL["OutcomesRecorded"](session, happened)


POISONED = {**USUAL, "OutcomesRecorded": poisoned}


def test_one_poison_event_is_put_aside_and_the_others_of_its_batch_flow(database):
    events = [envelope(bought(i), f"e{i}") for i in (1, 2, 3)]
    assert receive(database, SALES, POISONED, events) == 2
    assert customers(database) == [1, 3]
    assert [letter.event_id for letter in letters(database)] == ["e2"]


def test_what_fails_five_times_is_parked_until_somebody_wants_it_tried_again(database):
    receive(database, SALES, POISONED, [envelope(bought(2), "e2")])
    now, waits = clock.now(), []
    for attempt in range(2, TRIES + 1):
        [letter] = letters(database)
        waits.append((letter.retry_at - letter.failed_at).total_seconds())
        assert retry_due(database, SALES, POISONED, now=letter.retry_at - timedelta(seconds=0.5)) == 0
        now = letter.retry_at
        assert retry_due(database, SALES, POISONED, now=now) == 0
        assert letters(database)[0].attempts == attempt
    assert waits == [1, 4, 16, 64]
    [parked] = letters(database)
    assert (parked.attempts, parked.retry_at) == (5, None)
    assert retry_due(database, SALES, USUAL, now=now + timedelta(days=9)) == 0
    with database.writing() as session:
        assert retry(session, SALES, event_id="e2", now=now) == 1
    assert retry_due(database, SALES, USUAL, now=now) == 1
    assert (customers(database), letters(database), recorded(database)) == ([2], [], 1)


def test_a_copy_that_comes_while_the_first_is_put_aside_is_one_event_still(database):
    events = [envelope(bought(2), "e2")]
    for _ in range(2):
        receive(database, SALES, POISONED, events)
    assert [letter.attempts for letter in letters(database)] == [1]
    assert receive(database, SALES, USUAL, events) == 1
    assert (letters(database), customers(database)) == ([], [2])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 9}, "OutcomesRecorded version 9 is unknown"),
        ({"text": '{"campaign_id": 1}'}, "OutcomesRecorded version 1 has other fields"),
        ({"text": "[]"}, "OutcomesRecorded version 1 has other fields"),
        ({"text": "{"}, "OutcomesRecorded version 1 has other fields"),
    ],
)
def test_an_event_of_another_version_waits_among_the_dead_letters_for_a_program_that_knows_it(
    database, change, said
):
    assert receive(database, SALES, USUAL, [replace(envelope(bought(1), "e1"), **change)]) == 0
    [letter] = letters(database)
    assert said in letter.error
    with database.writing() as session:
        good = envelope(bought(1), "e1")
        session.execute(update(SalesDeadLetter).values(version=good.version, payload=good.payload()))
    assert retry_due(database, SALES, USUAL, now=clock.now() + timedelta(hours=1)) == 1
    assert customers(database) == [1]


def test_a_database_that_cannot_be_used_is_not_the_events_fault(sqlite_url, monkeypatch):
    from ma.db import engine

    monkeypatch.setattr(engine, "BUSY_MS", 50)
    database = engine.connect(sqlite_url)
    events = [envelope(bought(1), "e1")]
    with database.writing() as other:
        other.execute(text("SELECT 1"))
        with pytest.raises(OperationalError):
            receive(database, SALES, USUAL, events)
    assert letters(database) == []
    assert receive(database, SALES, USUAL, events) == 1
    database.close()


def test_an_event_that_makes_the_database_refuse_is_put_aside(sqlite_url):
    from ma.db.engine import connect

    database = connect(sqlite_url)

    def wrong(session, happened):
        session.execute(text("SELECT * FROM no_such_table"))

    receive(database, SALES, {"OutcomesRecorded": wrong}, [envelope(bought(1), "e1")])
    assert [letter.error.split(" (")[0] for letter in letters(database)] == ["OperationalError"]
    database.close()

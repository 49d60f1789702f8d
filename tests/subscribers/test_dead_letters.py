"""What is given up is never acted on, never sent again, and noted."""

import pytest
from sqlalchemy import select

from ma import clock
from ma.errors import Conflict, NotAllowed, NotFound
from ma.events.housekeeping import send_all_again, settle
from ma.models import Audit, OutboxEvent
from ma.subscribers import handlers
from ma.subscribers.dead_letters import give_up_on
from ma.subscribers.inbox import receive, retry_due
from ma.subscribers.loop import InProcess
from ma.types import Actor, Role
from tests.subscribers.bus_world import SALES, bought, leads, record, relay
from tests.subscribers.test_inbox import POISONED, letters

IDA = Actor("ida", Role.ADMIN)


@pytest.fixture
def failed(database, monkeypatch):
    """An event that Sales could not act on; its id."""
    monkeypatch.setitem(handlers.HANDLERS, "sales", POISONED)
    record(database, bought(2))
    relay(database, InProcess(database))
    [letter] = letters(database)
    monkeypatch.undo()
    return letter.event_id


def give_up(database, event_id, *, actor=IDA, module="sales"):
    with database.writing() as session:
        give_up_on(session, actor, module, event_id=event_id, at=clock.now())


def test_what_is_given_up_is_never_tried_nor_sent_again(database, failed):
    give_up(database, failed)
    assert letters(database) == []
    assert retry_due(database, SALES, handlers.HANDLERS["sales"], now=clock.now()) == 0
    assert send_all_again(database) == 0
    assert relay(database, InProcess(database)) == 0
    assert leads(database) == []
    settle(database, at=clock.now())
    with database.reading() as session:
        assert session.scalar(select(OutboxEvent.settled_at)) is not None
        entry = session.execute(select(Audit)).scalar_one()
    assert (entry.actor, entry.action, entry.noun, entry.object_id) == ("ida", "give up", "event", failed)
    assert entry.detail == {"module": "sales"}


def test_a_late_copy_of_it_has_no_effect(database, failed):
    give_up(database, failed)
    with database.reading() as session:
        row = session.execute(select(OutboxEvent.__table__)).one()
    from ma.events.envelope import Envelope

    assert receive(database, SALES, handlers.HANDLERS["sales"], [Envelope.of(row, "ma")]) == 0
    assert leads(database) == []


def test_what_is_no_longer_there_cannot_be_given_up(database, failed):
    give_up(database, failed)
    with pytest.raises(Conflict):
        give_up(database, failed)
    with pytest.raises(NotFound):
        give_up(database, failed, module="warehouse")


def test_only_an_admin_gives_up(database, failed):
    with pytest.raises(NotAllowed):
        give_up(database, failed, actor=Actor("mia", Role.MARKETER))
    assert [letter.event_id for letter in letters(database)] == [failed]

"""What admins do with webhooks, and what becomes of what waits for them."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from ma import clock
from ma.errors import InvalidInput, NotAllowed, NotFound
from ma.events.housekeeping import send_all_again, settle
from ma.events.messages import (
    CustomerErased,
    CustomersMerged,
    CustomersSuppressed,
    CustomerUpdated,
    LeadsOpened,
    LeadWon,
    OutcomesRecorded,
    OutcomesWithdrawn,
    SegmentCreated,
    SuppressionsLifted,
    TicketsOpened,
)
from ma.events.people import OF_MANY, people
from ma.models import OutboxEvent, SalesOutbox
from ma.services import erasing, webhooks
from ma.subscribers import deliveries
from ma.subscribers.loop import InProcess
from ma.types import SYSTEM, Actor, Role
from ma.webhooks.addresses import Allowed, check
from tests.services import one_person
from tests.subscribers.bus_world import record, relay
from tests.subscribers.webhook_world import EVENT, TYPES, WON, add, change, later, rows, send, tell


def test_only_admins_have_to_do_with_webhooks(database, receivers):
    receiver = receivers()
    marketer = Actor("mia", Role.MARKETER, 1)
    address = check(receiver.url, Allowed("127.0.0.1"))
    with database.writing() as session, pytest.raises(NotAllowed):
        webhooks.create_webhook(session, marketer, address, name="x", types=TYPES, at=clock.now())
    add(database, receiver)
    for what in (
        webhooks.disable_webhook, webhooks.enable_webhook, webhooks.delete_webhook, webhooks.renew_secret,
        webhooks.retry_deliveries, webhooks.add_test,
    ):  # fmt: skip
        with pytest.raises(NotAllowed):
            change(database, what, 1, actor=marketer)
    with pytest.raises(NotAllowed):
        change(database, webhooks.change_types, 1, TYPES, actor=marketer)
    with database.reading() as session:
        for what, more in ((webhooks.webhooks, ()), (webhooks.deliveries, (1,))):
            with pytest.raises(NotAllowed):
                what(session, marketer, *more)


def test_every_problem_is_told_at_once(database, receivers):
    address = check(receivers().url, Allowed("127.0.0.1"))
    with database.writing() as session, pytest.raises(InvalidInput) as refused:
        webhooks.create_webhook(session, SYSTEM, address, name=" ", types=["CampaignLost"], at=clock.now())
    assert set(refused.value.problems) == {"name", "types"}
    with pytest.raises(NotFound):
        change(database, webhooks.disable_webhook, 9)


def test_the_list_says_how_each_is(database, receivers):
    receiver = receivers()
    add(database, receiver)
    add(database, receivers(), name="Archive", types=["LeadWon"])
    tell(database, EVENT, WON)
    receiver.answers = [204, 500]
    send(database)
    with database.reading() as session:
        archive, erp = webhooks.webhooks(session, SYSTEM)
        latest = webhooks.deliveries(session, SYSTEM, 1)
    assert (archive.name, archive.types, archive.pending) == ("Archive", ("LeadWon",), 1)
    assert (erp.types, erp.pending, erp.delivered, erp.failed) == (TYPES, 1, 1, 0)
    assert erp.failing_since is not None
    assert [(one.state, one.status) for one in latest] == [("pending", 500), ("delivered", 204)]


def test_a_test_delivery_is_tried_once_also_while_it_is_disabled(database, receivers):
    receiver = receivers()
    add(database, receiver)
    change(database, webhooks.disable_webhook, 1)
    receiver.answers = [500, 204]
    for expected in (500, 204):
        delivery_id = change(database, webhooks.add_test, 1)
        assert deliveries.send_next(database, 1, delivery_id=delivery_id).status == expected
    assert [row.state for row in rows(database)] == ["failed", "delivered"]
    assert json.loads(receiver.received[0][1])["type"] == "Test"


def test_with_a_new_secret_the_old_one_signs_beside_it_for_a_day(database, receivers):
    receiver = receivers()
    old = add(database, receiver)
    new = change(database, webhooks.renew_secret, 1)
    assert new.secret != old.secret
    tell(database, EVENT)
    send(database)
    assert len(receiver.received[0][0]["webhook-signature"].split()) == 2
    later(database, timedelta(hours=24))
    tell(database, WON)
    send(database)
    assert len(receiver.received[1][0]["webhook-signature"].split()) == 1


def test_other_types_count_from_now_on_and_those_that_stay_as_before(database, receivers):
    add(database, receivers())
    record(database, EVENT, WON, SegmentCreated(segment_id=1))
    # Sent to a bus that then forgot them.
    with database.writing() as session:
        for table in (OutboxEvent, SalesOutbox):
            session.execute(update(table).values(sent_at=clock.now()))
    change(database, webhooks.change_types, 1, ["SegmentCreated", "LeadWon"])
    send_all_again(database)
    relay(database, InProcess(database))
    assert [row.type for row in rows(database)] == ["LeadWon"]
    tell(database, EVENT, SegmentCreated(segment_id=2))
    assert [row.type for row in rows(database)] == ["LeadWon", "SegmentCreated"]
    with pytest.raises(InvalidInput, match="at least one"):
        change(database, webhooks.change_types, 1, [])


def test_a_deleted_webhook_leaves_nothing(database, receivers):
    add(database, receivers())
    tell(database, EVENT)
    change(database, webhooks.delete_webhook, 1)
    assert rows(database) == []
    assert deliveries.send_next(database, 1) is None
    tell(database, WON)
    settle(database, at=clock.now())
    with database.reading() as session:
        assert session.scalar(select(func.count()).where(OutboxEvent.settled_at.is_(None))) == 0


def test_old_deliveries_are_deleted(database, receivers):
    add(database, receivers())
    tell(database, EVENT, WON)
    deliveries.send_next(database, 1)
    assert deliveries.delete_old(database, now=clock.now() + timedelta(days=6)) == 0
    assert deliveries.delete_old(database, now=clock.now() + timedelta(days=8)) == 1
    assert deliveries.delete_old(database, now=clock.now() + timedelta(days=31)) == 1


def test_what_waits_to_be_told_of_an_erased_person_is_not_told(database, receivers):
    with database.writing() as session:
        one_person.build(session)
        one_person.add_customer(session, 7, "zoe")
    add(database, receivers(), types=["CustomerUpdated", "CustomerErased"])
    tell(
        database,
        CustomerUpdated(customer_id=7, fields=["city"]),
        CustomerUpdated(customer_id=8, fields=["city"]),
    )
    with database.writing() as session:
        customers = select(one_person.CUSTOMER.c.id)
        erasing.erase_customers(session, SYSTEM, customers, at=one_person.NOW)
    tell(database)
    left = [(row.type, row.payload["customer_id"]) for row in rows(database)]
    assert left == [("CustomerUpdated", 8), (CustomerErased.__name__, 7)]


def several(*customer_ids):
    """Events of every kind that tell of several people."""
    of = {"campaign_id": 1, "channel": "email"}
    people = [{"customer_id": i, "at": one_person.NOW} for i in customer_ids]
    leads = [{**of, **one, "lead_id": 1, "reason": "conversion", "score": 9} for one in people]
    tickets = [{**of, **one, "ticket_id": 1, "kind": "complaint"} for one in people]
    return (
        OutcomesRecorded(**of, step="clicked", outcomes=people),
        OutcomesWithdrawn(**of, step="clicked", customer_ids=list(customer_ids)),
        LeadsOpened(leads=leads),
        TicketsOpened(tickets=tickets),
        CustomersSuppressed(**of, reason="bounced", people=people),
        SuppressionsLifted(channel="email", customer_ids=list(customer_ids)),
    )


@pytest.mark.parametrize("waits", ["for a delivery", "for its receiver"])
def test_an_erased_person_is_taken_out_of_what_is_told_of_several(database, receivers, waits):
    with database.writing() as session:
        one_person.build(session)
        for customer_id in (7, 8):
            one_person.add_customer(session, customer_id, f"zoe{customer_id}")
    both = several(7, 8)
    add(database, receivers(), types=sorted(OF_MANY | {"LeadWon", "CustomersMerged"}))
    only = LeadWon(lead_id=1, customer_id=7, campaign_id=3, value_minor=400)
    record(database, *both, *several(7), only, CustomersMerged(customer_id=7, merged_id=6), WON)
    if waits == "for its receiver":
        relay(database, InProcess(database))
    with database.writing() as session:
        mine = select(one_person.CUSTOMER.c.id).where(one_person.CUSTOMER.c.id == 7)
        erasing.erase_customers(session, SYSTEM, mine, at=one_person.NOW)
    tell(database)
    left = rows(database)
    assert sorted(row.type for row in left) == sorted([*(type(one).__name__ for one in both), "LeadWon"])
    assert {type(one).__name__ for one in both} == OF_MANY
    for row in left:
        assert people(row.payload) == ({2} if row.type == "LeadWon" else {8})

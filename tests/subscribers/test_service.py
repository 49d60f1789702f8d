"""What Service makes of events, and what its people do: suppressions, tickets, and how they end."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from ma.errors import Conflict, InvalidInput, NotAllowed, NotFound
from ma.events.messages import CustomerDeleted, CustomerErased, CustomersMerged, OutcomesWithdrawn
from ma.models import ServiceOutbox, ServiceSignal, Suppression, Ticket, TicketChange
from ma.subscribers import tickets as work
from ma.subscribers.inbox import Happened
from ma.subscribers.service import HANDLERS
from ma.types import Actor, Role
from tests.subscribers.bus_world import AT, HOUR, bought, outcomes

MIA = Actor("mia", Role.MARKETER)
DAY = timedelta(days=1)


def tell(database, *events, at=AT):
    with database.writing() as session:
        for number, event in enumerate(events):
            HANDLERS[type(event).__name__](session, [Happened(f"e{number}", at, event)])


def tickets(database):
    query = select(Ticket.kind, Ticket.customer_id, Ticket.campaign_id, Ticket.people, Ticket.status)
    with database.reading() as session:
        return [tuple(row) for row in session.execute(query.order_by(Ticket.id))]


def suppressed(database):
    query = select(Suppression.customer_id, Suppression.channel, Suppression.reason)
    with database.reading() as session:
        return [tuple(row) for row in session.execute(query.order_by(*query.selected_columns))]


def recorded(database):
    with database.reading() as session:
        query = select(ServiceOutbox.type, ServiceOutbox.payload).order_by(ServiceOutbox.id)
        return [(row.type, row.payload) for row in session.execute(query)]


def test_a_complaint_is_a_ticket_of_its_own_and_ends_writing_in_that_channel(database):
    tell(database, outcomes("complained", 1, 2))
    assert tickets(database) == [("complaint", 1, 1, 1, "open"), ("complaint", 2, 1, 1, "open")]
    assert suppressed(database) == [(1, "email", "complained"), (2, "email", "complained")]
    kinds = [type_ for type_, _ in recorded(database)]
    assert kinds == ["CustomersSuppressed", "TicketsOpened"]
    with database.reading() as session:
        due = session.scalars(select(Ticket.due_at)).all()
    assert due == [AT - HOUR + DAY] * 2


def test_bounces_and_unsubscriptions_are_one_ticket_for_a_campaign_that_counts_people(database):
    tell(
        database,
        outcomes("bounced", 1, 2),
        outcomes("unsubscribed", 3),
        outcomes("bounced", 4, campaign_id=2),
    )
    tell(database, outcomes("bounced", 1, 5))
    assert tickets(database) == [
        ("bounces", None, 1, 3, "open"),
        ("unsubscriptions", None, 1, 1, "open"),
        ("bounces", None, 2, 1, "open"),
    ]
    assert suppressed(database) == [
        (1, "email", "bounced"), (2, "email", "bounced"), (3, "email", "unsubscribed"),
        (4, "email", "bounced"), (5, "email", "bounced"),
    ]  # fmt: skip


def test_what_is_long_ago_suppresses_and_needs_no_ticket(database):
    tell(database, outcomes("complained", 1, at=AT - 31 * DAY), outcomes("bounced", 2, at=AT - 400 * DAY))
    assert tickets(database) == []
    assert len(suppressed(database)) == 2


def test_clicks_and_purchases_are_none_of_services_business(database):
    tell(database, outcomes("clicked", 1), bought(1))
    assert (tickets(database), suppressed(database)) == ([], [])


def test_the_first_reason_of_a_suppression_stands_in_whatever_order_it_was_told(database):
    later = outcomes("complained", 1, campaign_id=2)
    first = outcomes("bounced", 1, at=AT - 3 * HOUR)
    tell(database, later, first, outcomes("unsubscribed", 1, channel="sms"))
    assert suppressed(database) == [(1, "email", "bounced"), (1, "sms", "unsubscribed")]
    told = [payload["channel"] for type_, payload in recorded(database) if type_ == "CustomersSuppressed"]
    assert told == ["email", "sms"]


def test_a_ticket_is_taken_and_closed_once(database):
    tell(database, outcomes("complained", 7))
    with database.writing() as session:
        ticket_id = session.scalar(select(Ticket.id))
        work.take_ticket(session, MIA, ticket_id, assignee="Otto", version=1, at=AT)
        work.note_ticket(session, MIA, ticket_id, note="Called.", version=2, at=AT)
        work.close_ticket(session, MIA, ticket_id, resolution="apologised", version=3, at=AT + HOUR)
        with pytest.raises(Conflict, match="closed already"):
            work.take_ticket(session, MIA, ticket_id, assignee="Eva", version=4, at=AT)
        ticket = session.get(Ticket, ticket_id)
        assert (ticket.status, ticket.assignee, ticket.resolution) == ("closed", "Otto", "apologised")
        actions = session.scalars(select(TicketChange.action).order_by(TicketChange.id)).all()
        assert actions == ["open", "take", "note", "close"]
    told = {"ticket_id": ticket_id, "kind": "complaint", "customer_id": 7, "campaign_id": 1}
    assert recorded(database)[-1] == ("TicketClosed", told | {"resolution": "apologised"})


def test_after_a_campaigns_ticket_is_closed_new_bounces_open_another_one(database):
    tell(database, outcomes("bounced", 1, 2))
    with database.writing() as session:
        ticket_id = session.scalar(select(Ticket.id))
        work.close_ticket(session, MIA, ticket_id, resolution="nothing to do", version=1, at=AT)
    tell(database, outcomes("bounced", 3, at=AT + HOUR), at=AT + HOUR)
    assert tickets(database) == [("bounces", None, 1, 2, "closed"), ("bounces", None, 1, 1, "open")]


def test_two_people_who_change_one_ticket_do_not_overwrite_each_other(database):
    tell(database, outcomes("complained", 1))
    with database.writing() as session:
        ticket_id = session.scalar(select(Ticket.id))
        work.take_ticket(session, MIA, ticket_id, assignee="Otto", version=1, at=AT)
        with pytest.raises(Conflict, match="Somebody else changed"):
            work.take_ticket(session, MIA, ticket_id, assignee="Eva", version=1, at=AT)


def test_what_cannot_be_is_refused(sqlite_url):
    from ma.db.engine import connect

    database = connect(sqlite_url)
    tell(database, outcomes("complained", 1))
    of = {"version": 1, "at": AT}
    with database.writing() as session:
        for wrong in (
            lambda: work.take_ticket(session, MIA, 1, assignee=" ", **of),
            lambda: work.close_ticket(session, MIA, 1, resolution="magic", **of),
            lambda: work.note_ticket(session, MIA, 1, note="x" * 2_001, **of),
        ):
            with pytest.raises(InvalidInput):
                wrong()
        with pytest.raises(NotFound):
            work.note_ticket(session, MIA, 9, note="", **of)
        with pytest.raises(NotAllowed):
            work.take_ticket(session, Actor("vera", Role.ANALYST), 1, assignee="Vera", **of)
    database.close()


def test_merged_customers_share_tickets_and_suppressions(database):
    tell(database, outcomes("complained", 1, 2), outcomes("bounced", 2, channel="sms", campaign_id=2))
    tell(database, CustomersMerged(customer_id=1, merged_id=2))
    assert suppressed(database) == [(1, "email", "complained"), (1, "sms", "bounced")]
    # Both complained of one campaign: that is one complaint of one person.
    assert tickets(database)[:2] == [("complaint", 1, 1, 1, "open"), ("complaint", None, 1, 1, "closed")]
    tell(database, outcomes("complained", 2, campaign_id=3))
    assert tickets(database)[-1] == ("complaint", 1, 3, 1, "open")


def noted(database, ticket_id, note, *, closed=False):
    with database.writing() as session:
        work.note_ticket(session, MIA, ticket_id, note=note, version=1, at=AT)
        if closed:
            work.close_ticket(session, MIA, ticket_id, resolution="apologised", version=2, at=AT)


@pytest.mark.parametrize(
    ("closed", "stays", "left"),
    [((), 1, "open"), ((1,), 2, "open"), ((2,), 1, "open"), ((1, 2), 1, "closed")],
)
def test_of_two_tickets_about_one_campaign_an_open_one_stays_with_both_notes(database, closed, stays, left):
    tell(database, outcomes("complained", 1, 2))
    for key in (1, 2):
        noted(database, key, f"note {key}", closed=key in closed)
    tell(database, CustomersMerged(customer_id=1, merged_id=2), at=AT + HOUR)
    with database.reading() as session:
        kept, other = session.get(Ticket, stays), session.get(Ticket, 3 - stays)
        assert (kept.customer_id, kept.status, kept.note) == (1, left, f"note {stays}\nnote {3 - stays}")
        assert (other.customer_id, other.status, other.note) == (None, "closed", None)
        assert other.resolution == ("apologised" if other.id in closed else "merged")
    tell(database, CustomerErased(customer_id=1), CustomerErased(customer_id=2))
    with database.reading() as session:
        assert session.scalars(select(Ticket.note)).all() == [None, None]


def test_an_erased_customer_leaves_nothing_but_a_closed_ticket(database):
    tell(database, outcomes("complained", 1), CustomerErased(customer_id=1), outcomes("bounced", 1))
    assert tickets(database) == [("complaint", None, 1, 1, "closed")]
    assert suppressed(database) == []
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ServiceSignal)) == 0


def test_a_deleted_customer_stays_suppressed(database):
    tell(database, outcomes("complained", 1), CustomerDeleted(customer_id=1))
    assert tickets(database) == [("complaint", 1, 1, 1, "closed")]
    assert suppressed(database) == [(1, "email", "complained")]


def withdrawn(step, *customer_ids, campaign_id=1):
    return OutcomesWithdrawn(
        campaign_id=campaign_id, channel="email", step=step, customer_ids=list(customer_ids)
    )


def test_what_was_withdrawn_lifts_suppressions_and_closes_tickets(database):
    tell(database, outcomes("complained", 1), outcomes("bounced", 2, 3), outcomes("unsubscribed", 1))
    tell(database, withdrawn("complained", 1), withdrawn("bounced", 2), at=AT + HOUR)
    assert tickets(database) == [
        ("complaint", 1, 1, 1, "closed"),
        ("bounces", None, 1, 1, "open"),
        ("unsubscriptions", None, 1, 1, "open"),
    ]
    # The first customer unsubscribed as well: that is a reason still.
    assert suppressed(database) == [(1, "email", "unsubscribed"), (3, "email", "bounced")]
    told = [payload for type_, payload in recorded(database) if type_ == "SuppressionsLifted"]
    assert told == [{"channel": "email", "reason": None, "customer_ids": [2]}]
    tell(database, withdrawn("bounced", 3), at=AT + HOUR)
    assert tickets(database)[1][-1] == "closed"


def test_what_is_told_again_after_it_was_withdrawn_is_worked_on_again(database):
    tell(database, outcomes("complained", 1), outcomes("bounced", 2))
    tell(database, withdrawn("complained", 1), withdrawn("bounced", 2), at=AT + HOUR)
    tell(database, outcomes("complained", 1), outcomes("bounced", 2), at=AT + 2 * HOUR)
    assert [(ticket[0], ticket[-1]) for ticket in tickets(database)] == [
        ("complaint", "open"), ("bounces", "closed"), ("bounces", "open"),
    ]  # fmt: skip
    assert suppressed(database) == [(1, "email", "complained"), (2, "email", "bounced")]


def test_a_ticket_is_closed_with_a_note_or_keeps_the_one_it_has(database):
    tell(database, outcomes("complained", 1, 2))
    with database.writing() as session:
        work.note_ticket(session, MIA, 1, note="Called them.", version=1, at=AT)
        work.close_ticket(session, MIA, 1, resolution="apologised", version=2, at=AT)
        work.close_ticket(session, MIA, 2, resolution="explained", note=" It was us. ", version=1, at=AT)
    with database.reading() as session:
        assert session.scalars(select(Ticket.note).order_by(Ticket.id)).all() == [
            "Called them.",
            "It was us.",
        ]
    tell(database, outcomes("complained", 3))
    with pytest.raises(InvalidInput), database.writing() as session:
        work.close_ticket(session, MIA, 3, resolution="explained", note="x" * 2_001, version=1, at=AT)
    assert tickets(database)[2][-1] == "open"

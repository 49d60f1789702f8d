"""From a launch to a lead and back: what Sales and Service tell is on the timeline and chooses in rules."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from ma import worker
from ma.analytics.catalogue import catalogue
from ma.analytics.person import everything
from ma.analytics.segments import count
from ma.analytics.timeline import timeline
from ma.events.messages import (
    CustomersSuppressed,
    NewSuppression,
    OutcomesWithdrawn,
    SuppressionsLifted,
)
from ma.models import Customer, CustomerFact, Lead, Ticket
from ma.rules.check import parse
from ma.services.customers import delete_customer
from ma.services.launches import launch_campaign
from ma.services.merging import merge_customers
from ma.subscribers.facts import HANDLERS
from ma.subscribers.inbox import Happened
from ma.subscribers.leads import win_lead
from ma.subscribers.loop import InProcess
from ma.subscribers.suppressions import lift_suppression
from ma.subscribers.tickets import close_ticket
from ma.types import SYSTEM, Channel
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, days, draft
from tests.subscribers.bus_world import HOUR, bought, leads, outcomes, record, relay


@pytest.fixture
def shop(database):
    """Five customers, of whom nothing has been told yet."""
    with database.writing() as session:
        world.build(session, 5)
    return database


def told(database, *events):
    """Record events of `ma`, and let everybody act until nobody has anything more to tell."""
    record(database, *events, at=NOW)
    relay(database, InProcess(database))


def facts(database):
    fact = CustomerFact
    query = select(fact.customer_id, fact.kind, fact.detail, fact.channel, fact.amount_minor)
    with database.reading() as session:
        return [tuple(row) for row in session.execute(query.order_by(fact.customer_id, fact.at, fact.id))]


def chosen(database, **rule):
    """Of whom a rule is true."""
    with database.reading() as session:
        known = catalogue(session)
        wanted = {"measure": "count", "operator": "gte", "value": 1} | rule
        return count(session, parse(wanted, known), as_of=NOW + days(3))


def test_leads_and_tickets_come_back_as_facts(shop):
    early = NOW - timedelta(hours=2)
    told(shop, bought(1, at=early), outcomes("complained", 1, 2, at=NOW - timedelta(hours=1)))
    assert facts(shop) == [
        (1, "lead_opened", "conversion", "email", None),
        (1, "suppressed", "complained", "email", None),
        (1, "ticket_opened", "complaint", "email", None),
        (2, "suppressed", "complained", "email", None),
        (2, "ticket_opened", "complaint", "email", None),
    ]
    with shop.writing() as session:
        win_lead(
            session, SYSTEM, session.scalar(select(Lead.id)), value_minor=900, version=1, at=NOW + days(1)
        )
        ticket = session.scalar(select(Ticket.id).where(Ticket.customer_id == 1))
        close_ticket(session, SYSTEM, ticket, resolution="explained", version=1, at=NOW + days(2))
    relay(shop, InProcess(shop))
    assert facts(shop)[3:5] == [
        (1, "lead_won", None, None, 900),
        (1, "ticket_closed", "explained", None, None),
    ]


def test_they_stand_on_the_timeline_when_they_happened(shop):
    told(shop, bought(1, at=NOW - days(1)), outcomes("complained", 1, at=NOW - days(0.5)))
    with shop.writing() as session:
        win_lead(
            session, SYSTEM, session.scalar(select(Lead.id)), value_minor=900, version=1, at=NOW + days(1)
        )
    relay(shop, InProcess(shop))
    with shop.reading() as session:
        frame = timeline(session, customer_id=1, as_of=NOW + days(2), kinds="sales,service")
        before = timeline(session, customer_id=1, as_of=NOW, kinds="sales")
        document = everything(session, 1, as_of=NOW + days(2))
    assert frame[["kind", "title"]].to_numpy().tolist() == [
        ["sales", "Lead won"],
        ["service", "Ticket opened"],
        ["service", "Suppressed"],
        ["sales", "Lead opened"],
    ]
    assert frame["amount_minor"].tolist()[0] == 900
    assert frame["detail"].iloc[-1] == "conversion"
    assert before["title"].tolist() == ["Lead opened"]
    assert [fact["kind"] for fact in document["sales_and_service"]][-1] == "lead_won"
    assert document["sales_and_service"][-1]["amount"] == "9.00"


def test_they_choose_people_in_rules(shop):
    told(shop, bought(1, at=NOW - days(1)), bought(2, at=NOW - days(2)), outcomes("complained", 3, at=NOW))
    with shop.writing() as session:
        lead = session.scalar(select(Lead.id).where(Lead.customer_id == 2))
        win_lead(session, SYSTEM, lead, value_minor=900, version=1, at=NOW + days(1))
    relay(shop, InProcess(shop))
    assert chosen(shop, event="lead_opened") == 2
    assert chosen(shop, event="lead_won", measure="sum", value=900) == 1
    assert chosen(shop, event="lead_won", measure="sum", value=901) == 0
    assert chosen(shop, event="ticket_opened", within={"last": 7, "unit": "day"}) == 1
    hot = {"field": "reason", "operator": "eq", "value": "hot_click"}
    assert chosen(shop, event="lead_opened", where=hot) == 0


def test_what_is_told_of_a_customer_who_was_merged_meanwhile_is_the_kept_ones(shop):
    record(shop, bought(2, at=NOW - days(1)), at=NOW)
    with shop.writing() as session:
        merge_customers(session, SYSTEM, keep_id=1, other_id=2, versions=(1, 1), at=NOW)
    relay(shop, InProcess(shop))
    assert [fact[:2] for fact in facts(shop)] == [(1, "lead_opened")]
    assert [lead[0] for lead in leads(shop)] == [1]


def test_what_was_told_by_mistake_is_no_fact(shop):
    told(shop, outcomes("bounced", 1, 2), outcomes("complained", 1, channel="sms"))
    gone = OutcomesWithdrawn(campaign_id=1, channel="email", step="bounced", customer_ids=[1])
    record(shop, gone, at=NOW + timedelta(hours=1))
    relay(shop, InProcess(shop))
    assert [fact[:4] for fact in facts(shop) if fact[1] == "suppressed"] == [
        (1, "suppressed", "complained", "sms"),
        (2, "suppressed", "bounced", "email"),
    ]


def test_facts_move_with_a_merge(shop):
    told(shop, bought(2, at=NOW - days(1)))
    with shop.writing() as session:
        merge_customers(session, SYSTEM, keep_id=1, other_id=2, versions=(1, 1), at=NOW)
    assert [fact[:2] for fact in facts(shop)] == [(1, "lead_opened")]


def test_a_deleted_customers_lead_is_closed(shop):
    told(shop, bought(1, at=NOW - days(1)))
    with shop.writing() as session:
        delete_customer(session, SYSTEM, 1, version=1, at=NOW)
    relay(shop, InProcess(shop))
    assert leads(shop) == []


def test_a_launch_ends_in_leads_and_facts_of_exactly_those_who_were_sent_it_and_reacted(database):
    with database.writing() as session:
        world.build(session, 2_500)
        campaign_id = draft(session, channel=Channel.EMAIL, holdout_share=0.3)
        launch_campaign(session, SYSTEM, campaign_id, at=NOW, seed=3)
    for hours in (1, 5, 30, 24 * 9):
        worker.tell_outcomes(database, at=NOW + timedelta(hours=hours))
        relay(database, InProcess(database))
    with database.reading() as session:
        frame = world.outcomes(session, campaign_id)
        engaged = set(session.scalars(select(Customer.id).where(Customer.engagement >= 60)))
    treated = frame[frame["arm"] == "treated"].set_index("customer_id")
    end = NOW + days(9)
    reacted = set(treated.index[(treated["converted_at"] <= end).to_numpy()])
    reacted |= set(treated.index[(treated["clicked_at"] <= end).to_numpy()]) & engaged
    assert {lead[0] for lead in leads(database)} == reacted
    assert {fact[0] for fact in facts(database) if fact[1] == "lead_opened"} == reacted
    gone = set(treated.index[(treated["bounced_at"] <= end).to_numpy()])
    assert gone <= {fact[0] for fact in facts(database) if fact[1] == "suppressed"}
    assert len(reacted) > 5


def test_a_lifted_bounce_is_told_opens_the_channel_again_and_is_on_the_timeline(shop):
    told(shop, outcomes("bounced", 1, 2, at=NOW - timedelta(hours=1)))
    with shop.writing() as session:
        lift_suppression(session, SYSTEM, 1, channel="email", why="address corrected", at=NOW)
    relay(shop, InProcess(shop))
    assert [row[:3] for row in facts(shop)] == [
        (1, "suppression_lifted", "bounced"),
        (2, "suppressed", "bounced"),
    ]
    with shop.reading() as session:
        story = timeline(session, customer_id=1, as_of=NOW + days(1), kinds="service")
    assert story["title"].tolist() == ["Suppression lifted"]
    # The same event once more has no effect.
    relay(shop, InProcess(shop))
    assert len(facts(shop)) == 2


def acted_on(database, *events):
    """What marketing makes of these events, with when each happened, one after the other."""
    with database.writing() as session:
        for number, (event, at) in enumerate(events):
            HANDLERS[type(event).__name__](session, [Happened(f"e{number}", at, event)])


@pytest.mark.parametrize("reason", ["bounced", None])
def test_what_was_lifted_stays_lifted_also_where_that_was_heard_of_first(shop, reason):
    def suppressed(*ids, channel="email"):
        people = [NewSuppression(customer_id=i, at=NOW - days(1)) for i in ids]
        return CustomersSuppressed(campaign_id=1, channel=channel, reason="bounced", people=people)

    gone = SuppressionsLifted(channel="email", reason=reason, customer_ids=[1, 2])
    acted_on(
        shop,
        (gone, NOW),
        (suppressed(1, 2, 3), NOW - HOUR),
        (suppressed(1, channel="sms"), NOW - HOUR),
        # That was told after it was lifted, of something that happened before.
        (suppressed(2), NOW + HOUR),
    )
    assert [fact[:4] for fact in facts(shop) if fact[1] == "suppressed"] == [
        (1, "suppressed", "bounced", "sms"),
        (2, "suppressed", "bounced", "email"),
        (3, "suppressed", "bounced", "email"),
    ]
    with shop.reading() as session:
        titles = timeline(session, customer_id=1, as_of=NOW, kinds="service")["title"].tolist()
    # That somebody lifted it is part of the story; what was never so is not.
    assert titles == (["Suppression lifted"] if reason else []) + ["Suppressed"]

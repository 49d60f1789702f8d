"""Events and subscribers for tests of the bus: what is told, what is kept of it, and a subscriber to step."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from ma.events import outbox
from ma.events.consumer import Consumer
from ma.events.messages import CampaignCreated, OutcomesRecorded, RecordedOutcome
from ma.events.modules import LISTENERS, MODULES
from ma.events.relay import relay_once
from ma.models import Lead, SalesInbox
from ma.subscribers.handlers import HANDLERS
from ma.subscribers.loop import Subscriber

AT = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
SALES = MODULES["sales"]


def outcomes(step, *customer_ids, campaign_id=1, at=AT - HOUR, channel="email", band=4, revenue_minor=None):
    """An event that tells of a step of these people."""
    people = [
        RecordedOutcome(customer_id=i, at=at, engagement_band=band, revenue_minor=revenue_minor)
        for i in customer_ids
    ]
    return OutcomesRecorded(campaign_id=campaign_id, channel=channel, step=step, outcomes=people)


def bought(customer_id, campaign_id=1, **values):
    return outcomes("converted", customer_id, campaign_id=campaign_id, revenue_minor=1_000, **values)


def nothing_to_them():
    """An event that no subscriber listens to."""
    return CampaignCreated(campaign_id=1, channel="email")


def record(database, *events, at=AT):
    with database.writing() as session:
        outbox.record_all(session, events, at=at)


def relay(database, broker):
    """Send everything that waits."""
    total = 0
    while sent := relay_once(database, broker, at=AT):
        total += sent
    return total


def subscriber(database, url, name="sales", *, claim_after_seconds=30.0, handlers=None):
    consumer = Consumer(url, name, claim_after_seconds=claim_after_seconds)
    return Subscriber(database, LISTENERS[name], handlers or HANDLERS[name], consumer)


def drain(one, *, steps=20):
    """Step until nothing more comes; how many events were new."""
    total = 0
    for _ in range(steps):
        done = one.step(wait_seconds=0.02)
        total += done
        if not done:
            return total
    raise AssertionError("It does not come to an end.")


def leads(database):
    """The open leads: customer, campaign, reason, score and value."""
    columns = (Lead.customer_id, Lead.campaign_id, Lead.reason, Lead.score, Lead.value_minor)
    with database.reading() as session:
        return [
            tuple(row)
            for row in session.execute(select(*columns).where(Lead.closed_at.is_(None)).order_by(*columns))
        ]


def recorded(database):
    """How many events Sales has acted on."""
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(SalesInbox))

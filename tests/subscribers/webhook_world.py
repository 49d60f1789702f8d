"""Webhooks for tests: one is added, events become deliveries, what is due is sent, and time passes."""

from sqlalchemy import select

from ma import clock
from ma.events.messages import CampaignCreated, LeadWon
from ma.models import Webhook, WebhookDelivery
from ma.services import webhooks
from ma.settings import settings
from ma.subscribers import deliveries
from ma.subscribers.loop import InProcess
from ma.types import SYSTEM
from ma.webhooks.addresses import Allowed, check
from tests.subscribers.bus_world import record, relay

TYPES = ("CampaignCreated", "LeadWon")
EVENT = CampaignCreated(campaign_id=5, channel="email")
WON = LeadWon(lead_id=1, customer_id=2, campaign_id=3, value_minor=400)


def add(database, receiver, *, types=TYPES, name="ERP"):
    address = check(receiver.url, Allowed(settings().webhook_allow))
    with database.writing() as session:
        return webhooks.create_webhook(session, SYSTEM, address, name=name, types=types, at=clock.now())


def tell(database, *events):
    """Events, from the outbox to deliveries."""
    record(database, *events)
    relay(database, InProcess(database))


def send(database, webhook_id=1):
    """Send what is due to a webhook; how each was answered."""
    answers = []
    while (answer := deliveries.send_next(database, webhook_id)) is not None:
        answers.append(answer.status or answer.error)
    return answers


def rows(database):
    with database.reading() as session:
        return session.execute(select(WebhookDelivery.__table__).order_by(WebhookDelivery.id)).all()


def hook(database, webhook_id=1):
    with database.reading() as session:
        return session.execute(select(Webhook.__table__).where(Webhook.id == webhook_id)).one()


def later(database, wait):
    """As if so much time had passed for everything that waits."""
    with database.writing() as session:
        shift = {
            WebhookDelivery: ("due_at", "try_until", "created_at"),
            Webhook: ("failing_since", "paused_until", "previous_until"),
        }
        for table, names in shift.items():
            for row in session.scalars(select(table)):
                for name in names:
                    if (at := getattr(row, name)) is not None:
                        setattr(row, name, at - wait)


def change(database, what, *arguments, actor=SYSTEM, **values):
    with database.writing() as session:
        return what(session, actor, *arguments, at=clock.now(), **values)

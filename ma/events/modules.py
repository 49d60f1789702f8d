"""The modules that tell and hear of each other: whose tables are whose, and who listens to which events.

Webhooks listen as a module does, and tell nothing: what they hear goes out of the house.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, exists, select

from ma.db.engine import Database
from ma.events import messages as m
from ma.events.messages import MESSAGES, Event
from ma.models import (
    MaDeadLetter,
    MaInbox,
    OutboxEvent,
    SalesDeadLetter,
    SalesInbox,
    SalesOutbox,
    ServiceDeadLetter,
    ServiceInbox,
    ServiceOutbox,
    Webhook,
    WebhookDeadLetter,
    WebhookInbox,
    WebhookType,
)


@dataclass(frozen=True)
class Listener:
    """Who acts on events: what it has heard, and what it could not act on.

    `listens_to`: the types it acts on. All others pass it by.
    """

    name: str
    inbox: Table
    dead_letters: Table
    listens_to: frozenset[str]

    def types(self, _database: Database) -> frozenset[str]:
        """The types that it acts on now."""
        return self.listens_to

    def wants(self, outbox: Table) -> ColumnElement:
        """Whether an event of an outbox is for it."""
        return outbox.c.type.in_(sorted(self.listens_to))


@dataclass(frozen=True)
class Module(Listener):
    """One module; `outbox` is what it has to tell."""

    outbox: Table


class Webhooks(Listener):
    """Those outside who asked for some types. Where nobody asked, no event waits for them."""

    def types(self, database: Database) -> frozenset[str]:
        """The types that somebody asked for."""
        asked = select(WebhookType.type).join(Webhook, Webhook.id == WebhookType.webhook_id)
        with database.reading() as session:
            return frozenset(session.scalars(asked.where(Webhook.disabled_at.is_(None)).distinct()))

    def wants(self, outbox: Table) -> ColumnElement:
        """Whether somebody had asked for an event when it was recorded."""
        # Of named columns: the relay's login may read no others of them.
        return exists(WebhookType.type).where(
            WebhookType.type == outbox.c.type,
            WebhookType.since <= outbox.c.recorded_at,
            WebhookType.webhook_id == Webhook.id,
            Webhook.disabled_at.is_(None),
        )


def _types(*messages: type[Event]) -> frozenset[str]:
    return frozenset(message.__name__ for message in messages)


_FACTS = (
    m.LeadsOpened, m.LeadWon, m.LeadLost, m.TicketsOpened, m.TicketClosed, m.CustomersSuppressed,
    m.SuppressionsLifted,
)  # fmt: skip
_OUTCOMES = (m.OutcomesRecorded, m.OutcomesWithdrawn)
_PERSONS = (m.CustomerDeleted, m.CustomerErased, m.CustomersMerged)

MODULES: dict[str, Module] = {
    module.name: module
    for module in (
        Module(
            "ma",
            MaInbox.__table__,
            MaDeadLetter.__table__,
            _types(*_FACTS),
            OutboxEvent.__table__,
        ),
        Module(
            "sales",
            SalesInbox.__table__,
            SalesDeadLetter.__table__,
            _types(*_OUTCOMES, *_PERSONS),
            SalesOutbox.__table__,
        ),
        Module(
            "service",
            ServiceInbox.__table__,
            ServiceDeadLetter.__table__,
            _types(*_OUTCOMES, *_PERSONS),
            ServiceOutbox.__table__,
        ),
    )
}


# Everybody who hears of events: the modules, and those outside.
LISTENERS: dict[str, Listener] = {
    **MODULES,
    "webhooks": Webhooks(
        "webhooks", WebhookInbox.__table__, WebhookDeadLetter.__table__, frozenset(MESSAGES)
    ),
}


def listeners(type_: str) -> list[Module]:
    """The modules that act on events of a type."""
    return [module for module in MODULES.values() if type_ in module.listens_to]

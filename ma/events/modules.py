"""The modules that tell and hear of each other: whose tables are whose, and who listens to which events."""

from dataclasses import dataclass

from sqlalchemy import Table

from ma.events import messages as m
from ma.events.messages import Event
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
)


@dataclass(frozen=True)
class Module:
    """One module: what it has to tell, what it has heard, and what it could not act on.

    `listens_to`: the types it acts on. All others pass it by.
    """

    name: str
    outbox: Table
    inbox: Table
    dead_letters: Table
    listens_to: frozenset[str]


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
            OutboxEvent.__table__,
            MaInbox.__table__,
            MaDeadLetter.__table__,
            _types(*_FACTS),
        ),
        Module(
            "sales",
            SalesOutbox.__table__,
            SalesInbox.__table__,
            SalesDeadLetter.__table__,
            _types(*_OUTCOMES, *_PERSONS),
        ),
        Module(
            "service",
            ServiceOutbox.__table__,
            ServiceInbox.__table__,
            ServiceDeadLetter.__table__,
            _types(*_OUTCOMES, *_PERSONS),
        ),
    )
}


def listeners(type_: str) -> list[Module]:
    """The modules that act on events of a type."""
    return [module for module in MODULES.values() if type_ in module.listens_to]

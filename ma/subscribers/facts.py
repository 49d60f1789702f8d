"""What Sales and Service tell, kept by the marketing module as facts on its customers."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from ma.models import Customer, CustomerFact
from ma.models.fact import LIFTED
from ma.subscribers import persons
from ma.subscribers.inbox import Happened

FACT, CUSTOMER = CustomerFact.__table__, Customer.__table__


_THERE = select(CUSTOMER.c.id, CUSTOMER.c.merged_into).where(
    CUSTOMER.c.id.in_(persons.PEOPLE), CUSTOMER.c.erased_at.is_(None)
)
_LIFTED = (
    select(FACT.c.customer_id, FACT.c.channel, func.max(FACT.c.at).label("at"))
    .where(FACT.c.kind == LIFTED, FACT.c.customer_id.in_(persons.PEOPLE))
    .group_by(FACT.c.customer_id, FACT.c.channel)
)


def on_leads_opened(session: Session, happened: Sequence[Happened]) -> None:
    """Leads were opened."""
    _keep(
        session,
        (
            _row("sales", "lead_opened", lead.customer_id, lead.at, lead.lead_id, lead.campaign_id)
            | {"channel": lead.channel, "detail": lead.reason}
            for one in happened
            for lead in one.event.leads
        ),
    )


def on_lead_won(session: Session, happened: Sequence[Happened]) -> None:
    """Leads were won."""
    _keep(
        session,
        (_of_lead("lead_won", one) | {"amount_minor": one.event.value_minor} for one in happened),
    )


def on_lead_lost(session: Session, happened: Sequence[Happened]) -> None:
    """Leads were lost."""
    _keep(session, (_of_lead("lead_lost", one) | {"detail": one.event.reason} for one in happened))


def on_tickets_opened(session: Session, happened: Sequence[Happened]) -> None:
    """Tickets were opened; those of several people are nobody's fact."""
    _keep(
        session,
        (
            _row(
                "service",
                "ticket_opened",
                ticket.customer_id,
                ticket.at,
                ticket.ticket_id,
                ticket.campaign_id,
            )
            | {"channel": ticket.channel, "detail": ticket.kind}
            for one in happened
            for ticket in one.event.tickets
            if ticket.customer_id is not None
        ),
    )


def on_ticket_closed(session: Session, happened: Sequence[Happened]) -> None:
    """Tickets were closed."""
    _keep(
        session,
        (
            _row("service", "ticket_closed", event.customer_id, one.at, event.ticket_id, event.campaign_id)
            | {"detail": event.resolution}
            for one in happened
            if (event := one.event).customer_id is not None
        ),
    )


def on_suppressed(session: Session, happened: Sequence[Happened]) -> None:
    """People are not to be written to in a channel, unless it was told already that this was lifted since."""
    told = [(one, person) for one in happened for person in one.event.people]
    means = _present(session, {person.customer_id for _, person in told})
    lifted = _last_lifted(session, means.values())

    def stands(one: Happened, customer_id: int) -> bool:
        last = lifted.get((means.get(customer_id), one.event.channel))
        return last is None or last < one.at

    _keep(
        session,
        (
            _row("service", "suppressed", person.customer_id, person.at, None, one.event.campaign_id)
            | {"channel": one.event.channel, "detail": one.event.reason}
            for one, person in told
            if stands(one, person.customer_id)
        ),
    )


def on_lifted(session: Session, happened: Sequence[Happened]) -> None:
    """They are suppressed no more: it is as if that had never been told, also where it is told after this.

    Where somebody lifted it, `detail` says what, and a channel that bounced is open again from then on
    (`ma.analytics.contactable`). Where it was not so, the fact stands for the order of events alone.
    """
    for one in happened:
        means = _present(session, one.event.customer_ids)
        for part in persons.parts(means.values()):
            told = (FACT.c.kind == "suppressed", FACT.c.channel == one.event.channel)
            session.execute(delete(FACT).where(FACT.c.customer_id.in_(part), *told))
    _keep(
        session,
        (
            _row("service", LIFTED, customer_id, one.at, None, None)
            | {"channel": one.event.channel, "detail": one.event.reason}
            for one in happened
            for customer_id in one.event.customer_ids
        ),
    )


HANDLERS = {
    "LeadsOpened": on_leads_opened,
    "LeadWon": on_lead_won,
    "LeadLost": on_lead_lost,
    "TicketsOpened": on_tickets_opened,
    "TicketClosed": on_ticket_closed,
    "CustomersSuppressed": on_suppressed,
    "SuppressionsLifted": on_lifted,
}


def _row(module: str, kind: str, customer_id: int, at, ref: int | None, campaign_id: int | None) -> dict:
    nothing = dict.fromkeys(("channel", "detail", "amount_minor"))
    of = {"module": module, "kind": kind, "customer_id": customer_id, "at": at}
    return of | {"ref": ref, "campaign_id": campaign_id} | nothing


def _of_lead(kind: str, one: Happened) -> dict:
    return _row("sales", kind, one.event.customer_id, one.at, one.event.lead_id, one.event.campaign_id)


def _keep(session: Session, rows: Iterable[dict]) -> None:
    """Keep facts of whoever is there; those of a merged customer are those of the one that was kept."""
    told = list(rows)
    means = _present(session, {row["customer_id"] for row in told})
    kept = [row | {"customer_id": means[row["customer_id"]]} for row in told if row["customer_id"] in means]
    if kept:
        session.execute(insert(FACT), kept)


def _last_lifted(session: Session, ids: Iterable[int]) -> dict[tuple[int, str], datetime]:
    """When it was last lifted, by customer and channel."""
    return {
        (row.customer_id, row.channel): row.at
        for part in persons.parts(ids)
        for row in session.execute(_LIFTED, {"people": part})
    }


def _present(session: Session, ids: Iterable[int]) -> dict[int, int]:
    means: dict[int, int] = {}
    for part in persons.parts(ids):
        for row in session.execute(_THERE, {"people": part}):
            means[row.id] = row.merged_into or row.id
    return means

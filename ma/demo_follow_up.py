"""What the demo's Sales and Service have done with the campaigns of the last two weeks, a day at a time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.events.messages import OutcomesRecorded
from ma.models import Lead, OutboxEvent, Ticket
from ma.services import outcome_events
from ma.subscribers import leads, sales, service, tickets
from ma.subscribers.inbox import Happened
from ma.types import LOST_REASONS, Actor, Role

WORKED_DAYS = 14
# What becomes of a lead, step by step, a day each: the team does not get as far with everybody.
_PATHS = (
    (),
    ("contacted",),
    ("contacted", "qualified", "won"),
    ("contacted", "qualified"),
    ("contacted", "lost"),
    ("contacted", "qualified", "proposal"),
)
# How tickets ended.
_ENDED = {
    "complaint": ("apologised", "Called them; the message came on a bad day."),
    "bounces": ("address corrected", "Asked for the right address at the till."),
    "unsubscriptions": ("explained", "As many as after other messages of this kind."),
}
_USUAL_SALE_MINOR = 2_500


def work(session: Session, now: datetime, *, team: Sequence[str]) -> None:
    """Leads and tickets of the last days, and what the teams did with them.

    Sales and Service are told at once instead of over the bus. When that brings them the same events later,
    they have no effect any more.
    """
    imported = _imported(session)
    since = now - sales.FRESH["converted"]
    for day in reversed(range(WORKED_DAYS)):
        at = now - timedelta(days=day)
        events = _between(imported, since, at)
        for telling in list(outcome_events.prepare(session, at=at)):
            outcome_events.publish(session, telling, at=at)
            events += telling.events
        for module in (sales, service):
            module.HANDLERS["OutcomesRecorded"](session, [Happened("", at, event) for event in events])
        _work_on_leads(session, at)
        _work_on_tickets(session, at, team)
        since = at


def _imported(session: Session) -> list[OutcomesRecorded]:
    """What the imports told: all of it at once, as they came in today."""
    told = select(OutboxEvent.payload).where(OutboxEvent.type == OutcomesRecorded.__name__)
    return [OutcomesRecorded.model_validate(payload) for payload in session.scalars(told)]


def _between(events: Sequence[OutcomesRecorded], since: datetime, until: datetime) -> list[OutcomesRecorded]:
    """The same events with what happened after `since`, up to `until`."""
    kept = [
        (event, [outcome for outcome in event.outcomes if since < outcome.at <= until]) for event in events
    ]
    return [event.model_copy(update={"outcomes": outcomes}) for event, outcomes in kept if outcomes]


def _work_on_leads(session: Session, at: datetime) -> None:
    waiting = select(Lead.id, Lead.stage, Lead.owner, Lead.version, Lead.value_minor, Lead.stage_at)
    for lead in session.execute(waiting.where(Lead.closed_at.is_(None)).order_by(Lead.id)).all():
        # Leads go round the team of three: by threes, everybody has some of each path.
        path = _PATHS[lead.id // 3 % len(_PATHS)]
        done = path.index(lead.stage) + 1 if lead.stage in path else 0
        if lead.stage_at >= at or done == len(path):
            continue
        who, change = Actor(lead.owner, Role.MARKETER), {"version": lead.version, "at": at}
        if path[done] == "won":
            worth = lead.value_minor or _USUAL_SALE_MINOR
            leads.win_lead(session, who, lead.id, value_minor=worth, **change)
        elif path[done] == "lost":
            leads.lose_lead(session, who, lead.id, reason=LOST_REASONS[lead.id % 4], **change)
        else:
            leads.move_lead(session, who, lead.id, stage=path[done], **change)


def _work_on_tickets(session: Session, at: datetime, team: Sequence[str]) -> None:
    waiting = select(Ticket.id, Ticket.kind, Ticket.version, Ticket.assignee, Ticket.status_at)
    for ticket in session.execute(waiting.where(Ticket.closed_at.is_(None)).order_by(Ticket.id)).all():
        if ticket.status_at >= at:
            continue
        who, change = Actor(team[ticket.id % len(team)], Role.MARKETER), {"version": ticket.version, "at": at}
        if ticket.assignee is None and ticket.id % 3:
            tickets.take_ticket(session, who, ticket.id, assignee=who.username, **change)
        elif ticket.assignee and ticket.id % 3 == 1:
            resolution, note = _ENDED[ticket.kind]
            tickets.close_ticket(session, who, ticket.id, resolution=resolution, note=note, **change)

"""Service: makes tickets and suppressions of complaints, bounces and unsubscriptions.

It knows only what events told, and its own tables. Whoever did one of the three is not written to in that
channel any more, however long ago it was. Somebody looks into what is recent: each complaint is a ticket of
its own, bounces and unsubscriptions are one ticket for a campaign, which counts its people.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, and_, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from ma.db import sequences
from ma.events import outbox
from ma.events.messages import (
    CustomersSuppressed,
    NewSuppression,
    OpenedTicket,
    SuppressionsLifted,
    TicketClosed,
    TicketsOpened,
)
from ma.models import ServicePerson, ServiceSignal, Suppression, Ticket, TicketChange
from ma.subscribers import persons, signals
from ma.subscribers.inbox import Happened
from ma.subscribers.persons import PEOPLE
from ma.types import LEFT, MERGED, SYSTEM, WITHDRAWN, TicketStatus

TICKET, CHANGE, SIGNAL = Ticket.__table__, TicketChange.__table__, ServiceSignal.__table__
PERSON, SUPPRESSION = ServicePerson.__table__, Suppression.__table__
COMPLAINT = "complaint"
# What becomes of each step: the kind of ticket, its priority, and in how many days it is due.
TICKETS = {
    "complained": (COMPLAINT, "high", 1),
    "bounced": ("bounces", "normal", 5),
    "unsubscribed": ("unsubscriptions", "normal", 5),
}
FRESH = dict.fromkeys(TICKETS, timedelta(days=30))
LOT = 200

_SUPPRESSED = select(SUPPRESSION).where(SUPPRESSION.c.customer_id.in_(PEOPLE))
_FIRST = {
    "partition_by": (SIGNAL.c.customer_id, SIGNAL.c.channel),
    "order_by": (SIGNAL.c.at, SIGNAL.c.campaign_id, SIGNAL.c.step),
}
_BY_TIME = (
    select(SIGNAL, func.row_number().over(**_FIRST).label("place"))
    .where(SIGNAL.c.customer_id.in_(PEOPLE), ~SIGNAL.c.withdrawn)
    .subquery()
)
# Why people are not to be written to: of each channel the first thing that went wrong.
_REASONS = select(_BY_TIME).where(_BY_TIME.c.place == 1)


def on_outcomes(session: Session, happened: Sequence[Happened]) -> None:
    """Something went wrong for people: suppress them, and have somebody look into it."""
    new = signals.keep(session, SIGNAL, PERSON, happened, FRESH)
    if new:
        at = max(one.at for one in happened)
        _suppress(session, new, at=at)
        _complaints(session, [row for row in new if row["step"] == "complained" and not row["stale"]], at=at)
        refresh_tickets(session, {(row["campaign_id"], row["step"]) for row in new}, at=at)


def on_withdrawn(session: Session, happened: Sequence[Happened]) -> None:
    """It was not so: lift what follows from nothing else."""
    gone = signals.withdraw(session, SIGNAL, PERSON, happened, FRESH)
    if gone:
        at = max(one.at for one in happened)
        _lift(session, gone, at=at)
        for row in gone:
            if row["step"] == "complained":
                its = (TICKET.c.campaign_id == row["campaign_id"], TICKET.c.customer_id == row["customer_id"])
                _close(
                    session, and_(*its, TICKET.c.kind == COMPLAINT), resolution=WITHDRAWN, at=at, tell=True
                )
        refresh_tickets(session, {(row["campaign_id"], row["step"]) for row in gone}, at=at)


def on_merged(session: Session, happened: Sequence[Happened]) -> None:
    """Two customers are one: what went wrong for one of them went wrong for the other."""
    for one in happened:
        kept, gone = one.event.customer_id, one.event.merged_id
        persons.mark_merged(session, PERSON, gone, kept)
        now = persons.present(session, PERSON, [kept]).get(kept)
        if now is None:
            _forget(session, [gone], at=one.at, erase=False)
        else:
            _move(session, gone, now, at=one.at)


def on_deleted(session: Session, happened: Sequence[Happened]) -> None:
    """Customers are no longer there: nobody works on their tickets; they stay suppressed."""
    ids = [one.event.customer_id for one in happened]
    _forget(session, ids, at=max(one.at for one in happened), erase=False)


def on_erased(session: Session, happened: Sequence[Happened]) -> None:
    """Customers must be forgotten: tickets stay, without a person."""
    ids = [one.event.customer_id for one in happened]
    persons.mark_gone(session, PERSON, ids)
    _forget(session, ids, at=max(one.at for one in happened), erase=True)


HANDLERS = {
    "OutcomesRecorded": on_outcomes,
    "OutcomesWithdrawn": on_withdrawn,
    "CustomersMerged": on_merged,
    "CustomerDeleted": on_deleted,
    "CustomerErased": on_erased,
}


def refresh_tickets(session: Session, wanted: Iterable[tuple[int, str]], *, at: datetime) -> None:
    """Open or update the one ticket of each campaign and step that is not a complaint."""
    opened = []
    for campaign_id, step in sorted(wanted):
        kind, priority, days = TICKETS[step]
        if kind == COMPLAINT:
            continue
        mine = and_(TICKET.c.campaign_id == campaign_id, TICKET.c.kind == kind)
        # What was withdrawn counts no more; if it is told again, it is as if nobody had looked into it.
        ended = select(func.max(TICKET.c.closed_at)).where(mine, TICKET.c.resolution != WITHDRAWN)
        closed = ended.scalar_subquery()
        since = or_(closed.is_(None), SIGNAL.c.at > closed)
        people, first, channel = session.execute(
            select(func.count(), func.min(SIGNAL.c.at), func.min(SIGNAL.c.channel)).where(
                SIGNAL.c.campaign_id == campaign_id,
                SIGNAL.c.step == step,
                ~SIGNAL.c.stale,
                ~SIGNAL.c.withdrawn,
                since,
            )
        ).one()
        if not people:
            _close(session, mine, resolution=WITHDRAWN, at=at, tell=True)
            continue
        values = {"people": people, "opened_at": first, "due_at": first + timedelta(days=days)}
        there = update(TICKET).where(mine, TICKET.c.closed_at.is_(None)).values(**values)
        if session.execute(there).rowcount == 0:
            of = {"kind": kind, "customer_id": None, "campaign_id": campaign_id, "channel": channel}
            opened.append({**of, **values, "priority": priority})
    _open(session, opened, at=at)


def _suppress(session: Session, signals: list[dict], *, at: datetime) -> None:
    """Suppress whoever is not yet; the first reason stands. Those who are new are told of."""
    first: dict[tuple, dict] = {}
    for row in signals:
        key = (row["customer_id"], row["channel"])
        if key not in first or _before(row, first[key]):
            first[key] = row
    there: dict[tuple, object] = {}
    for part in persons.parts(key[0] for key in first):
        found = session.execute(_SUPPRESSED, {"people": part})
        there |= {(row.customer_id, row.channel): row for row in found}
    new = []
    for key, row in first.items():
        values = {"reason": row["step"], "since": row["at"], "campaign_id": row["campaign_id"]}
        known = there.get(key)
        if known is None:
            new.append({"customer_id": key[0], "channel": key[1], **values})
        elif _order(values) < (known.since, known.campaign_id, known.reason):
            # It was told of late.
            which = (SUPPRESSION.c.customer_id == key[0], SUPPRESSION.c.channel == key[1])
            session.execute(update(SUPPRESSION).where(*which).values(**values))
    if new:
        session.execute(insert(SUPPRESSION), new)
        outbox.record_all(session, _suppressions(new), at=at)


def _lift(session: Session, gone: list[dict], *, at: datetime) -> None:
    """Lift suppressions that stood on these steps, unless another step gives a reason."""
    groundless = {(row["customer_id"], row["campaign_id"], row["step"]) for row in gone}
    lifted: dict[str, list[int]] = {}
    for part in persons.parts(key[0] for key in groundless):
        reasons = {(row.customer_id, row.channel): row for row in session.execute(_REASONS, {"people": part})}
        for stood in session.execute(_SUPPRESSED, {"people": part}).all():
            if (stood.customer_id, stood.campaign_id, stood.reason) not in groundless:
                continue
            which = and_(
                SUPPRESSION.c.customer_id == stood.customer_id, SUPPRESSION.c.channel == stood.channel
            )
            other = reasons.get((stood.customer_id, stood.channel))
            if other is None:
                session.execute(delete(SUPPRESSION).where(which))
                lifted.setdefault(stood.channel, []).append(stood.customer_id)
            else:
                values = {"reason": other.step, "since": other.at, "campaign_id": other.campaign_id}
                session.execute(update(SUPPRESSION).where(which).values(**values))
    events = [
        SuppressionsLifted(channel=channel, customer_ids=ids[start : start + LOT])
        for channel, ids in lifted.items()
        for start in range(0, len(ids), LOT)
    ]
    outbox.record_all(session, events, at=at)


def _before(row: dict, other: dict) -> bool:
    return (row["at"], row["campaign_id"], row["step"]) < (other["at"], other["campaign_id"], other["step"])


def _order(values: dict) -> tuple:
    return values["since"], values["campaign_id"], values["reason"]


def _suppressions(rows: list[dict]) -> Iterable[CustomersSuppressed]:
    groups: dict[tuple, list[NewSuppression]] = {}
    for row in rows:
        key = (row["campaign_id"], row["channel"], row["reason"])
        groups.setdefault(key, []).append(NewSuppression(customer_id=row["customer_id"], at=row["since"]))
    for (campaign_id, channel, reason), people in groups.items():
        for start in range(0, len(people), LOT):
            yield CustomersSuppressed(
                campaign_id=campaign_id, channel=channel, reason=reason, people=people[start : start + LOT]
            )


def _complaints(session: Session, signals: list[dict], *, at: datetime) -> None:
    """A ticket for each complaint, unless there is one; one that was withdrawn is opened again."""
    known = {}
    for part in persons.parts(row["customer_id"] for row in signals):
        mine = (TICKET.c.customer_id.in_(part), TICKET.c.kind == COMPLAINT)
        for row in session.execute(select(TICKET).where(*mine)):
            known[row.customer_id, row.campaign_id] = row
    kind, priority, days = TICKETS["complained"]
    new = []
    for row in signals:
        key = (row["customer_id"], row["campaign_id"])
        due = {"opened_at": row["at"], "due_at": row["at"] + timedelta(days=days)}
        if key not in known:
            of = {"kind": kind, "customer_id": key[0], "campaign_id": key[1], "channel": row["channel"]}
            new.append({**of, **due, "people": 1, "priority": priority})
        elif known[key].resolution == WITHDRAWN:
            again = due | {"status": TicketStatus.OPEN.value, "status_at": at}
            again |= {"closed_at": None, "resolution": None}
            session.execute(update(TICKET).where(TICKET.c.id == known[key].id).values(**again))
    _open(session, new, at=at)


def _open(session: Session, tickets: list[dict], *, at: datetime) -> None:
    if not tickets:
        return
    ids = sequences.reserve(session, TICKET, len(tickets)).tolist()
    status = {"status": TicketStatus.OPEN.value, "status_at": at, "version": 1}
    rows = [{**ticket, "id": i, **status} for ticket, i in zip(tickets, ids, strict=True)]
    session.execute(insert(TICKET), rows)
    history = {"at": at, "actor": SYSTEM.username, "action": "open"}
    session.execute(
        insert(CHANGE), [{**history, "ticket_id": row["id"], "detail": row["kind"]} for row in rows]
    )
    told = [
        OpenedTicket(
            ticket_id=row["id"],
            kind=row["kind"],
            customer_id=row["customer_id"],
            campaign_id=row["campaign_id"],
            channel=row["channel"],
            at=row["opened_at"],
        )
        for row in rows
    ]
    lots = [TicketsOpened(tickets=told[start : start + LOT]) for start in range(0, len(told), LOT)]
    outbox.record_all(session, lots, at=at)


def _move(session: Session, gone: int, kept: int, *, at: datetime) -> None:
    both = _both(SIGNAL, kept, ("campaign_id", "step"))
    session.execute(delete(SIGNAL).where(SIGNAL.c.customer_id == gone, both))
    session.execute(update(SIGNAL).where(SIGNAL.c.customer_id == gone).values(customer_id=kept))
    both = _both(SUPPRESSION, kept, ("channel",))
    session.execute(delete(SUPPRESSION).where(SUPPRESSION.c.customer_id == gone, both))
    session.execute(update(SUPPRESSION).where(SUPPRESSION.c.customer_id == gone).values(customer_id=kept))
    _move_tickets(session, gone, kept, at=at)


def _move_tickets(session: Session, gone: int, kept: int, *, at: datetime) -> None:
    """Two complaints about one campaign are one person's now: one ticket stays theirs, with both notes."""
    for both in session.execute(_twice(gone, kept)).all():
        # An open complaint must be handled, also if the other one's was closed long ago.
        moves = both.closed_at is None and both.kept_closed_at is not None
        stays, goes = (both.id, both.kept_id) if moves else (both.kept_id, both.id)
        note, added = (both.note, both.kept_note) if moves else (both.kept_note, both.note)
        _close(session, TICKET.c.id == goes, resolution=MERGED, at=at)
        # It is nobody's from now on, so that a note would stay when they are erased.
        session.execute(update(TICKET).where(TICKET.c.id == goes).values(customer_id=None, note=None))
        if added:
            values = {
                "note": "\n".join(text for text in (note, added) if text),
                "version": TICKET.c.version + 1,
            }
            session.execute(update(TICKET).where(TICKET.c.id == stays).values(**values))
    session.execute(update(TICKET).where(TICKET.c.customer_id == gone).values(customer_id=kept))


def _twice(gone: int, kept: int) -> Select:
    """The tickets of one of which the other has one too."""
    mine = TICKET.alias("mine")
    same = [mine.c[name] == TICKET.c[name] for name in ("campaign_id", "kind")]
    theirs = [mine.c[name].label(f"kept_{name}") for name in ("id", "closed_at", "note")]
    return (
        select(TICKET.c.id, TICKET.c.closed_at, TICKET.c.note, *theirs)
        .join(mine, and_(mine.c.customer_id == kept, *same))
        .where(TICKET.c.customer_id == gone)
        .order_by(TICKET.c.id)
    )


def _both(table, kept: int, names: tuple[str, ...]):
    mine = table.alias("mine")
    same = [mine.c[name] == table.c[name] for name in names]
    return select(mine.c.customer_id).where(mine.c.customer_id == kept, *same).exists()


def _forget(session: Session, ids: list[int], *, at: datetime, erase: bool) -> None:
    for part in persons.parts(ids):
        theirs = TICKET.c.customer_id.in_(part)
        _close(session, theirs, resolution=LEFT, at=at)
        if erase:
            session.execute(delete(SUPPRESSION).where(SUPPRESSION.c.customer_id.in_(part)))
            session.execute(delete(SIGNAL).where(SIGNAL.c.customer_id.in_(part)))
            session.execute(update(TICKET).where(theirs).values(customer_id=None, note=None))


def _close(session: Session, which, *, resolution: str, at: datetime, tell: bool = False) -> None:
    closed = session.execute(
        update(TICKET)
        .where(which, TICKET.c.closed_at.is_(None))
        .values(status=TicketStatus.CLOSED.value, resolution=resolution, status_at=at, closed_at=at)
        .returning(TICKET.c.id, TICKET.c.kind, TICKET.c.customer_id, TICKET.c.campaign_id)
    ).all()
    if not closed:
        return
    history = {"at": at, "actor": SYSTEM.username, "action": "close", "detail": resolution}
    session.execute(insert(CHANGE), [{**history, "ticket_id": ticket.id} for ticket in closed])
    if tell:
        events = [
            TicketClosed(
                ticket_id=ticket.id,
                kind=ticket.kind,
                customer_id=ticket.customer_id,
                campaign_id=ticket.campaign_id,
                resolution=resolution,
            )
            for ticket in closed
        ]
        outbox.record_all(session, events, at=at)

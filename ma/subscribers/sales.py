"""Sales: makes leads of conversions and hot clicks. It knows only what events told, and its own tables.

A click is hot when it comes from somebody whose engagement was in the two highest bands when they were sent
the campaign. Nobody calls because of a click of last week or a conversion of last month: such signals are
kept, and make no lead. A lead is derived from the signals since the person's last lead was closed, so that
their order and their repetition change nothing.
"""

import heapq
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import Select, and_, case, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from ma.db import sequences
from ma.events import outbox
from ma.events.messages import LeadLost, LeadsOpened, OpenedLead
from ma.models import Lead, LeadChange, SalesPerson, SalesRep, SalesSignal
from ma.subscribers import persons, signals
from ma.subscribers.inbox import Happened
from ma.subscribers.persons import PEOPLE
from ma.types import (
    BAND_POINTS,
    BOUGHT_POINTS,
    CLICK_POINTS,
    LEFT,
    MERGED,
    MOST_CLICKS,
    OPEN_STAGES,
    SYSTEM,
    WITHDRAWN,
    LeadStage,
)

LEAD, CHANGE, SIGNAL = Lead.__table__, LeadChange.__table__, SalesSignal.__table__
PERSON, REP = SalesPerson.__table__, SalesRep.__table__
CONVERSION, HOT_CLICK = "conversion", "hot_click"
HOT_BAND = 3
FRESH = {"clicked": timedelta(days=7), "converted": timedelta(days=30)}
LOT = 200

_OPEN_LEADS = select(LEAD).where(LEAD.c.customer_id.in_(PEOPLE), LEAD.c.closed_at.is_(None))
_BUSY = (
    select(func.count(LEAD.c.id), REP.c.id, REP.c.name)
    .outerjoin(LEAD, and_(LEAD.c.owner == REP.c.name, LEAD.c.closed_at.is_(None)))
    .where(REP.c.active)
    .group_by(REP.c.id, REP.c.name)
)


def on_outcomes(session: Session, happened: Sequence[Happened]) -> None:
    """People clicked or bought: keep it, and open or update the leads that follow from it."""
    _follow(session, signals.keep(session, SIGNAL, PERSON, happened, FRESH), happened)


def on_withdrawn(session: Session, happened: Sequence[Happened]) -> None:
    """They did not: leads that follow from nothing else are closed."""
    _follow(session, signals.withdraw(session, SIGNAL, PERSON, happened, FRESH), happened)


def on_merged(session: Session, happened: Sequence[Happened]) -> None:
    """Two customers are one: what one of them showed counts for the other."""
    for one in happened:
        kept, gone = one.event.customer_id, one.event.merged_id
        persons.mark_merged(session, PERSON, gone, kept)
        now = persons.present(session, PERSON, [kept]).get(kept)
        if now is None:
            _forget(session, [gone], at=one.at, erase=False)
            continue
        _move(session, gone, now, at=one.at)
        refresh_leads(session, [now], at=one.at)


def on_deleted(session: Session, happened: Sequence[Happened]) -> None:
    """Customers are no longer there: nobody works on their leads any more."""
    _gone(session, happened, erase=False)


def on_erased(session: Session, happened: Sequence[Happened]) -> None:
    """Customers must be forgotten: leads stay in the sums, without a person."""
    _gone(session, happened, erase=True)


HANDLERS = {
    "OutcomesRecorded": on_outcomes,
    "OutcomesWithdrawn": on_withdrawn,
    "CustomersMerged": on_merged,
    "CustomerDeleted": on_deleted,
    "CustomerErased": on_erased,
}


def refresh_leads(session: Session, customer_ids: Iterable[int], *, at: datetime) -> int:
    """Open leads for those of these people who showed enough interest, update open ones; how many opened."""
    opened: list[dict] = []
    groundless: list[int] = []
    for part in persons.parts(customer_ids):
        open_leads = {row.customer_id: row for row in session.execute(_OPEN_LEADS, {"people": part})}
        for shown in session.execute(_interest(), {"people": part}):
            values = _values(shown)
            lead = open_leads.pop(shown.customer_id, None)
            if lead is None:
                opened.append({"customer_id": shown.customer_id, **values})
            elif any(getattr(lead, name) != value for name, value in values.items()):
                session.execute(update(LEAD).where(LEAD.c.id == lead.id).values(**values))
        groundless += open_leads
    _open(session, opened, at)
    _withdraw(session, groundless, at)
    return len(opened)


def _follow(session: Session, changed: list[dict], happened: Sequence[Happened]) -> None:
    if changed:
        ids = [row["customer_id"] for row in changed]
        refresh_leads(session, ids, at=max(one.at for one in happened))


@lru_cache
def _interest() -> Select:
    """What each person showed since their last lead, who showed enough: one row each.

    The campaign is that of the first conversion, otherwise of the first hot click.
    """
    closed = (
        select(LEAD.c.customer_id, func.max(LEAD.c.closed_at).label("at"))
        .where(
            LEAD.c.customer_id.in_(PEOPLE),
            or_(LEAD.c.lost_reason.is_(None), LEAD.c.lost_reason.not_in([MERGED, WITHDRAWN])),
        )
        .group_by(LEAD.c.customer_id)
        .subquery()
    )
    bought = SIGNAL.c.step == "converted"
    hot = and_(SIGNAL.c.step == "clicked", func.coalesce(SIGNAL.c.band, 0) >= HOT_BAND)
    rank = case((bought, 0), (hot, 1), else_=2)
    mine = {"partition_by": SIGNAL.c.customer_id}
    shown = (
        select(
            SIGNAL.c.customer_id,
            SIGNAL.c.campaign_id,
            SIGNAL.c.channel,
            rank.label("rank"),
            func.row_number().over(**mine, order_by=(rank, SIGNAL.c.at, SIGNAL.c.campaign_id)).label("place"),
            func.sum(case((bought, 0), else_=1)).over(**mine).label("clicks"),
            func.max(SIGNAL.c.band).over(**mine).label("band"),
            func.max(SIGNAL.c.revenue_minor).over(**mine).label("value_minor"),
            func.min(case((rank < 2, SIGNAL.c.at))).over(**mine).label("opened_at"),
            func.max(SIGNAL.c.at).over(**mine).label("signal_at"),
        )
        .outerjoin(closed, closed.c.customer_id == SIGNAL.c.customer_id)
        .where(
            SIGNAL.c.customer_id.in_(PEOPLE),
            ~SIGNAL.c.stale,
            ~SIGNAL.c.withdrawn,
            or_(closed.c.at.is_(None), SIGNAL.c.at > closed.c.at),
        )
        .subquery()
    )
    return select(shown).where(shown.c.place == 1, shown.c.rank < 2).order_by(shown.c.customer_id)


def _values(shown) -> dict:
    bought = shown.rank == 0
    points = (
        BOUGHT_POINTS * bought
        + CLICK_POINTS * min(int(shown.clicks), MOST_CLICKS)
        + BAND_POINTS * (shown.band or 0)
    )
    return {
        "campaign_id": shown.campaign_id,
        "channel": shown.channel,
        "reason": CONVERSION if bought else HOT_CLICK,
        "score": points,
        "value_minor": shown.value_minor,
        "opened_at": shown.opened_at,
        "signal_at": shown.signal_at,
    }


def _open(session: Session, leads: list[dict], at: datetime) -> None:
    if not leads:
        return
    ids = sequences.reserve(session, LEAD, len(leads)).tolist()
    owners = next_owners(session, len(leads))
    rows = [
        {**lead, "id": i, "owner": owner, "stage": LeadStage.NEW.value, "stage_at": at, "version": 1}
        for lead, i, owner in zip(leads, ids, owners, strict=True)
    ]
    session.execute(insert(LEAD), rows)
    history = {"at": at, "actor": SYSTEM.username, "action": "open"}
    session.execute(
        insert(CHANGE), [{**history, "lead_id": row["id"], "detail": row["reason"]} for row in rows]
    )
    told = [
        OpenedLead(
            lead_id=row["id"],
            customer_id=row["customer_id"],
            campaign_id=row["campaign_id"],
            channel=row["channel"],
            reason=row["reason"],
            score=row["score"],
            at=row["opened_at"],
        )
        for row in rows
    ]
    lots = [LeadsOpened(leads=told[start : start + LOT]) for start in range(0, len(told), LOT)]
    outbox.record_all(session, lots, at=at)


def next_owners(session: Session, count: int) -> list[str | None]:
    """Who gets the next leads: each time whoever has the fewest open ones."""
    queue = [tuple(row) for row in session.execute(_BUSY)]
    if not queue:
        return [None] * count
    heapq.heapify(queue)
    owners = []
    for _ in range(count):
        leads, rep_id, name = queue[0]
        heapq.heapreplace(queue, (leads + 1, rep_id, name))
        owners.append(name)
    return owners


def _move(session: Session, gone: int, kept: int, *, at: datetime) -> None:
    mine = SIGNAL.alias("mine")
    both = (
        select(mine.c.customer_id)
        .where(
            mine.c.customer_id == kept,
            mine.c.campaign_id == SIGNAL.c.campaign_id,
            mine.c.step == SIGNAL.c.step,
        )
        .exists()
    )
    session.execute(delete(SIGNAL).where(SIGNAL.c.customer_id == gone, both))
    session.execute(update(SIGNAL).where(SIGNAL.c.customer_id == gone).values(customer_id=kept))
    two = session.scalar(
        select(func.count()).where(LEAD.c.customer_id.in_([gone, kept]), LEAD.c.closed_at.is_(None))
    )
    if two == 2:
        _close(session, LEAD.c.customer_id == gone, reason=MERGED, at=at)
    session.execute(update(LEAD).where(LEAD.c.customer_id == gone).values(customer_id=kept))


def _gone(session: Session, happened: Sequence[Happened], *, erase: bool) -> None:
    ids = [one.event.customer_id for one in happened]
    persons.mark_gone(session, PERSON, ids)
    _forget(session, ids, at=max(one.at for one in happened), erase=erase)


def _forget(session: Session, ids: list[int], *, at: datetime, erase: bool) -> None:
    for part in persons.parts(ids):
        session.execute(delete(SIGNAL).where(SIGNAL.c.customer_id.in_(part)))
        _close(session, LEAD.c.customer_id.in_(part), reason=LEFT, at=at)
        if erase:
            theirs = update(LEAD).where(LEAD.c.customer_id.in_(part))
            session.execute(theirs.values(customer_id=None, note=None))


def _withdraw(session: Session, customer_ids: list[int], at: datetime) -> None:
    for part in persons.parts(customer_ids):
        closed = _close(session, LEAD.c.customer_id.in_(part), reason=WITHDRAWN, at=at)
        events = [
            LeadLost(
                lead_id=lead.id,
                customer_id=lead.customer_id,
                campaign_id=lead.campaign_id,
                reason=WITHDRAWN,
            )
            for lead in closed
        ]
        outbox.record_all(session, events, at=at)


def _close(session: Session, whose, *, reason: str, at: datetime) -> Sequence:
    """Close the open leads of somebody as lost; what is told of each."""
    open_ = [stage.value for stage in OPEN_STAGES]
    closed = session.execute(
        update(LEAD)
        .where(whose, LEAD.c.stage.in_(open_))
        .values(stage=LeadStage.LOST.value, lost_reason=reason, stage_at=at, closed_at=at)
        .returning(LEAD.c.id, LEAD.c.customer_id, LEAD.c.campaign_id)
    ).all()
    history = {"at": at, "actor": SYSTEM.username, "action": LeadStage.LOST.value, "detail": reason}
    if closed:
        session.execute(insert(CHANGE), [{**history, "lead_id": lead.id} for lead in closed])
    return closed

"""The pipeline of Sales: leads by stage and owner, what came of them, and what their score is made of."""

from datetime import datetime

import pandas as pd
from sqlalchemy import Select, case, func, not_, or_, select
from sqlalchemy.orm import Session

from ma.analytics.frames import read
from ma.errors import NotFound
from ma.models import Lead, LeadChange, SalesRep, SalesSignal
from ma.types import (
    BAND_POINTS,
    BOUGHT_POINTS,
    CLICK_POINTS,
    MERGED,
    MOST_CLICKS,
    WITHDRAWN,
    LeadStage,
)

_STAGES = [stage.value for stage in LeadStage]
_OPEN = Lead.closed_at.is_(None)
_COLUMNS = (
    "customer_id", "campaign_id", "channel", "reason", "score", "stage", "owner", "value_minor", "opened_at",
    "signal_at", "stage_at", "closed_at", "lost_reason", "note", "version",
)  # fmt: skip


def leads(
    session: Session,
    *,
    as_of: datetime,
    stage: str | None = None,
    owner: str | None = None,
    reason: str | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> pd.DataFrame:
    """Leads, the open ones first, then by score.

    lead_id, customer_id (NA: erased), campaign_id, channel, reason, score (0–100), stage, owner, value_minor,
    opened_at, signal_at, stage_at, closed_at, lost_reason, note, version, days_in_stage (whole days until
    `as_of`, or until it was closed). `stage`: one, several separated by commas, or "open"; `owner`: a
    name, or an empty text for nobody's.
    """
    query = select(Lead.id.label("lead_id"), *(getattr(Lead, name) for name in _COLUMNS)).order_by(
        Lead.closed_at.is_not(None), Lead.score.desc(), Lead.signal_at.desc(), Lead.id
    )
    return _frame(session, _chosen(query, stage, owner, reason).limit(limit).offset(offset), as_of)


def lead_count(
    session: Session, *, stage: str | None = None, owner: str | None = None, reason: str | None = None
) -> int:
    """How many rows `leads` has."""
    return session.scalar(_chosen(select(func.count()).select_from(Lead), stage, owner, reason))


def lead(session: Session, lead_id: int, *, as_of: datetime) -> dict:
    """One lead: what a row of `leads` has, with None where something is unknown. Raises NotFound."""
    query = select(Lead.id.label("lead_id"), *(getattr(Lead, name) for name in _COLUMNS))
    frame = _frame(session, query.where(Lead.id == lead_id), as_of)
    if frame.empty:
        raise NotFound(f"There is no lead {lead_id}.")
    row = frame.iloc[0].to_dict()
    return {name: None if pd.isna(value) else value for name, value in row.items()}


def lead_pipeline(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """Every stage in its order: leads, their value (minor units) and mean score (NaN where there is none)."""
    query = select(
        Lead.stage,
        func.count().label("leads"),
        func.sum(Lead.value_minor).label("value_minor"),
        func.avg(Lead.score).label("score"),
    ).group_by(Lead.stage)
    frame = read(session, query).set_index("stage").reindex(_STAGES)
    return pd.DataFrame(
        {
            "stage": _STAGES,
            "leads": frame["leads"].fillna(0).astype("int64").to_numpy(),
            "value_minor": frame["value_minor"].fillna(0).astype("int64").to_numpy(),
            "score": frame["score"].astype(float).to_numpy(),
        }
    )


def lead_results(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """What came of closed leads, the most first: result (won, or why it was lost), leads, value_minor.

    A result that nobody in Sales chose (the customer left, two customers were one, the import was taken back)
    stands at its place too.
    """
    result = case((Lead.stage == LeadStage.WON.value, LeadStage.WON.value), else_=Lead.lost_reason)
    query = (
        select(
            result.label("result"),
            func.count().label("leads"),
            func.sum(Lead.value_minor).label("value_minor"),
        )
        .where(Lead.closed_at.is_not(None))
        .group_by(result)
        .order_by(func.count().desc(), result)
    )
    return read(session, query).fillna({"value_minor": 0}).astype({"leads": "int64", "value_minor": "int64"})


def lead_owners(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """Whoever works on leads, and NA for nobody: open, open_minor, won, lost and won_minor, by name."""

    def total(condition, value=1):
        return func.sum(case((condition, value), else_=0))

    won = Lead.stage == LeadStage.WON.value
    query = (
        select(
            Lead.owner,
            total(_OPEN).label("open"),
            func.coalesce(total(_OPEN, Lead.value_minor), 0).label("open_minor"),
            total(won).label("won"),
            total(Lead.stage == LeadStage.LOST.value).label("lost"),
            total(won, Lead.value_minor).label("won_minor"),
        )
        .group_by(Lead.owner)
        .order_by(Lead.owner)
    )
    figures = ["open", "open_minor", "won", "lost", "won_minor"]
    frame = read(session, query)
    idle = [name for name in lead_reps(session, as_of=as_of)["name"] if name not in set(frame["owner"])]
    none = pd.DataFrame({"owner": idle}).assign(**dict.fromkeys(figures, 0))
    frame = pd.concat([frame, none], ignore_index=True) if len(none) else frame
    frame = frame.astype(dict.fromkeys(figures, "int64"))
    return frame.sort_values("owner", na_position="last", ignore_index=True)


def lead_reps(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """Whoever gets new leads: rep_id and name."""
    return read(
        session,
        select(SalesRep.id.label("rep_id"), SalesRep.name).where(SalesRep.active).order_by(SalesRep.name),
    )


def lead_changes(session: Session, *, lead_id: int, as_of: datetime) -> pd.DataFrame:
    """What was done with one lead, the latest first: at, actor, action, detail."""
    change = LeadChange
    query = select(change.at, change.actor, change.action, change.detail).where(change.lead_id == lead_id)
    frame = read(session, query.order_by(change.at.desc(), change.id.desc()))
    return frame.assign(at=pd.to_datetime(frame["at"], utc=True))


def lead_signals(session: Session, *, lead_id: int, as_of: datetime) -> pd.DataFrame:
    """What a person showed that their lead is made of, the latest first.

    at, step (clicked or converted), campaign_id, channel, band (of their engagement, 0–4; NA: unknown),
    revenue_minor. Those that were too old when they were told, and those taken back, are not among them.
    """
    mine = (
        select(Lead.id, Lead.customer_id, Lead.opened_at, Lead.signal_at).where(Lead.id == lead_id).subquery()
    )
    ended = or_(Lead.lost_reason.is_(None), Lead.lost_reason.not_in([MERGED, WITHDRAWN]))
    before = (
        select(func.max(Lead.closed_at))
        .where(
            Lead.customer_id == mine.c.customer_id,
            Lead.id != mine.c.id,
            Lead.closed_at < mine.c.opened_at,
            ended,
        )
        .scalar_subquery()
    )
    signal = SalesSignal
    query = (
        select(signal.at, signal.step, signal.campaign_id, signal.channel, signal.band, signal.revenue_minor)
        .join(mine, mine.c.customer_id == signal.customer_id)
        .where(
            not_(signal.stale),
            not_(signal.withdrawn),
            signal.at <= mine.c.signal_at,
            or_(before.is_(None), signal.at > before),
        )
        .order_by(signal.at.desc(), signal.campaign_id, signal.step)
    )
    frame = read(session, query).astype({"band": "Int64", "revenue_minor": "Int64"})
    return frame.assign(at=pd.to_datetime(frame["at"], utc=True))


def lead_score(session: Session, *, lead_id: int, as_of: datetime) -> pd.DataFrame:
    """What a lead's score is made of: part (bought, clicks, engagement), count, each, points, most."""
    signals = lead_signals(session, lead_id=lead_id, as_of=as_of)
    bought = int((signals["step"] == "converted").any())
    clicks = int((signals["step"] == "clicked").sum())
    band = 0 if signals["band"].isna().all() else int(signals["band"].max())
    rows = [
        ("bought", bought, BOUGHT_POINTS, bought * BOUGHT_POINTS, BOUGHT_POINTS),
        ("clicks", clicks, CLICK_POINTS, min(clicks, MOST_CLICKS) * CLICK_POINTS, MOST_CLICKS * CLICK_POINTS),
        ("engagement", band, BAND_POINTS, band * BAND_POINTS, 4 * BAND_POINTS),
    ]
    return pd.DataFrame(rows, columns=["part", "count", "each", "points", "most"])


def _frame(session: Session, query: Select, as_of: datetime) -> pd.DataFrame:
    frame = read(session, query)
    frame = frame.astype(dict.fromkeys(("customer_id", "value_minor"), "Int64"))
    # An empty column of times comes in seconds.
    until = frame["closed_at"].dt.as_unit("us").fillna(pd.Timestamp(as_of).as_unit("us"))
    return frame.assign(days_in_stage=(until - frame["stage_at"]).dt.days.clip(lower=0).astype("Int64"))


def _chosen(query: Select, stage: str | None, owner: str | None, reason: str | None) -> Select:
    if stage == "open":
        query = query.where(_OPEN)
    elif stage:
        query = query.where(Lead.stage.in_(stage.split(",")))
    if owner is not None:
        query = query.where(Lead.owner == owner if owner else Lead.owner.is_(None))
    return query.where(Lead.reason == reason) if reason else query

"""The pipeline of Sales: its leads, by stage and by owner, and how long they take."""

from datetime import datetime

import pandas as pd
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from ma.analytics.frames import read
from ma.models import Lead, LeadChange, SalesRep
from ma.types import LeadStage

_STAGES = [stage.value for stage in LeadStage]
_OPEN = Lead.closed_at.is_(None)


def leads(
    session: Session,
    *,
    as_of: datetime,
    stage: str | None = None,
    owner: str | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> pd.DataFrame:
    """Leads, the open ones first, then by score.

    lead_id, customer_id (NA: erased), campaign_id, channel, reason, score (0–100), stage, owner, value_minor,
    opened_at, signal_at, stage_at, closed_at, lost_reason, note, version, days_in_stage (whole days until
    `as_of`, or until it was closed).
    """
    query = select(
        Lead.id.label("lead_id"),
        *(
            getattr(Lead, name)
            for name in (
                "customer_id", "campaign_id", "channel", "reason", "score", "stage", "owner", "value_minor",
                "opened_at", "signal_at", "stage_at", "closed_at", "lost_reason", "note", "version",
            )
        ),
    ).order_by(Lead.closed_at.is_not(None), Lead.score.desc(), Lead.signal_at.desc(), Lead.id)  # fmt: skip
    for column, wanted in ((Lead.stage, stage), (Lead.owner, owner)):
        query = query if wanted is None else query.where(column == wanted)
    frame = read(session, query.limit(limit).offset(offset))
    whole = ("customer_id", "value_minor")
    frame = frame.astype(dict.fromkeys(whole, "Int64"))
    until = frame["closed_at"].fillna(pd.Timestamp(as_of))
    return frame.assign(days_in_stage=(until - frame["stage_at"]).dt.days.clip(lower=0).astype("Int64"))


def lead_count(session: Session, *, stage: str | None = None, owner: str | None = None) -> int:
    """How many rows `leads` has."""
    query = select(func.count()).select_from(Lead)
    for column, wanted in ((Lead.stage, stage), (Lead.owner, owner)):
        query = query if wanted is None else query.where(column == wanted)
    return session.scalar(query)


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


def lead_owners(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """Whoever works on leads, and NA for nobody: open, won, lost and won_minor, by name."""
    query = (
        select(
            Lead.owner,
            func.sum(case((_OPEN, 1), else_=0)).label("open"),
            func.sum(case((Lead.stage == LeadStage.WON.value, 1), else_=0)).label("won"),
            func.sum(case((Lead.stage == LeadStage.LOST.value, 1), else_=0)).label("lost"),
            func.sum(case((Lead.stage == LeadStage.WON.value, Lead.value_minor), else_=0)).label("won_minor"),
        )
        .group_by(Lead.owner)
        .order_by(Lead.owner)
    )
    figures = ["open", "won", "lost", "won_minor"]
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

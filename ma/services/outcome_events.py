"""Telling other modules what people did with campaigns: as events of many people each, when it has happened.

Outcomes of simulated campaigns are stored with their future steps; the worker tells each when its time has
come. What was imported has happened already, and is told in the import's own transaction. People held out are
never told of: whoever calls them would spoil the comparison.
"""

from collections.abc import Iterator
from datetime import datetime

import pandas as pd
from sqlalchemy import ColumnElement, exists, func, insert, select, update
from sqlalchemy.orm import Session

from ma.db import staging
from ma.events import outbox
from ma.events.messages import OutcomesRecorded, RecordedOutcome
from ma.models import Campaign, Customer, Outcome, OutcomePublication
from ma.models.outcome import TOLD
from ma.types import Arm, Source

OUTCOME, CAMPAIGN, CUSTOMER = Outcome.__table__, Campaign.__table__, Customer.__table__
PUBLICATION = OutcomePublication.__table__
# So few people in one event that a batch of events stays small.
LOT = 200
_COLUMNS = ["customer_id", "at", "band", "revenue_minor"]


def due_waves(session: Session, *, at: datetime) -> list[tuple[int, int]]:
    """The waves of which something has happened by `at` that nobody was told of. Ask every few seconds."""
    return [
        (campaign_id, wave)
        for campaign_id, wave, until in _open_waves(session)
        if any(
            session.scalar(
                select(OUTCOME.c.campaign_id).where(*_between(campaign_id, wave, step, until, at)).limit(1)
            )
            is not None
            for step in TOLD
        )
    ]


def publish_wave(session: Session, campaign_id: int, wave: int, *, at: datetime) -> int:
    """Tell what happened in a wave by `at` and was not told yet; of how many steps of people.

    Two that do it at once: one of them does it, the other one's transaction fails or tells nothing.
    """
    mine = (PUBLICATION.c.campaign_id == campaign_id, PUBLICATION.c.wave == wave)
    until = session.scalar(select(PUBLICATION.c.until).where(*mine).with_for_update())
    if until is not None and until >= at:
        return 0
    if until is None:
        ends_at = max(filter(None, (_last(session, campaign_id, wave, step) for step in TOLD)), default=at)
        first = {"campaign_id": campaign_id, "wave": wave, "until": at, "ends_at": ends_at}
        session.execute(insert(PUBLICATION).values(**first))
    else:
        session.execute(update(PUBLICATION).where(*mine).values(until=at))
    channel = session.scalar(select(CAMPAIGN.c.channel).where(CAMPAIGN.c.id == campaign_id))
    told = 0
    for step in TOLD:
        frame = _happened(session, campaign_id, wave, step, until, at)
        outbox.record_all(session, _events(frame, campaign_id, channel, step), at=at)
        told += len(frame)
    return told


def record_imported(session: Session, outcomes: pd.DataFrame, *, at: datetime) -> int:
    """Tell what an import brought in: rows of outcomes, with `was_` columns for those that were here.

    Takes campaign_id, customer_id, arm, band, revenue_minor and the times of steps; of how many steps.
    """
    channels = dict(session.execute(select(CAMPAIGN.c.id, CAMPAIGN.c.channel)).all())
    treated = outcomes[(outcomes["arm"] == Arm.TREATED.value).to_numpy()]
    told = 0
    for step in TOLD:
        name = f"{step}_at"
        if name not in treated:
            continue
        new = treated[name].notna() & (treated[name] <= at)
        if f"was_{name}" in treated:
            new &= treated[f"was_{name}"].isna()
        for campaign_id, mine in treated[new.to_numpy(dtype=bool)].groupby("campaign_id"):
            frame = mine.assign(at=mine[name])[_COLUMNS].sort_values(["at", "customer_id"])
            events = _events(frame, int(campaign_id), channels[int(campaign_id)], step)
            outbox.record_all(session, events, at=at)
            told += len(frame)
    return told


def _open_waves(session: Session) -> Iterator[tuple[int, int, datetime | None]]:
    """The sent waves of simulated campaigns that may still have something to tell, until when they did."""
    rows = session.execute(
        select(
            CAMPAIGN.c.id,
            CAMPAIGN.c.waves_sent,
            PUBLICATION.c.wave,
            PUBLICATION.c.until,
            PUBLICATION.c.ends_at,
        )
        .outerjoin(PUBLICATION, PUBLICATION.c.campaign_id == CAMPAIGN.c.id)
        .where(CAMPAIGN.c.source == Source.SIMULATED, CAMPAIGN.c.waves_sent > 0)
        .order_by(CAMPAIGN.c.id)
    )
    sent: dict[int, int] = {}
    known: dict[tuple[int, int], tuple[datetime, datetime]] = {}
    for row in rows:
        sent[row.id] = row.waves_sent
        if row.wave is not None:
            known[row.id, row.wave] = (row.until, row.ends_at)
    for campaign_id, waves in sent.items():
        for wave in range(1, waves + 1):
            until, ends_at = known.get((campaign_id, wave), (None, None))
            if until is None or until < ends_at:
                yield campaign_id, wave, until


def _between(
    campaign_id: int, wave: int, step: str, until: datetime | None, at: datetime
) -> list[ColumnElement]:
    time = OUTCOME.c[f"{step}_at"]
    which = [
        OUTCOME.c.campaign_id == campaign_id,
        OUTCOME.c.wave == wave,
        OUTCOME.c.arm == Arm.TREATED.value,
        time <= at,
        # Said although it follows: SQLite takes the index of this step only where it stands here.
        time.is_not(None),
    ]
    return which if until is None else [*which, time > until]


def _last(session: Session, campaign_id: int, wave: int, step: str) -> datetime | None:
    time = OUTCOME.c[f"{step}_at"]
    mine = (OUTCOME.c.campaign_id == campaign_id, OUTCOME.c.wave == wave, time.is_not(None))
    return session.scalar(select(func.max(time)).where(*mine))


def _happened(
    session: Session, campaign_id: int, wave: int, step: str, until: datetime | None, at: datetime
) -> pd.DataFrame:
    time = OUTCOME.c[f"{step}_at"]
    erased = exists().where(CUSTOMER.c.id == OUTCOME.c.customer_id, CUSTOMER.c.erased_at.is_not(None))
    columns = (OUTCOME.c.customer_id, time.label("at"), OUTCOME.c.band, OUTCOME.c.revenue_minor)
    return staging.rows(
        session,
        select(*columns)
        .where(*_between(campaign_id, wave, step, until, at), ~erased)
        .order_by(time, OUTCOME.c.customer_id),
    )


def _events(frame: pd.DataFrame, campaign_id: int, channel: str, step: str) -> Iterator[OutcomesRecorded]:
    for start in range(0, len(frame), LOT):
        part = frame.iloc[start : start + LOT]
        bands = part["band"].astype("Int64")
        rows = zip(
            part["customer_id"].tolist(),
            part["at"].dt.to_pydatetime(),
            [None if pd.isna(band) else int(band) for band in bands],
            part["revenue_minor"].tolist(),
            strict=True,
        )
        outcomes = [
            RecordedOutcome(
                customer_id=customer_id,
                at=at,
                engagement_band=band,
                revenue_minor=revenue if step == "converted" else None,
            )
            for customer_id, at, band, revenue in rows
        ]
        yield OutcomesRecorded(campaign_id=campaign_id, channel=channel, step=step, outcomes=outcomes)

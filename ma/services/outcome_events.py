"""Telling other modules what people did with campaigns: as events of many people each, when it has happened.

Outcomes of simulated campaigns are stored with their future steps; the worker tells each when its time has
come. What was imported has happened already, and is told in the import's own transaction. People held out are
never told of: whoever calls them would spoil the comparison.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import ColumnElement, exists, func, insert, select, update
from sqlalchemy.orm import Session

from ma.db import staging
from ma.events import outbox
from ma.events.messages import OutcomesRecorded, OutcomesWithdrawn, RecordedOutcome
from ma.models import Campaign, Customer, Outcome, OutcomePublication
from ma.models.outcome import TOLD
from ma.types import Arm, Source

OUTCOME, CAMPAIGN, CUSTOMER = Outcome.__table__, Campaign.__table__, Customer.__table__
PUBLICATION = OutcomePublication.__table__
# So few people in one event that a batch of events stays small.
LOT = 200
# Of each step, what is told of a wave in one transaction.
MOST = 50_000
_COLUMNS = ["customer_id", "at", "band", "revenue_minor"]


@dataclass(frozen=True)
class Telling:
    """What is to be told of one wave: what happened after `since` (None: from its beginning) up to `at`."""

    campaign_id: int
    wave: int
    since: datetime | None
    at: datetime
    ends_at: datetime
    events: list[OutcomesRecorded]

    @property
    def steps(self) -> int:
        """Of how many steps of people it tells."""
        return sum(len(event.outcomes) for event in self.events)


def prepare(session: Session, *, at: datetime) -> Iterator[Telling]:
    """What happened by `at` and was told to nobody yet, a wave at a time. Ask every few seconds.

    Only reads: writing then takes little time. Of a wave with very much to tell, the earlier part; the next
    time the rest.
    """
    for campaign_id, wave, since, ends_at in _open_waves(session):
        until = min(
            filter(None, (_busy(session, campaign_id, wave, step, since, at) for step in TOLD)), default=at
        )
        frames = {step: _happened(session, campaign_id, wave, step, since, until) for step in TOLD}
        if not any(len(frame) for frame in frames.values()):
            continue
        channel = session.scalar(select(CAMPAIGN.c.channel).where(CAMPAIGN.c.id == campaign_id))
        events = [
            event for step, frame in frames.items() for event in _events(frame, campaign_id, channel, step)
        ]
        if ends_at is None:
            ends_at = max(filter(None, (_last(session, campaign_id, wave, step) for step in TOLD)))
        yield Telling(campaign_id, wave, since, until, ends_at, events)


def publish(session: Session, telling: Telling, *, at: datetime) -> bool:
    """Record what was prepared; False when somebody else has told it meanwhile."""
    key = {"campaign_id": telling.campaign_id, "wave": telling.wave}
    if telling.since is None:
        known = select(PUBLICATION.c.until).filter_by(**key)
        if session.scalar(known) is not None:
            return False
        row = {**key, "until": telling.at, "ends_at": telling.ends_at}
        session.execute(insert(PUBLICATION).values(**row))
    else:
        mine = update(PUBLICATION).filter_by(**key).where(PUBLICATION.c.until == telling.since)
        if session.execute(mine.values(until=telling.at)).rowcount != 1:
            return False
    outbox.record_all(session, telling.events, at=at)
    return True


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


def record_withdrawn(session: Session, outcomes: pd.DataFrame, *, at: datetime) -> int:
    """Tell that an import was taken back: campaign_id, customer_id, arm, and the times of the steps that are
    no longer known. Call it while the campaigns are still there. Of how many steps."""
    channels = dict(session.execute(select(CAMPAIGN.c.id, CAMPAIGN.c.channel)).all())
    treated = outcomes[(outcomes["arm"] == Arm.TREATED.value).to_numpy(dtype=bool)]
    told = 0
    for step in TOLD:
        if f"{step}_at" not in treated:
            continue
        lost = treated[treated[f"{step}_at"].notna().to_numpy(dtype=bool)]
        for campaign_id, mine in lost.groupby("campaign_id"):
            ids = sorted(mine["customer_id"].astype("int64").tolist())
            of = {"campaign_id": int(campaign_id), "channel": channels[int(campaign_id)], "step": step}
            lots = [ids[start : start + LOT] for start in range(0, len(ids), LOT)]
            outbox.record_all(session, [OutcomesWithdrawn(**of, customer_ids=lot) for lot in lots], at=at)
            told += len(ids)
    return told


def _open_waves(session: Session) -> list[tuple[int, int, datetime | None, datetime | None]]:
    """The sent waves of simulated campaigns that may still have something to tell: campaign, wave, until when
    it was told, and when there will be nothing more."""
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
    ).all()
    known = {(row.id, row.wave): (row.until, row.ends_at) for row in rows}
    waves = [
        (campaign_id, wave, *known.get((campaign_id, wave), (None, None)))
        for campaign_id, sent in {row.id: row.waves_sent for row in rows}.items()
        for wave in range(1, sent + 1)
    ]
    return [one for one in waves if one[2] is None or one[2] < one[3]]


def _busy(
    session: Session, campaign_id: int, wave: int, step: str, since: datetime | None, at: datetime
) -> datetime | None:
    """Where very many took a step: until when the first of them did. None where it is fewer."""
    time = OUTCOME.c[f"{step}_at"]
    which = _between(campaign_id, wave, step, since, at)
    return session.scalar(select(time).where(*which).order_by(time).offset(MOST - 1).limit(1))


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

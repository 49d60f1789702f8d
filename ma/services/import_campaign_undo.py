"""Taking real results back: the campaigns that an import added go, the others become what they were."""

from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from ma.db import staging
from ma.models import Base, Campaign, CampaignAggregate, ImportChange, ImportRun, Outcome, Segment
from ma.models.outcome import TOLD
from ma.services import import_restore as restore
from ma.services import outcome_events
from ma.services.import_campaigns import NOUN
from ma.services.import_outcome_writing import ROW_NOUN, VALUES, rebuild_engagement, set_values
from ma.services.results import rebuild_results

CAMPAIGN, AGGREGATE, OUTCOME = Campaign.__table__, CampaignAggregate.__table__, Outcome.__table__
RUN, CHANGE = ImportRun.__table__, ImportChange.__table__
_BATCH = 1_000
_LOOKED_AT = ("customer_id", "opened_at", "clicked_at")
_TOLD = ("campaign_id", "customer_id", "arm", *(f"{step}_at" for step in TOLD))


def undo(session: Session, import_id: int, *, at: datetime) -> dict[str, int]:
    """Take back what an import did to campaigns; how many were removed, restored and kept.

    Kept is a campaign to which a later import has added something, and a new one of which a segment's rule
    speaks. Nothing where the import is of another kind or was taken back already.
    """
    before, kept = restore.changes(session, import_id, NOUN)
    standing = session.scalar(select(RUN.c.id).where(RUN.c.id == import_id, RUN.c.undone_at.is_(None)))
    if standing is None or not len(before) + kept:
        return {}
    new = before.loc[[not held for held in before["before"]], "object_id"]
    used = new[new.isin(_in_rules(session))]
    gone = new.drop(used.index)
    touched = [_remove(session, gone, at=at)]
    changed = before[[bool(held) for held in before["before"]]]
    for one in changed.itertuples():
        if "total" in one.before:
            _restore_total(session, one.object_id, one.before, at)
        else:
            touched.append(_restore_outcomes(session, import_id, one.object_id, one.before, at))
    rebuild_engagement(session, pd.concat(touched), at)
    return {
        "campaigns_removed": len(gone),
        "campaigns_restored": len(changed),
        "campaigns_kept": kept + len(used),
    }


def _remove(session: Session, ids: pd.Series, *, at: datetime) -> pd.DataFrame:
    """Delete campaigns with all that belongs to them; the outcomes that they had."""
    query = select(*(OUTCOME.c[name] for name in dict.fromkeys((*_LOOKED_AT, *_TOLD))))
    parts = [ids.iloc[start : start + _BATCH].tolist() for start in range(0, len(ids), _BATCH)] or [[]]
    had = [staging.rows(session, query.where(OUTCOME.c.campaign_id.in_(part))) for part in parts]
    for outcomes in had:
        outcome_events.record_withdrawn(session, outcomes, at=at)
    for part in parts:
        for column in _references():
            session.execute(delete(column.table).where(column.in_(part)))
        session.execute(delete(CAMPAIGN).where(CAMPAIGN.c.id.in_(part)))
    return pd.concat(had, ignore_index=True)[list(_LOOKED_AT)]


def _references() -> list:
    """Every column that names the campaign to which a row belongs."""
    return [
        key.parent
        for table in Base.metadata.sorted_tables
        for key in table.foreign_keys
        if key.column is CAMPAIGN.c.id
    ]


def _restore_total(session: Session, campaign_id: int, before: dict, at: datetime) -> None:
    session.execute(update(AGGREGATE).where(AGGREGATE.c.campaign_id == campaign_id).values(**before["total"]))
    _restore(session, campaign_id, at, steps=before["steps"])


def _restore_outcomes(
    session: Session, import_id: int, campaign_id: int, before: dict, at: datetime
) -> pd.DataFrame:
    """Delete the outcomes that came into a campaign and empty the steps that were filled; who they were."""
    mine = CHANGE.c.import_id == import_id, CHANGE.c.noun == ROW_NOUN.format(campaign_id)
    found = session.execute(select(CHANGE.c.object_id, CHANGE.c.before).where(*mine)).all()
    ids = pd.Series([row.object_id for row in found], dtype="int64")
    query = select(*(OUTCOME.c[name] for name in ("customer_id", "arm", *VALUES)))
    now = staging.by_id(
        session, query.where(OUTCOME.c.campaign_id == campaign_id), OUTCOME.c.customer_id, ids
    )
    now = now.astype({"customer_id": "int64"}).set_index("customer_id")
    arms = now.pop("arm")
    held = pd.Series([row.before for row in found], index=ids.to_numpy(), dtype=object).reindex(now.index)
    added = held.map(lambda one: "added" in one).to_numpy(dtype=bool)
    if added.any():
        frame = pd.DataFrame({"customer_id": now.index[added]})
        with staging.staged(session, frame, {"customer_id": OUTCOME.c.customer_id}) as gone:
            session.execute(
                delete(OUTCOME).where(
                    OUTCOME.c.campaign_id == campaign_id,
                    OUTCOME.c.customer_id.in_(select(gone.c.customer_id)),
                )
            )
    after = now[~added].copy()
    for name in VALUES[:-1]:
        filled = np.array([name in one for one in held[~added]], dtype=bool)
        after[name] = after[name].mask(filled)
    lost = now.assign(arm=arms, campaign_id=campaign_id)
    for name in VALUES[:-1]:
        lost.loc[~added, name] = lost.loc[~added, name].where(after[name].isna())
    outcome_events.record_withdrawn(session, lost.reset_index(), at=at)
    revenue = [one.get("revenue_minor") for one in held[~added]]
    revenue = pd.Series(revenue, index=after.index, dtype=object).astype("Int64")
    after["revenue_minor"] = revenue.fillna(after["revenue_minor"])
    if len(after):
        set_values(session, campaign_id, after.reset_index())
    _restore(session, campaign_id, at, steps=before["steps"], launched_at=pd.Timestamp(before["launched_at"]))
    rebuild_results(session, campaign_id)
    return now.reset_index()[list(_LOOKED_AT)]


def _restore(session: Session, campaign_id: int, at: datetime, **values) -> None:
    if "launched_at" in values:
        values["launched_at"] = values["launched_at"].to_pydatetime()
    session.execute(
        update(CAMPAIGN)
        .where(CAMPAIGN.c.id == campaign_id)
        .values(updated_at=at, version=CAMPAIGN.c.version + 1, **values)
    )


def _in_rules(session: Session) -> set[int]:
    """The campaigns of which a segment's rule speaks, valid or not."""
    found: set[int] = set()
    waiting: list[object] = list(session.scalars(select(Segment.rule).where(Segment.rule.is_not(None))))
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(one.values())
            if isinstance(one.get("campaign"), int):
                found.add(one["campaign"])
        elif isinstance(one, list):
            waiting.extend(one)
    return found

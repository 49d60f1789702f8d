"""Writing what a file says of real campaigns: campaigns, outcomes and what follows from them."""

import json
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ma.db import staging
from ma.errors import Conflict
from ma.models import Campaign, Customer, Outcome
from ma.services import import_buyers as buyers
from ma.services import import_campaigns as campaigns
from ma.services import import_orders as orders
from ma.services import import_writing as writing
from ma.services import outcome_events
from ma.services.import_campaigns import NOUN
from ma.services.import_outcome_rows import TIMES
from ma.services.profiles import WINDOW
from ma.services.results import rebuild_results
from ma.simulation.assignment import bands
from ma.types import Actor, Arm, Source

CAMPAIGN, OUTCOME, CUSTOMER = Campaign.__table__, Outcome.__table__, Customer.__table__
VALUES = (*TIMES, "revenue_minor")
# An outcome's changes are kept by campaign, since its key has two parts.
ROW_NOUN = "outcome:{}"
ADDED = '{"added": true}'


def apply(session: Session, actor: Actor, work, *, run_id: int, at: datetime, step) -> dict[str, int]:
    """Write what was planned; returns more counts. Raises Conflict when it no longer holds."""
    old = work.campaigns[work.campaigns["campaign_id"].notna()]
    new = work.campaigns[work.campaigns["campaign_id"].isna()]
    campaigns.check_unchanged(session, old.assign(steps=old["was_steps"], launched_at=old["was_launched_at"]))
    campaigns.check_absent(session, new["name_folded"])
    ids = work.campaigns["campaign_id"].copy()
    _check(session, work.changed, ids)
    people = buyers.add(
        session, work.buyers, run_id=run_id, at=at, step=lambda *_: step(0.05, "Adding customers")
    )
    ids[new.index] = campaigns.add(session, actor, new[_ADDED], at=at)
    added = _rows(session, writing.with_ids(work.new, people), ids)
    for start in range(0, len(added), writing.CHUNK):
        step(0.1 + 0.5 * start / len(added), f"Adding outcomes: {start:,} of {len(added):,}")
        writing.insert(session, OUTCOME, added.iloc[start : start + writing.CHUNK])
    step(0.6, "Changing outcomes")
    _change(session, work.changed, ids, run_id)
    _keep_added(session, added, old["campaign_id"], run_id)
    _keep_campaigns(session, old, ids[new.index], run_id, at)
    step(0.65, "Telling other modules")
    _tell(session, added, work.changed, ids, at=at)
    step(0.7, "Adding up the results")
    groups = dict(list(added.groupby("campaign_id"))) if len(new) else {}
    for campaign_id in ids.astype("int64"):
        fresh = campaign_id in set(ids[new.index])
        rebuild_results(session, campaign_id, outcomes=groups[campaign_id] if fresh else None)
    step(0.85, "Working out the customers' figures")
    rebuild_engagement(session, pd.concat([added, work.changed]), at)
    return {"campaigns": len(new), "customers": len(people)}


def _tell(session: Session, added: pd.DataFrame, changed: pd.DataFrame, ids: pd.Series, *, at) -> None:
    outcome_events.record_imported(session, added, at=at)
    for number, mine in changed.groupby("campaign"):
        campaign_id = int(ids[number])
        query = select(OUTCOME.c.customer_id, OUTCOME.c.arm, OUTCOME.c.band)
        stored = staging.by_id(
            session,
            query.where(OUTCOME.c.campaign_id == campaign_id),
            OUTCOME.c.customer_id,
            mine["customer_id"],
        )
        rows = mine.assign(campaign_id=campaign_id).merge(stored, on="customer_id")
        outcome_events.record_imported(session, rows, at=at)


def rebuild_engagement(session: Session, outcomes: pd.DataFrame, at: datetime) -> None:
    """The figures of those whose opens and clicks are young enough to count."""
    since = pd.Timestamp(at) - 3 * WINDOW
    lively = (outcomes["opened_at"] > since) | (outcomes["clicked_at"] > since)
    orders.rebuild(session, outcomes.loc[lively, "customer_id"].dropna(), at)


_ADDED = [
    "name", "name_folded", "channel", "steps", "conversion_window_days", "launched_at", "last_sent_at",
    "sent", "holdout_share",
]  # fmt: skip


def _rows(session: Session, new: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    """The new outcomes as they are stored, in the order of their key."""
    scores = staging.by_id(
        session, select(CUSTOMER.c.id, CUSTOMER.c.engagement), CUSTOMER.c.id, new["customer_id"]
    )
    band = bands(scores.set_index("id")["engagement"])
    held = new["held"].to_numpy(dtype=bool)
    rows = new.drop(columns=["held", "campaign"]).assign(
        campaign_id=ids.reindex(new["campaign"]).to_numpy(dtype="int64"),
        arm=np.where(held, Arm.HOLDOUT.value, Arm.TREATED.value),
        wave=1,
        band=band.reindex(new["customer_id"].to_numpy()).array,
        source=Source.IMPORTED.value,
        organic=False,
    )
    return rows.sort_values(["campaign_id", "customer_id"], ignore_index=True)


def _check(session: Session, changed: pd.DataFrame, ids: pd.Series) -> None:
    """Raises Conflict unless what will change is still as it was."""
    query = select(OUTCOME.c.customer_id, *(OUTCOME.c[name] for name in VALUES))
    for number, mine in changed.groupby("campaign"):
        wanted = query.where(OUTCOME.c.campaign_id == int(ids[number]))
        now = staging.by_id(session, wanted, OUTCOME.c.customer_id, mine["customer_id"])
        seen = mine[["customer_id", *(f"was_{name}" for name in VALUES)]].set_axis(now.columns, axis=1)
        ordered = [frame.sort_values("customer_id", ignore_index=True) for frame in (now, seen)]
        if len(now) != len(seen) or not ordered[0].equals(ordered[1].astype(now.dtypes)):
            raise Conflict(campaigns.CHANGED_SINCE)


def _change(session: Session, changed: pd.DataFrame, ids: pd.Series, run_id: int) -> None:
    for number, mine in changed.groupby("campaign"):
        frame = mine[["customer_id", *VALUES]].sort_values("customer_id")
        set_values(session, int(ids[number]), frame)
        pieces = [
            writing.json_piece(name, mine[f"was_{name}"], _differs(mine, name).to_numpy(dtype=bool))
            for name in VALUES
        ]
        before = pd.Series(writing.json_objects(pieces, len(mine)))
        noun = ROW_NOUN.format(int(ids[number]))
        writing.keep_before(session, noun, mine["customer_id"].astype("int64"), before, None, run_id)


def set_values(session: Session, campaign_id: int, frame: pd.DataFrame) -> None:
    """Give outcomes of a campaign (customer_id and columns of VALUES) what they hold from now on."""
    like = {name: OUTCOME.c[name] for name in frame}
    with staging.staged(session, frame, like) as new:
        session.execute(
            update(OUTCOME)
            .where(OUTCOME.c.campaign_id == campaign_id, OUTCOME.c.customer_id == new.c.customer_id)
            .values({name: new.c[name] for name in frame if name != "customer_id"})
        )


def _differs(changed: pd.DataFrame, name: str) -> pd.Series:
    if name == "revenue_minor":
        return changed[name] != changed["was_revenue_minor"]
    return changed[name].notna() & changed[f"was_{name}"].isna()


def _keep_added(session: Session, added: pd.DataFrame, old: pd.Series, run_id: int) -> None:
    """Which people came into campaigns that were here: of new campaigns, all of them did."""
    into = added[added["campaign_id"].isin(old.astype("int64"))]
    for campaign_id, mine in into.groupby("campaign_id"):
        before = pd.Series(ADDED, index=mine.index)
        noun = ROW_NOUN.format(campaign_id)
        writing.keep_before(session, noun, mine["customer_id"], before, None, run_id)


def _before(campaign) -> str:
    return json.dumps({"steps": campaign.was_steps, "launched_at": campaign.was_launched_at.isoformat()})


def _keep_campaigns(
    session: Session, old: pd.DataFrame, new_ids: pd.Series, run_id: int, at: datetime
) -> None:
    """What the campaigns were, and which are new; and what they know and when they began from now on."""
    before = [_before(one) for one in old.itertuples()] + ["{}"] * len(new_ids)
    ids = pd.concat([old["campaign_id"], new_ids]).astype("int64")
    writing.keep_before(session, NOUN, ids, pd.Series(before), None, run_id)
    for one in old.itertuples():
        session.execute(
            update(CAMPAIGN)
            .where(CAMPAIGN.c.id == int(one.campaign_id))
            .values(
                steps=one.steps,
                launched_at=one.launched_at.to_pydatetime(),
                updated_at=at,
                version=CAMPAIGN.c.version + 1,
            )
        )

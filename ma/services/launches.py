"""Launching a campaign and sending its waves: completely or not at all, and once.

Everything happens in the caller's one transaction, behind a guarded update of the campaign's row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from ma.analytics.workspace import workspace
from ma.clock import after_quiet
from ma.db import bulk
from ma.db.filling import filling
from ma.errors import NobodyLeft
from ma.events import outbox
from ma.events.messages import CampaignCompleted, CampaignLaunched, CampaignWaveSent
from ma.models import Campaign, Customer, Outcome, Segment
from ma.services import audience, forecasts
from ma.services.audit import audit
from ma.services.campaign_preview import STILL_WELCOME, choose
from ma.services.campaign_variants import FIRST, messages
from ma.services.campaigns import WAVE_EVERY, move, stored
from ma.services.permissions import require
from ma.services.results import rebuild_results
from ma.services.segments import refresh_segment
from ma.simulation import VERSION, assignment
from ma.simulation.funnel import TIMES, simulate
from ma.simulation.params import ChannelParams
from ma.simulation.population import recipients
from ma.types import SYSTEM, Actor, Arm, CampaignStatus, Channel, Permission, Source

CAMPAIGN, OUTCOME = Campaign.__table__, Outcome.__table__
_CHUNK = 100_000

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Launch:
    """What a launch did. `planned` people are sent the campaign in later waves."""

    campaign_id: int
    sent: int
    holdout: int
    planned: int
    eligibility: list[dict]


def launch_campaign(
    session: Session,
    actor: Actor,
    campaign_id: int,
    *,
    at: datetime,
    seed: int | None = None,
    progress: Progress | None = None,
) -> Launch:
    """Send a draft or scheduled campaign to its segment as of `at`, which is refreshed first.

    People are assigned to the holdout and to waves by a stable hash of `seed` (otherwise made of the campaign
    and the time). What they will do is simulated and stored, the future included. `progress` is called with
    the share done and what is being done. Raises Conflict when the campaign cannot be launched or nobody
    would be sent it, and NotFound; the caller's transaction must then be rolled back.
    """
    require(actor, Permission.LAUNCH)
    tell = progress or (lambda share, words: None)
    move(session, campaign_id, CampaignStatus.RUNNING, "be launched", at=at, launched_at=at, waves_sent=1)
    campaign = stored(session, campaign_id)
    channel = Channel(campaign["channel"])
    tell(0.02, "Refreshing the segments")
    for segment_id in (campaign["segment_id"], *campaign["excluded"]):
        refresh_segment(session, actor, segment_id, at=at)
    tell(0.15, "Checking who may be contacted")
    people = audience.members(session, campaign["segment_id"], channel, at=at, excluded=campaign["excluded"])
    seed = assignment.launch_seed(campaign_id, at) if seed is None else seed
    people, waterfall = choose(people, campaign, seed=seed)
    treated = int((~people["holdout"]).sum())
    for step in waterfall:
        if step.people == 0:
            raise NobodyLeft(
                f"“{campaign['name']}” cannot be launched: nobody would be sent it. {step.lost}",
                step=step.step,
            )
    tell(0.25, "Keeping what is expected")
    believed = forecasts.beliefs(session, channel, at=at)
    forecasts.freeze(session, campaign_id, forecasts.at_launch(believed, campaign, people, seed=seed), at=at)
    tell(0.3, "Simulating the first wave")
    # What the world does is drawn from exactly what the forecast believes.
    params = believed.realise(believed.luck(seed))
    sent_at = _sending(session, campaign, at)
    first = _happened(people[people["wave"] == 1], 1, params, campaign, seed=seed, at=at, sent_at=sent_at)
    planned = _planned(people[people["wave"] > 1], campaign_id, at=at)
    _write(session, [first, planned], lambda share: tell(0.4 + 0.4 * share, "Storing the outcomes"))
    tell(0.85, "Adding up the results")
    rebuild_results(session, campaign_id, outcomes=pd.concat([first, planned]) if len(planned) else first)
    sent = int(first["sent_at"].notna().sum())
    waves = campaign["waves"]
    eligibility = [step.to_dict() for step in waterfall]
    if waves > 1:
        eligibility.append({"step": STILL_WELCOME, "people": treated})
    eligibility.append({"step": "sent", "people": sent})
    _update(
        session,
        campaign_id,
        rule=session.scalar(select(Segment.rule).where(Segment.id == campaign["segment_id"])),
        seed=seed,
        parameters=params.to_dict() | _limits() | _profiled(session),
        code_version=VERSION,
        eligibility=eligibility,
        next_wave_at=at + WAVE_EVERY if waves > 1 else None,
    )
    held = int(people["holdout"].sum())
    audit(session, actor, "launch", "campaign", campaign_id, at=at, sent=sent, holdout=held)
    event = CampaignLaunched(campaign_id=campaign_id, channel=channel, sent=sent, holdout=held)
    outbox.record(session, event, at=at)
    tell(1.0, "Done")
    return Launch(campaign_id, sent, held, treated - sent, eligibility)


def send_wave(session: Session, campaign_id: int, *, at: datetime) -> int | None:
    """Send a running campaign's next wave if it is due at `at`; how many were sent it, None if it is not due.

    People who withdrew consent, unsubscribed, complained or bounced since the launch, or have had as many
    messages as anybody may, are taken out, of the holdout too, so that both arms stay comparable.
    """
    campaign = stored(session, campaign_id)
    wave = campaign["waves_sent"] + 1
    last = wave >= campaign["waves"]
    due = campaign["next_wave_at"]
    if due is None or due > at:
        return None
    mine = session.execute(
        update(CAMPAIGN)
        .where(
            CAMPAIGN.c.id == campaign_id,
            CAMPAIGN.c.status == CampaignStatus.RUNNING,
            CAMPAIGN.c.waves_sent == wave - 1,
            CAMPAIGN.c.next_wave_at <= at,
        )
        .values(waves_sent=wave, next_wave_at=None if last else at + WAVE_EVERY, updated_at=at)
    )
    if mine.rowcount != 1:
        return None
    channel = Channel(campaign["channel"])
    people = audience.planned(session, campaign_id, wave, channel, at=at)
    staying = audience.still_welcome(people)
    removed = int(session.scalar(_count_treated(campaign_id, wave))) - int((~staying["holdout"]).sum())
    params = ChannelParams.from_dict(campaign["parameters"])
    sent_at = _sending(session, campaign, at)
    outcomes = _happened(staying, wave, params, campaign, seed=campaign["seed"], at=at, sent_at=sent_at)
    session.execute(
        delete(OUTCOME).where(
            OUTCOME.c.campaign_id == campaign_id, OUTCOME.c.wave == wave, OUTCOME.c.sent_at.is_(None)
        )
    )
    _write(session, [outcomes])
    rebuild_results(session, campaign_id)
    sent = int(outcomes["sent_at"].notna().sum())
    steps = {step["step"]: step["people"] for step in campaign["eligibility"]}
    steps[STILL_WELCOME] -= removed
    steps["sent"] += sent
    eligibility = [{"step": step, "people": people} for step, people in steps.items()]
    _update(session, campaign_id, eligibility=eligibility)
    audit(
        session, SYSTEM, "send wave", "campaign", campaign_id,
        at=at, wave=wave, sent=sent, left_out=removed,
    )  # fmt: skip
    outbox.record(session, CampaignWaveSent(campaign_id=campaign_id, wave=wave, sent=sent), at=at)
    return sent


def finish(session: Session, campaign_id: int, *, at: datetime) -> bool:
    """Complete a running campaign whose waves are all sent; False when somebody else has ended it."""
    mine = session.execute(
        update(CAMPAIGN)
        .where(
            CAMPAIGN.c.id == campaign_id,
            CAMPAIGN.c.status == CampaignStatus.RUNNING,
            CAMPAIGN.c.waves_sent >= CAMPAIGN.c.waves,
        )
        .values(
            status=CampaignStatus.COMPLETED, completed_at=at, updated_at=at, version=CAMPAIGN.c.version + 1
        )
    )
    if mine.rowcount != 1:
        return False
    audit(session, SYSTEM, "complete", "campaign", campaign_id, at=at)
    outbox.record(session, CampaignCompleted(campaign_id=campaign_id), at=at)
    return True


def _sending(session: Session, campaign: dict, at: datetime) -> datetime:
    """When messages that are due at `at` go out: at once, or when the quiet hours are over."""
    zone = campaign["timezone"] or workspace(session).timezone
    return after_quiet(at, zone, campaign["quiet_from"], campaign["quiet_until"])


def _happened(
    people: pd.DataFrame,
    wave: int,
    params: ChannelParams,
    campaign: dict,
    *,
    seed: int,
    at: datetime,
    sent_at: datetime,
) -> pd.DataFrame:
    """The outcome rows of one wave: what those who are sent it do, and what those held out do anyway."""
    held = people["holdout"]
    groups = [
        (Arm.TREATED, variant["name"], params.with_effects(variant["effects"]), people[mine])
        for variant in messages(campaign)
        if (mine := ~held & (people["variant"] == variant["name"])).any()
    ]
    if held.any() or not groups:
        groups.append((Arm.HOLDOUT, FIRST, params, people[held]))
    parts = []
    for arm, variant, assumed, group in groups:
        outcome = simulate(
            recipients(group, params.population),
            assumed,
            seed=seed,
            sent_at=sent_at,
            conversion_window_days=campaign["conversion_window_days"],
            arm=arm,
        )
        parts.append(
            outcome.assign(arm=arm.value, variant=variant, band=assignment.bands(group["engagement"]).array)
        )
    rows = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    return rows.assign(
        campaign_id=campaign["id"],
        wave=wave,
        source=Source.SIMULATED.value,
        assigned_at=pd.Timestamp(at),
    )


def _planned(people: pd.DataFrame, campaign_id: int, *, at: datetime) -> pd.DataFrame:
    """Rows of people whose wave is still to come: assigned when it will be sent, nothing happened yet."""
    return pd.DataFrame(
        {
            "campaign_id": campaign_id,
            "customer_id": people["customer_id"],
            "arm": np.where(people["holdout"], Arm.HOLDOUT.value, Arm.TREATED.value),
            "variant": people["variant"],
            "wave": people["wave"],
            "band": assignment.bands(people["engagement"]),
            "source": Source.SIMULATED.value,
            "assigned_at": pd.Timestamp(at) + (people["wave"] - 1) * pd.Timedelta(WAVE_EVERY),
            "organic": False,
            "revenue_minor": 0,
        }
    )


def _write(session: Session, frames: list[pd.DataFrame], tell: Callable[[float], None] | None = None) -> None:
    total, done = sum(len(frame) for frame in frames), 0
    with filling(session, OUTCOME, total):
        for frame in frames:
            ordered = frame.sort_values("customer_id")
            for start in range(0, len(ordered), _CHUNK):
                done += _insert(session, ordered.iloc[start : start + _CHUNK])
                if tell:
                    tell(done / total)


def _insert(session: Session, outcomes: pd.DataFrame) -> int:
    # Most people do nothing: what all rows of a part have in common is not sent with each of them.
    parts = outcomes.groupby(_alike(outcomes), sort=False)
    return sum(bulk.insert(session, OUTCOME, alike) for _, alike in parts)


def _alike(outcomes: pd.DataFrame) -> np.ndarray:
    """A number for each row: the same for rows of one arm and variant in which the same steps are empty."""
    codes = outcomes.groupby(["arm", "variant"], sort=False).ngroup().to_numpy()
    for name in TIMES:
        if name in outcomes:
            codes = 2 * codes + outcomes[name].isna().to_numpy()
    return codes


def _count_treated(campaign_id: int, wave: int):
    return select(func.count()).where(
        OUTCOME.c.campaign_id == campaign_id, OUTCOME.c.wave == wave, OUTCOME.c.arm == Arm.TREATED
    )


def _limits() -> dict:
    return {"frequency_cap": {"messages": audience.FREQUENCY_CAP, "days": audience.FREQUENCY_DAYS}}


def _profiled(session: Session) -> dict:
    """As of when the profiles were that this launch went by: a replay derives them again."""
    at = session.scalar(select(func.max(Customer.profiled_at)))
    return {"profiled_at": at.isoformat()} if at else {}


def _update(session: Session, campaign_id: int, **values) -> None:
    session.execute(update(CAMPAIGN).where(CAMPAIGN.c.id == campaign_id).values(**values))

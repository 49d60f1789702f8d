"""What is still to go out, when and to whom: waves of launched campaigns, scheduled campaigns, and drafts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import pandas as pd
from sqlalchemy import Row, and_, func, or_, select
from sqlalchemy.orm import Session

from ma.analytics.contactable import Everybody
from ma.analytics.workspace import workspace
from ma.clock import after_quiet
from ma.db.whole_numbers import column
from ma.models import Campaign, CampaignExclusion, Outcome, SegmentMember
from ma.simulation import assignment
from ma.types import Arm, CampaignStatus, Channel

WAVE_EVERY = timedelta(days=1)
Kind = Literal["planned", "scheduled", "draft"]
_DRAFT, _SCHEDULED = CampaignStatus.DRAFT, CampaignStatus.SCHEDULED
_LAUNCHED = (CampaignStatus.RUNNING, CampaignStatus.PAUSED)


@dataclass(frozen=True)
class Sending:
    """One wave that has not gone out: of a launched campaign ("planned"), a scheduled one, or a draft.

    People are chosen at `launch_at`, looked at again at `at`, and sent the message at `sent_at`, when the
    quiet hours are over.
    """

    campaign_id: int
    kind: Kind
    wave: int
    launch_at: datetime
    at: datetime
    sent_at: datetime


def to_come(
    session: Session, *, as_of: datetime, draft_ids: Sequence[int] = (), drafts_at: datetime | None = None
) -> list[Sending]:
    """Every wave that is still to go out after `as_of`, in the order in which they are due.

    Of drafts only those named, as if they were launched at `drafts_at`. What is overdue counts as due now; so
    does a wave that a pause holds back.
    """
    zone = workspace(session).timezone
    found = []
    for row in _campaigns(session, draft_ids):
        begin = {_DRAFT: drafts_at, _SCHEDULED: row.scheduled_at}.get(row.status, row.next_wave_at)
        launched = row.status in _LAUNCHED
        first = max(begin or as_of, as_of)
        for wave in range(row.waves_sent + 1 if launched else 1, row.waves + 1):
            at = first + (wave - 1 - (row.waves_sent if launched else 0)) * WAVE_EVERY
            sent_at = after_quiet(at, row.timezone or zone, row.quiet_from, row.quiet_until)
            kind = "planned" if launched else row.status
            found.append(Sending(row.id, kind, wave, at if launched else first, at, sent_at))
    return sorted(found, key=lambda sending: (sending.at, sending.campaign_id))


def people(session: Session, sendings: Sequence[Sending], here: Everybody) -> list[np.ndarray]:
    """For each sending the places (in `here.ids`) of those who will be sent it, as far as it can be known.

    Of planned waves: who was assigned, and may still be contacted. Of others: the segment's present members,
    chosen as the launch will choose them: without the segments left out, the holdout, and whom the budget
    does not reach. The frequency cap is not applied.
    """
    rows = {row.id: row for row in _campaigns(session, [s.campaign_id for s in sendings])}
    launches: dict[int, dict[int, np.ndarray]] = {}
    found = []
    for sending in sendings:
        row = rows[sending.campaign_id]
        if sending.kind == "planned":
            places = here.places(column(session, _assigned(row.id, sending.wave)))
            found.append(places[here.welcome[Channel(row.channel)][places]])
            continue
        if row.id not in launches:
            launches[row.id] = _chosen(session, row, here, sending.launch_at)
        found.append(launches[row.id].get(sending.wave, np.empty(0, dtype=np.int64)))
    return found


def channels(session: Session, sendings: Sequence[Sending]) -> list[Channel]:
    """The channels through which they go."""
    ids = {sending.campaign_id for sending in sendings}
    query = select(Campaign.channel).distinct().where(Campaign.id.in_(ids)).order_by(Campaign.channel)
    return list(map(Channel, session.scalars(query)))


def planned_people(session: Session, sendings: Sequence[Sending]) -> dict[tuple[int, int], int]:
    """How many people were assigned to each planned wave: {(campaign id, wave): people}."""
    ids = {sending.campaign_id for sending in sendings if sending.kind == "planned"}
    query = (
        select(Outcome.campaign_id, Outcome.wave, func.count())
        .join(Campaign, Campaign.id == Outcome.campaign_id)
        .where(Outcome.campaign_id.in_(ids), Outcome.wave > Campaign.waves_sent, *_waiting())
        .group_by(Outcome.campaign_id, Outcome.wave)
    )
    return {(campaign_id, wave): people for campaign_id, wave, people in session.execute(query)}


def most_people(campaign: Mapping) -> int | None:
    """How many people a campaign's budget pays for; None where nothing limits them."""
    budget, each = campaign["budget_minor"], campaign["cost_per_thousand_minor"]
    if budget is None or not each:
        return None
    return (budget - (campaign["fixed_cost_minor"] or 0)) * 1000 // each


def _campaigns(session: Session, also: Sequence[int]) -> Sequence[Row]:
    """What is needed of the campaigns that have something to come, and of some others."""
    waiting = and_(
        Campaign.status.in_(_LAUNCHED),
        Campaign.waves_sent < Campaign.waves,
        Campaign.next_wave_at.is_not(None),
    )
    columns = (
        "id", "channel", "status", "segment_id", "scheduled_at", "next_wave_at", "waves", "waves_sent",
        "timezone", "quiet_from", "quiet_until", "holdout_share",
        "budget_minor", "cost_per_thousand_minor", "fixed_cost_minor",
    )  # fmt: skip
    drafts = and_(Campaign.id.in_(also), Campaign.status == _DRAFT)
    return session.execute(
        select(*(getattr(Campaign, name) for name in columns))
        .where(or_(waiting, Campaign.status == _SCHEDULED, drafts))
        .order_by(Campaign.id)
    ).all()


def _chosen(session: Session, row: Row, here: Everybody, at: datetime) -> dict[int, np.ndarray]:
    """Whom a launch at `at` would choose, by wave."""
    places = here.places(column(session, _members([row.segment_id])))
    excluded = session.scalars(
        select(CampaignExclusion.segment_id).where(CampaignExclusion.campaign_id == row.id)
    ).all()
    may = here.welcome[Channel(row.channel)].copy()
    if excluded:
        may[here.places(column(session, _members(excluded)))] = False
    places = places[may[places]]
    # As the launch will have it, so that the same people are held out.
    seed = assignment.launch_seed(row.id, at)
    chosen = assignment.assign(
        pd.DataFrame({"customer_id": here.ids[places], "place": places}),
        seed=seed,
        holdout_share=row.holdout_share,
        shares={"A": 1.0},
        waves=row.waves,
    )
    if (most := most_people(row._mapping)) is not None:
        chosen = assignment.within(chosen, most, seed=seed)
    chosen = chosen[~chosen["holdout"]]
    return {int(wave): group.to_numpy() for wave, group in chosen.groupby("wave")["place"]}


def _members(segment_ids: Sequence[int | None]):
    return select(SegmentMember.customer_id).where(SegmentMember.segment_id.in_(segment_ids))


def _assigned(campaign_id: int, wave: int):
    return select(Outcome.customer_id).where(
        Outcome.campaign_id == campaign_id, Outcome.wave == wave, *_waiting()
    )


def _waiting():
    return (Outcome.arm == Arm.TREATED, Outcome.sent_at.is_(None))

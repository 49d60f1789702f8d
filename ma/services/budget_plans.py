"""Budget plans: one budget for several drafts, and carrying the best split over into them.

Everything here reads and computes; only `carry_over` writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from ma.analytics import segments as segment_list
from ma.analytics.budget_plan import FATIGUE_DAYS, Audience, Crowded, Wanted, crowded
from ma.analytics.contactable import FREQUENCY_DAYS
from ma.errors import Conflict, Exposed, InvalidInput
from ma.services import forecasts
from ma.services.campaigns import stored, update_campaign
from ma.services.forecasts import DRAWS, PLANNED
from ma.services.permissions import require
from ma.simulation.beliefs import Beliefs
from ma.simulation.cells import cells, place_of
from ma.simulation.lots import Crowd, crowd
from ma.simulation.planner import BudgetPlan, Candidate, plan_budget
from ma.simulation.population import recipients
from ma.types import Actor, CampaignStatus, Channel, Permission

FEWEST, MOST = 2, 10
LONGEST_GAP = 30
LARGEST_BUDGET = 10**12


@dataclass(frozen=True)
class LeftOut:
    """A campaign that cannot be planned, and what to do about it."""

    campaign_id: int
    name: str
    reason: str


@dataclass(frozen=True)
class Ground:
    """What the plans of some campaigns have in common, whatever the budget.

    campaigns: the rows of those that can be planned, in the order in which they would go out, with `at`;
    candidates: the same for the planner.
    """

    campaigns: list[dict]
    candidates: list[Candidate]
    crowd: Crowd | None
    left_out: list[LeftOut]

    @property
    def everything_minor(self) -> int:
        """What it would cost to send every campaign to everybody who can be sent it, each by itself."""
        return sum(
            int(each.plan.cost_minor(each.cells["people"].sum() * (1.0 - each.plan.holdout_share)))
            for each in self.candidates
        )


@dataclass(frozen=True)
class CarriedOver:
    """What became of a plan: names of drafts that got their budget, had it already, or why they did not."""

    changed: list[str]
    same: list[str]
    refused: list[tuple[str, str]]


def ground(session: Session, campaign_ids: Sequence[int], *, at: datetime, days_apart: int = 0) -> Ground:
    """What the plans of these campaigns stand on, as things are at `at`.

    Scheduled campaigns go out at their time; drafts from `at` on, the oldest first, one every `days_apart`
    days. Raises InvalidInput unless there are two to ten, and NotFound.
    """
    ids = sorted(set(campaign_ids))
    if not FEWEST <= len(ids) <= MOST:
        raise InvalidInput({"campaigns": f"Choose {FEWEST} to {MOST} campaigns."})
    if not 0 <= days_apart <= LONGEST_GAP:
        raise InvalidInput({"days_apart": f"Choose 0 to {LONGEST_GAP} days between drafts."})
    rows, left_out = [], []
    for campaign_id in ids:
        row = stored(session, campaign_id)
        if reason := _unplannable(row):
            left_out.append(LeftOut(campaign_id, row["name"], reason))
        else:
            rows.append(row)
    drafts = [row["id"] for row in rows if row["status"] == CampaignStatus.DRAFT]
    for row in rows:
        row["at"] = (
            at + timedelta(days=days_apart * drafts.index(row["id"]))
            if row["id"] in drafts
            else max(row["scheduled_at"], at)
        )
    rows.sort(key=lambda row: (row["at"], row["id"]))
    return _of_people(session, rows, left_out, at=at)


def plan(ground: Ground, budget_minor: int, *, step_minor: int = 10_000, draws: int = DRAWS) -> BudgetPlan:
    """The best split of a budget. Raises InvalidInput where that is none, or nothing can be planned."""
    if not 0 < budget_minor <= LARGEST_BUDGET:
        raise InvalidInput({"budget": "Type a budget of more than 0."})
    if not ground.candidates:
        raise InvalidInput({"campaigns": "None of these campaigns can be planned."})
    return plan_budget(ground.candidates, ground.crowd, budget_minor, step_minor=step_minor, draws=draws)


def table(ground: Ground, found: BudgetPlan) -> pd.DataFrame:
    """A plan by campaign, the largest part first; money in minor units.

    campaign_id, campaign, channel, status, budget_minor, share (of the whole budget), messages, reachable
    (people who could be sent it), expected_minor (incremental profit), low_minor and high_minor (its 80 %
    interval), chance_of_loss, profit_minor (mean, with what people would buy anyway), even_budget_minor,
    even_messages, even_expected_minor, limit (see Outlook.limits), capped, tired_minor.
    """
    best, even = found.best, found.even
    drawn = best.draws["incremental_profit_minor"]
    low, high = np.quantile(drawn, [0.1, 0.9], axis=1)
    frame = pd.DataFrame(
        {
            "campaign_id": [row["id"] for row in ground.campaigns],
            "campaign": [row["name"] for row in ground.campaigns],
            "channel": [row["channel"] for row in ground.campaigns],
            "status": [row["status"] for row in ground.campaigns],
            "budget_minor": best.money_minor,
            "share": best.money_minor / found.budget_minor,
            "messages": best.messages,
            "reachable": found.reachable.astype(np.int64),
            "expected_minor": best.expected_minor,
            "low_minor": low,
            "high_minor": high,
            "chance_of_loss": np.where(best.messages > 0, (drawn < 0.0).mean(axis=1), np.nan),
            "profit_minor": best.draws["profit_minor"].mean(axis=1),
            "even_budget_minor": even.money_minor,
            "even_messages": even.messages,
            "even_expected_minor": even.expected_minor,
            "limit": found.limits,
            "capped": found.capped,
            "tired_minor": found.tired_minor,
        }
    )
    return frame.sort_values(["budget_minor", "messages"], ascending=False, kind="stable", ignore_index=True)


def budget_plan(
    session: Session, *, as_of: datetime, campaign_ids: Sequence[int], budget_minor: int, days_apart: int = 0
) -> pd.DataFrame:
    """The best split of a budget among these campaigns, as a table to export (see `table`)."""
    found = ground(session, campaign_ids, at=as_of, days_apart=days_apart)
    return table(found, plan(found, budget_minor))


def carry_over(
    session: Session, actor: Actor, budgets: Mapping[int, tuple[int, int]], *, at: datetime
) -> CarriedOver:
    """Give drafts their part of a plan: {campaign id: (the version that was planned, budget in minor units)}.

    Each by itself: one that was changed since, or is no draft any more, keeps what it has and is named with
    the reason; the others get theirs.
    """
    require(actor, Permission.EDIT_CAMPAIGNS)
    done = CarriedOver([], [], [])
    for campaign_id, (version, budget) in budgets.items():
        name = f"Campaign {campaign_id}"
        try:
            with session.begin_nested():
                row = stored(session, campaign_id)
                name = row["name"]
                if row["version"] != version:
                    raise Conflict("It was changed since the plan was made. Look at the new plan first.")
                changed = update_campaign(
                    session, actor, campaign_id, version=version, at=at, budget_minor=budget
                )
        except Exposed as error:
            done.refused.append((name, str(error)))
        else:
            (done.changed if changed else done.same).append(name)
    return done


def _unplannable(row: Mapping) -> str | None:
    """Why a campaign cannot be planned, with the remedy; None where it can."""
    if row["archived_at"]:
        return "It is archived. Restore it first."
    if row["status"] not in PLANNED:
        return f"It is {row['status']}: only drafts and scheduled campaigns can be planned."
    if row["segment_id"] is None:
        return "It has no segment: nobody would be sent it. Choose one."
    missing = [
        words
        for name, words in (
            ("cost_per_thousand_minor", "its cost per thousand messages"),
            ("fixed_cost_minor", "its fixed cost (0 if there is none)"),
        )
        if row[name] is None
    ]
    return f"What it costs is unknown. Enter {' and '.join(missing)}." if missing else None


def _of_people(session: Session, rows: list[dict], left_out: list[LeftOut], *, at: datetime) -> Ground:
    wanted = [
        Wanted(row["id"], Channel(row["channel"]), row["segment_id"], tuple(row["excluded"]), row["at"])
        for row in rows
    ]
    if not wanted:
        return Ground([], [], None, left_out)
    everybody = crowded(session, wanted, at=at)
    known: dict[Channel, Beliefs] = {}
    campaigns, candidates, rooms, places, days = [], [], [], [], []
    for row, each in zip(rows, wanted, strict=True):
        audience = everybody.audience(each)
        if not audience.people:
            left_out.append(LeftOut(row["id"], row["name"], _nobody(session, row, audience)))
            continue
        if each.channel not in known:
            known[each.channel] = forecasts.beliefs(session, each.channel, at=at)
        candidate, place = _candidate(row, everybody, each, audience, known[each.channel])
        campaigns.append(row)
        candidates.append(candidate)
        rooms.append(audience.room)
        places.append(place)
        days.append((row["at"] - at) / timedelta(days=1))
    if not candidates:
        return Ground([], [], None, left_out)
    people = crowd(rooms, places, days, cap_days=FREQUENCY_DAYS, tired_days=FATIGUE_DAYS)
    return Ground(campaigns, candidates, people, left_out)


def _candidate(
    row: dict, everybody: Crowded, wanted: Wanted, audience: Audience, believed: Beliefs
) -> tuple[Candidate, np.ndarray]:
    population = believed.params.population
    people = recipients(everybody.recipients(wanted, audience), population)
    planned = forecasts.plan(row | {"budget_minor": None})
    candidate = Candidate(row["id"], cells(people, population), believed, planned)
    return candidate, place_of(people, population)


def _nobody(session: Session, row: Mapping, audience: Audience) -> str:
    segment = segment_list.segment(session, row["segment_id"])
    if segment.refreshed_at is None:
        return f"Nobody has counted its segment “{segment.name}” yet. Refresh it."
    counts = ", ".join(f"{people:,} {step}" for step, people in audience.waterfall.items())
    return f"Nobody can be sent it now ({counts}). Look at its audience."

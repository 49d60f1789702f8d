"""Replaying a launched campaign: the same people, the same luck, and one thing done otherwise.

Everything here reads and computes; nothing is written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.analytics.contactable import FREQUENCY_CAP
from ma.errors import Conflict, InvalidInput
from ma.models import Segment
from ma.services import campaign_fields, launch_state, replay_people
from ma.services.campaign_variants import messages
from ma.services.campaigns import stored
from ma.services.replay_people import Reckoning, Wave
from ma.simulation import VERSION
from ma.simulation import replay as worlds
from ma.simulation.params import ChannelParams
from ma.simulation.replay import World
from ma.types import ORGANIC, CampaignStatus, Source, unknown_steps

# What a replay may change, as a campaign's row has it; beside it `also`, segments whose members are added,
# and `frequency_cap`, the messages within seven days from which on nobody is sent another one.
CHANGEABLE = (
    "effects",
    "variants",
    "cost_per_thousand_minor",
    "fixed_cost_minor",
    "budget_minor",
    "conversion_window_days",
    "holdout_share",
    "segment_id",
    "excluded",
    "also",
    "frequency_cap",
)
HIGHEST_CAP = 50
_NOT_LAUNCHED = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)


@dataclass(frozen=True)
class Agreement:
    """How far the replay of the campaign as it was agrees with what is stored.

    people: who took part; same: whose outcome is exactly the stored one; rebuilt: whose profile figures were
    rebuilt since; older: whether the simulator has changed since the launch.
    """

    people: int
    same: int
    rebuilt: int
    older: bool

    @property
    def share(self) -> float:
        """The share of people whose outcome is exactly the stored one."""
        return self.same / self.people if self.people else np.nan

    @property
    def exact(self) -> bool:
        """Whether everybody's is."""
        return self.same == self.people


@dataclass(frozen=True)
class Replay:
    """A campaign as it was and as it would have been, up to `as_of`.

    table: one row per figure (see simulation.replay.compare), without those the channel cannot observe, and
    `stored`, what is stored of those who took part (NaN for figures of everybody). people: one row for
    everybody in either world: customer_id, wave, base_variant and changed_variant (the message, empty for
    none), and base_ and changed_ values of each figure; counts: how many of them are sent it in both worlds,
    in one only, and in neither. waterfall: step, base, changed, where others could take part.
    """

    campaign: dict
    changed: dict
    as_of: datetime
    table: pd.DataFrame
    agreement: Agreement
    counts: dict[str, int]
    people: pd.DataFrame = field(repr=False)
    waterfall: pd.DataFrame | None = None
    reckoning: Reckoning | None = None


def why_not(campaign: Mapping) -> str | None:
    """Why a campaign cannot be replayed; None where it can."""
    name = f"“{campaign['name']}”"
    if campaign["source"] != Source.SIMULATED:
        return (
            f"{name} has real results. What these people would have done otherwise nobody knows: only a "
            "simulated campaign can be run again on the same luck."
        )
    if campaign["status"] in _NOT_LAUNCHED or campaign["launched_at"] is None:
        return f"{name} was not launched: there is nothing to replay. Its forecast says what it may bring."
    if campaign["parameters"] is None or campaign["seed"] is None:
        return f"{name} was launched by a version that did not keep its seed: it cannot be run again."
    return None


def replay(session: Session, campaign_id: int, changes: Mapping | None = None, *, as_of: datetime) -> Replay:
    """What would have come of a launched, simulated campaign, had something been different.

    changes: fields of CHANGEABLE with their other values; those that are not there stay as they were. Other
    segments are taken by their present rule, as of the launch. Raises NotFound, Conflict where the campaign
    cannot be replayed or would have been sent to nobody, InvalidInput with every problem of the changes, and
    InvalidRule for a segment whose rule cannot be evaluated any more.
    """
    campaign = launched(session, campaign_id)
    changed = altered(session, campaign, changes or {})
    params = ChannelParams.from_dict(campaign["parameters"])
    names = [message["name"] for message in messages(campaign)]
    outcomes = launch_state.outcomes(session, campaign_id, names)
    went = replay_people.waves(session, campaign, outcomes)
    found = replay_people.taking_part(session, campaign, changed, outcomes, went)
    before, after = _world(campaign), _world(changed)
    again = _Again(params, campaign["seed"], went)
    people, agreement = _as_stored(again, found.people, before, outcomes, campaign)
    base = worlds.values(again.run(people, before, "base_variant"), as_of=as_of)
    other = worlds.values(again.run(people, after, "changed_variant"), as_of=as_of)
    table = worlds.compare(base, other, before, after)
    # Of everybody in either world not all need have taken part.
    kept = pd.Series(worlds.totals(worlds.values(outcomes, as_of=as_of), before))
    table.insert(0, "stored", kept.drop(list(worlds.EVERYBODY)))
    return Replay(
        campaign=campaign,
        changed=changed,
        as_of=as_of,
        table=table.drop(_unobserved(campaign["steps"])),
        agreement=agreement,
        counts=_counts(people),
        people=_side_by_side(people, base, other),
        waterfall=found.waterfall,
        reckoning=found.reckoning,
    )


def launched(session: Session, campaign_id: int) -> dict:
    """A campaign that can be replayed: its row, `excluded`, `also` and `frequency_cap`.

    Raises NotFound, and Conflict saying why another one cannot.
    """
    campaign = stored(session, campaign_id)
    if problem := why_not(campaign):
        raise Conflict(problem)
    limit = campaign["parameters"].get("frequency_cap", {"messages": FREQUENCY_CAP})
    return campaign | {"also": [], "frequency_cap": limit["messages"]}


def altered(session: Session, campaign: Mapping, changes: Mapping) -> dict:
    """The campaign with its changes. Raises InvalidInput with what is wrong with them."""
    unknown = {name: f"A replay cannot change “{name}”." for name in changes if name not in CHANGEABLE}
    if unknown:
        raise InvalidInput(unknown)
    changed = dict(campaign) | dict(changes)
    fields = [{name: each[name] for name in campaign_fields.DEFAULTS} for each in (campaign, changed)]
    # Of a launched campaign not everything need be as a draft's: its name may be taken, a segment gone.
    (_, already), (row, problems) = (
        campaign_fields.clean(session, each, but=campaign["id"]) for each in fields
    )
    problems = {name: problem for name, problem in problems.items() if name not in already}
    problems |= _other_problems(session, changed)
    if problems:
        raise InvalidInput(problems)
    if "variants" in changes:
        changed["variants"] = row["variants"]
    return changed


def figures(session: Session, *, campaign_id: int, changes: Mapping, as_of: datetime) -> pd.DataFrame:
    """The table of a replay, to export: figure, stored, base, changed, difference, low, high, times.

    Money in minor units, NaN where the cost is unknown.
    """
    return replay(session, campaign_id, changes, as_of=as_of).table.reset_index()


@dataclass(frozen=True)
class _Again:
    """The simulator as it ran at the launch, wave by wave."""

    params: ChannelParams
    seed: int
    waves: Iterable[Wave]

    def run(self, people: pd.DataFrame, world: World, variant: str) -> pd.DataFrame:
        """What everybody does in one world, in the order of `people`."""
        wanted = people[["customer_id", "recent_messages", *launch_state.PROFILE]]
        wanted = wanted.assign(variant=people[variant])
        parts = [
            worlds.happens(wanted[mine], self.params, world, seed=self.seed, sent_at=wave.sent_at)
            for wave in self.waves
            if (mine := people["wave"] == wave.number).any()
        ]
        return pd.concat(parts).loc[people.index]


def _as_stored(
    again: _Again, people: pd.DataFrame, world: World, outcomes: pd.DataFrame, campaign: Mapping
) -> tuple[pd.DataFrame, Agreement]:
    """The people with the profile figures that give back what is stored, and of how many they do."""
    took_part = people["took_part"].to_numpy()
    kept = outcomes.set_index("customer_id", drop=False).loc[people.loc[took_part, "customer_id"]]

    def agrees(reading: pd.DataFrame) -> np.ndarray:
        found = np.zeros(len(people), dtype=bool)
        found[took_part] = worlds.same(kept, again.run(reading[took_part], world, "base_variant"))
        return found

    rebuilt = took_part & ~people["as_then"].to_numpy()
    same = agrees(people)
    if not same[took_part].all() and rebuilt.any():
        derived = launch_state.derived(people)
        other = agrees(derived)
        # Of each person the reading that gives back what is stored; of the others the one that mostly does.
        better = other.sum() > same.sum()
        take = (other & ~same) | (better & (other | ~same))
        figures = {name: np.where(take, derived[name], people[name]) for name in launch_state.PROFILE}
        people = people.assign(**figures)
        same |= other
    older = campaign["code_version"] != VERSION
    return people, Agreement(int(took_part.sum()), int(same.sum()), int(rebuilt.sum()), older)


def _world(campaign: Mapping) -> World:
    return World(
        effects={message["name"]: dict(message["effects"] or {}) for message in messages(dict(campaign))},
        conversion_window_days=campaign["conversion_window_days"],
        cost_per_thousand_minor=campaign["cost_per_thousand_minor"],
        fixed_cost_minor=campaign["fixed_cost_minor"],
    )


def _unobserved(steps: str) -> list[str]:
    """The figures that a channel's campaigns cannot know."""
    unknown = unknown_steps(steps)
    return [name for name in worlds.PEOPLE if name in unknown or (name == "caused" and ORGANIC in unknown)]


def _counts(people: pd.DataFrame) -> dict[str, int]:
    base, changed = (people[name] != worlds.NO_MESSAGE for name in ("base_variant", "changed_variant"))
    return {
        "both": int((base & changed).sum()),
        "base only": int((base & ~changed).sum()),
        "changed only": int((~base & changed).sum()),
        "neither": int((~base & ~changed).sum()),
    }


def _side_by_side(people: pd.DataFrame, base: pd.DataFrame, changed: pd.DataFrame) -> pd.DataFrame:
    values = [frame.drop(columns="customer_id") for frame in (base, changed)]
    kept = people[["customer_id", "wave", "base_variant", "changed_variant"]].reset_index(drop=True)
    return pd.concat([kept, values[0].add_prefix("base_"), values[1].add_prefix("changed_")], axis=1)


def _other_problems(session: Session, changed: Mapping) -> dict[str, str]:
    problems = {}
    cap, also = changed["frequency_cap"], changed["also"]
    whole = isinstance(cap, int) and not isinstance(cap, bool)
    if not whole or not 1 <= cap <= HIGHEST_CAP:
        problems["frequency_cap"] = f"Allow 1 to {HIGHEST_CAP} messages within seven days."
    known = set(session.scalars(select(Segment.id).where(Segment.id.in_(list(also)))))
    if gone := sorted(set(also) - known):
        problems["also"] = f"There is no segment {gone[0]}. Remove it; it may have been deleted."
    elif len(known) > campaign_fields.MOST_EXCLUDED:
        problems["also"] = f"Add at most {campaign_fields.MOST_EXCLUDED} segments."
    elif both := sorted(known & set(changed["excluded"])):
        problems["also"] = f"Segment {both[0]} is both added and left out. Do one of them."
    return problems

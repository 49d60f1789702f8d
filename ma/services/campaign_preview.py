"""Who would be sent a campaign and who not, step by step, and how its message reads to them.

`choose` is the first half of a launch; a draft's screen shows it beforehand.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from ma.analytics.sendings import most_people
from ma.services import audience, merge_fields
from ma.services.audience import Step
from ma.services.campaign_variants import FIRST, shares
from ma.simulation import assignment
from ma.simulation.draws import uniform
from ma.types import Channel

STILL_WELCOME = "still welcome at their wave"
# Step -> what must hold of somebody to pass it.
_PASSES = {
    "consent": "consents",
    "reachable": "reachable",
    "not suppressed": "welcome",
    "not excluded": "included",
    "frequency cap": "rested",
}
_TOKENS = re.compile(r"(\{\{.*?\}\})", re.DOTALL)


@dataclass(frozen=True)
class Preview:
    """What a launch at this moment would do.

    `people` has a row for everybody in the segment, by id: customer_id, lost (the step at which they fall
    away, missing for those who are sent it), and for those who pass it all variant and wave (from 1 on).
    """

    waterfall: list[Step]
    people: pd.DataFrame

    @property
    def audience(self) -> int:
        """How many are in the segment now."""
        return self.waterfall[0].people

    @property
    def treated(self) -> int:
        """How many are sent it, in all waves together."""
        return int(self.people["lost"].isna().sum())

    @property
    def sent(self) -> int:
        """How many are sent it at once."""
        return self.waterfall[-1].people

    @property
    def blocked(self) -> str | None:
        """Why a launch would be refused; None where somebody is left."""
        return next((step.lost for step in self.waterfall[:-1] if step.people == 0), None)

    def losses(self) -> dict[str, int]:
        """How many fall away at each step that loses anybody, in the order of the steps."""
        counts = self.people["lost"].value_counts()
        return {step.step: int(counts[step.step]) for step in self.waterfall if step.step in counts}

    def lost_at(self, step: str, limit: int | None = None) -> np.ndarray:
        """The ids of those who fall away at a step; a few of them are the same ones each time."""
        return _some(self.people.loc[self.people["lost"] == step, "customer_id"].to_numpy(), limit)

    def readers(self, number: int, size: int) -> np.ndarray:
        """The ids of `size` people who would be sent it; another `number` gives others."""
        ids = _some(self.people.loc[self.people["lost"].isna(), "customer_id"].to_numpy(), None)
        pages = max(1, -(-len(ids) // size))
        return ids[number % pages * size :][:size]


def preview(session: Session, campaign: Mapping, *, at: datetime) -> Preview:
    """The waterfall that a launch at this moment would have, and everybody's place in it.

    `campaign` has the fields of a draft, saved or not, and its `id` where it has one. The segments are taken
    as they were last refreshed; a launch refreshes them first.
    """
    seed = assignment.launch_seed(campaign.get("id") or 0, at)
    return decide(candidates(session, campaign, at=at), campaign, seed=seed)


def candidates(session: Session, campaign: Mapping, *, at: datetime) -> pd.DataFrame:
    """Everybody in the segment, by id, and what they pass: the part of a preview that asks the database."""
    channel, excluded = Channel(campaign["channel"]), campaign["excluded"]
    people = audience.members(session, campaign["segment_id"], channel, at=at, excluded=excluded)
    return people[["customer_id", *_PASSES.values()]]


def decide(people: pd.DataFrame, campaign: Mapping, *, seed: int) -> Preview:
    """The preview of a campaign to these candidates, its lots drawn from `seed`."""
    chosen, waterfall = choose(people, campaign, seed=seed)
    treated = chosen[~chosen["holdout"]]
    if campaign["waves"] > 1:
        waterfall.append(Step(STILL_WELCOME, len(treated), ""))
    waterfall.append(Step("sent", int((treated["wave"] == 1).sum()), ""))
    places = treated[["variant", "wave"]].reindex(people.index)
    return Preview(waterfall, people[["customer_id"]].assign(lost=_lost(people, chosen), **places))


def choose(people: pd.DataFrame, campaign: Mapping, *, seed: int) -> tuple[pd.DataFrame, list[Step]]:
    """Those of `audience.members` who take part, with holdout, variant and wave, and the waterfall."""
    people, waterfall = audience.eligible(people, Channel(campaign["channel"]))
    people = assignment.assign(
        people,
        seed=seed,
        holdout_share=campaign["holdout_share"],
        shares=_shares(campaign),
        waves=campaign["waves"],
    )
    lost = "Everybody left is held out. Lower the holdout share."
    waterfall.append(Step("holdout", int((~people["holdout"]).sum()), lost))
    if (most := most_people(campaign)) is not None:
        people = assignment.within(people, max(0, most), seed=seed)
        lost = "The budget pays for nobody. Raise it."
        waterfall.append(Step("within budget", int((~people["holdout"]).sum()), lost))
    return people, waterfall


def cost_minor(campaign: Mapping, people: int) -> int | None:
    """What sending a campaign to so many people costs; None where a price is unknown."""
    each, fixed = campaign["cost_per_thousand_minor"], campaign["fixed_cost_minor"]
    return None if each is None or fixed is None else fixed + (people * each + 500) // 1000


@dataclass(frozen=True)
class Part:
    """A piece of a message as one person reads it; `default_for` names the field that is unknown of them."""

    text: str
    default_for: str = ""


def parts(text: str, person: Mapping[str, str | None]) -> list[Part]:
    """A message as one person reads it, in pieces: their texts together are `merge_fields.render`'s."""
    found = []
    for piece in filter(None, _TOKENS.split(text)):
        fields = merge_fields.used(piece) if _TOKENS.fullmatch(piece) else set()
        unknown = next((field for field in fields if not person.get(field)), "")
        found.append(Part(merge_fields.render(piece, person), unknown))
    return found


def _lost(people: pd.DataFrame, chosen: pd.DataFrame) -> pd.Series:
    """The step at which each falls away: the first that they do not pass."""
    lost = pd.Series(index=people.index, dtype=object)
    taking_part = people.index.isin(chosen.index)
    lost[~taking_part] = "within budget"
    lost[chosen.index[chosen["holdout"]]] = "holdout"
    for step, passes in reversed(_PASSES.items()):
        lost[~people[passes]] = step
    return lost


def _shares(campaign: Mapping) -> dict[str, float]:
    # A draft that is being written may have shares that leave A nothing. Nobody falls away by them.
    found = shares(campaign["variants"])
    return found if found[FIRST] > 0 else {FIRST: 1.0}


def _some(ids: np.ndarray, limit: int | None) -> np.ndarray:
    """People in an order that has nothing to do with when they came."""
    return ids[np.argsort(uniform(0, ids, "preview"), kind="stable")][:limit]

"""Whom a launched campaign would have gone to under other rules, on the lots that were drawn.

Who was sent it or held out is stored; who else was in the segment is reckoned, as of the launch. Where the
reckoning says of somebody that they took part and they did not, something barred them that is not kept: they
stay out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import Select, SelectBase, select, union
from sqlalchemy.orm import Session

from ma.analytics.catalogue import catalogue
from ma.analytics.sendings import WAVE_EVERY, most_people
from ma.analytics.workspace import workspace
from ma.clock import after_quiet
from ma.db.whole_numbers import column
from ma.errors import InvalidRule, NobodyLeft
from ma.models import Customer, SegmentMember
from ma.rules import to_sql
from ma.rules.check import parse
from ma.rules.uses import present_values
from ma.services import launch_state
from ma.services.audience import Step, still_welcome
from ma.services.campaign_preview import choose
from ma.simulation.draws import split, uniform
from ma.simulation.replay import NO_MESSAGE

# What decides who takes part, beside holdout and budget.
_RULES = ("segment_id", "also", "excluded", "frequency_cap")


@dataclass(frozen=True)
class Wave:
    """A wave that went out: when its people were looked at, and when the messages left."""

    number: int
    at: datetime
    sent_at: datetime


@dataclass(frozen=True)
class Reckoning:
    """How well the segment of the launch is known again.

    then: its people at the launch; found: those found now; barred: those of them who by what is kept should
    have taken part and did not; present: what has its present value in the rules that were asked.
    """

    then: int | None
    found: int
    barred: int
    present: tuple[str, ...]


@dataclass(frozen=True)
class TakingPart:
    """Everybody in one of the two worlds, by id.

    people: the facts as of their wave, wave, took_part (then), and base_variant and changed_variant, the
    message each is sent, empty for none. waterfall: step, base, changed, where others could take part.
    """

    people: pd.DataFrame
    waterfall: pd.DataFrame | None = None
    reckoning: Reckoning | None = None


def waves(session: Session, campaign: Mapping, stored: pd.DataFrame) -> list[Wave]:
    """The waves that went out, from the `launch_state.outcomes` of a campaign."""
    zone = campaign["timezone"] or workspace(session).timezone
    found = []
    for number in range(1, campaign["waves_sent"] + 1):
        mine = stored[stored["wave"] == number]
        at = campaign["launched_at"] + (number - 1) * WAVE_EVERY
        if len(mine):
            at = mine["assigned_at"].iloc[0].to_pydatetime()
        sent = mine["sent_at"].dropna()
        quiet = after_quiet(at, zone, campaign["quiet_from"], campaign["quiet_until"])
        found.append(Wave(number, at, sent.iloc[0].to_pydatetime() if len(sent) else quiet))
    return found


def reselects(campaign: Mapping, changed: Mapping) -> bool:
    """Whether a change can bring people in who did not take part."""
    most = most_people(campaign)
    if most != most_people(changed) or any(campaign[name] != changed[name] for name in _RULES):
        return True
    return most is not None and campaign["holdout_share"] != changed["holdout_share"]


def taking_part(
    session: Session, campaign: Mapping, changed: Mapping, stored: pd.DataFrame, went: Sequence[Wave]
) -> TakingPart:
    """Who takes part in which world. `campaign` and `changed` have also and frequency_cap too."""
    # Where the launch kept of when its profile figures were, they can be derived exactly.
    kept = campaign["parameters"].get("profiled_at")
    profiled = {1: datetime.fromisoformat(kept)} if kept else {}
    then = stored.set_index("customer_id")["wave"]

    def found(chosen: SelectBase, wave: Wave) -> pd.DataFrame:
        profiled_at = profiled.get(wave.number, wave.at)
        state = launch_state.people(session, chosen, campaign, at=wave.at, profiled_at=profiled_at)
        ids = state["customer_id"].to_numpy()
        number = split(campaign["seed"], ids, "wave", campaign["waves"]) + 1
        took_part = np.isin(ids, then.index)
        number[took_part] = then.loc[ids[took_part]]
        return state.assign(wave=number, took_part=took_part)

    if not reselects(campaign, changed):
        states = [found(launch_state.recipients_of(campaign["id"], wave.number), wave) for wave in went]
        state = pd.concat(states).sort_values("customer_id", ignore_index=True)
        state = state.assign(included=True, rested=True)
        before, _ = choose(_certain(state), campaign, seed=campaign["seed"])
        after, steps = choose(_certain(state), changed, seed=campaign["seed"])
        _require_somebody(changed, steps)
        return TakingPart(_both(state, stored, before, after))
    segments = _Segments(session, campaign, changed)
    pool = union(
        *[launch_state.recipients_of(campaign["id"], wave.number) for wave in went],
        *segments.selects.values(),
    )
    by_wave = {wave.number: found(pool, wave) for wave in went}
    first, seen = by_wave[1], [by_wave[n][by_wave[n]["wave"] == n] for n in by_wave]
    state = pd.concat(seen, ignore_index=True).sort_values("customer_id", ignore_index=True)
    barred = _barred(segments, campaign, first, state, stored)
    first, state = (frame[~frame["customer_id"].isin(barred)] for frame in (first, state))
    before, steps = _choose(segments, campaign, campaign, first, state)
    after, other_steps = _choose(segments, campaign, changed, first, state)
    waterfall = pd.DataFrame({"base": pd.Series(steps), "changed": pd.Series(other_steps)})
    # Only the budget's step may be missing in one of them.
    waterfall = waterfall.reindex(list(max(steps, other_steps, key=len))).rename_axis("step").reset_index()
    counted = {step["step"]: step["people"] for step in campaign["eligibility"] or []}
    own = segments.members(campaign["segment_id"])
    reckoning = Reckoning(
        then=counted.get("audience"),
        found=int(np.union1d(own, stored["customer_id"]).size),
        barred=len(barred),
        present=tuple(segments.present),
    )
    return TakingPart(_both(state, stored, before, after), waterfall, reckoning)


class _Segments:
    """The members of segments as of the launch: by the rule the campaign was launched with, or theirs now."""

    def __init__(self, session: Session, campaign: Mapping, changed: Mapping):
        self.session, self.at = session, campaign["launched_at"]
        self.own, self.present = campaign["segment_id"], []
        known = catalogue(session)
        rules = {one: segment.rule for one, segment in (known.segments or {}).items()}
        rules[self.own] = campaign["rule"]
        zone = workspace(session).timezone
        wanted = [self.own]
        for each in (campaign, changed):
            wanted += [each["segment_id"], *each["also"], *each["excluded"]]
        self.selects: dict[int, Select] = {}
        self._members: dict[int, np.ndarray] = {}
        for one in dict.fromkeys(wanted):
            rule = rules.get(one)
            try:
                if rule is None:
                    self.selects[one] = self._listed(one)
                    continue
                node = parse(rule, known)
                self.selects[one] = to_sql.members(node, as_of=self.at, timezone=zone, catalogue=known)
                self.present += [name for name in present_values(node, known) if name not in self.present]
            except InvalidRule:
                if one != self.own:
                    raise
                # What the rule of then speaks of may be gone by now.
                self.selects[one] = self._listed(one)

    def members(self, segment_id: int) -> np.ndarray:
        """The ids of its people."""
        if segment_id not in self._members:
            self._members[segment_id] = column(self.session, self.selects[segment_id])
        return self._members[segment_id]

    def any_of(self, segment_ids: Sequence[int]) -> np.ndarray:
        """The ids of the people of any of these."""
        nobody = np.empty(0, dtype=np.int64)
        return np.unique(np.concatenate([nobody, *[self.members(one) for one in segment_ids]]))

    def _listed(self, segment_id: int) -> Select:
        return (
            select(SegmentMember.customer_id)
            .join(Customer, Customer.id == SegmentMember.customer_id)
            .where(
                SegmentMember.segment_id == segment_id,
                SegmentMember.entered_at <= self.at,
                Customer.deleted_at.is_(None),
            )
        )


def _choose(
    segments: _Segments, campaign: Mapping, changed: Mapping, first: pd.DataFrame, state: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Who takes part under the changed rules, as a launch chooses, and its waterfall."""
    ids = first["customer_id"].to_numpy()
    audience = np.isin(ids, segments.any_of([changed["segment_id"], *changed["also"]]))
    if changed["segment_id"] == campaign["segment_id"]:
        audience |= first["took_part"].to_numpy()
    # Who took part was in no segment that was left out then, whatever its rule says by now.
    new = sorted(set(changed["excluded"]) - set(campaign["excluded"]))
    left_out = np.isin(ids, segments.any_of(changed["excluded"])) & ~first["took_part"].to_numpy()
    left_out |= np.isin(ids, segments.any_of(new))
    allowed = changed["frequency_cap"]
    people = _certain(first).assign(included=~left_out, rested=_rested(first, campaign, allowed))
    chosen, waterfall = choose(people[audience], changed, seed=campaign["seed"])
    _require_somebody(changed, waterfall)
    chosen = chosen.assign(wave=first.loc[chosen.index, "wave"])
    steps = {step.step: step.people for step in waterfall}
    later = chosen.loc[chosen["wave"] > 1, "customer_id"]
    at_wave = _certain(state[state["customer_id"].isin(later)])
    at_wave = still_welcome(at_wave.assign(rested=_rested(at_wave, campaign, allowed)))
    stays = (chosen["wave"] == 1) | chosen["customer_id"].isin(at_wave["customer_id"])
    chosen = chosen[stays]
    return chosen, steps | {"sent": int((~chosen["holdout"]).sum())}


def _barred(
    segments: _Segments, campaign: Mapping, first: pd.DataFrame, state: pd.DataFrame, stored: pd.DataFrame
) -> np.ndarray:
    """The ids of those who by the reckoning took part, and did not."""
    seed = campaign["seed"]
    chosen, _ = _choose(segments, campaign, dict(campaign) | {"budget_minor": None}, first, state)
    ids = chosen["customer_id"].to_numpy()
    should = ~np.isin(ids, stored["customer_id"])
    if most_people(campaign) is not None:
        # The lots of those whom the budget did not reach are higher than all of those it reached.
        treated = stored.loc[stored["treated"], "customer_id"].to_numpy()
        last = uniform(seed, treated, "budget").max(initial=0.0)
        should &= chosen["holdout"].to_numpy() | (uniform(seed, ids, "budget") < last)
    return ids[should]


def _require_somebody(campaign: Mapping, waterfall: Sequence[Step]) -> None:
    for step in waterfall:
        if step.people == 0:
            name = campaign["name"]
            raise NobodyLeft(f"“{name}” would have been sent to nobody. {step.lost}", step=step.step)


def _certain(people: pd.DataFrame) -> pd.DataFrame:
    """The people with what is certain of those who took part: they could be sent the campaign."""
    took_part = people["took_part"].to_numpy()
    return people.assign(
        **{name: people[name].to_numpy() | took_part for name in ("consents", "reachable", "welcome")}
    )


def _rested(people: pd.DataFrame, campaign: Mapping, allowed: int) -> np.ndarray:
    """Who has had fewer messages than are allowed. Those who took part had fewer than were allowed then."""
    had = people["week_messages"].to_numpy()
    had = np.where(people["took_part"], np.minimum(had, campaign["frequency_cap"] - 1), had)
    return had < allowed


def _both(
    state: pd.DataFrame, stored: pd.DataFrame, before: pd.DataFrame, after: pd.DataFrame
) -> pd.DataFrame:
    """Those who take part in either world, with their messages in both.

    before and after: who is chosen by the rules of then and by the changed ones.
    """
    ids = state["customer_id"]

    def messages(people: pd.DataFrame, treated: pd.Series) -> np.ndarray:
        sent = people.loc[treated].set_index("customer_id")["variant"]
        return ids.map(sent).fillna(NO_MESSAGE).to_numpy(object)

    base, again = messages(stored, stored["treated"]), messages(before, ~before["holdout"])
    changed = messages(after, ~after["holdout"])
    # Somebody whose record was merged into another drew other lots under the old number: as it was, twice.
    moved = state["took_part"].to_numpy() & (base != again)
    people = state.assign(base_variant=base, changed_variant=np.where(moved, base, changed))
    return people[people["took_part"] | ids.isin(after["customer_id"])].reset_index(drop=True)

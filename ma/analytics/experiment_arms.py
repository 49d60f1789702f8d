"""The arms of every test: who was to be in which, who is, and what they did.

A test is a launched campaign with several messages, or with people held out. An arm is a message, or those
who were held out. Everybody assigned to an arm counts in it, whether the message reached them or not: lots
decide who is assigned, so the arms are alike; whom a message reaches can depend on the message.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from sqlalchemy import BigInteger, Float, case, cast, func, select
from sqlalchemy.orm import Session

from ma import clock
from ma.analytics import significance
from ma.analytics.frames import read
from ma.analytics.sendings import WAVE_EVERY
from ma.analytics.significance import NAN, Sums
from ma.analytics.today import FIGURES, today
from ma.analytics.workspace import workspace
from ma.models import Campaign, CampaignResult, Outcome
from ma.types import Arm, CampaignStatus, Source, unknown_steps

# The campaign's own message; the others are tried against it.
FIRST = "A"
HELD_OUT = "Held out"
OK, WARNING, ALARM, UNKNOWN = "ok", "warning", "alarm", "unknown"
# What is known of people who are sent nothing.
_WITHOUT_MESSAGE = ("converted", "revenue_minor")
_KEYS = ["campaign_id", "label"]
_COMING = (CampaignStatus.RUNNING, CampaignStatus.PAUSED)
_COLUMNS = (
    "id", "name", "channel", "source", "status", "launched_at", "steps", "conversion_window_days",
    "waves", "waves_sent", "next_wave_at", "holdout_share", "variants", "eligibility", "forecast",
)  # fmt: skip


class Difference(NamedTuple):
    """How an arm differs from another in one figure: a row of `experiments.experiment_differences`."""

    campaign_id: int
    name: str
    comparison: str
    label: str
    figure: str
    people_a: float
    people_b: float
    value_a: float
    value_b: float
    difference: float
    low: float
    high: float
    resampled_low: float
    resampled_high: float
    p_value: float
    p_adjusted: float
    detectable_effect: float
    power: float
    needed: float
    over: bool
    sample_ratio: str


@dataclass(frozen=True)
class Experiment:
    """One test.

    campaign: its columns (id as campaign_id), waves_to_come, ends_at (when the last conversion window ends;
    None while nobody knows when the last wave goes out) and over. arms, A first and those held out last:
    label (A, B, …, "Held out"), share (of all people, as planned; NaN where nobody knows), people (of the
    waves that went out), planned_people (of those to come too), how many took each step, and revenue_minor;
    NaN where it cannot be observed.
    """

    campaign: Mapping
    arms: list[Mapping]

    @property
    def messages(self) -> list[Mapping]:
        """The arms that are sent something."""
        return [arm for arm in self.arms if arm["label"] != HELD_OUT]

    @property
    def held_out(self) -> Mapping | None:
        """Those who are sent nothing, if there are any."""
        return next((arm for arm in self.arms if arm["label"] == HELD_OUT), None)

    @property
    def sent(self) -> dict:
        """Everybody who is sent any of the messages, as one arm."""
        names = ("people", "planned_people", *_WITHOUT_MESSAGE)
        return {name: math.fsum(arm[name] for arm in self.messages) for name in names}

    @cached_property
    def split_p_value(self) -> float:
        """How likely people are split over the arms as unevenly as they are, if lots did it as planned."""
        return significance.sample_ratio(_groups(self))

    @property
    def sample_ratio(self) -> str:
        """Whether people are split as planned: OK, WARNING, ALARM, or UNKNOWN."""
        if math.isnan(self.split_p_value):
            return UNKNOWN
        if self.split_p_value < significance.MISMATCH_ALARM:
            return ALARM
        return WARNING if self.split_p_value < significance.MISMATCH_WARNING else OK


def experiments(
    session: Session, *, as_of: datetime, campaign_ids: Sequence[int] | None = None
) -> list[Experiment]:
    """Every test among the campaigns launched up to `as_of`, or among some, from the stored results.

    The latest first.
    """
    zone = workspace(session).timezone
    launched = {row["campaign_id"]: row for row in _launched(session, as_of, campaign_ids)}
    shares, there = {key: _planned(row) for key, row in launched.items()}, _there(session, list(launched))
    for campaign_id, label in there:
        shares[campaign_id].setdefault(label, NAN)
    ids = [key for key in launched if len(shares[key]) > 1]
    counts, early = _counted(session, ids, as_of, zone), _early(session, ids, as_of)
    found = []
    for campaign_id in ids:
        campaign, arms, days = launched[campaign_id], [], []
        unknown = {*unknown_steps(campaign["steps"])}
        for label in sorted(shares[campaign_id], key=lambda name: (name == HELD_OUT, name)):
            key = (campaign_id, label)
            figures = counts.get(key, dict.fromkeys(FIGURES, 0.0))
            hidden = unknown | ({*FIGURES} - {*_WITHOUT_MESSAGE} if label == HELD_OUT else set())
            day, planned = there.get(key, (None, 0))
            days.append(day)
            arms.append(
                {name: NAN if name in hidden else value for name, value in figures.items()}
                | {"label": label, "share": shares[campaign_id][label]}
                | {"people": figures["assigned"] - early.get(key, 0), "planned_people": float(planned)}
            )
        last_day = max(filter(None, days), default=None)
        found.append(Experiment(_with_end(campaign, last_day, as_of, zone), arms))
    return found


def revenue(session: Session, found: Sequence[Experiment], *, as_of: datetime) -> dict[tuple[int, str], Sums]:
    """Revenue per person of each arm, by campaign and label: one statement over the outcomes."""
    people = {
        (test.campaign["campaign_id"], arm["label"]): arm["people"] for test in found for arm in test.arms
    }
    # As a float: the square of an amount in minor units, added up, is more than a whole number can be.
    amount, label = cast(Outcome.revenue_minor, Float), _label()
    total = cast(func.sum(Outcome.revenue_minor), BigInteger)
    query = (
        select(Outcome.campaign_id, label, total, func.sum(amount * amount))
        .where(Outcome.campaign_id.in_({key for key, _ in people}), Outcome.converted_at <= as_of)
        .group_by(Outcome.campaign_id, label)
    )
    sums = {(row[0], row[1]): (float(row[2]), float(row[3])) for row in session.execute(query)}
    return {key: Sums(number, *sums.get(key, (0.0, 0.0))) for key, number in people.items()}


def amounts(
    session: Session, campaign_id: int, *, as_of: datetime
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What buyers of each arm of a campaign brought, and how many of them as much, by label; without 0."""
    label = _label()
    query = (
        select(label.label("label"), Outcome.revenue_minor, func.count().label("people"))
        .where(Outcome.campaign_id == campaign_id, Outcome.converted_at <= as_of, Outcome.revenue_minor != 0)
        .group_by(label, Outcome.revenue_minor)
    )
    return {
        name: (mine["revenue_minor"].to_numpy(float), mine["people"].to_numpy(float))
        for name, mine in read(session, query).groupby("label")
    }


def _groups(test: Experiment) -> list[tuple[list[float], list[float]]]:
    """People as they are and shares as planned, for `significance.sample_ratio`; empty without a plan.

    A budget that left people out took them from those to be sent it, so their number is no draw any more:
    then the messages are compared among themselves, and those held out with everybody who was eligible.
    """
    if any(math.isnan(arm["share"]) for arm in test.arms):
        return []
    steps = {step["step"]: step["people"] for step in test.campaign["eligibility"] or ()}
    cut = "within budget" in steps and steps["within budget"] < steps["holdout"]
    if not cut or test.held_out is None:
        return [_group(test.arms)]
    groups = [_group(test.messages)] if len(test.messages) > 1 else []
    if test.campaign["waves"] == 1:
        held, share = test.held_out["people"], test.held_out["share"]
        eligible = list(steps.values())[list(steps).index("holdout") - 1]
        groups.append(([held, max(eligible - held, 0.0)], [share, 1.0 - share]))
    return groups


def _group(arms: list[Mapping]) -> tuple[list[float], list[float]]:
    return [arm["people"] for arm in arms], [arm["share"] for arm in arms]


def _launched(session: Session, as_of: datetime, campaign_ids: Sequence[int] | None) -> list[dict]:
    query = (
        select(Campaign.id.label("campaign_id"), *[getattr(Campaign, name) for name in _COLUMNS[1:]])
        .where(Campaign.launched_at <= as_of, Campaign.status != CampaignStatus.DRAFT)
        .order_by(Campaign.launched_at.desc(), Campaign.id.desc())
    )
    if campaign_ids is not None:
        query = query.where(Campaign.id.in_(campaign_ids))
    return [dict(row) for row in session.execute(query).mappings()]


def _planned(campaign: Mapping) -> dict[str, float]:
    """The arms that a campaign was launched with and their shares of all people; none if not known."""
    # Of imported results only the people are known, not how they were chosen.
    if campaign["source"] != Source.SIMULATED:
        return {}
    others = {variant["name"]: variant["share"] for variant in campaign["variants"] or ()}
    shares, held = {FIRST: 1.0 - math.fsum(others.values())} | others, campaign["holdout_share"]
    arms = {label: share * (1.0 - held) for label, share in shares.items()}
    return arms | ({HELD_OUT: held} if held else {})


def _there(session: Session, ids: list[int]) -> dict[tuple[int, str], tuple[date | None, int]]:
    """By campaign and label: the last day on which anybody was sent something, and people of all waves."""
    sent, label = case((CampaignResult.sent > 0, CampaignResult.day)), _label(CampaignResult)
    query = (
        select(CampaignResult.campaign_id, label, func.max(sent), func.sum(CampaignResult.assigned))
        .where(CampaignResult.campaign_id.in_(ids))
        .group_by(CampaignResult.campaign_id, label)
    )
    return {(row[0], row[1]): (row[2], row[3]) for row in session.execute(query)}


def _counted(session: Session, ids: list[int], as_of: datetime, zone: str) -> dict[tuple[int, str], dict]:
    """People and money of each arm up to `as_of`: whole days as they are stored, and the present one."""
    label = _label(CampaignResult)
    query = (
        select(
            CampaignResult.campaign_id,
            label.label("label"),
            *[func.sum(getattr(CampaignResult, name)).label(name) for name in FIGURES],
        )
        .where(CampaignResult.campaign_id.in_(ids), CampaignResult.day < clock.local_day(as_of, zone))
        .group_by(CampaignResult.campaign_id, label)
    )
    now = today(session, as_of=as_of, timezone=zone, campaign_ids=ids)
    now = now.assign(label=np.where(now["arm"] == Arm.HOLDOUT, HELD_OUT, now["variant"]))
    both = pd.concat([read(session, query), now[[*_KEYS, *FIGURES]]], ignore_index=True)
    both[FIGURES] = both[FIGURES].astype(float).fillna(0.0)
    return both.groupby(_KEYS)[FIGURES].sum().to_dict("index")


def _early(session: Session, ids: list[int], as_of: datetime) -> dict[tuple[int, str], int]:
    """People whose wave should have gone out by `as_of`, but waits: they are assigned, and not in it yet."""
    label = _label()
    query = (
        select(Outcome.campaign_id, label, func.count())
        .join(Campaign, Campaign.id == Outcome.campaign_id)
        .where(
            Campaign.id.in_(ids),
            Campaign.waves_sent < Campaign.waves,
            Campaign.next_wave_at <= as_of,
            Outcome.wave > Campaign.waves_sent,
            Outcome.assigned_at <= as_of,
        )
        .group_by(Outcome.campaign_id, label)
    )
    return {(row[0], row[1]): row[2] for row in session.execute(query)}


def _label(table=Outcome):
    return case((table.arm == Arm.HOLDOUT, HELD_OUT), else_=table.variant)


def _with_end(campaign: dict, last_day: date | None, as_of: datetime, zone: str) -> dict:
    to_come = campaign["waves"] - campaign["waves_sent"] if campaign["status"] in _COMING else 0
    day = last_day or clock.local_day(campaign["launched_at"], zone)
    if to_come:
        due = campaign["next_wave_at"] if campaign["status"] == CampaignStatus.RUNNING else None
        last = due and clock.local_day(due + (to_come - 1) * WAVE_EVERY, zone)
        day = last and max(day, last)
    # As a campaign is completed: the window after the end of the last day of sending.
    window = timedelta(days=campaign["conversion_window_days"])
    ends_at = day and clock.day_start(day + timedelta(days=1), zone) + window
    over = not to_come and ends_at is not None and ends_at <= as_of
    return campaign | {"waves_to_come": to_come, "ends_at": ends_at, "over": over}

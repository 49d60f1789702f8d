"""What became of campaigns that are over: the counts from which forecasts learn.

A person counts once their conversion window is over, and of what they did, what fell into it: then everybody
had the same time. Real outcomes and simulated ones are kept apart; people held out are not counted.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

import numpy as np
import pandas as pd
from sqlalchemy import BigInteger, Float, Integer, and_, case, cast, func, not_, select
from sqlalchemy.orm import Session

from ma.db.elapsed import later
from ma.models import Campaign, CampaignAggregate, CampaignResult, Customer, Outcome
from ma.simulation.params import ChannelParams
from ma.simulation.population import PRIOR_ORDERS
from ma.types import ORDER_VALUE, Arm, Source

# The latest campaigns of a channel say enough, and what was true years ago may be no longer: at most so many,
# and none older once there are a dozen with so many people.
MOST_CAMPAIGNS, ENOUGH_CAMPAIGNS, ENOUGH_PEOPLE = 200, 12, 2_000_000
# So many people are counted, the same number of each campaign: of a larger one every second, third … person.
# Beyond that, campaigns differ by more than chance.
MOST_PEOPLE = 250_000
COUNTS = ("campaign_id", "step", "band", "reached", "took", "days", "lift", "effect")
ORDERS = ("campaign_id", "conversions", "revenue_minor", "expected_minor")
_SENT = "sent"
_FIRST = "A"


@dataclass(frozen=True)
class History:
    """What a channel's campaigns of one source came to.

    counts: one row per campaign, step and engagement band (0-4, NA where unknown): reached (people who took
    the step before), took (people who took this one too; of conversions those that the message caused: of
    real ones, where nobody can tell, as many are taken off as people would be expected to make anyway), days
    (the conversion window in which both were counted), lift (what was assumed of the message) and effect (of
    the audience, see calibrate.band_effects; NaN where nobody noted it).
    orders: one row per campaign with conversions: how many, revenue_minor, and expected_minor, what it would
    have been at each one's own average order.
    """

    counts: pd.DataFrame
    orders: pd.DataFrame

    @property
    def campaigns(self) -> int:
        """How many campaigns there are."""
        return int(self.counts["campaign_id"].nunique())

    @property
    def people(self) -> int:
        """How many messages they sent."""
        sent = self.counts.groupby(["campaign_id", "step"])["reached"].sum()
        return int(sent.groupby("campaign_id").max().sum())


@dataclass(frozen=True)
class _Past:
    """One campaign: its window, the steps it can observe, what was assumed or noted of its launch."""

    campaign_id: int
    days: int
    every: int
    steps: frozenset[str]
    effects: dict[str, dict[str, float]]
    audience: list[dict]


def history(session: Session, params: ChannelParams, *, source: Source, as_of: datetime) -> History:
    """What the channel's latest campaigns of one source came to, up to an instant.

    One grouped pass over their outcomes for each different window (and size, and steps known). Real campaigns
    that are known as their platform's totals only are among them, without bands.
    """
    past = _past(session, params, source, as_of)
    alike = defaultdict(list)
    for campaign in past:
        alike[campaign.days, campaign.every, campaign.steps].append(campaign)
    counted, sold = [], []
    for campaigns in alike.values():
        counted += _counted(session, params, campaigns, as_of)
        sold += _sold(session, params, campaigns, as_of)
    counts, orders = [_counts(counted, params, past, source)], [_orders(sold, past)]
    if source is Source.IMPORTED:
        totals, sales = _totals(session, params, past)
        counts.append(totals)
        orders.append(sales)
    return History(_joined(counts, COUNTS).astype({"band": "Int64"}), _joined(orders, ORDERS))


def _past(session: Session, params: ChannelParams, source: Source, as_of: datetime) -> list[_Past]:
    sent = (
        select(func.coalesce(func.sum(CampaignResult.sent), 0))
        .where(CampaignResult.campaign_id == Campaign.id, CampaignResult.arm == Arm.TREATED.value)
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            Campaign.id,
            cast(sent, BigInteger).label("sent"),
            Campaign.conversion_window_days,
            Campaign.steps,
            Campaign.effects,
            Campaign.variants,
            Campaign.forecast,
            Campaign.launched_at,
        )
        .where(
            Campaign.channel == params.channel.value,
            Campaign.source == source.value,
            Campaign.launched_at <= as_of,
        )
        .order_by(Campaign.launched_at.desc(), Campaign.id.desc())
        .limit(MOST_CAMPAIGNS)
    )
    rows = _latest(
        [row for row in rows if row.launched_at + timedelta(days=row.conversion_window_days) <= as_of]
    )
    return [
        _Past(
            row.id,
            row.conversion_window_days,
            max(-(-row.sent * len(rows) // MOST_PEOPLE), 1),
            frozenset(row.steps.split(",")),
            {_FIRST: row.effects or {}} | {v["name"]: v["effects"] or {} for v in row.variants or ()},
            (row.forecast or {}).get("audience", []),
        )
        for row in rows
    ]


def _latest(rows: list) -> list:
    """As many of these campaigns, from the newest on, as it takes."""
    before = list(accumulate((row.sent for row in rows), initial=0))
    enough = (place for place in range(ENOUGH_CAMPAIGNS, len(rows)) if before[place] >= ENOUGH_PEOPLE)
    return rows[: next(enough, len(rows))]


def _counted(session: Session, params: ChannelParams, campaigns: list[_Past], as_of: datetime) -> list:
    """By campaign, variant and band: how many people took each step of the chain."""
    took = _took(params, campaigns[0])
    return session.execute(
        select(
            Outcome.campaign_id,
            Outcome.variant,
            Outcome.band,
            *[cast(func.sum(case((condition, 1), else_=0)), Integer) for condition in took.values()],
        )
        .where(*_whose(campaigns, as_of))
        .group_by(Outcome.campaign_id, Outcome.variant, Outcome.band)
    ).all()


def _sold(session: Session, params: ChannelParams, campaigns: list[_Past], as_of: datetime) -> list:
    """By campaign and variant: conversions, what they brought, and each one's own average orders added up."""
    if "converted" not in campaigns[0].steps:
        return []
    own = cast(Customer.spend_minor, Float) + params.population.average_order_minor * PRIOR_ORDERS
    return session.execute(
        select(
            Outcome.campaign_id,
            Outcome.variant,
            func.count(),
            cast(func.sum(Outcome.revenue_minor), BigInteger),
            func.sum(own / (Customer.orders + PRIOR_ORDERS)),
        )
        .join(Customer, Customer.id == Outcome.customer_id)
        .where(*_whose(campaigns, as_of), _took(params, campaigns[0])["converted"])
        .group_by(Outcome.campaign_id, Outcome.variant)
    ).all()


def _took(params: ChannelParams, like: _Past) -> dict:
    """The condition of each step: taken in time, by somebody who took the step before."""
    latest = later(Outcome.sent_at, like.days)
    took = {_SENT: Outcome.sent_at.is_not(None)}
    for name, step in params.steps.items():
        # What cannot be observed holds nobody back: the steps behind it may still be known.
        took[name] = took[step.after]
        if name in like.steps:
            took[name] = and_(took[name], getattr(Outcome, f"{name}_at") <= latest)
    # What people would have bought anyway teaches nothing about the message.
    return took | {"converted": and_(took["converted"], not_(Outcome.organic))}


def _whose(campaigns: list[_Past], as_of: datetime) -> list:
    """People of these campaigns who were sent a message and whose window is over."""
    return [
        Outcome.campaign_id.in_([campaign.campaign_id for campaign in campaigns]),
        Outcome.arm == Arm.TREATED.value,
        Outcome.sent_at <= as_of - timedelta(days=campaigns[0].days),
        *([Outcome.customer_id % campaigns[0].every == 0] if campaigns[0].every > 1 else []),
    ]


def _counts(rows: list, params: ChannelParams, campaigns: list[_Past], source: Source) -> pd.DataFrame:
    """The counts by step, as far as each campaign can observe it and the step before."""
    wide = pd.DataFrame(rows, columns=["campaign_id", "variant", "band", _SENT, *params.steps])
    wide = wide.astype({"band": "Int64"})
    wide["days"] = wide["campaign_id"].map({campaign.campaign_id: campaign.days for campaign in campaigns})
    if source is Source.IMPORTED:
        wide["converted"] = _caused(wide["converted"], wide[_SENT], wide["days"], params)
    known = {campaign.campaign_id: campaign.steps | {_SENT} for campaign in campaigns}
    parts = []
    for name, step in params.steps.items():
        seen = wide["campaign_id"].map(lambda i, pair={name, step.after}: pair <= known[i]).astype(bool)
        part = wide[seen & (wide[step.after] > 0)]
        part = part.assign(step=name, reached=part[step.after], took=part[name])
        parts.append(part.assign(lift=_lift(part, campaigns, name)))
    keys = ["campaign_id", "step", "band", "lift", "days"]
    long = pd.concat(parts).groupby(keys, dropna=False, as_index=False)[["reached", "took"]].sum()
    return long.merge(_effects(campaigns), on=["campaign_id", "step", "band"], how="left")[list(COUNTS)]


def _caused(converted: pd.Series, sent: pd.Series, days: pd.Series, params: ChannelParams) -> pd.Series:
    """Real conversions without those to be expected of as many people without any message."""
    anyway = -np.expm1(-params.population.order_rate * params.organic_share * days.astype(float))
    return (converted - sent * anyway).clip(lower=0.0)


def _orders(rows: list, campaigns: list[_Past]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["campaign_id", "variant", *ORDERS[1:]])
    frame["expected_minor"] *= 1.0 + _lift(frame, campaigns, ORDER_VALUE)
    return frame.groupby("campaign_id", as_index=False)[list(ORDERS[1:])].sum()


def _lift(rows: pd.DataFrame, campaigns: list[_Past], what: str) -> np.ndarray:
    """What was assumed of each row's message, for one step or for the order value."""
    lifts = {
        (campaign.campaign_id, variant): effects[what]
        for campaign in campaigns
        for variant, effects in campaign.effects.items()
        if what in effects
    }
    pairs = zip(rows["campaign_id"], rows["variant"], strict=True)
    return np.array([lifts.get(pair, 0.0) for pair in pairs], dtype=np.float64)


def _effects(campaigns: list[_Past]) -> pd.DataFrame:
    """What was noted of each audience at the launch, by step and band."""
    rows = [
        (campaign.campaign_id, row["step"], row["band"], row["effect"])
        for campaign in campaigns
        for row in campaign.audience
    ]
    frame = pd.DataFrame(rows, columns=["campaign_id", "step", "band", "effect"])
    return frame.astype({"campaign_id": "int64", "step": object, "band": "Int64", "effect": "float64"})


def _totals(session: Session, params: ChannelParams, past: list[_Past]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What platforms reported as totals: counts without a band, sales against the usual average order."""
    total = CampaignAggregate
    rows = session.execute(
        select(
            total.campaign_id,
            total.sent,
            func.coalesce(total.delivered, total.sent - total.bounced).label("delivered"),
            total.revenue_minor,
            *[getattr(total, name) for name in params.steps if name != "delivered"],
        ).where(
            total.campaign_id.in_([campaign.campaign_id for campaign in past]),
            ~select(Outcome.campaign_id).where(Outcome.campaign_id == total.campaign_id).exists(),
        )
    )
    rows, days = rows.mappings().all(), {campaign.campaign_id: campaign.days for campaign in past}
    counts = [
        # A platform may count more people who left than people who opened: it cannot see every opening.
        (row["campaign_id"], name, row[step.after], min(row[name], row[step.after]), row["sent"])
        for row in rows
        for name, step in params.steps.items()
        if row[step.after] and row[name] is not None
    ]
    usual = params.population.average_order_minor
    sales = [
        (row["campaign_id"], row["converted"], row["revenue_minor"], row["converted"] * usual)
        for row in rows
        if row["converted"] and row["revenue_minor"] is not None
    ]
    frame = pd.DataFrame(counts, columns=["campaign_id", "step", "reached", "took", _SENT])
    frame["days"] = frame["campaign_id"].map(days)
    caused = _caused(frame["took"], frame[_SENT], frame["days"], params)
    frame["took"] = frame["took"].where(frame["step"] != "converted", caused)
    frame = frame.drop(columns=_SENT).assign(band=pd.NA, lift=0.0, effect=np.nan)
    return frame, pd.DataFrame(sales, columns=list(ORDERS))


def _joined(parts: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    filled = [part.astype({"band": "Int64"}) if "band" in part else part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame({name: [] for name in columns})
    return pd.concat(filled, ignore_index=True)[list(columns)]

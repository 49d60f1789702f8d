"""Forecasts: what a campaign may bring, before it is launched, and from what that is known.

Everything here reads and computes; only `freeze` writes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from ma.analytics.history import History, history
from ma.analytics.sendings import most_people
from ma.errors import NotFound
from ma.models import Audit, Campaign
from ma.services import audience
from ma.services.audience import Step
from ma.services.campaign_variants import messages
from ma.services.campaigns import stored
from ma.services.parameters import channel_params
from ma.simulation.beliefs import (
    ASSUMPTION,
    BENCHMARK,
    HISTORY,
    SIMULATED_HISTORY,
    Z90,
    Beliefs,
    from_benchmarks,
)
from ma.simulation.calibrate import band_effects, calibrate
from ma.simulation.cells import cells
from ma.simulation.draws import stable_hash
from ma.simulation.forecast import Forecast, Plan, Variant, forecast
from ma.simulation.params import logistic
from ma.simulation.population import Population, recipients
from ma.simulation.tornado import at_the_median, tornado
from ma.types import ORDER_VALUE, ORGANIC, CampaignStatus, Channel, Source

CAMPAIGN = Campaign.__table__
DRAWS = 2_000
PLANNED = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)
LEARNT = (HISTORY, SIMULATED_HISTORY)


@dataclass(frozen=True)
class Basis:
    """What the forecasts of one campaign and its scenarios have in common.

    waterfall: the way from the segment to the people whom a launch now could reach, before holdout and
    budget; cells: these people in groups (see simulation.cells); seed: of the luck that all scenarios share.
    """

    waterfall: list[Step]
    cells: pd.DataFrame
    beliefs: Beliefs
    seed: int

    @property
    def people(self) -> int:
        """How many could be reached, the holdout included."""
        return self.waterfall[-1].people

    @property
    def blocked(self) -> str | None:
        """Why nobody can be reached; None where somebody can."""
        return next((step.lost for step in self.waterfall if step.people == 0), None)


@dataclass(frozen=True)
class Draft:
    """The forecast of a campaign as it is drafted, and what it stands on."""

    basis: Basis
    plan: Plan
    forecast: Forecast


@dataclass(frozen=True)
class Launched:
    """The forecast of a launch, made of the people who are sent it and before anything has happened."""

    forecast: Forecast
    beliefs: Beliefs
    cells: pd.DataFrame


def beliefs(
    session: Session, channel: Channel, *, at: datetime, typical: Population | None = None
) -> Beliefs:
    """What is believed about a channel at `at`, each step saying from where it is known.

    From this workspace's real campaigns where they tell something of a step, else from its simulated ones,
    which only confirm the simulator and are labelled, else from the benchmarks. `typical`: see
    `parameters.channel_params`.
    """
    params = channel_params(session, channel, at=at, typical=typical)
    real = history(session, params, source=Source.IMPORTED, as_of=at)
    believed = _learnt(from_benchmarks(params), real, HISTORY)
    simulated = history(session, params, source=Source.SIMULATED, as_of=at)
    return _learnt(believed, simulated, SIMULATED_HISTORY)


def basis(session: Session, campaign: Mapping, *, at: datetime, seed: int | None = None) -> Basis:
    """What the forecasts of a draft stand on; `campaign` has its fields, saved or not.

    The segments are taken as they were last refreshed; a launch refreshes them first.
    """
    believed = beliefs(session, Channel(campaign["channel"]), at=at)
    if seed is None:
        seed = stable_hash(f"forecast of campaign {campaign.get('id') or 0}")
    return _basis(session, campaign, believed, seed, at=at)


def elsewhere(session: Session, ground: Basis, campaign: Mapping, *, at: datetime) -> Basis:
    """What forecasts stand on if the campaign of `ground` went to another segment: `campaign` names it.

    Who of it can be sent the campaign is looked up; what is believed and the luck stay, so that forecasts of
    both can be compared.
    """
    return _basis(session, campaign, ground.beliefs, ground.seed, at=at)


def plan(campaign: Mapping) -> Plan:
    """What is decided in a draft, as the forecast wants it."""
    return Plan(
        holdout_share=campaign["holdout_share"],
        variants=tuple(
            Variant(variant["name"], variant["share"], dict(variant["effects"] or {}))
            for variant in messages(campaign)
        ),
        cost_per_thousand_minor=campaign["cost_per_thousand_minor"],
        fixed_cost_minor=campaign["fixed_cost_minor"],
        conversion_window_days=campaign["conversion_window_days"],
        most=None if (most := most_people(campaign)) is None else max(most, 0),
    )


def forecast_draft(
    session: Session, campaign: Mapping, *, at: datetime, draws: int = DRAWS, seed: int | None = None
) -> Draft:
    """What a campaign would bring if it were launched at `at` as it is drafted."""
    ground, drafted = basis(session, campaign, at=at, seed=seed), plan(campaign)
    return Draft(ground, drafted, of_plan(ground, drafted, draws=draws))


def of_plan(ground: Basis, drafted: Plan, *, draws: int = DRAWS) -> Forecast:
    """The forecast of one plan; forecasts of the same basis share their luck and can be compared."""
    return forecast(ground.cells, ground.beliefs, drafted, draws=draws, seed=ground.seed)


def quantiles(session: Session, *, campaign_id: int, as_of: datetime) -> pd.DataFrame:
    """The forecast of a draft or scheduled campaign if it were launched at `as_of`, as a table to export.

    One row per variant ("" is the whole campaign) and figure: p10, p25, p50, p75, p90, mean; money in minor
    units, NaN where the cost is unknown. Raises NotFound, also for a campaign that is launched.
    """
    campaign = stored(session, campaign_id)
    if campaign["status"] not in PLANNED:
        raise NotFound(f"“{campaign['name']}” is launched: its results say what it brings.")
    drafted = forecast_draft(session, campaign, at=as_of).forecast
    whole = drafted.table().reset_index().assign(variant="")
    frame = pd.concat([whole, drafted.by_variant()], ignore_index=True)
    return frame[["variant", "figure", *(name for name in frame if name not in ("variant", "figure"))]]


def swings(ground: Basis, drafted: Plan) -> tuple[pd.DataFrame, dict[str, float]]:
    """Which assumption matters most (see simulation.tornado), and the figures with all at their median.

    Each row says with `source` where its assumption comes from, as in `assumptions`.
    """
    frame = tornado(ground.cells, ground.beliefs, drafted)
    origins = assumptions(ground.beliefs).set_index("assumption")["source"]
    middle = at_the_median(ground.cells, ground.beliefs, drafted)
    told = frame.assign(source=frame["assumption"].map(origins).fillna(ASSUMPTION))
    return told, {name: float(values[0]) for name, values in middle.items()}


def at_launch(
    believed: Beliefs, campaign: Mapping, people: pd.DataFrame, *, seed: int, draws: int = DRAWS
) -> Launched:
    """The forecast of a launch to the people assigned to it, with `holdout`: who is sent it is settled."""
    treated = _cells(people[~people["holdout"]], believed)
    settled = plan(dict(campaign) | {"holdout_share": 0.0, "budget_minor": None})
    return Launched(forecast(treated, believed, settled, draws=draws, seed=seed), believed, treated)


def freeze(session: Session, campaign_id: int, launched: Launched, *, at: datetime) -> None:
    """Store with a campaign what was forecast at its launch, so that it can be held against what happens.

    Beside the quantiles: where each belief came from, and what the audience was like (see
    calibrate.band_effects).
    """
    believed = {
        name: {
            "shift": belief.shift,
            "sd": belief.sd,
            "spread": belief.spread,
            "source": belief.source,
            "campaigns": belief.campaigns,
            "people": belief.people,
        }
        for name, belief in launched.beliefs.figures().items()
    }
    audience_rows = [
        {"step": row.step, "band": None if pd.isna(row.band) else int(row.band), "effect": float(row.effect)}
        for row in band_effects(launched.cells, launched.beliefs.params).itertuples()
    ]
    stored = launched.forecast.to_dict() | {
        "at": at.isoformat(),
        "beliefs": believed,
        "audience": audience_rows,
    }
    session.execute(update(CAMPAIGN).where(CAMPAIGN.c.id == campaign_id).values(forecast=stored))


def assumptions(believed: Beliefs) -> pd.DataFrame:
    """Everything a forecast assumes of a channel, and from where: one row per step, order_value and organic.

    assumption, typical (the rate among those who took the step before; for order_value what an order brings
    against people's own average; for organic the share of ordinary orders that counts), low and high (between
    which 8 of 10 campaigns lie), source (history, simulated history, benchmark or assumption), publisher (of
    a benchmark), campaigns and people (of a history).
    """
    rows = []
    for name, belief in believed.figures().items():
        step = believed.params.steps.get(name)
        source = (
            ASSUMPTION if step and (belief.source, step.source) == (BENCHMARK, ASSUMPTION) else belief.source
        )
        rows.append(
            {
                "assumption": name,
                "typical": _value(believed, name, belief.quantile(0.0)),
                "low": _value(believed, name, belief.quantile(-Z90)),
                "high": _value(believed, name, belief.quantile(Z90)),
                "source": source,
                "publisher": step.source if step and source == BENCHMARK else "",
                "campaigns": belief.campaigns,
                "people": belief.people,
            }
        )
    return pd.DataFrame(rows)


def data_version(session: Session) -> int:
    """A number that grows with every change made here: what was worked out at another one may be stale."""
    return session.scalar(select(func.max(Audit.id))) or 0


def _learnt(believed: Beliefs, past: History, source: str) -> Beliefs:
    """The beliefs after what a history tells of figures that nothing better is known of."""
    figures = believed.figures()
    open_figures = {name for name, belief in figures.items() if belief.source not in LEARNT}
    counts = past.counts[past.counts["step"].isin(open_figures)]
    orders = past.orders if ORDER_VALUE in open_figures else None
    return calibrate(believed, counts, orders, source=source)


def _basis(session: Session, campaign: Mapping, believed: Beliefs, seed: int, *, at: datetime) -> Basis:
    channel = Channel(campaign["channel"])
    people = audience.members(session, campaign["segment_id"], channel, at=at, excluded=campaign["excluded"])
    people, waterfall = audience.eligible(people, channel)
    return Basis(waterfall=waterfall, cells=_cells(people, believed), beliefs=believed, seed=seed)


def _cells(people: pd.DataFrame, believed: Beliefs) -> pd.DataFrame:
    population = believed.params.population
    return cells(recipients(people, population), population)


def _value(believed: Beliefs, name: str, shift: float) -> float:
    if name == ORDER_VALUE:
        return believed.params.order_value * math.exp(shift)
    if name == ORGANIC:
        return believed.params.organic_share * math.exp(shift)
    step = believed.params.steps[name]
    if not 0.0 < step.rate < 1.0:
        return step.rate
    return float(logistic(math.log(step.rate / (1.0 - step.rate)) + step.shift + shift))

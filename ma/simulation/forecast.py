"""What a campaign may bring, and how sure that is: draws of everything uncertain, in well under a second.

Every draw is one possible world: the campaign's parameters from the beliefs, then chance itself. Luck is a
function of (seed, draw, step, variant), so two plans, or two audiences, are compared in the same worlds.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from ma.simulation.beliefs import Beliefs
from ma.simulation.cells import cells as cells  # what `forecast` takes; made from people
from ma.simulation.delays import in_time
from ma.simulation.draws import normal, uniform
from ma.simulation.params import ChannelParams, lifted
from ma.simulation.quantiles import binomial_quantile, lognormal_sum
from ma.types import ORDER_VALUE, ORGANIC

QUANTILES = {"p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9}
MONEY = ("revenue_minor", "cost_minor", "profit_minor", "roi")
INCREMENTAL = ("incremental_conversions", "incremental_revenue_minor", "incremental_profit_minor")
FIGURES = ("treated", "delivered", "opened", "clicked", "converted", "unsubscribed", *MONEY, *INCREMENTAL)
# Less is better.
BURDENS = ("unsubscribed", "cost_minor")
_PEOPLE_STEPS = ("delivered", "opened", "clicked", "unsubscribed")
_TRAITS = ("engagement", "recency", "messages")
_GRID = 33
# So many worlds at once that cells times worlds stays in the processor's cache.
_BLOCK = 128


class Variant(NamedTuple):
    """One message: its share of those who are sent the campaign, and the relative changes assumed of it."""

    name: str = "A"
    share: float = 1.0
    effects: Mapping[str, float] = {}


@dataclass(frozen=True)
class Plan:
    """What is decided about a campaign. A cost of None is unknown; `most` people are what a budget allows."""

    holdout_share: float = 0.0
    variants: tuple[Variant, ...] = (Variant(),)
    cost_per_thousand_minor: float | None = None
    fixed_cost_minor: float | None = None
    conversion_window_days: int = 7
    most: int | None = None

    def cost_minor(self, sent: np.ndarray) -> np.ndarray:
        """What it costs to send it to so many, rounded to the cent; NaN when unknown."""
        if self.cost_per_thousand_minor is None or self.fixed_cost_minor is None:
            return np.full(np.shape(sent), np.nan)
        return np.rint(self.fixed_cost_minor + sent * self.cost_per_thousand_minor / 1000.0)


@dataclass(frozen=True)
class Forecast:
    """Draws of each figure, in all and by variant; figures that the channel cannot know are missing."""

    figures: dict[str, np.ndarray]
    variants: dict[str, dict[str, np.ndarray]]
    plan: Plan
    seed: int = 0
    sources: dict[str, str] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """One row per figure (the index): p10, p25, p50, p75, p90, mean; NaN where the cost is unknown."""
        return _table(self.figures)

    def by_variant(self) -> pd.DataFrame:
        """The same by variant, with columns variant and figure; the fixed cost is not split among them."""
        tables = [
            _table(figures).reset_index().assign(variant=name) for name, figures in self.variants.items()
        ]
        frame = pd.concat(tables, ignore_index=True)
        return frame[["variant", "figure", *QUANTILES, "mean"]]

    def per_thousand(self, figure: str) -> pd.Series:
        """A figure for each thousand people sent to: quantiles and mean, over the worlds with any.

        So audiences of different sizes can be compared.
        """
        sent = self.figures["treated"]
        some = sent > 0.0
        values = 1_000.0 * self.figures[figure][some] / sent[some] if some.any() else np.array([math.nan])
        return _table({figure: values}).loc[figure]

    @property
    def chance_of_loss(self) -> float:
        """How likely the campaign brings less than it costs; NaN when the cost is unknown."""
        return _chance(self.figures["profit_minor"] < 0.0, self.figures["profit_minor"])

    @property
    def chance_of_incremental_loss(self) -> float:
        """How likely what it causes, beyond what people buy anyway, is less than it costs."""
        profit = self.figures["incremental_profit_minor"]
        return _chance(profit < 0.0, profit)

    def to_dict(self) -> dict:
        """The quantiles as plain values, for storing with a launch; unknown is None."""
        return {
            "draws": len(self.figures["treated"]),
            "seed": self.seed,
            "sources": self.sources,
            "figures": _plain(self.table()),
            "variants": {name: _plain(_table(figures)) for name, figures in self.variants.items()},
            "chance_of_loss": _known(self.chance_of_loss),
            "chance_of_incremental_loss": _known(self.chance_of_incremental_loss),
        }


def forecast(
    cells: pd.DataFrame, beliefs: Beliefs, plan: Plan, *, draws: int = 2_000, seed: int = 0
) -> Forecast:
    """Every figure of a campaign to these people (see cells), in `draws` possible worlds."""
    luck = _Luck(seed, draws)
    shifts = {
        name: belief.drawn(luck.normal(f"{name}/typical"), luck.normal(f"{name}/campaign"))
        for name, belief in beliefs.figures().items()
    }
    figures, variants = _campaign(cells, beliefs, plan, shifts, luck)
    sources = {name: belief.source for name, belief in beliefs.figures().items()}
    return Forecast(figures, variants, plan, seed, sources)


def expected(
    cells: pd.DataFrame, beliefs: Beliefs, plan: Plan, shifts: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The mean of every figure, without chance, when each belief's shift (see Beliefs.figures) is known."""
    return _campaign(cells, beliefs, plan, shifts, _Mean(len(shifts[ORGANIC])))[0]


def compare(a: Forecast, b: Forecast) -> pd.DataFrame:
    """What `b` has more than `a`, world by world: quantiles and mean by figure, the chance that b is better.

    Better is more, but for unsubscribes and cost; a tie counts half. Both must have as many draws of one
    seed.
    """
    shared = {name: b.figures[name] - a.figures[name] for name in a.figures if name in b.figures}
    frame = _table(shared)
    better = {}
    for name in frame.index:
        gain = -shared[name] if name in BURDENS else shared[name]
        better[name] = _chance((gain > 0.0) + 0.5 * (gain == 0.0), gain)
    return frame.assign(chance_b_better=pd.Series(better))


class _Luck:
    """Chance: the same for the same seed, draw and name, whatever else is drawn."""

    def __init__(self, seed: int, draws: int):
        self.seed, self.draws = seed, np.arange(draws)

    def normal(self, name: str) -> np.ndarray:
        return normal(self.seed, self.draws, f"forecast/{name}")

    def people(self, n: np.ndarray | float, p: np.ndarray | float, name: str) -> np.ndarray:
        return binomial_quantile(uniform(self.seed, self.draws, f"forecast/{name}"), n, p)

    def money(self, n: np.ndarray, mean: np.ndarray, square: np.ndarray, name: str) -> np.ndarray:
        return lognormal_sum(self.normal(name), n, mean, square)


class _Mean:
    """No chance: everything comes out at its mean."""

    def __init__(self, draws: int):
        self.draws = np.arange(draws)

    def people(self, n: np.ndarray | float, p: np.ndarray | float, name: str) -> np.ndarray:
        return np.broadcast_to(np.asarray(n) * np.asarray(p), len(self.draws))

    def money(self, n: np.ndarray, mean: np.ndarray, square: np.ndarray, name: str) -> np.ndarray:
        return n * mean


def _campaign(
    cells: pd.DataFrame, beliefs: Beliefs, plan: Plan, shifts: Mapping[str, np.ndarray], luck: _Luck | _Mean
) -> tuple[dict, dict]:
    audience = _Audience(cells, beliefs, plan, shifts)
    everybody = float(cells["people"].sum())
    held = luck.people(everybody, plan.holdout_share, "holdout")
    treated = everybody - held
    if plan.most is not None:
        treated = np.minimum(treated, plan.most)
    variants, left, share_left = {}, treated, sum(variant.share for variant in plan.variants)
    for variant in plan.variants:
        part = min(variant.share / share_left, 1.0) if share_left > 0.0 else 0.0
        sent = luck.people(left, part, f"variant/{variant.name}")
        variants[variant.name] = _variant(audience, variant, sent, luck)
        left, share_left = left - sent, share_left - variant.share
    figures = {
        name: sum(found[name] for found in variants.values()) for name in variants[plan.variants[0].name]
    }
    return _with_costs(figures, plan.cost_minor(treated)), {
        name: _with_costs(found, plan.cost_minor(found["treated"]) - (plan.fixed_cost_minor or 0.0))
        for name, found in variants.items()
    }


class _Audience:
    """What the cells do in each world: how many take each step, by variant, and what orders bring."""

    def __init__(self, cells: pd.DataFrame, beliefs: Beliefs, plan: Plan, shifts: Mapping[str, np.ndarray]):
        self.params, self.people = beliefs.params, cells["people"].to_numpy(np.float64)
        self.order_value = self.params.order_value * np.exp(shifts[ORDER_VALUE])
        self.heavy = math.exp(self.params.revenue_sigma**2)
        self.ever = in_time(self.params, math.inf)
        self.timely = in_time(self.params, plan.conversion_window_days)["converted"]
        self._organic(cells, plan.conversion_window_days, self.params.organic_share * np.exp(shifts[ORGANIC]))
        columns = (np.ones(len(cells)), *(cells[name].to_numpy() for name in ("order_minor", "order_square")))
        plain = np.column_stack(columns) * self.people[:, None]
        # Of those who would have bought anyway, nothing is caused.
        self.weights = np.hstack([plain, plain * self.anyway[:, None]])
        self.reach = _reach(self, cells, beliefs, plan, shifts)

    def _organic(self, cells: pd.DataFrame, days: float, share: np.ndarray) -> None:
        """Who converts without the message: the share of all by world, and by cell in the usual world."""
        usual = self.params.organic_share
        grid = np.geomspace(max(share.min(), 1e-12), max(share.max(), 1e-12), _GRID)
        own = np.array([_poisson(cells, exposure * days) for exposure in (usual, *grid)])
        everybody = max(self.people.sum(), 1.0)
        self.anyway = own[0]
        means = own @ self.people / everybody
        self.organic = np.interp(share, grid, means[1:])
        self.organic_ratio = self.organic / max(means[0], 1e-300)
        buyers = self.people * self.anyway
        self.organic_order, self.organic_square = (
            float(buyers @ cells[f"organic_order_{name}"].to_numpy()) / max(buyers.sum(), 1e-300)
            for name in ("minor", "square")
        )


def _poisson(cells: pd.DataFrame, exposure: float) -> np.ndarray:
    """The chance of at least one order, over a cell whose rates are gamma with its mean and variance."""
    mean, var = cells["order_rate"].to_numpy(), cells["order_rate_var"].to_numpy()
    relative = var / np.maximum(mean, 1e-300) ** 2
    spread = np.maximum(relative, 1e-9)
    return -np.expm1(-np.log1p(exposure * mean * spread) / spread)


def _reach(
    audience: _Audience, cells: pd.DataFrame, beliefs: Beliefs, plan: Plan, shifts: Mapping[str, np.ndarray]
) -> dict[str, dict[str, np.ndarray]]:
    """By variant and step, the expected people in each world; of conversions the sums by `weights`."""
    params, draws = beliefs.params, len(shifts[ORGANIC])
    against = _against(cells, beliefs)
    messages = {variant.name: params.with_effects(variant.effects) for variant in plan.variants}
    found = {name: {step: [] for step in params.steps} for name in messages}
    for start in range(0, draws, _BLOCK):
        block = slice(start, start + _BLOCK)
        chances = {
            name: 1.0 / (1.0 + np.exp(-(step.shift + shifts[name][block]))[:, None] * against[name])
            for name, step in params.steps.items()
        }
        for variant, message in messages.items():
            reached = {"sent": 1.0}
            for name, step in message.steps.items():
                reached[name] = lifted(chances[name], step.lift) * reached[step.after]
                weights = audience.weights if name == "converted" else audience.people
                found[variant][name].append(reached[name] @ weights)
    everybody = {"sent": np.full(draws, audience.people.sum())}
    return {
        variant: everybody | {name: np.concatenate(parts) for name, parts in steps.items()}
        for variant, steps in found.items()
    }


def _against(cells: pd.DataFrame, beliefs: Beliefs) -> dict[str, np.ndarray]:
    """By step, the odds against it in each cell, but for the shift of the world.

    exp(-(a + b)) is a product: so it takes one exponential per cell and one per world, none per pair. People
    of a cell still differ a little. To second order, that moves the mean of a step by half their variance,
    and those who got that far are above the cell's mean, by their variance times what chose them.
    """
    params, found = beliefs.params, {}
    intercepts, chosen = params.intercepts(), {"sent": dict.fromkeys(_TRAITS, 0.0)}
    columns = {
        name: cells[name].to_numpy(np.float64) for trait in _TRAITS for name in (trait, f"{trait}_var")
    }
    for name, step in params.steps.items():
        bands = np.array([*np.add(step.bands, beliefs.steps[name].bands), 0.0])
        odds = intercepts[name] + bands[cells["band"].to_numpy()]
        chosen[name] = {}
        for trait, effect in zip(_TRAITS, (step.engagement, step.recency, step.fatigue), strict=True):
            before = chosen[step.after][trait]
            slope = effect * before + effect**2 * (0.5 - step.rate)
            odds = odds + effect * columns[trait] + slope * columns[f"{trait}_var"]
            chosen[name][trait] = before + effect * (1.0 - step.rate)
        found[name] = np.exp(-np.clip(odds, -300.0, 300.0))
    return found


def _variant(audience: _Audience, variant: Variant, sent: np.ndarray, luck: _Luck | _Mean) -> dict:
    params = audience.params.with_effects(variant.effects)
    reach, counts = audience.reach[variant.name], {"sent": sent}
    for name, step in params.steps.items():
        late = audience.timely if name == "converted" else audience.ever[name]
        people = reach[name][:, 0] if name == "converted" else reach[name]
        part = _ratio(people * late, reach[step.after] * audience.ever[step.after])
        counts[name] = luck.people(counts[step.after], np.minimum(part, 1.0), f"{name}/{variant.name}")
    known = {name: counts[name] for name in _PEOPLE_STEPS if name in counts}
    return {"treated": sent, **known} | _conversions(audience, variant, params, counts, luck)


def _conversions(
    audience: _Audience, variant: Variant, params: ChannelParams, counts: dict, luck: _Luck | _Mean
) -> dict:
    """Conversions and revenue: of those who would have bought anyway, and of those the message brought."""
    sums = audience.reach[variant.name]["converted"].T
    caused = sums[:3] - audience.organic_ratio * sums[3:]
    extra = luck.people(
        counts["converted"], np.clip(_ratio(caused[0], sums[0]), 0.0, 1.0), f"caused/{variant.name}"
    )
    anyway = luck.people(counts["sent"], audience.organic, f"organic/{variant.name}")
    # Nobody is brought by the message who buys anyway; only in tiny audiences could the two draws overlap.
    extra = np.minimum(extra, counts["sent"] - anyway)
    lift = 1.0 + params.order_value_lift
    value = audience.order_value * lift
    brought = luck.money(
        extra,
        _ratio(caused[1], caused[0]) * value,
        _ratio(caused[2], caused[0]) * value**2 * audience.heavy,
        f"revenue/{variant.name}",
    )
    usual = luck.money(
        anyway,
        audience.organic_order * value,
        audience.organic_square * value**2 * audience.heavy,
        f"organic revenue/{variant.name}",
    )
    return {
        "converted": anyway + extra,
        "revenue_minor": brought + usual,
        "incremental_conversions": extra,
        # A better offer also makes the orders dearer that would have been placed anyway.
        "incremental_revenue_minor": brought + (usual * (1.0 - 1.0 / lift) if lift > 0.0 else 0.0),
    }


def _with_costs(figures: dict, cost: np.ndarray) -> dict:
    profit = figures["revenue_minor"] - cost
    return figures | {
        "cost_minor": cost,
        "profit_minor": profit,
        "roi": np.divide(profit, cost, out=np.full(len(cost), np.nan), where=cost > 0.0),
        "incremental_profit_minor": figures["incremental_revenue_minor"] - cost,
    }


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0.0)


def _chance(yes: np.ndarray, values: np.ndarray) -> float:
    return math.nan if np.isnan(values).all() else float(np.mean(yes))


def _table(figures: Mapping[str, np.ndarray]) -> pd.DataFrame:
    names = [name for name in FIGURES if name in figures]
    values = np.array([figures[name] for name in names])
    frame = pd.DataFrame(
        np.quantile(values, list(QUANTILES.values()), axis=1).T,
        index=pd.Index(names, name="figure"),
        columns=list(QUANTILES),
    )
    return frame.assign(mean=values.mean(axis=1))


def _plain(table: pd.DataFrame) -> dict:
    return {row.Index: {name: _known(getattr(row, name)) for name in table} for row in table.itertuples()}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)

"""One budget for several campaigns: the split with the highest expected profit, and how sure that is.

Planned is the incremental profit: what the messages cause, less what they cost. What people would buy anyway
comes whatever the budget does. The split is chosen by the expectation over all that is believed, worked out
without draws, so that no draw can flatter the split it chose; how sure it is comes from draws that had no
part in the choice. Two splits are compared in the same draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ma.simulation.beliefs import Beliefs, StepBelief
from ma.simulation.draws import normal, stable_hash
from ma.simulation.forecast import Plan, expected, forecast
from ma.simulation.lots import Crowd, corners, recipients
from ma.simulation.params import lifted, logistic
from ma.simulation.split import Outlook, with_holdouts
from ma.types import ORDER_VALUE, ORGANIC

# The curve: so many budgets, and then in so many rounds so many more where it bends.
_POINTS, _ROUNDS, _LOOKS = 20, 3, 6
_TRAITS = ("engagement", "recency", "messages")
_FIGURES = ("incremental_profit_minor", "profit_minor", "unsubscribed")
# More money than anybody has.
_ENDLESS = 1e18


@dataclass(frozen=True)
class Candidate:
    """A campaign that may get a part of the budget. Both its costs are known.

    cells: the people who can be sent it, the holdout included (see simulation.cells).
    """

    key: int
    cells: pd.DataFrame
    beliefs: Beliefs
    plan: Plan

    @property
    def price(self) -> float:
        """What a message costs, in minor units."""
        return self.plan.cost_per_thousand_minor / 1000.0


@dataclass(frozen=True)
class Split:
    """What each campaign gets, in the order of the candidates.

    shares: of those who can be sent it and are not held out; money_minor: with the fixed cost, 0 where it is
    not sent; expected_minor: the incremental profit; draws: by figure, (campaigns, draws).
    """

    shares: np.ndarray
    messages: np.ndarray
    money_minor: np.ndarray
    expected_minor: np.ndarray
    draws: dict[str, np.ndarray]

    def total(self, figure: str = "incremental_profit_minor") -> np.ndarray:
        """A figure of all campaigns together, by draw."""
        return self.draws[figure].sum(axis=0)


@dataclass(frozen=True)
class BudgetPlan:
    """The best split of a budget, and the even one beside it.

    limits: see Outlook.limits. capped: people of each campaign whom the cap takes its message from because of
    the others; tired_minor: what the others' messages take from what its own are worth. curve: budget_minor,
    spent_minor and profit_minor of the best split of each budget. enough_minor: what the best split costs
    when money is no matter. last_minor, next_minor: what the last and the next `step_minor` of budget bring,
    the money itself taken off.
    """

    budget_minor: int
    best: Split
    even: Split
    limits: list[str]
    reachable: np.ndarray
    capped: np.ndarray
    tired_minor: np.ndarray
    curve: pd.DataFrame
    enough_minor: int
    step_minor: int
    last_minor: float
    next_minor: float

    def gain(self, figure: str = "incremental_profit_minor") -> np.ndarray:
        """What the best split has more than the even one, draw by draw."""
        return self.best.total(figure) - self.even.total(figure)

    @property
    def chance_of_loss(self) -> float:
        """How likely the best split causes less than it costs; NaN where nothing is sent."""
        return float(np.mean(self.best.total() < 0.0)) if self.best.messages.any() else float("nan")

    @property
    def chance_better(self) -> float:
        """How likely the best split earns more than the even one; a tie counts half."""
        gain = self.gain()
        return float(np.mean((gain > 0.0) + 0.5 * (gain == 0.0)))


def outlook(candidates: Sequence[Candidate], crowd: Crowd) -> Outlook:
    """What every split among the candidates, in the order in which they go out, is expected to bring."""
    worths = [worth(each, len(candidates)) for each in candidates]
    held = [each.plan.holdout_share for each in candidates]
    sent, value = (with_holdouts(table, held) for table in corners(crowd, worths))
    fixed = [each.plan.fixed_cost_minor for each in candidates]
    return Outlook(sent, value, [each.price for each in candidates], fixed)


def plan_budget(
    candidates: Sequence[Candidate],
    crowd: Crowd,
    budget_minor: int,
    *,
    step_minor: int = 10_000,
    draws: int = 2_000,
    seed: int = 0,
) -> BudgetPlan:
    """The best split of a budget among at most ten campaigns, in the order in which they go out."""
    view = outlook(candidates, crowd)
    chosen = view.best(float(budget_minor))
    splits = [
        _split(candidates, crowd, view, shares, purses, draws=draws, seed=seed)
        for shares, purses in (
            (chosen, _purses(view, candidates, chosen, budget_minor)),
            (view.even(budget_minor // len(candidates) * len(candidates)), None),
        )
    ]
    curve, enough = _curve(view, budget_minor)
    step = min(step_minor, budget_minor)
    around = [
        view.profit(view.best(float(money)))
        for money in (budget_minor - step, budget_minor, budget_minor + step)
    ]
    alone = view.alone(view.sent, chosen)
    return BudgetPlan(
        budget_minor=budget_minor,
        best=splits[0],
        even=splits[1],
        limits=view.limits(chosen),
        reachable=np.array([each.cells["people"].sum() for each in candidates]),
        capped=np.maximum(alone - view.messages(chosen), 0.0),
        tired_minor=_tired(view, chosen, alone),
        curve=curve,
        enough_minor=enough,
        step_minor=step,
        last_minor=around[1] - around[0],
        next_minor=around[2] - around[1],
    )


def worth(candidate: Candidate, levels: int) -> np.ndarray:
    """What one person of each cell is worth, who had 0, 1, … of the other campaigns before: (cells, levels).

    The incremental revenue to be expected over all that is believed. The steps are believed independently, so
    it is a product of one-dimensional integrals (Gauss-Hermite). What these leave out (how people of a cell
    differ, and who would have bought anyway) changes it by a factor that is taken from the forecast itself,
    with everything at its median.
    """
    cells, beliefs = candidate.cells, candidate.beliefs
    settled = replace(candidate.plan, holdout_share=0.0, most=None)
    middle = {name: np.array([belief.shift]) for name, belief in beliefs.figures().items()}
    there = float(expected(cells, beliefs, settled, middle)["incremental_revenue_minor"][0])
    people, certain = cells["people"].to_numpy(), beliefs.certain()
    brought = float(people @ _brought(cells, certain, settled, 1)[:, 0])
    dearer = float(people @ _dearer(cells, certain, settled))
    factor = (there - dearer) / brought if brought > 0.0 else 0.0
    return factor * _brought(cells, beliefs, settled, levels) + _dearer(cells, beliefs, settled)[:, None]


def _brought(cells: pd.DataFrame, beliefs: Beliefs, plan: Plan, levels: int) -> np.ndarray:
    params, intercepts = beliefs.params, beliefs.params.intercepts()
    nodes, weights = np.polynomial.hermite_e.hermegauss(9)
    weights = weights / weights.sum()
    band = cells["band"].to_numpy()
    traits = {name: cells[name].to_numpy(np.float64) for name in _TRAITS}
    odds = {}
    for name, step in params.steps.items():
        own = beliefs.steps[name]
        bands = np.array([*np.add(step.bands, own.bands), 0.0])[band]
        person = intercepts[name] + step.shift + bands
        person = person + step.engagement * traits["engagement"] + step.recency * traits["recency"]
        tired = step.fatigue * (traits["messages"][:, None] + np.arange(levels))
        doubt = own.shift + np.hypot(own.sd, own.spread) * nodes
        odds[name] = (person[:, None] + tired)[..., None] + doubt
    found = np.zeros((len(cells), levels))
    for variant in plan.variants:
        message, reached = params.with_effects(variant.effects), {"sent": 1.0}
        for name, step in message.steps.items():
            reached[name] = reached[step.after] * (lifted(logistic(odds[name]), step.lift) @ weights)
        found += variant.share * reached["converted"] * (1.0 + message.order_value_lift)
    value = _mean(beliefs.order_value) * params.order_value * cells["order_minor"].to_numpy()
    return found * (value * (1.0 - _anyway(cells, beliefs, plan)))[:, None]


def _dearer(cells: pd.DataFrame, beliefs: Beliefs, plan: Plan) -> np.ndarray:
    """What a better offer adds to the orders that people would have placed anyway."""
    lifts = [
        (variant.share, beliefs.params.with_effects(variant.effects).order_value_lift)
        for variant in plan.variants
    ]
    value = _mean(beliefs.order_value) * beliefs.params.order_value * cells["organic_order_minor"].to_numpy()
    return sum(share * lift for share, lift in lifts) * value * _anyway(cells, beliefs, plan)


def _anyway(cells: pd.DataFrame, beliefs: Beliefs, plan: Plan) -> np.ndarray:
    """How likely somebody of each cell converts without the message."""
    share = beliefs.params.organic_share * _mean(beliefs.organic)
    return -np.expm1(-share * plan.conversion_window_days * cells["order_rate"].to_numpy())


def _mean(belief: StepBelief) -> float:
    """The mean of what is believed as a logarithm."""
    return float(np.exp(belief.shift + (belief.sd**2 + belief.spread**2) / 2.0))


# Whole messages and whole cents


def _purses(view: Outlook, candidates: Sequence[Candidate], shares: np.ndarray, budget: int) -> np.ndarray:
    """How many messages each campaign is paid for, so that the whole cents stay within the budget."""
    messages = np.floor(view.messages(shares) + 1e-6).astype(np.int64)
    money = np.array([_money(each, int(n)) for each, n in zip(candidates, messages, strict=True)])
    over = int(money.sum()) - budget
    # Only rounding can exceed it: whoever is sent to a part of their people, or else the largest, gives way.
    payable = [i for i, each in enumerate(candidates) if each.price > 0.0 and messages[i] > 0]
    for i in sorted(payable, key=lambda i: (shares[i] >= 1.0, -messages[i])):
        while over > 0 and messages[i] > 0:
            messages[i] = max(messages[i] - max(int(over / candidates[i].price), 1), 0)
            less = _money(candidates[i], int(messages[i]))
            over, money[i] = over - int(money[i]) + less, less
    return messages


def _money(candidate: Candidate, messages: int) -> int:
    """The whole cents that pay for so many messages; nothing for none."""
    plan = candidate.plan
    each, fixed = int(plan.cost_per_thousand_minor), int(plan.fixed_cost_minor)
    return fixed - (-messages * each // 1000) if messages else 0


def _split(
    candidates: Sequence[Candidate],
    crowd: Crowd,
    view: Outlook,
    shares: np.ndarray,
    messages: np.ndarray | None,
    *,
    draws: int,
    seed: int,
) -> Split:
    if messages is None:
        messages = np.floor(view.messages(shares) + 1e-6).astype(np.int64)
    shares = np.where(messages > 0, shares, 0.0)
    money = np.array([_money(each, int(n)) for each, n in zip(candidates, messages, strict=True)])
    held = np.array([each.plan.holdout_share for each in candidates])
    drawn = {name: np.zeros((len(candidates), draws)) for name in _FIGURES}
    sums = recipients(crowd, shares * (1.0 - held))
    for i, (each, of_cell) in enumerate(zip(candidates, sums, strict=True)):
        if messages[i] == 0:
            continue
        found = forecast(
            _sent_to(each.cells, *of_cell, int(messages[i])),
            _in_one_world(each.beliefs, draws, seed),
            replace(each.plan, holdout_share=0.0, most=None),
            draws=draws,
            seed=stable_hash(f"budget plan {seed}, campaign {each.key}"),
        )
        for name in set(_FIGURES) & set(found.figures):
            drawn[name][i] = found.figures[name]
    cost = view.price * view.messages(shares) + view.fixed * (shares > 0.0)
    return Split(shares, messages, money, view.worth(shares) - cost, drawn)


def _sent_to(
    cells: pd.DataFrame, people: np.ndarray, before: np.ndarray, squared: np.ndarray, messages: int
) -> pd.DataFrame:
    """The cells of those who are sent a campaign, with the messages that others have sent them before."""
    there = people > 0.0
    people, before, squared = people[there], before[there], squared[there]
    mean = before / people
    frame = cells[there]
    return frame.assign(
        people=people * (messages / people.sum()),
        messages=frame["messages"] + mean,
        messages_var=frame["messages_var"] + np.maximum(squared / people - mean**2, 0.0),
    )


@dataclass(frozen=True)
class _Shared(StepBelief):
    """A belief of which the typical campaign is drawn already: it is the same for all of the channel."""

    luck: np.ndarray = field(default_factory=lambda: np.zeros(1))

    def drawn(self, typical, campaign):
        return super().drawn(self.luck, campaign)


def _in_one_world(beliefs: Beliefs, draws: int, seed: int) -> Beliefs:
    """The same beliefs, their doubt about the typical campaign drawn once for the whole channel."""
    world = stable_hash(f"budget plan {seed}, channel {beliefs.params.channel}")
    shared = {
        name: _Shared(**vars(belief), luck=normal(world, np.arange(draws), name))
        for name, belief in beliefs.figures().items()
    }
    steps = {name: shared[name] for name in beliefs.steps}
    return replace(beliefs, steps=steps, order_value=shared[ORDER_VALUE], organic=shared[ORGANIC])


def _tired(view: Outlook, shares: np.ndarray, alone: np.ndarray) -> np.ndarray:
    """What the others' messages take from what each one's are worth, beside whom the cap takes."""
    sent, mean = view.messages(shares), view.alone(view.value, shares)
    would = np.divide(mean * sent, alone, out=np.zeros(len(sent)), where=alone > 0.0)
    return np.maximum(would - view.worth(shares), 0.0)


def _curve(view: Outlook, budget: int) -> tuple[pd.DataFrame, int]:
    """The best split's profit by budget, to where more money brings nothing if that is not far."""
    enough = view.spend(view.best(_ENDLESS))
    far = 8.0 * budget if view.best(float(budget)).any() else _ENDLESS
    end = min(max(1.3 * budget, 1.1 * enough), far)
    found: dict[float, tuple[float, float]] = {}

    def look(budgets: np.ndarray) -> None:
        for money in map(float, budgets):
            if money not in found:
                split = view.best(money)
                found[money] = view.spend(split), view.profit(split)

    look(np.append(np.linspace(0.0, end, _POINTS), [budget, min(enough, end)]))
    for _ in range(_ROUNDS):
        look(_bends(np.array(sorted((money, profit) for money, (_, profit) in found.items()))))
    rows = [(money, *found[money]) for money in sorted(found)]
    return pd.DataFrame(rows, columns=["budget_minor", "spent_minor", "profit_minor"]), int(np.ceil(enough))


def _bends(points: np.ndarray) -> np.ndarray:
    """The middles of the pieces of a curve between which its slope changes most."""
    wide, rise = np.diff(points, axis=0).T
    change = np.abs(np.diff(rise / wide))
    worth_a_look = np.maximum(np.append(change, 0.0), np.append(0.0, change)) * wide
    chosen = np.sort(np.argsort(-worth_a_look, kind="stable")[:_LOOKS])
    return (points[chosen, 0] + points[chosen + 1, 0]) / 2.0

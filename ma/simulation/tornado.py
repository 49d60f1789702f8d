"""Which assumption matters most: each moved alone, the others left where they are."""

from dataclasses import replace

import numpy as np
import pandas as pd

from ma.simulation.beliefs import ASSUMPTION, Z90, Beliefs
from ma.simulation.forecast import Plan, expected
from ma.simulation.params import logistic
from ma.types import ORDER_VALUE, ORGANIC

AUDIENCE = "audience"
# How strongly engagement, recency and fatigue matter, against what the channel assumes. Assumption.
_WEAKER, _STRONGER = 0.5, 1.5


def tornado(cells: pd.DataFrame, beliefs: Beliefs, plan: Plan, *, incremental: bool = False) -> pd.DataFrame:
    """Expected revenue and profit with each assumption at its 10 % and its 90 %, the others at their median.

    One row per assumption, the widest span first: assumption (a step, "order_value", "organic" or "audience":
    how strongly engagement, recency and fatigue matter), low and high (the rate of a step among typical
    people; others relative to what is assumed), revenue and profit at both, span_minor, source.
    `incremental`: of what the campaign causes, not of all that is attributed to it. Profit is NaN where the
    cost is unknown, the span is not. The middle, the same for all rows, is `at_the_median`.
    """
    known = beliefs.figures()
    names = [name for name, belief in known.items() if belief.quantile(1.0) != belief.quantile(-1.0)]
    shifts = {name: np.full(2 * len(names) + 1, belief.shift) for name, belief in known.items()}
    for row, name in enumerate(names):
        shifts[name][2 * row : 2 * row + 2] = known[name].quantile(-Z90), known[name].quantile(Z90)
    money = tuple(f"{'incremental_' if incremental else ''}{name}_minor" for name in ("revenue", "profit"))
    found = expected(cells, beliefs, plan, shifts)
    rows = [
        (name, *_ends(beliefs, name), *_money(found, money, 2 * row), known[name].source)
        for row, name in enumerate(names)
    ]
    ends = [at_the_median(cells, _with_answer(beliefs, factor), plan) for factor in (_WEAKER, _STRONGER)]
    both = {name: np.concatenate([end[name] for end in ends]) for name in money}
    rows.append((AUDIENCE, _WEAKER, _STRONGER, *_money(both, money, 0), ASSUMPTION))
    columns = ["assumption", "low", "high", "revenue_low_minor", "revenue_high_minor"]
    frame = pd.DataFrame(rows, columns=[*columns, "profit_low_minor", "profit_high_minor", "source"])
    span = (frame["revenue_high_minor"] - frame["revenue_low_minor"]).abs()
    frame.insert(len(frame.columns) - 1, "span_minor", span)
    return frame.sort_values("span_minor", ascending=False, kind="stable", ignore_index=True)


def at_the_median(cells: pd.DataFrame, beliefs: Beliefs, plan: Plan) -> dict[str, np.ndarray]:
    """The expected figures with every belief at its median, as columns of one row."""
    return expected(
        cells, beliefs, plan, {name: np.array([belief.shift]) for name, belief in beliefs.figures().items()}
    )


def _ends(beliefs: Beliefs, name: str) -> tuple[float, float]:
    ends = np.array([beliefs.figures()[name].quantile(z) for z in (-Z90, Z90)])
    if name in (ORDER_VALUE, ORGANIC):
        return tuple(np.exp(ends).tolist())
    step = beliefs.params.steps[name]
    odds = np.log(step.rate) - np.log1p(-step.rate) if 0.0 < step.rate < 1.0 else np.nan
    return tuple(np.where(np.isnan(odds), step.rate, logistic(odds + step.shift + ends)).tolist())


def _money(found: dict[str, np.ndarray], names: tuple[str, str], low: int) -> list[float]:
    return [float(found[name][row]) for name in names for row in (low, low + 1)]


def _with_answer(beliefs: Beliefs, factor: float) -> Beliefs:
    steps = {
        name: replace(
            step,
            engagement=step.engagement * factor,
            recency=step.recency * factor,
            fatigue=step.fatigue * factor,
            bands=tuple(factor * offset for offset in step.bands),
        )
        for name, step in beliefs.params.steps.items()
    }
    own = {
        name: replace(belief, bands=tuple(factor * offset for offset in belief.bands))
        for name, belief in beliefs.steps.items()
    }
    return replace(beliefs, params=replace(beliefs.params, steps=steps), steps=own)

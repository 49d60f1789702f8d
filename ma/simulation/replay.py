"""One campaign in two worlds on the same luck: what each person does in both, and what a change brings.

A draw hangs on the seed, the person and the step, and on nothing else. So whoever the change does not reach
does in both worlds the same, and what is left of a difference is due to the change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from ma.simulation.funnel import TIMES, simulate
from ma.simulation.params import ChannelParams
from ma.simulation.population import recipients
from ma.types import Arm

# The message of those who are sent none.
NO_MESSAGE = ""
PEOPLE = ("sent", "bounced", "delivered", "opened", "clicked", "converted", "caused", "unsubscribed",
          "complained")  # fmt: skip
MONEY = ("revenue_minor", "cost_minor", "profit_minor", "roi")
# Of all who are in either world, sent it or not: what the change really adds.
EVERYBODY = ("everybody_converted", "everybody_revenue_minor", "everybody_profit_minor")
FIGURES = (*PEOPLE, *MONEY, *EVERYBODY)
COLUMNS = ("base", "changed", "difference", "low", "high", "times", "differ")
# Of a normal distribution, 95 % lie within.
_Z = 1.959963984540054
_ROUNDING = 1e-20


@dataclass(frozen=True)
class World:
    """What is decided of a campaign.

    effects: the assumed effects of each message by its name; costs are None where they are unknown.
    """

    effects: Mapping[str, Mapping[str, float]]
    conversion_window_days: int
    cost_per_thousand_minor: int | None = None
    fixed_cost_minor: int | None = None

    def cost(self, sent: float) -> float:
        """What sending it to so many people costs; NaN where that is unknown."""
        if self.cost_per_thousand_minor is None or self.fixed_cost_minor is None:
            return np.nan
        return float((int(sent) * self.cost_per_thousand_minor + 500) // 1000 + self.fixed_cost_minor)


def happens(
    people: pd.DataFrame, params: ChannelParams, world: World, *, seed: int, sent_at: datetime
) -> pd.DataFrame:
    """What everybody does, as `funnel.simulate` has it; one row each, in their order and with their index.

    people: the facts that `population.recipients` takes, and `variant`, the name of the message that each is
    sent. Those with NO_MESSAGE only do what they would do anyway, counted from the same moment.
    """
    parts = []
    for variant, group in people.groupby("variant", sort=False):
        treated = variant != NO_MESSAGE
        outcome = simulate(
            recipients(group, params.population),
            params.with_effects(world.effects[variant]) if treated else params,
            seed=seed,
            sent_at=sent_at,
            conversion_window_days=world.conversion_window_days,
            arm=Arm.TREATED if treated else Arm.HOLDOUT,
        )
        parts.append(outcome.set_index(group.index))
    return pd.concat(parts).loc[people.index]


def values(outcomes: pd.DataFrame, *, as_of: datetime) -> pd.DataFrame:
    """What counts of each person's outcome up to `as_of`: the steps as yes or no, and money.

    One row per person, in their order: customer_id, `sent` to `complained` (see PEOPLE; `caused` is a
    conversion that the message led to) and revenue_minor of those who are sent it; everybody_converted and
    everybody_revenue_minor also of those who are not.
    """
    past = {name: (outcomes[name] <= as_of).to_numpy() for name in TIMES}
    sent, converted = past["sent_at"], past["converted_at"]
    revenue = np.where(converted, outcomes["revenue_minor"].to_numpy(), 0)
    steps = {name: past[f"{name}_at"] & sent for name in PEOPLE if name != "caused"}
    steps["caused"] = steps["converted"] & ~outcomes["organic"].to_numpy(bool)
    return pd.DataFrame(
        {
            "customer_id": outcomes["customer_id"].to_numpy(),
            **{name: steps[name] for name in PEOPLE},
            "revenue_minor": np.where(sent, revenue, 0),
            "everybody_converted": converted,
            "everybody_revenue_minor": revenue,
        }
    )


def compare(base: pd.DataFrame, changed: pd.DataFrame, before: World, after: World) -> pd.DataFrame:
    """Every figure as it was and as it would have been, from the `values` of the same people, in one order.

    One row per figure of FIGURES: base and changed (totals), difference, low and high (its 95 % interval),
    and times: how many times as many people two launches with luck of their own would need to know the
    difference as well (NaN where luck plays no part); differ: how many people have another value. NaN where a
    cost is unknown.

    The interval is paired: n times the mean of the people's own differences ± 1.96 √n times their standard
    deviation. It covers the luck of who does what among people like these, not how sure the parameters are.
    """
    mine, other = _per_person(base, before), _per_person(changed, after)
    both = [totals(base, before), totals(changed, after)]
    rows = {}
    for name in FIGURES:
        was, would = (each[name] for each in both)
        spread, times, differ = (np.nan,) * 3 if name == "roi" else _spread(mine[name], other[name])
        rows[name] = (was, would, would - was, would - was - spread, would - was + spread, times, differ)
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS)).rename_axis("figure")


def totals(values: pd.DataFrame, world: World) -> dict[str, float]:
    """Every figure of FIGURES, summed over the `values` of these people."""
    counted = (*PEOPLE, "revenue_minor", "everybody_converted", "everybody_revenue_minor")
    found = {name: float(values[name].sum()) for name in counted}
    cost = world.cost(found["sent"])
    profit = found["revenue_minor"] - cost
    return found | {
        "cost_minor": cost,
        "profit_minor": profit,
        "roi": profit / cost if cost else np.nan,
        "everybody_profit_minor": found["everybody_revenue_minor"] - cost,
    }


def same(stored: pd.DataFrame, again: pd.DataFrame) -> np.ndarray:
    """Who did exactly the same: every step at the same time, for the same money. Rows of one order."""
    equal = stored["organic"].to_numpy(bool) == again["organic"].to_numpy(bool)
    equal &= stored["revenue_minor"].to_numpy() == again["revenue_minor"].to_numpy()
    for name in TIMES:
        equal &= _micros(stored[name]) == _micros(again[name])
    return equal


def _per_person(values: pd.DataFrame, world: World) -> dict[str, np.ndarray]:
    """Each figure of each person; the fixed cost is nobody's."""
    found = {
        name: values[name].to_numpy(np.float64)
        for name in (*PEOPLE, "revenue_minor", "everybody_converted", "everybody_revenue_minor")
    }
    each = world.cost_per_thousand_minor
    cost = found["sent"] * (np.nan if each is None or world.fixed_cost_minor is None else each / 1000.0)
    return found | {
        "cost_minor": cost,
        "profit_minor": found["revenue_minor"] - cost,
        "everybody_profit_minor": found["everybody_revenue_minor"] - cost,
    }


def _spread(base: np.ndarray, changed: np.ndarray) -> tuple[float, float, float]:
    """Half the interval of the paired difference, how much more two separate launches vary, who differs."""
    people, gap = len(base), changed - base
    differ = np.nan if np.isnan(gap).any() else float(np.count_nonzero(gap))
    if people < 2:
        return np.nan, np.nan, differ
    together = float(np.var(gap, ddof=1))
    apart = float(np.var(base, ddof=1) + np.var(changed, ddof=1))
    # Where all differ by the same amount, only the rounding of it varies.
    if together <= _ROUNDING * float(np.mean(base**2) + np.mean(changed**2)):
        return 0.0, np.nan, differ
    return _Z * np.sqrt(people * together), apart / together, differ


def _micros(times: pd.Series) -> np.ndarray:
    return times.dt.as_unit("us").astype("int64").to_numpy()

"""How sure the sum is that next best actions should earn: draws of everything believed, and of chance."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from ma.analytics import next_actions as reading
from ma.services import forecasts
from ma.simulation.beliefs import Beliefs
from ma.simulation.cells import cells
from ma.simulation.draws import stable_hash
from ma.simulation.forecast import Plan, forecast
from ma.simulation.population import recipients
from ma.types import Channel

DRAWS = 2_000


@dataclass(frozen=True)
class Outlook:
    """What one message in their best channel to everybody who has one may earn, as things are now.

    channels: one row per channel, the largest sum first: channel, people (who can still be sent it),
    expected_minor, low_minor and high_minor (between which 8 of 10 draws lie), source (of the beliefs on
    conversions), priced_by. draws: of the sum, one per world. gone: people scored with an action who cannot
    be sent it any more.
    """

    channels: pd.DataFrame
    draws: np.ndarray
    gone: int

    @property
    def people(self) -> int:
        """Who can still be sent their message."""
        return int(self.channels["people"].sum())

    @property
    def interval(self) -> tuple[float, float]:
        """Between which the sum lies in 8 of 10 draws."""
        low, high = np.quantile(self.draws, [0.1, 0.9])
        return float(low), float(high)

    @property
    def chance_of_loss(self) -> float:
        """How likely all messages together earn less than they cost."""
        return float(np.mean(self.draws < 0.0))


def outlook(session: Session, *, at: datetime, draws: int = DRAWS) -> Outlook:
    """The outlook of the actions as they were last scored, for those who can be sent theirs at `at`.

    Of each channel, all its messages are one campaign; fixed costs of campaigns are not in it. The beliefs
    on channels are independent of each other. A channel that lost its price since is left out.
    """
    prices = reading.prices(session, as_of=at)
    chosen = reading.chosen(session, as_of=at)
    people = reading.people(session, list(prices), as_of=at)
    ids = people.facts["customer_id"].to_numpy()
    rows, total, reached = [], np.zeros(draws), 0
    for channel in [one for one in prices if one in chosen]:
        mine = np.isin(ids, chosen[channel]) & people.allowed(channel)
        if not mine.any():
            continue
        reached += int(mine.sum())
        beliefs = forecasts.beliefs(session, channel, at=at)
        earned = _earned(people.facts[mine], beliefs, prices[channel], draws)
        total = total + earned
        low, high = np.quantile(earned, [0.1, 0.9])
        source = beliefs.steps["converted"].source
        rows.append(
            (channel.value, int(mine.sum()), earned.mean(), low, high, source, prices[channel].campaign)
        )
    frame = pd.DataFrame(rows, columns=["channel", "people", "expected_minor", "low_minor", "high_minor",
                                        "source", "priced_by"])  # fmt: skip
    frame = frame.sort_values("expected_minor", ascending=False, ignore_index=True)
    return Outlook(frame, total, sum(map(len, chosen.values())) - reached)


def _earned(facts: pd.DataFrame, beliefs: Beliefs, price: reading.Price, draws: int) -> np.ndarray:
    """The incremental profit of a message to each of these people, in every world."""
    population = beliefs.params.population
    plan = Plan(
        cost_per_thousand_minor=price.cost_per_thousand_minor,
        fixed_cost_minor=0.0,
        conversion_window_days=price.conversion_window_days,
    )
    seed = stable_hash(f"next best action, {Channel(price.channel)}")
    grouped = cells(recipients(facts, population), population)
    return forecast(grouped, beliefs, plan, draws=draws, seed=seed).figures["incremental_profit_minor"]

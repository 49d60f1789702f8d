"""What each recipient does with a campaign, from sent to revenue, and what they would have done anyway."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from ma.clock import to_micros
from ma.simulation.draws import normal, uniform
from ma.simulation.params import TYPICAL_MESSAGES, ChannelParams, Step, lifted, logistic
from ma.simulation.population import band
from ma.types import Arm

_NEVER = np.iinfo(np.int64).min  # numpy's NaT
_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
# Nobody counts an open after a quarter of a year.
LONGEST_REACTION = timedelta(days=90)
TIMES = (
    "sent_at",
    "bounced_at",
    "delivered_at",
    "opened_at",
    "clicked_at",
    "converted_at",
    "unsubscribed_at",
    "complained_at",
)


def simulate(
    recipients: pd.DataFrame,
    params: ChannelParams,
    *,
    seed: int,
    sent_at: datetime,
    conversion_window_days: int,
    arm: Arm = Arm.TREATED,
) -> pd.DataFrame:
    """One row per recipient, in their order: customer_id, the time of each step, organic, revenue_minor.

    Takes customer_id, engagement, days_since_last_order, recent_messages, average_order_minor and order_rate
    (see population.recipients). Steps the channel cannot observe are empty. `organic` marks a conversion that
    the message did not cause; people held out have no others, with the luck they would have had as treated,
    and a variant's assumed effects do not reach them.
    A conversion counts only within the window after `sent_at`, so a longer window counts more.
    """
    people = _People(recipients, params, seed)
    count, start = len(recipients), to_micros(sent_at)
    end = start + conversion_window_days * _DAY
    times = {name: np.full(count, _NEVER) for name in TIMES}
    caused = np.full(count, np.iinfo(np.int64).max)
    if arm is Arm.TREATED:
        times["sent_at"][:] = start
        caused = _chain(people, params, times, start)
    organic = _organic(people, params, start)
    converted = np.minimum(caused, organic)
    happened = converted <= end
    times["converted_at"] = np.where(happened, converted, _NEVER)
    revenue = np.zeros(count, dtype=np.int64)
    buyers = np.flatnonzero(happened)
    lift = params.order_value_lift if arm is Arm.TREATED else 0.0
    revenue[buyers] = _revenue(people, params, buyers, lift)
    columns = {name: _moments(values) for name, values in times.items()}
    return pd.DataFrame(
        {
            "customer_id": people.ids,
            **columns,
            "organic": happened & (organic < caused),
            "revenue_minor": revenue,
        }
    )


class _People:
    """The recipients as numpy columns, with their luck; each method works on a subset by position."""

    def __init__(self, frame: pd.DataFrame, params: ChannelParams, seed: int):
        self.seed, self.intercepts = seed, params.intercepts()
        self.ids = frame["customer_id"].to_numpy(np.int64)
        score = frame["engagement"].to_numpy(np.float64, na_value=np.nan)
        self.band, self.engagement = band(score), params.population.engagement(score)
        self.recency = params.population.recency(
            frame["days_since_last_order"].to_numpy(np.float64, na_value=np.nan)
        )
        self.messages = np.minimum(frame["recent_messages"].to_numpy(np.float64), 30.0) - TYPICAL_MESSAGES
        self.average_order = np.maximum(frame["average_order_minor"].to_numpy(np.float64), 1.0)
        self.order_rate = np.maximum(frame["order_rate"].to_numpy(np.float64), 0.0)

    def take(self, who: np.ndarray, name: str, step: Step) -> np.ndarray:
        """Which of these people take a step."""
        return uniform(self.seed, self.ids[who], name) < lifted(self.chance(who, name, step), step.lift)

    def chance(self, who: np.ndarray, name: str, step: Step) -> np.ndarray | float:
        """How likely each is to take a step, before a variant's effect."""
        if step.alike:
            return step.rate if step.shift == 0.0 else logistic(self.intercepts[name] + step.shift)
        effect = step.engagement * self.engagement[who] + step.recency * self.recency[who]
        odds = self.intercepts[name] + effect + step.fatigue * self.messages[who]
        if step.shift != 0.0 or any(step.bands):
            odds += np.array([*step.bands, 0.0])[self.band[who]] + step.shift
        return logistic(odds)

    def delay(self, who: np.ndarray, name: str, step: Step) -> np.ndarray:
        """How long they take, in microseconds: at least a second, so that steps follow each other."""
        seconds = step.median_seconds * np.exp(step.sigma * normal(self.seed, self.ids[who], f"{name}/delay"))
        longest = LONGEST_REACTION.total_seconds() + 1.0
        return (np.clip(seconds, 1.0, longest) * _SECOND).astype(np.int64)


def _chain(people: _People, params: ChannelParams, times: dict[str, np.ndarray], start: int) -> np.ndarray:
    """Fill in the steps taken because of the message; when each person converts, or the greatest integer."""
    latest = start + LONGEST_REACTION // timedelta(microseconds=1)
    reached = {"sent": (np.arange(len(people.ids)), times["sent_at"])}
    for name, step in params.steps.items():
        who, at = reached[step.after]
        took = people.take(who, name, step)
        if name == "delivered":
            lost = who[~took]
            times["bounced_at"][lost] = at[~took] + people.delay(lost, name, step)
        who = who[took]
        at = at[took] + people.delay(who, name, step)
        soon = at <= latest
        reached[name] = (who[soon], at[soon])
        times[f"{name}_at"][who[soon]] = at[soon]
    caused = np.full(len(people.ids), np.iinfo(np.int64).max)
    who, at = reached["converted"]
    caused[who] = at
    return caused


def _organic(people: _People, params: ChannelParams, start: int) -> np.ndarray:
    """When each would convert without the message: the first event of a Poisson process of their own."""
    rate = people.order_rate * params.organic_share
    with np.errstate(divide="ignore"):
        days = -np.log(uniform(people.seed, people.ids, "organic")) / rate
    # A thousand years is never, and does not overflow.
    return start + np.maximum((np.minimum(days, 365_000.0) * _DAY).astype(np.int64), _SECOND)


def _revenue(people: _People, params: ChannelParams, who: np.ndarray, lift: float) -> np.ndarray:
    """What each conversion brings: log-normal, its mean the person's own average order; at least 1."""
    sigma = params.revenue_sigma
    factor = np.exp(sigma * normal(people.seed, people.ids[who], "revenue") - sigma**2 / 2)
    value = people.average_order[who] * params.order_value * (1.0 + lift) * factor
    return np.maximum(np.rint(value), 1.0).astype(np.int64)


def _moments(micros: np.ndarray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(micros.view("datetime64[us]")).tz_localize("UTC")

"""What the simulator assumes about a channel, each figure with its source.

Baseline rates come from data/benchmarks.csv. What follows here has no published figure that we know of and is
an assumption, unless a comment says otherwise; calibration replaces it by the workspace's own history.
"""

import csv
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ma.errors import FileProblem
from ma.simulation.population import BANDS, LIMIT, Population
from ma.types import ORDER_VALUE, Channel

# A weekly newsletter: the number of messages in 30 days at which the baselines hold. Assumption.
TYPICAL_MESSAGES = 4.0
# Of the orders people place anyway, the share that would count as a conversion of one campaign. Assumption:
# a campaign promotes a small part of the range. Organic conversions per day = order rate x this share.
ORGANIC_SHARE = 0.005
# Spread of one person's order values (log-normal). In the demo's real panel: 0.99 within a household.
REVENUE_SIGMA = 1.0
# An assumed effect raises no rate above this.
HIGHEST_RATE = 0.999
NO_BANDS = (0.0,) * BANDS


@dataclass(frozen=True)
class Step:
    """One step of the chain: how likely it is for those who reached the step `after`, and how soon.

    engagement and recency shift the log-odds per standard deviation, fatigue per message above
    TYPICAL_MESSAGES in 30 days. The delay is log-normal. What history or one campaign's luck adds to the
    log-odds is `shift` for everybody and `bands` by engagement band; a variant's assumed effect multiplies
    the probability by 1 + `lift`.
    """

    after: str
    rate: float
    source: str
    median_seconds: float
    sigma: float
    engagement: float = 0.0
    recency: float = 0.0
    fatigue: float = 0.0
    shift: float = 0.0
    bands: tuple[float, ...] = NO_BANDS
    lift: float = 0.0

    @property
    def alike(self) -> bool:
        """Whether everybody takes this step with the same probability."""
        return self.engagement == self.recency == self.fatigue == 0.0 and not any(self.bands)


@dataclass(frozen=True)
class ChannelParams:
    """Everything `simulate` needs to know about a channel, and the population its baselines stand for.

    steps: by name, in an order in which each stands behind the one it follows. order_value: what an
    order brings, relative to the person's own average; order_value_lift: what a variant is assumed to add to
    that, relative.
    """

    channel: Channel
    steps: Mapping[str, Step]
    organic_share: float = ORGANIC_SHARE
    revenue_sigma: float = REVENUE_SIGMA
    population: Population = field(default_factory=Population)
    order_value: float = 1.0
    order_value_lift: float = 0.0

    def to_dict(self) -> dict:
        """Plain values, for JSON: stored with a campaign at its launch."""
        return asdict(self) | {"steps": {name: asdict(step) for name, step in self.steps.items()}}

    @classmethod
    def from_dict(cls, values: dict) -> "ChannelParams":
        """What `to_dict` wrote, in this version or an earlier one."""
        return cls(
            channel=Channel(values["channel"]),
            steps={
                name: Step(**step | {"bands": tuple(step.get("bands", NO_BANDS))})
                for name, step in values["steps"].items()
            },
            organic_share=values["organic_share"],
            revenue_sigma=values["revenue_sigma"],
            population=Population(**values["population"]),
            order_value=values.get("order_value", 1.0),
            order_value_lift=values.get("order_value_lift", 0.0),
        )

    def intercepts(self) -> dict[str, float]:
        """The log-odds of each step at which its mean over a typical audience is its rate.

        The mean of a logistic is not the logistic of the mean, and people who took one step are likelier to
        take the next. So it is an integral over engagement and recency (standard normal, independent;
        Gauss-Hermite) weighted with who got that far, solved for by bisection.
        """
        shape = tuple(
            (name, step.after, step.rate, step.engagement, step.recency) for name, step in self.steps.items()
        )
        return dict(_intercepts(shape))

    def with_rates(self, **rates: float) -> "ChannelParams":
        """The same channel with other baseline rates, by step."""
        changed = {name: replace(self.steps[name], rate=rate, source="given") for name, rate in rates.items()}
        return replace(self, steps={**self.steps, **changed})

    def with_effects(self, effects: Mapping[str, float]) -> "ChannelParams":
        """The same channel for a variant with assumed relative changes: {"opened": 0.1} is a tenth more.

        Keys are steps of the channel and "order_value". Raises ValueError for others.
        """
        unknown = sorted(set(effects) - set(self.steps) - {ORDER_VALUE})
        if unknown:
            raise ValueError(f"{self.channel.label} has no step {unknown[0]!r} that an effect could change.")
        lifts = {name: effect for name, effect in effects.items() if name != ORDER_VALUE}
        changed = {
            name: replace(self.steps[name], lift=(1.0 + self.steps[name].lift) * (1.0 + effect) - 1.0)
            for name, effect in lifts.items()
        }
        order_value = (1.0 + self.order_value_lift) * (1.0 + effects.get(ORDER_VALUE, 0.0)) - 1.0
        return replace(self, steps={**self.steps, **changed}, order_value_lift=order_value)


def lifted(chance: np.ndarray | float, lift: float) -> np.ndarray | float:
    """A probability times 1 + lift; what that raises ends at HIGHEST_RATE."""
    if lift == 0.0:
        return chance
    return np.clip(chance * (1.0 + lift), 0.0, np.maximum(chance, HIGHEST_RATE))


def logistic(odds: np.ndarray) -> np.ndarray:
    """The probability behind log-odds; -inf is 0 and +inf is 1."""
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(-odds))


@lru_cache(maxsize=256)
def _intercepts(shape: tuple) -> dict[str, float]:
    # One campaign differs from the next in its shifts, so they nearly always share these.
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    nodes = np.clip(nodes, -LIMIT, LIMIT)
    engagement, recency = (axis.ravel() for axis in np.meshgrid(nodes, nodes))
    reach = {"sent": np.outer(weights, weights).ravel()}
    solved = {}
    for name, after, rate, by_engagement, by_recency in shape:
        effect, here = by_engagement * engagement + by_recency * recency, reach[after]
        here = here if here.any() else reach["sent"]  # a step nobody takes chooses nobody
        solved[name] = _solve(rate, effect, here)
        reach[name] = here * logistic(solved[name] + effect)
    return solved


def _solve(rate: float, effect: np.ndarray, weights: np.ndarray) -> float:
    if rate <= 0.0 or rate >= 1.0:
        return -math.inf if rate <= 0.0 else math.inf
    low, high = -40.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        mean = float(weights @ logistic(middle + effect)) / weights.sum()
        low, high = (middle, high) if mean < rate else (low, middle)
    return (low + high) / 2


_SECOND, _MINUTE, _HOUR, _DAY = 1.0, 60.0, 3600.0, 86_400.0

# Effects and delays per channel and step. All assumptions, but for direct mail's delay: among 779 answered
# mailings of the demo's real panel the median was 13.5 days after the start, the logarithm's spread 0.91.
_OPENED = {"engagement": 0.5, "recency": 0.2, "fatigue": -0.05}
_CLICKED = {"engagement": 0.3, "recency": 0.1, "fatigue": -0.02}
_CONVERTED = {"engagement": 0.2, "recency": 0.3}
_LEFT = {"engagement": -0.4, "fatigue": 0.08}
_SHAPES: dict[Channel, dict[str, dict[str, float]]] = {
    Channel.EMAIL: {
        "delivered": {"after": "sent", "median_seconds": 5 * _SECOND, "sigma": 1.0},
        "opened": {"after": "delivered", "median_seconds": 3 * _HOUR, "sigma": 1.7, **_OPENED},
        "clicked": {"after": "opened", "median_seconds": 1 * _MINUTE, "sigma": 1.5, **_CLICKED},
        "converted": {"after": "clicked", "median_seconds": 45 * _MINUTE, "sigma": 2.0, **_CONVERTED},
        "unsubscribed": {"after": "opened", "median_seconds": 1 * _MINUTE, "sigma": 1.5, **_LEFT},
        "complained": {"after": "opened", "median_seconds": 1 * _MINUTE, "sigma": 1.5, **_LEFT},
    },
    Channel.SMS: {
        "delivered": {"after": "sent", "median_seconds": 3 * _SECOND, "sigma": 1.0},
        "clicked": {"after": "delivered", "median_seconds": 10 * _MINUTE, "sigma": 1.8, **_OPENED},
        "converted": {"after": "clicked", "median_seconds": 45 * _MINUTE, "sigma": 2.0, **_CONVERTED},
        "unsubscribed": {"after": "delivered", "median_seconds": 10 * _MINUTE, "sigma": 1.8, **_LEFT},
    },
    Channel.PUSH: {
        "delivered": {"after": "sent", "median_seconds": 2 * _SECOND, "sigma": 1.0},
        "opened": {"after": "delivered", "median_seconds": 15 * _MINUTE, "sigma": 1.8, **_OPENED},
        "converted": {"after": "opened", "median_seconds": 45 * _MINUTE, "sigma": 2.0, **_CONVERTED},
        "unsubscribed": {"after": "delivered", "median_seconds": 10 * _MINUTE, "sigma": 1.8, **_LEFT},
    },
    Channel.DIRECT_MAIL: {
        "converted": {"after": "sent", "median_seconds": 13.5 * _DAY, "sigma": 0.91, **_CONVERTED},
    },
    Channel.ADS: {
        "clicked": {"after": "sent", "median_seconds": 1 * _DAY, "sigma": 1.0, **_OPENED},
        "converted": {"after": "clicked", "median_seconds": 45 * _MINUTE, "sigma": 2.0, **_CONVERTED},
    },
}


def load(path: Path) -> dict[Channel, ChannelParams]:
    """The parameters of every channel, its baselines read from a benchmarks file.

    Raises FileProblem when the file is missing or lacks a figure.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = {(row["channel"], row["metric"]): row for row in csv.DictReader(file)}
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise FileProblem(
            "The file of channel benchmarks cannot be read. Restore data/benchmarks.csv."
        ) from error
    return {channel: _channel(channel, rows) for channel in Channel}


def _channel(channel: Channel, rows: dict) -> ChannelParams:
    def figure(metric: str) -> tuple[float, str]:
        try:
            row = rows[channel.value, metric]
            return float(row["value"]), f"{row['publisher']} {row['as_of']}".strip()
        except (TypeError, KeyError, ValueError) as error:
            raise FileProblem(
                f"The benchmarks lack {metric} of {channel}. Restore data/benchmarks.csv."
            ) from error

    def per(whole: tuple[float, str], part: tuple[float, str]) -> tuple[float, str]:
        return (min(whole[0] / part[0], 1.0) if part[0] else 0.0), whole[1]

    bounced = figure("bounce_rate")
    delivered = (1.0 - bounced[0], bounced[1])
    # The benchmarks count per delivered message, the chain per person who reached the step before.
    if channel is Channel.EMAIL:
        opened = figure("open_rate")
        rates = {
            "delivered": delivered,
            "opened": opened,
            "clicked": per(figure("click_rate"), opened),
            "converted": figure("conversion_of_clicks"),
            "unsubscribed": per(figure("unsubscribe_rate"), opened),
            "complained": per(figure("complaint_rate"), opened),
        }
    elif channel is Channel.DIRECT_MAIL:
        answered = figure("response_rate")
        rates = {"converted": (answered[0] * delivered[0], answered[1])}
    elif channel is Channel.ADS:
        rates = {"clicked": figure("click_rate"), "converted": figure("conversion_of_clicks")}
    else:
        # Opening a push notification is clicking it.
        rates = {
            "delivered": delivered,
            "opened": figure("click_rate"),
            "clicked": figure("click_rate"),
            "converted": figure("conversion_of_clicks"),
            "unsubscribed": figure("unsubscribe_rate"),
        }
    shapes = _SHAPES[channel]
    return ChannelParams(
        channel=channel,
        steps={name: Step(rate=rates[name][0], source=rates[name][1], **shapes[name]) for name in shapes},
    )

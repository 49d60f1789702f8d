"""What we believe about a channel, and how sure we are: the forecast draws from it, and so does the world.

For each step, on the log-odds (for what orders bring, on the logarithm): the typical campaign here differs
from the benchmark by an unknown amount, normal with mean `shift` and `sd`; one campaign differs from the
typical one by a normal effect with standard deviation `spread`. Steps are independent: over 230 real sends
the effects on opens and on clicks per open correlate by 0.02 (docs/forecasting.md, "Between the steps").
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from ma.simulation.draws import normal
from ma.simulation.params import NO_BANDS, ChannelParams
from ma.types import ORDER_VALUE, ORGANIC, Channel

# Where a belief comes from.
BENCHMARK, ASSUMPTION, HISTORY, SIMULATED_HISTORY = "benchmark", "assumption", "history", "simulated history"
# The normal quantile of 90 %.
Z90 = 1.2815515655446004
Luck = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class StepBelief:
    """One figure's shift from the benchmark, with where it comes from; `bands` by engagement band."""

    shift: float
    sd: float
    spread: float
    bands: tuple[float, ...] = NO_BANDS
    source: str = BENCHMARK
    campaigns: int = 0
    people: int = 0

    def drawn(self, typical, campaign):
        """One campaign's shift, from two standard normals (or as many as there are in two columns)."""
        return self.shift + self.sd * typical + self.spread * campaign

    def quantile(self, z: float) -> float:
        """The shift of one campaign at a standard normal quantile."""
        return self.shift + z * math.hypot(self.sd, self.spread)

    @classmethod
    def from_dict(cls, values: dict) -> "StepBelief":
        """What `asdict` gave, after a passage through JSON."""
        return cls(**values | {"bands": tuple(values["bands"])})


@dataclass(frozen=True)
class Beliefs:
    """Everything a forecast believes about a channel: its parameters, and how far off each may be."""

    params: ChannelParams
    steps: Mapping[str, StepBelief]
    order_value: StepBelief
    organic: StepBelief

    def figures(self) -> dict[str, StepBelief]:
        """All beliefs by name: the steps, order_value, organic."""
        return {**self.steps, ORDER_VALUE: self.order_value, ORGANIC: self.organic}

    def luck(self, seed: int) -> dict[str, tuple[float, float]]:
        """For each belief, two standard normals that are a function of one campaign's seed."""
        return {
            name: (_one(seed, f"{name}/typical"), _one(seed, f"{name}/campaign")) for name in self.figures()
        }

    def realise(self, luck: Luck) -> ChannelParams:
        """The parameters of one campaign, drawn from these beliefs with `luck`."""
        return self.at({name: belief.drawn(*luck[name]) for name, belief in self.figures().items()})

    def at(self, shifts: Mapping[str, float]) -> ChannelParams:
        """The parameters of a campaign whose shifts, by name, are known; others are as expected."""
        shifts = {name: belief.shift for name, belief in self.figures().items()} | dict(shifts)
        steps = {
            name: replace(
                step,
                shift=step.shift + shifts[name],
                bands=tuple(a + b for a, b in zip(step.bands, self.steps[name].bands, strict=True)),
            )
            for name, step in self.params.steps.items()
        }
        return replace(
            self.params,
            steps=steps,
            organic_share=self.params.organic_share * math.exp(shifts[ORGANIC]),
            order_value=self.params.order_value * math.exp(shifts[ORDER_VALUE]),
        )

    def certain(self) -> "Beliefs":
        """The same with nothing in doubt: every campaign is the typical one."""
        return self._each(lambda name, belief: replace(belief, sd=0.0, spread=0.0))

    def moved(self, by: Mapping[str, float]) -> "Beliefs":
        """The same with other typical shifts: what if a rate, or what orders bring, were higher?"""
        return self._each(lambda name, belief: replace(belief, shift=belief.shift + by.get(name, 0.0)))

    def with_bands(self, bands: Mapping[str, tuple[float, ...]]) -> "Beliefs":
        """The same with other offsets by engagement band, for the steps named."""
        return self._each(lambda name, belief: replace(belief, bands=tuple(bands.get(name, belief.bands))))

    def _each(self, change: Callable[[str, StepBelief], StepBelief]) -> "Beliefs":
        return replace(
            self,
            steps={name: change(name, belief) for name, belief in self.steps.items()},
            order_value=change(ORDER_VALUE, self.order_value),
            organic=change(ORGANIC, self.organic),
        )

    def to_dict(self) -> dict:
        """Plain values, for JSON."""
        return {
            "params": self.params.to_dict(),
            "steps": {name: asdict(belief) for name, belief in self.steps.items()},
            "order_value": asdict(self.order_value),
            "organic": asdict(self.organic),
        }

    @classmethod
    def from_dict(cls, values: dict) -> "Beliefs":
        """What `to_dict` wrote."""
        return cls(
            params=ChannelParams.from_dict(values["params"]),
            steps={name: StepBelief.from_dict(belief) for name, belief in values["steps"].items()},
            order_value=StepBelief.from_dict(values["order_value"]),
            organic=StepBelief.from_dict(values["organic"]),
        )


def from_benchmarks(params: ChannelParams) -> Beliefs:
    """What is believed without any history: the benchmarks, and how far a workspace may be from them."""
    return Beliefs(
        params=params,
        steps={name: StepBelief(0.0, *_step_doubt(params.channel, name)) for name in params.steps},
        order_value=StepBelief(0.0, *_ORDER_VALUE, source=ASSUMPTION),
        organic=StepBelief(0.0, *_ORGANIC, source=ASSUMPTION),
    )


def _step_doubt(channel: Channel, step: str) -> tuple[float, float]:
    return _MEASURED.get((channel, step), _ASSUMED[step])


def _one(seed: int, name: str) -> float:
    return float(normal(seed, np.zeros(1, dtype=np.int64), name)[0])


# How far a workspace's typical campaign may be from the benchmark (sd), and a campaign from the typical one
# (spread), in log-odds. Published averages of e-mail opens differ by 0.29 between publishers and industries
# (12 figures of Mailchimp 2018 and 2019, MailerLite 2019, Campaign Monitor 2019 and 2020), clicks per open by
# 0.15 (9 figures), unsubscribes per open by 0.24 (5). Those are averages over many senders; single senders
# differ more: Klaviyo's best tenth of automated flows orders 5.71 % against a median of 1.71 % (2024 report),
# 0.97 in log-odds over the whole chain. So 0.5, 0.5 and 0.7 for opened, clicked and converted are assumptions
# that together make 0.99. The spreads here are assumptions.
_ASSUMED = {
    "delivered": (0.5, 0.2),
    "opened": (0.5, 0.2),
    "clicked": (0.5, 0.25),
    "converted": (0.7, 0.3),
    "unsubscribed": (0.5, 0.2),
    "complained": (0.7, 0.3),
}
# Spread by e-mail: 230 sends of the newsletter "Data Is Plural", 2015-2021, MIT licence
# (github.com/data-is-plural/newsletter-stats): between sends, the sd of the log-odds of opens per delivered,
# clicks per open and unsubscribes per open, without binomial noise (Paule-Mandel) and without a linear drift
# over the years: 0.197, 0.222, 0.207; with the drift left in 0.32, 0.33, 0.21. One editor's weekly letter: a
# shop's campaigns may differ more, which is what calibration is for. Bounces by e-mail: four published
# averages differ by 0.41. Delivery by push: vendors say 90 % to 30 %. Direct mail: three published response
# rates (3.4 %, 9 %, 12 %) differ by 0.71; the answers to the demo panel's 27 mailings spread by 0.53, within
# their three types by 0.30 to 0.48.
_MEASURED = {
    (Channel.EMAIL, "delivered"): (0.41, 0.2),
    (Channel.EMAIL, "opened"): (0.5, 0.20),
    (Channel.EMAIL, "clicked"): (0.5, 0.22),
    (Channel.EMAIL, "unsubscribed"): (0.5, 0.21),
    (Channel.PUSH, "delivered"): (1.0, 0.2),
    (Channel.DIRECT_MAIL, "converted"): (0.71, 0.4),
}
# What conversions bring against people's own averages: by a fifth more or less, by campaign by 15 %.
# Assumption.
_ORDER_VALUE = (0.2, 0.15)
# The share of ordinary orders that counts as a conversion: between half and double in 80 %. Assumption.
_ORGANIC = (math.log(2.0) / Z90, 0.0)

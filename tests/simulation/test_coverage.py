"""How often the truth lies in the intervals, and how often a test finds what is not there."""

from datetime import UTC, datetime

import numpy as np

from ma.simulation.assignment import assign
from ma.simulation.beliefs import from_benchmarks
from ma.simulation.forecast import Plan, cells, forecast
from ma.simulation.funnel import simulate
from ma.types import Channel

SENT = datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_80_percent_intervals_hold_80_percent_of_1000_campaigns(channels, mixed):
    """Each campaign's parameters are drawn as a launch draws them, from what the forecast believes."""
    people = mixed(600)
    beliefs = from_benchmarks(channels[Channel.SMS]).moved(
        {"clicked": 1.0, "converted": 1.0, "unsubscribed": 1.5}
    )
    found = forecast(cells(people, beliefs.params.population), beliefs, Plan(), draws=8_000)
    names = ["delivered", "clicked", "converted", "unsubscribed", "revenue_minor"]
    known = np.array([_brought(people, beliefs, seed, names) for seed in range(1_000)])
    low, high = found.table().loc[names, ["p10", "p90"]].to_numpy().T
    # A count that is just the end of an interval belongs half inside: the interval cannot cut through it.
    inside = ((known > low) & (known < high)).mean(axis=0) + ((known == low) | (known == high)).mean(
        axis=0
    ) / 2
    assert inside.mean() > 0.77
    assert inside.mean() < 0.83
    # Of single figures, three standard errors.
    assert np.abs(inside - 0.8).max() < 0.04, dict(zip(names, inside, strict=True))
    below = (known < low).mean(axis=0)
    assert np.abs(below - 0.1).max() < 0.035, dict(zip(names, below, strict=True))


def _brought(people, beliefs, seed, names):
    outcome = simulate(
        people, beliefs.realise(beliefs.luck(seed)), seed=seed, sent_at=SENT, conversion_window_days=7
    )
    return [
        outcome[name].sum() if name == "revenue_minor" else outcome[f"{name}_at"].count() for name in names
    ]


def test_two_equal_variants_differ_at_5_percent_in_5_percent_of_2000_launches(channels, mixed):
    """A/A: 10 worlds drawn from what is believed, each with 200 launches to 400 people."""
    people = mixed(200 * 400)
    beliefs = from_benchmarks(channels[Channel.ADS]).moved({"clicked": 4.0})
    alarms = []
    for seed in range(10):
        assigned = assign(people, seed=seed, holdout_share=0.0, shares={"A": 0.5, "B": 0.5}, waves=1)
        params = beliefs.realise(beliefs.luck(seed))
        outcome = simulate(assigned, params, seed=seed, sent_at=SENT, conversion_window_days=7)
        took = outcome["clicked_at"].notna().to_numpy().reshape(200, 400)
        alarms.append(_significant(took, (assigned["variant"] == "B").to_numpy().reshape(200, 400)))
    assert 0.035 <= np.mean(alarms) <= 0.065


def _significant(took: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The z-test of two proportions at 5 %, of each row."""
    sizes = second.sum(axis=1)
    b, a = (took & second).sum(axis=1) / sizes, (took & ~second).sum(axis=1) / (400 - sizes)
    pooled = took.mean(axis=1)
    error = np.sqrt(pooled * (1 - pooled) * (1 / sizes + 1 / (400 - sizes)))
    return np.abs(a - b) > 1.959964 * error

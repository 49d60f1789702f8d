"""What is believed of campaigns' effects, against 230 real sends of a newsletter (docs/forecasting.md)."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ma.settings import ROOT
from ma.simulation.beliefs import from_benchmarks
from ma.simulation.cells import cells
from ma.simulation.draws import normal
from ma.simulation.forecast import Plan, expected
from ma.types import Channel

FILE = ROOT.parent / "shared" / "data" / "newsletter" / "messages.csv"
real = pytest.mark.skipif(not FILE.exists(), reason="the newsletter's export is not on this machine")
# About the variance between sends: what weighs a send of 149 letters against one of 23,853.
BETWEEN = 0.04


@pytest.fixture(scope="module")
def sends():
    """Per send, oldest first: years, and for each step log-odds and their binomial variance."""
    found = pd.read_csv(FILE).sort_values("sent_at")
    delivered = found["send_count"] - found["stats.soft_bounces"] - found["stats.hard_bounces"]
    opened, clicked = found["stats.unique_opens"], found["stats.unique_clicks"]
    years = (found["sent_at"] - found["sent_at"].min()) / (365.25 * 86_400)
    return years.to_numpy(), odds(opened, delivered), odds(clicked, opened)


def odds(took, reached):
    yes, no = took.to_numpy() + 0.5, (reached - took).to_numpy() + 0.5
    return np.log(yes / no), 1 / yes + 1 / no


def without_drift(years, step, degree):
    values, noise = step
    drift = np.polyfit(years, values, degree, w=(noise + BETWEEN) ** -0.5)
    return values - np.polyval(drift, years), noise


def correlation(first, second, chosen=slice(None)):
    """Of the effects themselves: the noise, which is independent, only adds to the variances."""
    (a, a_noise), (b, b_noise) = ([column[chosen] for column in step] for step in (first, second))
    weight = ((a_noise + BETWEEN) * (b_noise + BETWEEN)) ** -0.5

    def mean(values):
        return (weight * values).sum(-1) / weight.sum(-1)

    return mean(a * b) / np.sqrt(mean(a**2 - a_noise) * mean(b**2 - b_noise))


def repeats(values):
    return np.corrcoef(values[1:], values[:-1])[0, 1]


@real
def test_opens_and_clicks_per_open_do_not_move_together_from_send_to_send(sends):
    years, *steps = sends
    opens, clicks = (without_drift(years, step, 3) for step in steps)
    assert correlation(opens, clicks) == pytest.approx(0.02, abs=0.005)
    # Neighbours are alike, so quarters of a year are drawn, not single sends.
    first = np.random.default_rng(0).integers(0, 230 - 13 + 1, (2_000, 18))
    chosen = (first[:, :, None] + np.arange(13)).reshape(2_000, -1)[:, :230]
    low, high = np.quantile(correlation(opens, clicks, chosen), [0.025, 0.975])
    assert (low, high) == (pytest.approx(-0.14, abs=0.02), pytest.approx(0.15, abs=0.02))
    changes = [(np.diff(values), noise[1:] + noise[:-1]) for values, noise in steps]
    assert correlation(*changes) == pytest.approx(-0.10, abs=0.01)


@real
def test_a_straight_line_leaves_a_bend_that_looks_like_a_correlation(sends):
    years, *steps = sends
    opens, clicks = (without_drift(years, step, 1) for step in steps)
    assert correlation(opens, clicks) == pytest.approx(0.26, abs=0.01)
    assert repeats(opens[0]) == pytest.approx(0.61, abs=0.01)
    assert repeats(without_drift(years, steps[0], 3)[0]) == pytest.approx(0.22, abs=0.01)


@real
def test_the_spread_that_is_believed_is_that_of_the_sends(sends, channels):
    years, *steps = sends
    beliefs = from_benchmarks(channels[Channel.EMAIL])
    for name, step in zip(("opened", "clicked"), steps, strict=True):
        left, noise = without_drift(years, step, 1)
        weight = 1 / (noise + BETWEEN)
        spread = np.sqrt((weight * (left**2 * 230 / 228 - noise)).sum() / weight.sum())
        assert beliefs.steps[name].spread == pytest.approx(spread, abs=0.005)


def test_little_would_change_if_they_did_move_together(channels, mixed):
    """Were it 0.34: intervals without history, and where the typical campaign is known exactly."""
    beliefs = from_benchmarks(channels[Channel.EMAIL])
    people = cells(mixed(600), beliefs.params.population)
    conversions, revenue = wider(people, beliefs)
    assert 0.0 < conversions < 0.02
    assert 0.0 < revenue < 0.02
    known = replace(
        beliefs,
        steps={name: replace(step, sd=0.0) for name, step in beliefs.steps.items()},
        order_value=replace(beliefs.order_value, sd=0.0),
        organic=replace(beliefs.organic, sd=0.0),
    )
    conversions, revenue = wider(people, known)
    assert 0.04 < conversions < 0.07
    assert 0.02 < revenue < 0.05


def wider(people, beliefs):
    """By how much the 80 % intervals of expected conversions and revenue grow, as a share."""
    luck = {
        name: [normal(1, np.arange(4_000), f"{name}/{part}") for part in ("typical", "campaign")]
        for name in beliefs.figures()
    }
    together = 0.34 * luck["opened"][1] + np.sqrt(1 - 0.34**2) * luck["clicked"][1]
    widths = []
    for clicked in (luck["clicked"][1], together):
        mine = luck | {"clicked": [luck["clicked"][0], clicked]}
        shifts = {name: belief.drawn(*mine[name]) for name, belief in beliefs.figures().items()}
        found = expected(people, beliefs, Plan(), shifts)
        ends = [np.quantile(found[name], [0.1, 0.9]) for name in ("converted", "revenue_minor")]
        widths.append(np.diff(ends, axis=1)[:, 0])
    return widths[1] / widths[0] - 1

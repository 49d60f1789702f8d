"""A few hundred cells stand for any number of people."""

import time

import numpy as np
import pandas as pd
import pytest

from ma.simulation.beliefs import from_benchmarks
from ma.simulation.cells import cells
from ma.simulation.forecast import Plan, Variant, expected
from ma.simulation.params import TYPICAL_MESSAGES
from ma.simulation.population import UNKNOWN_BAND, band
from ma.types import Channel


def one_by_one(people, population):
    """Every person a cell of their own: nothing is averaged."""
    score, rate, order = (
        people[name].to_numpy() for name in ("engagement", "order_rate", "average_order_minor")
    )
    return pd.DataFrame(
        {
            "people": 1,
            "band": band(score),
            "engagement": population.engagement(score),
            "recency": population.recency(people["days_since_last_order"].to_numpy()),
            "messages": people["recent_messages"].clip(upper=30) - TYPICAL_MESSAGES,
            "order_rate": rate,
            "order_minor": order,
            "order_square": order**2,
            "organic_order_minor": order,
            "organic_order_square": order**2,
        }
    ).assign(**{f"{name}_var": 0.0 for name in ("engagement", "recency", "messages", "order_rate")})


@pytest.mark.parametrize("busy", [1.0, 20.0])
@pytest.mark.parametrize("channel", list(Channel))
def test_cells_give_the_figures_of_the_people_within_half_a_percent(channels, mixed, channel, busy):
    people = mixed(20_000).assign(order_rate=lambda frame: frame["order_rate"] * busy)
    params = channels[channel]
    beliefs = from_benchmarks(params)
    beliefs = beliefs.moved(dict.fromkeys(beliefs.steps, 0.3))
    plan = Plan(
        variants=(Variant("A", 1.0, {"converted": 0.2, "order_value": 0.1}),), conversion_window_days=14
    )
    shifts = {name: np.array([belief.shift]) for name, belief in beliefs.figures().items()}
    grouped = cells(people, params.population)
    assert len(grouped) < 500
    found = expected(grouped, beliefs, plan, shifts)
    known = expected(one_by_one(people, params.population), beliefs, plan, shifts)
    for name in set(found) - {"cost_minor", "profit_minor", "roi", "incremental_profit_minor"}:
        assert found[name][0] == pytest.approx(known[name][0], rel=0.005), name


def test_everybody_is_in_one_cell_and_sums_are_kept(channels, mixed):
    people, population = mixed(5_000), channels[Channel.EMAIL].population
    grouped = cells(people, population)
    assert grouped["people"].sum() == 5_000
    for column, of in (("order_rate", "order_rate"), ("order_minor", "average_order_minor")):
        assert grouped["people"] @ grouped[column] == pytest.approx(people[of].sum())
    scores = people["engagement"]
    known = [scores.lt(20), scores.ge(20) & scores.lt(40), scores.isna()]
    for number, who in zip((0, 1, UNKNOWN_BAND), known, strict=True):
        assert grouped.loc[grouped["band"] == number, "people"].sum() == who.sum()


def test_order_does_not_matter_when_every_person_shows_where_groups_begin(channels, mixed):
    people, population = mixed(3_000), channels[Channel.EMAIL].population
    pd.testing.assert_frame_equal(cells(people.iloc[::-1], population), cells(people, population))


def test_nobody_and_one_person(channels, mixed):
    population = channels[Channel.EMAIL].population
    assert cells(mixed(3).head(0), population).empty
    assert cells(mixed(1), population)["people"].tolist() == [1]


def test_a_million_people_take_less_than_a_second(channels, mixed):
    # A quarter of them in a quarter of it, of the processor's time: other tests may be running.
    people, population = mixed(250_000), channels[Channel.EMAIL].population
    assert min(_seconds(lambda: cells(people, population)) for _ in range(3)) < 0.25


def _seconds(work):
    start = time.process_time()
    work()
    return time.process_time() - start

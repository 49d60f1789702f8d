"""Each assumption moved alone."""

import numpy as np
import pytest

from ma.simulation.beliefs import Z90, from_benchmarks
from ma.simulation.cells import cells
from ma.simulation.forecast import Plan, forecast
from ma.simulation.tornado import AUDIENCE, at_the_median, tornado
from ma.types import ORDER_VALUE, ORGANIC, Channel

COSTS = {"cost_per_thousand_minor": 500, "fixed_cost_minor": 10_000}


def made(channels, people, channel=Channel.EMAIL):
    beliefs = from_benchmarks(channels[channel])
    return cells(people, beliefs.params.population), beliefs


def test_every_assumption_is_there_the_widest_first(channels, mixed):
    for channel in Channel:
        grouped, beliefs = made(channels, mixed(2_000), channel)
        table = tornado(grouped, beliefs, Plan(**COSTS))
        assert set(table["assumption"]) == {*beliefs.steps, ORDER_VALUE, ORGANIC, AUDIENCE}
        assert table["span_minor"].is_monotonic_decreasing
        spans = table["profit_high_minor"] - table["profit_low_minor"]
        assert table["span_minor"].to_numpy() == pytest.approx(spans.abs())
        middle = at_the_median(grouped, beliefs, Plan(**COSTS))["profit_minor"][0]
        around = table[table["assumption"].isin([*beliefs.steps, ORDER_VALUE, ORGANIC])]
        assert (around["profit_low_minor"] <= middle + 1e-6).all()
        assert (around["profit_high_minor"] >= middle - 1e-6).all()


def test_ends_by_hand(channels, mixed):
    grouped, beliefs = made(channels, mixed(2_000))
    table = tornado(grouped, beliefs, Plan(**COSTS)).set_index("assumption")
    order_value = table.loc[ORDER_VALUE]
    # The doubt about the typical campaign (0.2) and the campaign's own (0.15) together are 0.25.
    assert order_value["high"] == pytest.approx(np.exp(Z90 * 0.25))
    revenue = at_the_median(grouped, beliefs, Plan())["revenue_minor"][0]
    assert order_value["revenue_high_minor"] == pytest.approx(revenue * order_value["high"])
    assert (table.loc[ORGANIC, "low"], table.loc[ORGANIC, "high"]) == pytest.approx((0.5, 2.0))
    assert table.loc["opened", "low"] < 0.1568 < table.loc["opened", "high"]
    # Who complains or unsubscribes has no part in this campaign's profit.
    assert table.loc["unsubscribed", "span_minor"] == 0


def test_what_people_buy_anyway_hardly_matters_to_what_the_campaign_causes(channels, mixed):
    grouped, beliefs = made(channels, mixed(2_000))
    table = tornado(grouped, beliefs, Plan(**COSTS), incremental=True).set_index("assumption")
    middle = at_the_median(grouped, beliefs, Plan(**COSTS))
    assert table.loc[ORDER_VALUE, "revenue_high_minor"] == pytest.approx(
        middle["incremental_revenue_minor"][0] * table.loc[ORDER_VALUE, "high"]
    )
    assert table.loc[ORGANIC, "span_minor"] < 0.01 * table.loc["converted", "span_minor"]
    assert table.index[0] == "converted"


def test_without_doubt_only_the_audience_is_left(channels, mixed):
    grouped, beliefs = made(channels, mixed(500))
    assert tornado(grouped, beliefs.certain(), Plan(**COSTS))["assumption"].tolist() == [AUDIENCE]


def test_with_an_unknown_cost_the_spans_are_known_still(channels, mixed):
    grouped, beliefs = made(channels, mixed(2_000))
    unknown, known = tornado(grouped, beliefs, Plan()), tornado(grouped, beliefs, Plan(**COSTS))
    assert unknown["profit_low_minor"].isna().all()
    assert unknown["span_minor"].tolist() == pytest.approx(known["span_minor"].tolist())


def test_the_middle_lies_within_the_forecast(channels, mixed):
    grouped, beliefs = made(channels, mixed(2_000))
    middle = at_the_median(grouped, beliefs, Plan(**COSTS))["profit_minor"][0]
    table = forecast(grouped, beliefs, Plan(**COSTS)).table()
    assert table.loc["profit_minor", "p25"] < middle < table.loc["profit_minor", "p75"]

"""Charts of forecasts: every band has its figures, losses are told from gains, unknown is left out."""

import numpy as np
import pandas as pd
import pytest

from ma.charts import forecast as charts
from ma.charts import forecast_record, theme

NAN = float("nan")
NASTY = "<b>A & B</b>"


def table():
    rows = {
        "treated": (100, 100, 100, 100, 100),
        "opened": (10, 15, 20, 26, 35),
        "converted": (0, 1, 2, 3, 5),
        "revenue_minor": (0, 100, 200, 300, 900),
    }
    return pd.DataFrame.from_dict(
        rows, orient="index", columns=["p10", "p25", "p50", "p75", "p90"], dtype=float
    )


def words(figure):
    return [
        text
        for trace in figure.data
        if trace.type == "scatter" and trace.mode == "text"
        for text in trace.text
    ]


def test_the_fan_draws_the_middle_and_both_bands_of_the_steps_a_channel_knows():
    figure = charts.fan(table())
    middle, wide, narrow = (trace for trace in figure.data if trace.type == "bar")
    assert list(middle.x) == [100, 20, 2]
    assert list(wide.base) == [100, 10, 0]
    assert list(wide.x) == [0, 25, 5]
    assert (list(narrow.base), list(narrow.x)) == ([100, 15, 1], [0, 11, 2])
    said = words(figure)
    assert "10 to 35" in said[1]
    assert " to " not in said[0]  # what is certain has no band
    assert figure.layout.xaxis.range[0] == 0


def test_losses_are_never_drawn_as_gains():
    rng = np.random.default_rng(1)
    draws = pd.Series(rng.normal(5_000, 20_000, 4_000))
    figure = charts.outcomes(draws, currency="USD")
    loss, gain = figure.data
    assert (max(loss.x), min(gain.x)) == pytest.approx((-min(gain.x), min(gain.x)))
    assert loss.marker.color == theme.BAD
    # What is not drawn are the rarest cases: everything else adds up.
    assert sum(loss.y) == pytest.approx((draws < 0).mean() - 0.005, abs=0.01)
    assert 0.95 < sum(loss.y) + sum(gain.y) <= 1


def test_an_amount_without_a_sign_is_neither_loss_nor_gain():
    figure = charts.outcomes(pd.Series([100.0, 200.0, 300.0]), currency="JPY", signed=False)
    assert [trace.marker.color for trace in figure.data] == [theme.BRAND]


@pytest.mark.parametrize("draws", [[500.0], [0.0, 0.0], [-100.0] * 3])
def test_profit_that_is_always_the_same_is_one_bar(draws):
    figure = charts.outcomes(pd.Series(draws), currency="USD")
    assert sum(y for trace in figure.data for y in trace.y) == pytest.approx(1)


def swings():
    return pd.DataFrame(
        {
            "assumption": ["converted", "order_value", "delivered"],
            "low": [0.05, 0.7, 0.9],
            "high": [0.1, 1.4, 0.99],
            "profit_low_minor": [-500.0, 900.0, 1_000.0],
            "profit_high_minor": [3_000.0, 1_500.0, 1_000.0],
            "revenue_low_minor": [500.0, 1_900.0, 2_000.0],
            "revenue_high_minor": [4_000.0, 2_500.0, 2_000.0],
            "span_minor": [3_500.0, 600.0, 0.0],
        }
    )


def test_the_tornado_goes_from_the_middle_to_both_ends_and_leaves_out_what_changes_nothing():
    figure = charts.tornado(swings(), middle=1_000.0, currency="USD")
    low, high = (trace for trace in figure.data if trace.type == "bar")
    assert list(low.base) if isinstance(low.base, tuple) else low.base == 10
    assert list(low.x) == [-15, -1]
    assert list(high.x) == [20, 5]
    assert len(words(figure)) == 2
    assert "5.0 % to 10.0 %" in words(figure)[0]
    assert "×0.7 to ×1.4" in words(figure)[1]
    blind = swings().assign(profit_low_minor=NAN, profit_high_minor=NAN)
    figure = charts.tornado(blind, middle=2_000.0, currency="USD", known=False)
    assert list(figure.data[0].x) == [-15, -1]


def test_differences_show_zero_and_keep_names_as_text():
    rows = pd.DataFrame(
        [{"name": NASTY, "p10": 100.0, "p25": 200.0, "p50": 300.0, "p75": 400.0, "p90": 500.0}]
    )
    figure = charts.differences(rows, currency="USD")
    assert figure.layout.xaxis.range[0] < 0 < figure.layout.xaxis.range[1]
    assert "&lt;b&gt;" in words(figure)[0]
    assert "+$3.00" in words(figure)[0]


def record():
    return pd.DataFrame(
        {
            "name": [NASTY, "Open", "Nobody"],
            "figure": "converted",
            "p10": [5.0, 5.0, 0.0],
            "p50": [10.0, 10.0, 0.0],
            "p90": [20.0, 20.0, 0.0],
            "actual": [25.0, 3.0, 0.0],
            "state": ["over", "open", "over"],
            "inside": pd.array([False, None, True], dtype="boolean"),
        }
    )


def test_the_record_marks_what_came_out_otherwise_and_what_is_open():
    bar, dots = [
        t for t in forecast_record.against(record(), currency="EUR").data if t.type in ("bar", "scatter")
    ][:2]
    assert list(bar.base) == [0.5, 0.5]
    assert list(dots.x) == [2.5, 0.3]
    assert list(dots.marker.symbol) == ["x", "circle-open"]
    assert "&lt;b&gt;" in dots.customdata[0][0]


def test_the_record_tells_money_in_the_currency_and_people_as_numbers():
    told = forecast_record.against(record(), currency="EUR").data[1].customdata[0]
    assert list(told[1:]) == ["25", "5", "20", "over"]
    money = record().assign(figure="revenue_minor", p10=5_000.0, p50=9_000.0, p90=12_000.0, actual=123_456.0)
    told = forecast_record.against(money, currency="EUR").data[1].customdata[0]
    assert list(told[1:]) == ["€1,234.56", "€50.00", "€120.00", "over"]


def test_coverage_has_its_interval_and_the_promise():
    frame = pd.DataFrame(
        [("all", 12, 0.75, 0.47, 0.91), ("converted", 12, 1.0, 0.76, 1.0)],
        columns=["figure", "campaigns", "inside", "low", "high"],
    )
    figure = forecast_record.coverage(frame, promised=0.8)
    assert list(figure.data[0].error_x.array) == pytest.approx([0.16, 0])
    assert list(figure.layout.yaxis.ticktext) == ["All figures together", "Converted"]
    assert figure.layout.shapes[0].x0 == 0.8

"""Pictures of a budget plan: bars and curve show the figures they are given, names stay text."""

import pandas as pd
import pytest

from ma.charts import budget_plan as charts

NASTY = "<b>x</b> " + "long name " * 10


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "campaign": ["Letter", NASTY],
            "channel": ["email", "sms"],
            "budget_minor": [15_000, 0],
            "share": [0.75, 0.0],
            "even_budget_minor": [10_000, 9_000],
        }
    )


@pytest.fixture
def curve():
    money = [0.0, 10_000.0, 20_000.0, 30_000.0]
    return pd.DataFrame(
        {
            "budget_minor": money,
            "spent_minor": [0.0, 10_000.0, 15_000.0, 15_000.0],
            "profit_minor": [0.0, 5_000.0, 7_000.0, 7_000.0],
        }
    )


def test_bars_are_the_money_of_both_splits(frame):
    figure = charts.split(frame, currency="USD")
    plan, even = (list(bar.x) for bar in figure.data if bar.type == "bar")
    assert plan == [150.0, 0.0]
    assert even == [100.0, 90.0]
    words = next(trace for trace in figure.data if trace.type == "scatter").text
    assert "<b>$150</b>" in words[0]
    assert "75 %" in words[0]
    assert "<b>x" not in words[1]
    assert len(words[1]) < 120
    assert figure.layout.xaxis.range[0] == 0


def test_the_curve_marks_the_budget_and_where_it_is_enough(curve):
    figure = charts.returns(
        curve, budget_minor=20_000, even_minor=-1_000.0, enough_minor=15_000, currency="USD"
    )
    line, plan, even = figure.data
    assert list(line.y) == [0.0, 50.0, 70.0, 70.0]
    assert (plan.x[0], plan.y[0]) == (200.0, 70.0)
    assert (even.x[0], even.y[0]) == (200.0, -10.0)
    assert figure.layout.yaxis.range[0] < -10.0
    assert [note.text for note in figure.layout.annotations] == ["$150 is enough"]
    assert figure.layout.shapes[0].x0 == 150.0


@pytest.mark.parametrize("enough", [0, 40_000])
def test_what_is_far_off_or_nothing_is_not_marked(curve, enough):
    figure = charts.returns(curve, budget_minor=20_000, even_minor=0.0, enough_minor=enough, currency="JPY")
    assert not figure.layout.shapes
    assert figure.data[0].x[-1] == 30_000.0

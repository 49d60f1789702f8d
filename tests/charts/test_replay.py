"""Charts of a replay say what the table says."""

import pandas as pd

from ma.charts import replay as charts
from ma.simulation.replay import FIGURES

NAN = float("nan")


def table(**rows):
    """A replay's table in which everything is alike but the rows given (base, changed, low, high)."""
    frame = pd.DataFrame(0.0, index=list(FIGURES), columns=["base", "changed", "difference", "low", "high"])
    for name, (base, changed, low, high) in rows.items():
        frame.loc[name] = [base, changed, changed - base, low, high]
    return frame


def words(figure):
    return [
        text
        for trace in figure.data
        if trace["type"] == "scatter" and trace.mode == "text"
        for text in trace.text
    ]


def test_both_funnels_stand_beside_each_other():
    known = table(
        sent=(100, 120, 15, 25), delivered=(90, 90, 0, 0), caused=(5, 9, 1, 7), converted=(8, 12, 1, 7)
    )
    figure = charts.funnels(known.drop("clicked"))
    was, would = figure.data[:2]
    assert list(was.x) == [100, 90, 0, 5]
    assert list(would.x) == [120, 90, 0, 9]
    assert was.opacity < would.opacity == 1
    assert "→ <b>120</b>" in words(figure)[0]
    assert "+20" in words(figure)[0]
    assert "→" not in words(figure)[1]
    assert figure.layout.xaxis.range[1] >= 120


def test_differences_have_their_intervals_and_zero():
    figure = charts.people(table(opened=(10, 40, 20, 40), unsubscribed=(3, 3, 0, 0)))
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    [dots] = [trace for trace in figure.data if trace.mode == "markers"]
    assert list(lines[1].x) == [20, 40]
    assert dots.x[1] == 30
    assert figure.layout.xaxis.range[0] < 0 < 40 < figure.layout.xaxis.range[1]
    assert words(figure)[1].endswith("+20 to +40")
    assert " to " not in words(figure)[4]


def test_amounts_are_in_major_units_and_unknown_ones_are_left_out():
    known = table(revenue_minor=(1_000, 6_000, 1_000, 9_000), profit_minor=(0, -2_000, -3_000, -1_000))
    figure = charts.money(known, currency="EUR")
    [dots] = [trace for trace in figure.data if trace.mode == "markers"]
    assert list(dots.x)[:3] == [50, 0, -20]
    assert "+€50.00" in words(figure)[0]
    assert "-€30.00 to -€10.00" in words(figure)[2]
    known.loc[["cost_minor", "profit_minor", "everybody_profit_minor"]] = NAN
    assert len(words(charts.money(known, currency="EUR"))) == 2
    yen = charts.money(table(revenue_minor=(0, 7, 7, 7)), currency="JPY")
    assert next(trace for trace in yen.data if trace.mode == "markers").x[0] == 7


def test_everything_alike_can_still_be_drawn():
    for figure in (charts.funnels(table()), charts.people(table()), charts.money(table(), currency="USD")):
        assert figure.layout.height > 100
        low, high = figure.layout.xaxis.range
        assert low < high

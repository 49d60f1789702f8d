"""Charts of cohorts: every cell where it belongs, unfinished ones apart, months to come empty."""

import numpy as np
import pandas as pd
import pytest

from ma.charts import cohorts as charts


def frame(cohorts=3):
    """Cohorts of January on, as of the month of the last one; the figures tell where they come from."""
    months = pd.date_range("2026-01-01", periods=cohorts, freq="MS")
    rows = [
        (cohort, month, j - i, 10 * (i + 1), i + j, 5 * (i + j), 100 * (i + 1), (i + j) / 10, 1000 * (j + 1))
        for i, cohort in enumerate(months)
        for j, month in enumerate(months)
        if j >= i
    ]
    columns = ["cohort", "month", "month_number", "cohort_customers", "customers", "orders", "revenue_minor"]
    columns += ["retention", "cumulative_revenue_per_customer_minor"]
    found = pd.DataFrame(rows, columns=columns)
    return found.assign(complete=found["month"] < months[-1])


def parts(figure):
    """The heat map, the hatched cells, and the words of all cells."""
    [cells] = [trace for trace in figure.data if trace.type == "heatmap"]
    [bars] = [trace for trace in figure.data if trace.type == "bar"]
    words = {
        (x, y): text
        for trace in figure.data
        if trace.type == "scatter"
        for x, y, text in zip(trace.x, trace.y, trace.text, strict=True)
    }
    return cells, bars, words


def test_whole_months_are_cells_the_unfinished_one_is_hatched_and_later_ones_are_empty():
    cells, bars, words = parts(charts.heat_map(frame(), measure="orders", currency="EUR"))
    assert np.array_equal(cells.z, [[0, 5, np.nan], [10, np.nan, np.nan], [np.nan] * 3], equal_nan=True)
    assert [(base + 0.47, y) for base, y in zip(bars.base, bars.y, strict=True)] == [(2, 0), (1, 1), (0, 2)]
    assert bars.marker.pattern.shape == "/"
    assert words == {(0, 0): "0", (1, 0): "5", (2, 0): "10", (0, 1): "10", (1, 1): "15", (0, 2): "20"}
    assert "5 orders" in cells.customdata[0][1]
    assert "1 of 10 customers bought" in cells.customdata[0][1]
    assert "The month is not over" in bars.customdata[0]
    # The scale ends with whole months: what is not known yet must not set it.
    assert (cells.zmin, cells.zmax) == (0, 10)


def test_retention_begins_with_the_month_after_and_is_in_percent():
    figure = charts.heat_map(frame(), measure="retention", currency="EUR")
    cells, _, words = parts(figure)
    assert list(cells.x) == [1, 2]
    assert words == {(1, 0): "10", (2, 0): "20", (1, 1): "30"}
    assert figure.layout.yaxis.ticktext[0].startswith("Jan 2026")
    assert len(figure.layout.yaxis.ticktext) == 3
    assert "10.0 % of the cohort bought" in cells.customdata[0][0]


@pytest.mark.parametrize("measure", ["revenue_minor", "cumulative_revenue_per_customer_minor"])
def test_money_is_in_whole_units_of_its_currency(measure):
    cells, _, words = parts(charts.heat_map(frame(), measure=measure, currency="EUR"))
    value = {"revenue_minor": "1", "cumulative_revenue_per_customer_minor": "10"}[measure]
    assert words[0, 0] == value
    assert "€" in cells.customdata[0][0]
    yen = parts(charts.heat_map(frame(), measure=measure, currency="JPY"))[2]
    assert yen[0, 0] == {"revenue_minor": "100", "cumulative_revenue_per_customer_minor": "1k"}[measure]


def test_losses_are_below_the_scale_of_nothing():
    lost = frame().assign(revenue_minor=-500)
    cells, _, words = parts(charts.heat_map(lost, measure="revenue_minor", currency="EUR"))
    assert cells.zmin == -5
    assert words[0, 0] == "-5"


def test_the_first_month_of_all_is_a_row_without_cells():
    for measure in ("retention", "customers"):
        cells, bars, _ = parts(charts.heat_map(frame(1), measure=measure, currency="EUR"))
        assert np.isnan(np.array(cells.z, dtype=float)).all()
        assert len(bars.y) == (measure == "customers")


def test_words_leave_when_there_is_no_room_for_them():
    assert not parts(charts.heat_map(frame(40), measure="customers", currency="EUR"))[2]


def test_the_average_course_says_of_how_many():
    curve = pd.DataFrame(
        {
            "month_number": [1, 2],
            "cohorts": [3, 1],
            "cohort_customers": [1_200, 400],
            "customers": [600, 100],
            "retention": [0.5, 0.25],
            "low": [0.47, 0.21],
            "high": [0.53, 0.29],
        }
    )
    figure = charts.curve(curve)
    high, low, line = figure.data
    assert list(line.y) == [0.5, 0.25]
    assert (list(low.y), list(high.y), low.fill) == ([0.47, 0.21], [0.53, 0.29], "tonexty")
    assert list(line.customdata[1]) == [
        "2 months later",
        "21.0 % to 29.0 %",
        "100 of 400 customers",
        "1 cohort",
    ]
    assert len(charts.curve(curve.iloc[:0]).data[2].y) == 0


def test_units_are_said():
    assert charts.unit_words("retention", "EUR") == "% of the cohort"
    assert charts.unit_words("orders", "EUR") == "number"
    assert charts.unit_words("revenue_minor", "SEK") == "in SEK"

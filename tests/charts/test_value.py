"""Charts of values and of the model behind them: every figure where it belongs, with its words."""

import numpy as np
import pandas as pd
import pytest

from ma.charts import theme, value, value_model


def bands():
    return pd.DataFrame(
        {
            "low_minor": [0.0, 10_000.0, 20_000.0],
            "high_minor": [10_000.0, 20_000.0, np.nan],
            "customers": [70, 20, 10],
            "share_of_customers": [0.7, 0.2, 0.1],
            "expected_value_minor": [100_000.0, 300_000.0, 600_000.0],
            "share_of_value": [0.1, 0.3, 0.6],
        }
    )


def grid():
    rows = [
        (r, f, 10 * r + f, (10 * r + f) / 825, 1_000 * f, 5_000.0 * r, 5_000.0 * r / (10 * r + f), 0.1 * f)
        for r in range(1, 6)
        for f in range(1, 6)
    ]
    columns = ["recency_score", "frequency_score", "customers", "share_of_customers", "spend_minor"]
    columns += ["expected_value_minor", "value_per_customer_minor", "churn_risk"]
    return pd.DataFrame(rows, columns=columns)


def test_each_band_has_its_share_of_customers_and_of_value():
    people, money = value.distribution(bands(), currency="EUR").data
    assert list(people.x) == [0.7, 0.2, 0.1]
    assert list(money.x) == [0.1, 0.3, 0.6]
    assert people.marker.color != money.marker.color
    assert list(money.text) == ["10 %", "30 %", "60 %"]
    assert "20 customers, 20.0 % of all" in money.customdata[1]
    assert "€3,000.00 expected, 30.0 % of all" in money.customdata[1]
    figure = value.distribution(bands(), currency="EUR")
    assert list(figure.layout.yaxis.ticktext) == ["€0–100", "€100–200", "€200 and more"]
    assert len(value.distribution(bands().iloc[:0], currency="EUR").data[0].x) == 0


def test_bands_are_named_in_whole_units():
    assert value.band_name(0, 1_000, "JPY") == "¥0–1k"
    assert value.band_name(500_000, np.nan, "USD") == "$5k and more"


def test_the_concentration_says_what_a_fifth_holds():
    shares = np.arange(101) / 100
    frame = pd.DataFrame(
        {
            "share_of_customers": shares,
            "customers": (1000 * shares).astype(int),
            "expected_value_minor": 10_000 * np.sqrt(shares),
            "share_of_value": np.sqrt(shares),
        }
    )
    alike, curve, point = value.concentration(frame, currency="EUR").data
    assert (list(alike.x), list(alike.y)) == ([0, 1], [0, 1])
    assert curve.y[25] == pytest.approx(0.5)
    assert list(curve.customdata[25]) == ["250", "€50.00"]
    assert point.text[0] == "<b>45 %</b> from 20 %"


def test_every_cell_of_the_grid_can_be_clicked_and_says_who_is_in_it():
    [cells] = value.rfm_grid(grid(), measure="customers", currency="EUR", chosen=(4, 2)).data
    assert len(cells.x) == 25
    where = {(data[0], data[1]): place for place, data in enumerate(cells.customdata)}
    assert len(where) == 25
    for (recency, frequency), place in where.items():
        assert cells.x[place] == recency
        assert cells.base[place] + cells.y[place] / 2 == pytest.approx(frequency)
    hover = cells.customdata[where[5, 3]][2]
    assert "53 customers" in hover
    assert "€250.00" in hover
    # The more customers the darker, and words stay readable.
    assert cells.marker.color[where[5, 5]] == theme.BRAND.upper()
    assert cells.textfont.color[where[5, 5]] == "#FFFFFF"
    assert cells.textfont.color[where[1, 1]] != "#FFFFFF"
    framed = [width > 0 for width in cells.marker.line.width]
    assert framed.index(True) == where[4, 2]
    assert sum(framed) == 1


def test_the_grid_leaves_cells_without_anybody_empty_and_knows_no_value_of_unfit_models():
    frame = grid()
    frame.loc[:4, "customers"] = 0
    unknown = ["expected_value_minor", "value_per_customer_minor", "churn_risk"]
    frame[unknown] = np.nan
    for measure in value.MEASURES:
        [cells] = value.rfm_grid(frame, measure=measure, currency="EUR").data
        assert set(cells.x) == {2, 3, 4, 5}
        assert "nan" not in " ".join([*cells.text, *(data[2] for data in cells.customdata)])
        assert "Per customer –" in cells.customdata[0][2]


def weeks(per_week=100.0, first=500.0):
    week = np.arange(53)
    revenue = first + per_week * week
    return pd.DataFrame(
        {"week": week, "orders": 1 + week / 10, "revenue_minor": revenue, "margin_minor": revenue}
    )


@pytest.mark.parametrize(("cost", "week"), [(500, 0), (501, 1), (1_000, 5), (5_700, 52), (5_701, None)])
def test_when_a_new_customer_has_paid_back(cost, week):
    assert value.payback_week(weeks(), cost) == week
    figure = value.payback(weeks(), cost_minor=cost, currency="EUR")
    assert [shape.y0 for shape in figure.layout.shapes] == [cost / 100]
    assert len(figure.data) == (1 if week is None else 2)
    if week is not None:
        assert list(figure.data[1].x) == [week]
        assert "Paid back in week" in figure.data[1].hovertemplate


def test_without_a_cost_there_is_no_line_to_reach():
    figure = value.payback(weeks(), cost_minor=None, currency="EUR")
    assert len(figure.data) == 1
    assert not figure.layout.shapes


def test_what_if_shows_differences_with_their_sign():
    frame = pd.DataFrame(
        {
            "change": ["As it is", "Fewer lost", "Larger orders", "Both"],
            "expected_orders": [10.0, 11.0, 10.0, 11.0],
            "expected_value_minor": [1_000_00.0, 1_100_00.0, 950_00.0, 1_045_00.0],
            "difference_minor": [0.0, 100_00.0, -50_00.0, 45_00.0],
            "difference_share": [0.0, 0.1, -0.05, 0.045],
        }
    )
    bars, words = value.what_if(frame, currency="EUR").data
    assert list(bars.x) == [100, -50, 45]
    assert [colour == theme.GOOD for colour in bars.marker.color] == [True, False, True]
    assert "<b>+€100</b>" in words.text[0]
    assert "(+10.0 %)" in words.text[0]
    assert "-€50" in words.text[1]
    low, high = value.what_if(frame, currency="EUR").layout.xaxis.range
    assert low < -50 < 100 < high


def test_tracking_marks_the_weeks_that_were_held_out():
    frame = pd.DataFrame(
        {
            "week": [1, 2, 3, 4],
            "actual": [0, 10, 20, 30],
            "expected": [1.0, 11.0, 22.0, 24.0],
            "held_out": [False, False, True, True],
        }
    )
    figure = value_model.tracking(frame)
    actual, expected = figure.data
    assert (actual.name, list(actual.y)) == ("Actual", [0, 10, 20, 30])
    assert (expected.name, list(expected.y)) == ("Expected", [1, 11, 22, 24])
    assert actual.line.dash != expected.line.dash
    assert {shape.x0 for shape in figure.layout.shapes} == {2.5}
    assert figure.layout.showlegend
    assert list(expected.customdata[3]) == ["30", "24", " (-20.0 %)", "held out"]
    assert not value_model.tracking(frame.assign(held_out=False)).layout.shapes


def test_customers_by_frequency_and_the_holdout_stand_beside_what_was_expected():
    frame = pd.DataFrame(
        {"frequency": ["0", "7+"], "customers": [40, 2], "actual": [0.5, 3.0], "expected": [0.4, 3.5]}
    )
    for drawn in (value_model.by_frequency, value_model.holdout):
        actual, expected = drawn(frame).data
        assert (list(actual.x), list(actual.y)) == (["0", "7+"], [0.5, 3.0])
        assert list(expected.y) == [0.4, 3.5]
        assert drawn(frame).layout.xaxis.type == "category"
    assert "40" in value_model.holdout(frame).data[0].customdata[0]


def test_calibration_stands_against_the_line_on_which_it_holds():
    frame = pd.DataFrame(
        {
            "low": [0.0, 0.5], "high": [0.5, 1.0], "predicted": [0.2, 0.8], "observed": [0.3, 0.7],
            "customers": [50, 40], "observed_low": [0.2, 0.55], "observed_high": [0.45, 0.8],
        }
    )  # fmt: skip
    line, points = value_model.churn_calibration(frame).data
    assert (list(line.x), list(line.y)) == ([0, 1], [0, 1])
    assert (list(points.x), list(points.y)) == ([0.2, 0.8], [0.3, 0.7])
    assert list(points.error_y.array) == pytest.approx([0.15, 0.1])
    assert list(points.error_y.arrayminus) == pytest.approx([0.1, 0.15])
    assert list(points.customdata[0]) == ["50", "20.0 % to 45.0 %"]

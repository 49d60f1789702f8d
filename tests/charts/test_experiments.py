"""Charts of experiments say what their frames say."""

import pandas as pd
import pytest

from ma.charts import experiments as charts
from ma.charts import theme

NAN = float("nan")


def differences(*rows, figure="converted"):
    usual = {"name": "Spring", "comparison": "B against A", "figure": figure, "people_a": 400.0,
             "people_b": 500.0, "value_a": 0.04, "value_b": 0.05, "difference": 0.01, "low": -0.004,
             "high": 0.024, "p_adjusted": 0.2, "over": True, "sample_ratio": "ok"}  # fmt: skip
    return pd.DataFrame([usual | row for row in rows])


def arms(*rows, figure="converted"):
    usual = {"label": "A", "figure": figure, "people": 400.0, "value": 0.04, "low": 0.02, "high": 0.06}
    return pd.DataFrame([usual | row for row in rows])


def dots(figure):
    [found] = [trace for trace in figure.data if trace.mode == "markers"]
    return found


def whiskers(figure):
    return [tuple(trace.x) for trace in figure.data if trace.mode == "lines" and not trace.line.dash]


def words(figure):
    [found] = [trace for trace in figure.data if trace.mode == "text"]
    return list(found.text)


def zero_line(figure):
    [found] = [trace for trace in figure.data if trace.mode == "lines" and trace.line.dash == "dot"]
    return [x for x in found.x if x is not None]


def test_a_difference_is_a_dot_with_whiskers_in_percentage_points_and_zero_is_a_line():
    figure = charts.differences(differences({}), currency="EUR")
    assert list(dots(figure).x) == pytest.approx([1.0])
    assert whiskers(figure) == [pytest.approx((-0.4, 2.4))]
    assert zero_line(figure) == [0.0, 0.0]
    assert "+1.0 pp" in words(figure)[0]
    assert "-0.40 pp to +2.4 pp" in words(figure)[0]
    assert "500 against 400 people" in dots(figure).hovertext[0]
    assert "5.0 % against 4.0 %" in dots(figure).hovertext[0]


def test_zero_stays_in_the_picture_when_all_is_on_one_side():
    for sign in (1, -1):
        ends = sorted([0.03 * sign, 0.07 * sign])
        row = {"difference": 0.05 * sign, "low": ends[0], "high": ends[1]}
        low, high = charts.differences(differences(row), currency="EUR").layout.xaxis.range
        assert low < 0 < high


def test_colour_mark_and_words_say_together_how_sure_it_is():
    clear = {"p_adjusted": 0.01, "low": 0.002}
    lost = {"p_adjusted": 0.01, "difference": -0.02, "low": -0.03, "high": -0.01}
    open_, wrong = clear | {"over": False}, clear | {"sample_ratio": "alarm"}
    marks = dots(charts.differences(differences(clear, lost, {}, open_, wrong), currency="EUR"))
    assert list(marks.marker.color) == [theme.GOOD, theme.BAD, theme.NEUTRAL, theme.NEUTRAL, theme.NEUTRAL]
    assert list(marks.marker.symbol) == ["circle", "circle", "circle-open", "circle-open", "x-thin-open"]
    said = ["Difference found", "Difference found", "No difference found", "Not over", "Not to be believed"]
    assert all(text in hover for text, hover in zip(said, marks.hovertext, strict=True))
    more = dots(charts.differences(differences(clear, figure="unsubscribed"), currency="EUR"))
    assert list(more.marker.color) == [theme.BAD]


def test_money_is_in_major_units():
    row = {"value_a": 120.0, "value_b": 370.0, "difference": 250.0, "low": -50.0, "high": 550.0}
    figure = charts.differences(differences(row, figure="revenue_minor"), currency="EUR")
    assert list(dots(figure).x) == [2.5]
    assert "+€2.50" in words(figure)[0]
    assert "-€0.50 to +€5.50" in words(figure)[0]
    assert "€3.70 against €1.20" in dots(figure).hovertext[0]
    yen = charts.differences(differences(row, figure="revenue_minor"), currency="JPY")
    assert list(dots(yen).x) == [250.0]


def test_arms_stand_with_their_rates_from_nought():
    figure = charts.arms(
        arms({}, {"label": "Held out", "value": 0.01, "low": 0.0, "high": 0.03}), currency="EUR"
    )
    assert list(dots(figure).x) == pytest.approx([4.0, 1.0])
    assert list(dots(figure).marker.color) == [theme.BRAND, theme.NEUTRAL]
    assert "A" in words(figure)[0]
    assert "4.0 %" in words(figure)[0]
    assert "400 people" in dots(figure).hovertext[0]
    assert figure.layout.xaxis.range[0] <= 0


def test_an_unknown_interval_is_said_and_drawn_as_no_whisker():
    row = {"value": 250.0, "low": NAN, "high": NAN}
    figure = charts.arms(arms(row, figure="revenue_minor"), currency="EUR")
    assert "how sure is unknown" in words(figure)[0]
    assert all(end != end for end in whiskers(figure)[0])
    low, high = figure.layout.xaxis.range
    assert low < high


def test_names_are_shown_as_they_are_and_long_ones_are_cut():
    nasty = {"name": "<b>x</b> & <img src=x>"}
    figure = charts.differences(differences(nasty, {"name": "n" * 90}), currency="EUR", names=True)
    assert "&lt;b&gt;x&lt;/b&gt; &amp; &lt;img" in words(figure)[0]
    assert words(figure)[1].startswith("n" * 29 + "…: B against A")
    assert "n" * 90 in dots(figure).hovertext[1]


def test_more_rows_are_given_more_room():
    heights = [charts.differences(differences(*[{}] * n), currency="EUR").layout.height for n in (1, 2, 9)]
    assert heights == sorted(set(heights))

"""Charts of the report: every length is the figure's, and stays on the track."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ma.charts.theme import percent
from ma.report.pictures import Mark, bars, estimates


def rects(picture):
    """(x, width) of the drawn bars in percent, without the grounds."""
    found = re.findall(r'<rect y="3" height="14" x="([\d.-]+)%" width="([\d.-]+)%"', picture)
    return [(float(x), float(width)) for x, width in found]


def test_bars_are_as_long_as_their_values_from_a_common_zero():
    picture = bars("Sent", [Mark("a", 100, "100"), Mark("b", 25, "25"), Mark("c", float("nan"), "–")])
    assert rects(picture) == [(0, 100), (0, 25)]
    assert "–" in picture


def test_a_loss_goes_to_the_left_of_zero():
    (left, right) = rects(bars("ROI", [Mark("a", -1, "-100 %"), Mark("b", 3, "+300 %")]))
    assert left == (0, 25)
    assert right == (25, 75)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_no_bar_leaves_the_track(values):
    picture = bars("x", [Mark(str(i), value, "") for i, value in enumerate(values)])
    found = rects(picture)
    assert len(found) == len(values)
    # The shortest bar is still seen: 0.3 of a hundred.
    assert all(x >= -1e-3 and x + width <= 100.31 for x, width in found)


def test_whiskers_span_the_interval_around_the_dot():
    picture = estimates("Rate", [Mark("a", 0.5, "50 %", low=0.25, high=0.75)], percent)
    (x1, x2), (cx,) = (
        [float(v) for v in re.search(r'x1="([\d.]+)%" x2="([\d.]+)%"', picture).groups()],
        [float(v) for v in re.findall(r'cx="([\d.]+)%"', picture)],
    )
    assert cx == pytest.approx((x1 + x2) / 2, abs=0.01)
    # From 0 to 0.75 lies on 2 to 98 of a hundred.
    assert (x1, x2) == pytest.approx((34, 98))
    assert re.findall(r">([\d.]+ %)</text>", picture) == ["0.0 %", "20.0 %", "40.0 %", "60.0 %"]


@given(st.floats(-1e6, 0), st.floats(0, 1e6))
def test_the_axis_has_round_values_with_zero_among_them(low, high):
    picture = estimates("x", [Mark("a", high, "", low=low, high=high)], lambda value: f"{value:g}")
    values = [float(v) for v in re.findall(r">([^<>]*)</text>", picture)]
    places = [float(v) for v in re.findall(r'<text x="([\d.]+)%"', picture)]
    assert len(values) == len(places) <= 6
    assert 0 in values
    assert all(2 - 1e-3 <= place <= 98 + 1e-3 for place in places)


def test_a_chart_can_be_heard():
    picture = bars("Sent", [Mark("<b>", 1, "1 person", "of one")])
    assert 'aria-label="&lt;b&gt;: of one"' in picture
    assert "<title>&lt;b&gt;: of one</title>" in picture

"""One customer's spending: the bars are the frame's numbers, names stay names."""

import pandas as pd

from ma.charts.customers import messages, spend_by_category, spend_by_month

MONTHS = pd.DataFrame(
    {
        "month": pd.to_datetime(["2026-01-01", "2026-02-01", "2026-03-01"]),
        "orders": [2, 0, 1],
        "spend_minor": [12345, 0, -500],
        "complete": [True, True, False],
    }
)


def test_months_are_bars_of_money_and_the_running_one_says_so():
    figure = spend_by_month(MONTHS, currency="EUR")
    [bars] = figure.data
    assert list(bars.y) == [123.45, 0.0, -5.0]
    assert list(bars.customdata[0]) == ["€123.45", "2 orders", "January 2026"]
    assert list(bars.customdata[2]) == ["-€5.00", "1 order", "March 2026, so far"]
    assert bars.marker.opacity[0] > bars.marker.opacity[2]
    assert figure.layout.yaxis.rangemode == "tozero"


def test_categories_are_sorted_and_the_rest_is_summed():
    frame = pd.DataFrame(
        {"category": ["a", "b", None, "d", "e"], "orders": 1, "spend_minor": [900, 500, 300, 200, -100]}
    )
    [bars] = spend_by_category(frame, currency="USD", most=3).data
    assert list(bars.y) == ["2 others", "Category not known", "b", "a"]
    assert list(bars.x) == [1.0, 3.0, 5.0, 9.0]
    assert sum(bars.x) == frame["spend_minor"].sum() / 100


def test_a_category_cannot_become_formatting():
    frame = pd.DataFrame({"category": ["<b>Wine</b>"], "orders": [1], "spend_minor": [100]})
    [bars] = spend_by_category(frame, currency="USD").data
    assert list(bars.y) == ["&lt;b&gt;Wine&lt;/b&gt;"]


def test_messages_leave_unknown_steps_out_and_say_of_how_many():
    frame = pd.DataFrame(
        {
            "step": ["sent", "delivered", "opened", "clicked", "converted"],
            "messages": pd.array([10, 2, 0, None, 3], dtype="Int64"),
            "of": pd.array([10, 2, 2, 0, 10], dtype="Int64"),
        }
    )
    [bars] = messages(frame).data
    # From the top down; a step that no campaign can tell is no bar of length 0.
    assert list(bars.y)[::-1] == ["Sent", "Delivered", "Opened", "Converted"]
    assert list(bars.x)[::-1] == [10, 2, 0, 3]
    assert list(bars.text)[::-1] == ["10", "2 of 2", "0 of 2", "3 of 10"]

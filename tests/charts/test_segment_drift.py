"""Charts of drift: a line for each figure that is known, names stay text."""

import numpy as np
import pandas as pd

from ma.charts import segment_drift as charts

ENDS = pd.to_datetime(["2026-01-31", "2026-02-28", "2026-03-31"])


def rows(measure, kind, values, differences=(np.nan,) * 3, label=None):
    return pd.DataFrame(
        {
            "month_end": ENDS,
            "measure": measure,
            "label": label or measure,
            "kind": kind,
            "value": values,
            "n": [10, 1_000, 1_200],
            "difference": differences,
        }
    )


FRAME = pd.concat(
    [
        rows("people", "count", [10, 1_000, 1_200]),
        rows("recorded", "count", [np.nan, 900, 1_100]),
        rows("age", "mean", [40, 41, 42], (np.nan, 0.0, 0.1), label="<b>Age</b>"),
        rows("spend", "mean", [np.nan] * 3),
        rows("age 18–24", "share", [0.1, 0.2, 0.3], (np.nan, 0.0, 0.2)),
    ],
    ignore_index=True,
)


def test_the_size_is_a_line_and_what_was_recorded_are_marks():
    line, marks = charts.sizes(FRAME).data
    assert list(line.y) == [10, 1_000, 1_200]
    assert list(marks.y) == [900, 1_100]
    assert marks.mode == "markers"


def test_only_means_that_are_known_have_a_line():
    figure = charts.course(FRAME)
    [line] = figure.data
    assert list(line.y) == [0, 0.1]
    assert line.name == "&lt;b&gt;Age&lt;/b&gt;"
    assert [tuple(words) for words in line.customdata] == [("Feb 2026", "1,000"), ("Mar 2026", "1,200")]
    # In the order of the calendar, also where the first line begins later.
    assert list(figure.layout.xaxis.categoryarray) == ["2026-01", "2026-02", "2026-03"]
    assert list(figure.layout.xaxis.ticktext) == ["Jan<br>2026", "Feb", "Mar"]
    assert list(line.x) == ["2026-02", "2026-03"]


def test_nothing_known_is_an_empty_chart():
    assert not charts.course(FRAME[FRAME["kind"] == "count"]).data

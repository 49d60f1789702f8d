"""Charts of segments: every bar has its number, names and rules stay text, nobody is an empty chart."""

import pandas as pd

from ma.charts import segments as charts

NASTY = "city is “<b>x</b>” " + "and so on " * 9


def effects(shares=(-60.0, -20.0)):
    return pd.DataFrame(
        {
            "depth": [0, 0, 1],
            "rule": [NASTY, "age is 3", "inside"],
            "own": [40, 50, 60],
            "after": pd.array([40, 20, None], dtype="Int64"),
            "step": pd.array([-60, -20, None], dtype="Int64"),
            "share": [*shares, float("nan")],
        }
    )


def bars(figure):
    return [trace for trace in figure.data if trace.type == "bar"]


def words(figure):
    return [
        text
        for trace in figure.data
        if trace.type == "scatter" and trace.mode == "text"
        for text in trace.text
    ]


def test_the_waterfall_goes_from_all_customers_to_the_audience():
    figure = charts.waterfall(effects(), everybody=100)
    solid, pale = bars(figure)
    assert list(solid.x) == [100, 40, 20]
    assert list(pale.x) == [0, 60, 20]
    said = " ".join(words(figure))
    assert "<b>20</b>  −20" in said
    assert "<b>x</b>" not in said
    lines = [line for text in words(figure) for line in text.split("<br>")]
    assert all(len(line) < 80 for line in lines)


def test_words_that_are_too_long_for_a_line_take_two_and_their_rows_grow():
    [_, rule, *_] = words(charts.waterfall(effects(), everybody=100))
    assert rule.count("<br>") == 1
    assert rule.endswith("…")
    short = effects().assign(rule="age is 3")
    for draw in (lambda frame: charts.waterfall(frame, everybody=100), charts.shares):
        assert draw(effects()).layout.height > draw(short).layout.height


def test_parts_that_add_people_begin_with_nobody():
    adds = effects((60.0, 20.0)).assign(after=pd.array([40, 60, None], dtype="Int64"))
    adds["step"] = pd.array([40, 20, None], dtype="Int64")
    before, solid = bars(charts.waterfall(adds, everybody=100, adds=True))
    assert list(before.x) == [0, 40]
    assert list(solid.x) == [40, 20]


def test_shares_are_of_the_whole_effect_the_most_on_top():
    [bar] = bars(charts.shares(effects((-20.0, -60.0))))
    assert list(bar.x) == [0.25, 0.75]
    assert list(bar.text) == ["25 %", "75 %"]
    [bar] = bars(charts.shares(effects((0.0, 0.0))))
    assert list(bar.text) == ["–", "–"]


def test_the_audience_lies_beside_everybody():
    frame = pd.DataFrame(
        {
            "band": ["<b>18-24</b>", "Unknown"],
            "people": [1, 3],
            "everybody": [5, 5],
            "share": [0.25, 0.75],
            "share_everybody": [0.5, 0.5],
        }
    )
    bar, marks, _ = charts.glance(frame).data
    assert list(bar.x) == [0.25, 0.75]
    assert list(marks.x) == [0.5, 0.5]
    assert bar.y[0] == "&lt;b&gt;18–24&lt;/b&gt;"
    nobody = frame.assign(people=0, share=float("nan"))
    assert "\xa0\xa0–" in words(charts.glance(nobody))


SIZES = pd.DataFrame({"segment_id": [3, 7], "segment": ["A", "<i>B</i>"], "people": [5, 1200]})


def test_an_overlap_has_a_bar_and_its_dots_for_each_combination():
    regions = pd.DataFrame(
        {
            "segment_ids": [(7,), (3, 7), (3,)],
            "segments": ["<i>B</i>", "A and <i>B</i>", "A"],
            "number": [1, 2, 1],
            "people": [1198, 3, 2],
            "share": [0.9, 0.07, 0.03],
        }
    )
    figure = charts.overlap(regions, SIZES)
    [bar] = bars(figure)
    assert list(bar.y) == [1198, 3, 2]
    assert bar.customdata[0][0] == "Only in &lt;i&gt;B&lt;/i&gt;"
    assert bar.customdata[1][0] == "A and &lt;i&gt;B&lt;/i&gt;"
    joined = figure.data[1]
    assert list(zip(joined.x, joined.y, strict=True)) == [
        (0, 0), (0, None), (1, 1), (1, 0), (1, None), (2, 1), (2, None),
    ]  # fmt: skip
    assert "<i>" not in "".join(figure.layout.yaxis2.ticktext)
    assert len(bars(charts.overlap(regions, SIZES, most=2))[0].x) == 2
    assert len(bars(charts.overlap(regions.head(0), SIZES))[0].x) == 0


def test_differences_leave_out_what_nobody_varies_in():
    frame = pd.DataFrame(
        {
            "label": ["Orders", "Orders", "Visits"],
            "segment_id": [3, 7, 3],
            "segment": ["A", "<i>B</i>", "A"],
            "difference": [0.5, -0.25, float("nan")],
            "low": [0.4, -0.5, float("nan")],
            "high": [0.7, 0.0, float("nan")],
        }
    )
    figure = charts.differences(frame)
    assert list(figure.layout.yaxis.ticktext) == ["Orders"]
    first, second = figure.data
    assert (list(first.x), list(second.x)) == ([0.5], [-0.25])
    assert list(first.error_x.array) == [0.7 - 0.5]
    assert list(second.error_x.arrayminus) == [0.25]
    assert second.name == "&lt;i&gt;B&lt;/i&gt;"
    assert first.marker.symbol != second.marker.symbol


def test_the_size_is_a_line_that_holds_until_the_next_refresh():
    frame = pd.DataFrame(
        {
            "as_of": pd.to_datetime(["2026-11-01", "2026-11-02"], utc=True),
            "size": [10, 12],
            "entered": [10, 3],
            "left": [0, 1],
        }
    )
    [line] = charts.size_history(frame).data
    assert list(line.y) == [10, 12]
    assert list(line.customdata[1]) == ["+3", "−1"]
    assert line.line.shape == "hv"

"""The chart of a breakdown: each group has its figure, unknown is said, open windows are seen."""

import pandas as pd
import pytest

from ma.charts.breakdown import MEASURES, MOST, Benchmark, breakdown
from ma.charts.funnel import funnel
from ma.charts.roi import revenue, roi

NAN = float("nan")


def frame():
    """Germany with an open window, France without, and people of whom nothing is known."""
    rows = pd.DataFrame(
        {
            "value": ["DE", "FR", ""],
            "label": ["Deutschland <b>", "France", "Unknown"],
            "sent": [200.0, 100.0, 50.0],
            "immature": [50.0, 0.0, 0.0],
            "immature_share": [0.25, 0.0, 0.0],
            "cost_minor": [1_000.0, 500.0, NAN],
            "revenue_minor": [3_000.0, 400.0, 100.0],
            "roi": [2.0, -0.2, NAN],
            "revenue_per_recipient_minor": [15.0, 4.0, 2.0],
        }
    )
    for rate in ("conversion_rate", "open_rate", "click_rate"):
        rows = rows.assign(
            **{rate: [0.05, 0.02, NAN], f"{rate}_low": [0.03, 0.01, NAN], f"{rate}_high": [0.08, 0.05, NAN],
               f"{rate}_base": [180.0, 90.0, 0.0]}
        )  # fmt: skip
    return rows


def said(figure):
    return [annotation.text for annotation in figure.layout.annotations]


@pytest.mark.parametrize("measure", MEASURES)
def test_each_row_can_be_chosen_by_its_value_and_says_its_figure(measure):
    figure = breakdown(frame(), measure=measure, currency="EUR")
    assert [data[0] for data in figure.data[0].customdata] == ["DE", "FR", ""]
    assert len(said(figure)) == 3
    assert "&lt;b&gt;" in said(figure)[0]
    assert "50 of them still inside" in figure.data[0].customdata[0][3]


def test_rates_are_dots_with_intervals_hollow_while_people_may_buy_yet():
    figure = breakdown(frame(), measure="conversion_rate", currency="EUR")
    *whiskers, dots = [trace for trace in figure.data if trace.type == "scatter"]
    assert [list(line.x) for line in whiskers] == [[0.03, 0.08], [0.01, 0.05]]
    assert list(dots.x) == [0.05, 0.02]
    assert list(dots.marker.symbol) == ["circle-open", "circle"]
    assert "5.0 % (3.0–8.0)</b> so far" in said(figure)[0]
    assert said(figure)[2].endswith("unknown")


def test_the_open_part_of_a_bar_is_hatched():
    figure = breakdown(frame(), measure="sent", currency="EUR")
    ripe, open_yet = figure.data[1], figure.data[2]
    assert [*ripe.x] == [150.0, 100.0, 50.0]
    assert [*open_yet.x] == [50.0, 0.0, 0.0]
    assert [*open_yet.base] == [150.0, 100.0, 50.0]
    assert open_yet.marker.pattern.shape == "/"


def test_an_unknown_return_has_no_bar_and_a_loss_lies_left_of_zero():
    figure = breakdown(frame(), measure="roi", currency="EUR", chosen="FR")
    bars = [a + b for a, b in zip(figure.data[1].x, figure.data[2].x, strict=True)]
    assert bars == [2.0, -0.2, 0.0]
    assert said(figure)[2].endswith("unknown")
    assert figure.layout.xaxis.range[0] < -0.2
    german, french, unknown = figure.data[1].marker.opacity
    assert german == unknown < french == 1.0


def test_published_rates_are_thin_lines_with_their_source():
    lines = {"DE": Benchmark(0.11, "Mailchimp <2019>")}
    figure = breakdown(frame(), measure="open_rate", currency="EUR", benchmarks=lines)
    line, mark = figure.data[-2:]
    assert [x for x in line.x if x is not None] == [0.11, 0.11]
    assert list(mark.customdata[0]) == ["11.00 %", "Mailchimp &lt;2019&gt;"]
    assert figure.layout.xaxis.range[1] > 0.11


def test_more_groups_than_can_be_told_apart_are_cut():
    many = pd.concat([frame()] * 20, ignore_index=True)
    assert len(breakdown(many, measure="sent", currency="EUR").data[0].y) == MOST
    assert len(breakdown(frame().head(0), measure="roi", currency="EUR").data[0].y) == 0


def test_the_funnel_hatches_who_is_still_inside_the_window_and_marks_what_is_published():
    steps = pd.DataFrame({"step": ["sent", "opened"], "people": [100, 40], "of_previous": [NAN, 0.4],
                          "of_first": [1.0, 0.4], "campaigns": 1})  # fmt: skip
    figure = funnel(steps, immature=30.0, benchmarks={"opened": Benchmark(15.7, "Mailchimp")})
    whole, inside, published = figure.data
    assert list(whole.x) == [100, 40]
    assert (list(inside.base), list(inside.x), list(inside.y)) == ([70.0], [30.0], ["Sent"])
    assert (list(published.x), list(published.y)) == ([15.7], ["Opened"])
    assert len(funnel(steps).data) == 1


@pytest.mark.parametrize("draw", [roi, revenue])
def test_campaigns_that_still_grow_are_hatched_and_a_bar_names_its_campaign(draw):
    campaigns = frame().assign(campaign_id=[7, 8, 9], name=["a", "b", "c"], channel="email")
    bar = draw(campaigns, currency="EUR", chosen=8).data[0]
    by_id = {data[-1]: place for place, data in enumerate(bar.customdata)}
    assert set(by_id) == ({7, 8} if draw is roi else {7, 8, 9})
    assert [bar.marker.pattern.shape[by_id[one]] for one in (7, 8)] == ["/", ""]
    assert [bar.marker.opacity[by_id[one]] for one in (7, 8)] == [0.35, 1.0]

"""Charts of results: every bar has its figure, names stay text, unknown is left out."""

import pandas as pd
import pytest

from ma.analytics.funnel import of_totals
from ma.charts import funnel, kpis, roi, segments, theme
from ma.charts.campaigns import eligibility

NAN = float("nan")
LONG = "A very long campaign name that goes on & on <b>and on</b>"


def campaigns():
    return pd.DataFrame(
        {
            "name": [LONG + " 1", LONG + " 2", "Unknown cost"],
            "channel": ["email", "sms", "direct_mail"],
            "sent": [100.0, 50.0, 10.0],
            "revenue_minor": [3000.0, 500.0, 900.0],
            "cost_minor": [1000.0, 1000.0, NAN],
            "roi": [2.0, -0.5, NAN],
        }
    )


def test_roi_has_a_bar_for_each_known_cost_and_none_for_an_unknown_one():
    figure = roi.roi(campaigns(), currency="EUR")
    bar = figure.data[0]
    assert list(bar.x) == [-0.5, 2.0]
    assert len(set(bar.y)) == 2
    assert bar.customdata[1][0] == "€10.00"
    assert "<b>" not in "".join(figure.layout.yaxis.ticktext)


def test_campaigns_whose_names_begin_alike_keep_a_bar_each():
    figure = roi.revenue(campaigns(), currency="JPY")
    assert list(figure.data[0].x) == [500, 900, 3000]
    assert len(set(figure.data[0].y)) == 3
    assert figure.data[0].customdata[2][1] == "¥3,000"


def totals():
    return pd.DataFrame(
        {
            "sent": [100.0],
            "delivered": [80.0],
            "opened": [40.0],
            "clicked": [10.0],
            "converted": [5.0],
            "organic": [3.0],
        }
    )


def test_funnel_draws_people_and_step_rates():
    bar = funnel.funnel(of_totals(totals())).data[0]
    assert list(bar.y) == ["Sent", "Delivered", "Opened", "Clicked", "Converted"]
    assert list(bar.x) == [100, 80, 40, 10, 2]
    assert bar.text[1].endswith("80.0 %")
    assert bar.text[4].endswith("20.0 %")


def test_funnel_by_channel_has_no_bar_for_what_a_channel_cannot_see():
    mail = of_totals(totals().assign(delivered=NAN, opened=NAN, clicked=NAN))
    figure = funnel.by_channel({"email": of_totals(totals()), "direct_mail": mail})
    assert [list(bar.y) for bar in figure.data] == [
        ["Delivered", "Opened", "Clicked", "Converted"],
        ["Converted"],
    ]
    assert figure.data[1].marker.color == theme.CHANNEL_COLOURS["direct_mail"]


def test_revenue_lies_over_the_period_before_it():
    days = pd.DataFrame(
        {
            "period": pd.to_datetime(["2026-03-01", "2026-03-02"]),
            "revenue_minor": [1000, 2000],
            "orders": [1, 2],
        }
    )
    figure = kpis.revenue(days, days.assign(revenue_minor=[500, 700]), currency="USD", by="day")
    assert [list(line.y) for line in figure.data] == [[5, 7], [10, 20]]
    assert list(figure.data[0].x) == list(figure.data[1].x)


def test_segments_of_unknown_rate_are_left_out():
    frame = pd.DataFrame(
        {"segment": ["A", "B"], "conversion_rate": [0.1, NAN], "sent": [10.0, 10.0], "campaigns": [1, 1]}
    )
    assert list(segments.performance(frame).data[0].y) == ["A"]


def test_eligibility_tells_who_fell_away():
    bar = eligibility([{"step": "audience", "people": 10}, {"step": "sent", "people": 7}]).data[0]
    assert list(bar.text) == ["<b>10</b>", "<b>7</b>  −3"]


@pytest.mark.parametrize(
    ("minor", "currency", "words"),
    [(1234567, "USD", "$12.3k"), (999, "EUR", "€9.99"), (120000, "JPY", "¥120k"), (NAN, "USD", "–")],
)
def test_money_on_cards_is_short_and_in_its_own_unit(minor, currency, words):
    assert theme.compact_money(minor, currency) == words


@pytest.mark.parametrize(
    "draw", [lambda f: roi.roi(f, currency="USD"), lambda f: roi.revenue(f, currency="USD")]
)
def test_no_campaigns_draw_an_empty_chart(draw):
    assert len(draw(campaigns().head(0)).data[0].x) == 0

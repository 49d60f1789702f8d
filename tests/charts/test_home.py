"""Home's pictures show the numbers of their frames, whatever names are in them."""

import pandas as pd
import pytest

from ma.charts import home as charts
from ma.charts import theme

NAN = float("nan")
MIX = pd.DataFrame(
    [
        ("email", 3, 800.0, 0.4, 30.0, 770.0, 30 / 770, 0.027, 0.055, 100_000.0, 0.25),
        ("sms", 1, 200.0, 0.1, 0.0, 0.0, NAN, NAN, NAN, NAN, NAN),
        ("direct_mail", 2, 1_000.0, 0.5, 90.0, 1_000.0, 0.09, 0.074, 0.109, 300_000.0, 0.75),
    ],
    columns=["channel", "campaigns", "sent", "sent_share", "converted", "reached", "conversion_rate", "low",
             "high", "revenue_minor", "revenue_share"],
)  # fmt: skip


@pytest.mark.parametrize(
    ("measure", "channels", "values", "words"),
    [
        ("sent", ["direct_mail", "email", "sms"], [1_000, 800, 200], "<b>1k</b>\xa0\xa050 %"),
        ("revenue_minor", ["direct_mail", "email"], [3_000, 1_000], "<b>€3k</b>\xa0\xa075 %"),
        ("conversion_rate", ["direct_mail", "email"], [0.09, 30 / 770], "<b>9.0 % (7.4–10.9)</b>"),
    ],
)
def test_channels_are_sorted_bars_from_zero_in_their_own_colours(measure, channels, values, words):
    figure = charts.channel_mix(MIX, measure=measure, currency="EUR")
    bars, texts = figure.data
    assert list(bars.x) == pytest.approx(values)
    assert list(bars.marker.color) == [theme.CHANNEL_COLOURS[one] for one in channels]
    assert figure.layout.xaxis.range[0] == 0
    assert figure.layout.xaxis.range[1] > max(values)
    assert texts.text[0] == f"Direct mail\xa0\xa0{words}"
    # The hover has the numbers and of how many.
    assert list(bars.customdata[0][1:]) == [
        "Sent 1,000 in 2 campaigns",
        "Attributed revenue €3,000.00",
        "90 of 1,000 converted, 9.00 % (7.40–10.90)",
    ]
    ends = bars.error_x.array
    assert (ends is not None) == (measure == "conversion_rate")
    if ends is not None:
        assert list(ends) == pytest.approx([0.019, 0.055 - 30 / 770])


def ranked(*rows):
    columns = ["campaign_id", "name", "channel", "sent", "converted", "revenue_minor", "cost_minor",
               "measure", "value", "low", "high"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


BEST = ranked(
    (7, "A <b>bold</b> name that goes on and on for ever", "email", 900.0, 40.0, 9e5, 1e5, "profit_minor",
     8e5, 5e5, 11e5),
    (3, "Second", "sms", 500.0, 20.0, 4e5, NAN, "profit_minor", 3e5, 1e5, 6e5),
)  # fmt: skip
WORST = ranked((9, "Loser", "push", 100.0, 0.0, 0.0, 5e4, "profit_minor", -5e4, -5e4, -1e4))


def test_campaigns_are_dots_with_their_intervals_the_best_above_the_worst():
    figure = charts.best_worst(BEST, WORST, currency="USD")
    dots = figure.data[0]
    assert list(dots.x) == [8_000, 3_000, -500]
    assert list(dots.y) == [0, 1, 2.7]
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]
    assert list(dots.error_x.array) == [3_000, 3_000, 400]
    assert list(dots.error_x.arrayminus) == [3_000, 2_000, 0]
    low, high = figure.layout.xaxis.range
    assert low < -500
    assert high > 11_000
    # The zero line, what is known of a campaign, and its id for a click.
    assert set(figure.data[1].x) == {0, None}
    assert [row[0] for row in dots.customdata] == [7, 3, 9]
    assert list(dots.customdata[1][1:]) == [
        "Second",
        "Profit $3,000.00 (95 %: $1,000.00 to $6,000.00)",
        "Revenue $4,000.00, cost –",
        "20 of 500 people converted",
    ]
    assert "<b>bold" not in dots.customdata[0][1]
    assert figure.layout.annotations[0].text.startswith("A &lt;b&gt;bold&lt;/b&gt; name that go")


def test_few_campaigns_are_all_best():
    figure = charts.best_worst(BEST.head(1), WORST.head(0), currency="USD")
    assert list(figure.data[0].y) == [0]
    assert len(figure.layout.annotations) == 1


@pytest.mark.parametrize(
    ("rate", "low", "high", "said"),
    [(0.0321, 0.029, 0.0352, "3.2 % (2.9–3.5)"), (0.0321, NAN, NAN, "3.2 %"), (NAN, NAN, NAN, "–")],
)
def test_a_rate_is_told_with_its_interval(rate, low, high, said):
    assert theme.percent_between(rate, low, high) == said

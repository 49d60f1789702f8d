"""Channels and the intervals of the key figures, by hand, and against the figures beside them."""

from datetime import date
from math import isnan, sqrt

import pytest

from ma.analytics.channel_mix import channel_mix
from ma.analytics.kpi_intervals import with_intervals
from ma.analytics.kpis import kpis
from ma.analytics.results import totals
from tests.analytics.result_days import NOW, launched, place

START, END = date(2026, 5, 1), date(2026, 6, 16)


def wilson(count, people):
    """Wilson (1927), as Brown, Cai and DasGupta (2001) write it."""
    z = 1.959963984540054
    rate = count / people
    middle = (rate + z * z / (2 * people)) / (1 + z * z / people)
    half = z / (1 + z * z / people) * sqrt(rate * (1 - rate) / people + z * z / (4 * people * people))
    return middle - half, middle + half


@pytest.fixture
def world(database):
    with database.writing() as session:
        place(session)
        launched(session, 1, (0, {"sent": 500, "delivered": 480, "opened": 120, "converted": 24,
                                  "revenue_minor": 90_000}), age_days=40)  # fmt: skip
        launched(session, 2, (0, {"sent": 300, "delivered": 290, "opened": 60, "converted": 6,
                                  "revenue_minor": 10_000}), age_days=20)  # fmt: skip
        launched(session, 3, (0, {"sent": 1_000, "converted": 90, "revenue_minor": 50_000}),
                 age_days=10, channel="direct_mail", steps="sent,converted")  # fmt: skip
        launched(session, 4, (0, {"sent": 9_999, "delivered": 9_999}), age_days=90, channel="push")
    return database


def test_each_channel_pools_its_campaigns_of_the_period(world):
    with world.reading() as session:
        frame = channel_mix(session, as_of=NOW, start=START, end=END)
        launched_then = totals(session, as_of=NOW, start=START, end=END)
    assert frame["channel"].tolist() == ["direct_mail", "email"]
    mail, email = frame.iloc[0], frame.iloc[1]
    assert (email["campaigns"], email["sent"], email["converted"], email["reached"]) == (2, 800, 30, 770)
    assert email["conversion_rate"] == pytest.approx(30 / 770)
    assert email[["low", "high"]].tolist() == pytest.approx(list(wilson(30, 770)))
    # Of direct mail nobody knows what was delivered.
    assert mail["conversion_rate"] == pytest.approx(90 / 1_000)
    assert frame["sent_share"].tolist() == pytest.approx([1_000 / 1_800, 800 / 1_800])
    assert frame["revenue_share"].tolist() == pytest.approx([1 / 3, 2 / 3])
    for column in ("sent", "revenue_minor"):
        assert frame[column].sum() == launched_then[column].sum()


def test_channels_together_have_the_conversion_rate_of_the_key_figures(world):
    with world.reading() as session:
        frame = channel_mix(session, as_of=NOW, start=START, end=END)
        figures = kpis(session, as_of=NOW, start=START, end=END).set_index("kpi")
    assert frame["converted"].sum() / frame["reached"].sum() == pytest.approx(
        figures.loc["conversion_rate", "value"]
    )


def test_rates_have_wilsons_interval_and_other_figures_have_none(world):
    with world.reading() as session:
        frame = with_intervals(kpis(session, as_of=NOW, start=START, end=END)).set_index("kpi")
    assert frame.loc["open_rate", ["low", "high"]].tolist() == pytest.approx(list(wilson(180, 770)))
    assert frame.loc["conversion_rate", ["low", "high"]].tolist() == pytest.approx(list(wilson(120, 1_770)))
    others = frame.drop(index=["open_rate", "click_rate", "conversion_rate"])
    assert others[["low", "high"]].isna().all(axis=None)


def test_nothing_launched_is_no_channel_and_no_interval(database):
    with database.writing() as session:
        place(session)
    with database.reading() as session:
        assert channel_mix(session, as_of=NOW).empty
        frame = with_intervals(kpis(session, as_of=NOW, start=START, end=END))
    assert all(isnan(low) for low in frame["low"])

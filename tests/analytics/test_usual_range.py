"""The usual range: how often it raises a false alarm, what it finds, and which days it compares."""

from datetime import UTC, datetime, timedelta
from math import sin

import numpy as np
import pandas as pd
import pytest

from ma.analytics import usual_range as usual
from ma.analytics.rates import add_rates
from ma.models import Purchase, Workspace

# A Wednesday; in New York it is Tuesday the 10th until 05:00 UTC.
NOW = datetime(2026, 3, 11, 14, tzinfo=UTC)


def test_the_range_of_a_hand_calculation():
    # Scale 2√(n + ⅜): medians of 12 equal counts are that count, the spread is 1, that of chance.
    found = usual.of_counts([100] * 12)
    root = 2 * 100.375**0.5
    assert found.middle == pytest.approx(100)
    assert found.low == pytest.approx(((root - 4.5) / 2) ** 2 - 0.375)
    assert found.high == pytest.approx(((root + 4.5) / 2) ** 2 - 0.375)
    # Amounts of about 50 each are as many pieces.
    assert usual.of_counts([5000] * 12, each=50).high == pytest.approx(found.high * 50)
    # Rates: 2·arcsin√0.25 = π ÷ 3; of 400 people chance alone has a spread of 1 ÷ 20.
    rate = usual.of_rates([0.25] * 9, people=400)
    assert rate.middle == pytest.approx(0.25)
    assert rate.high == pytest.approx(sin((np.pi / 3 + 4.5 / 20) / 2) ** 2)


def test_a_single_odd_day_of_the_past_moves_nothing():
    calm = [100, 96, 108, 103, 94, 99, 101, 105, 98, 97, 102, 100]
    odd = [*calm[:-1], 4_000]
    assert usual.of_counts(odd).high < 1.05 * usual.of_counts(calm).high
    assert usual.of_counts(odd).side(300) == "above"
    assert usual.of_counts(calm).side(100) == usual.of_counts(calm).side(float("nan")) == ""


def alarms(draw, days=3_000):
    """The share of days, each drawn like the 12 before it, on which there is an alarm."""
    rng = np.random.default_rng(7)
    raised = [
        usual.of_counts(day[1:]).side(day[0]) != ""
        for day in draw(rng, (days, usual.WEEKS + 1)).astype(float)
    ]
    return float(np.mean(raised))


def overdispersed(mean, shape):
    return lambda rng, size: rng.poisson(rng.gamma(shape, mean / shape, size))


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, size: rng.poisson(0.7, size),
        lambda rng, size: rng.poisson(40, size),
        overdispersed(20, 20),
        overdispersed(300, 30),
        overdispersed(5_000, 60),
        # Amounts: so many orders of a mean of 1, with gamma amounts of variance 1.5.
        lambda rng, size: rng.gamma(np.maximum(rng.poisson(80, size), 1) / 1.5, 1.5),
    ],
    ids=["rare", "chance alone", "small shop", "usual shop", "large shop", "amounts"],
)
def test_fewer_than_one_day_in_eighty_raises_a_false_alarm(draw):
    # The aim is 1 in 100; 3,000 days tell that from 1 in 80 apart with a margin of 1.5 standard errors.
    assert alarms(draw) < 1 / 80


def test_three_spreads_would_not_do(monkeypatch):
    monkeypatch.setattr(usual, "SPREADS", 3.0)
    assert alarms(overdispersed(300, 30)) > 0.03


@pytest.mark.parametrize(("share", "found"), [(0.0, 0.999), (0.3, 0.5)])
def test_a_day_on_which_most_is_missing_is_found(share, found):
    rng, draw = np.random.default_rng(3), overdispersed(300, 30)
    days = draw(rng, (500, usual.WEEKS + 1)).astype(float)
    low = [usual.of_counts(day[1:]).side(round(day[0] * share)) == "below" for day in days]
    assert np.mean(low) >= found


def sold(session, day, *amounts, hour=16):
    """Orders at an hour (UTC) of so many days before NOW's day."""
    at = NOW.replace(hour=hour) - timedelta(days=day)
    session.add_all(
        Purchase(kind="refund" if amount < 0 else "sale", at=at, amount_minor=amount) for amount in amounts
    )


@pytest.fixture
def shop(database):
    with database.writing() as session:
        session.add(Workspace(id=1, name="Shop", timezone="America/New_York", currency="USD", created_at=NOW))
    return database


def test_yesterday_is_compared_with_that_weekday_of_twelve_weeks(shop):
    with shop.writing() as session:
        for week in range(1, 15):
            sold(session, 1 + 7 * week, *[1000] * 20)
            # Other weekdays are busier: they do not count.
            sold(session, 3 + 7 * week, *[1000] * 90)
        # Yesterday in New York, early and late; 04:30 UTC today is still yesterday there, today is not over.
        sold(session, 1, *[1000] * 55, -500)
        sold(session, 0, 1000, hour=3)
        sold(session, 0, *[1000] * 7, hour=14)
    with shop.reading() as session:
        frame = usual.usual_range(session, as_of=NOW).set_index("figure")
    assert frame.loc["orders", "value"] == 56
    assert frame.loc["revenue", "value"] == 55_500
    assert frame["compared"].tolist() == [12, 12]
    assert frame.loc["orders", "usual"] == pytest.approx(20)
    assert frame.loc["revenue", ["usual", "high"]].tolist() == pytest.approx(
        [20_000, frame.loc["orders", "high"] * 1000]
    )
    assert frame["unusual"].tolist() == ["above", "above"]
    assert frame["day"].astype(str).tolist() == ["2026-03-10"] * 2


def test_a_young_shop_has_no_usual_day_yet(shop):
    with shop.reading() as session:
        assert usual.usual_range(session, as_of=NOW)["unusual"].tolist() == ["", ""]
    with shop.writing() as session:
        for week in range(1, 8):
            sold(session, 1 + 7 * week, *[1000] * 20)
    with shop.reading() as session:
        frame = usual.usual_range(session, as_of=NOW)
    assert frame["compared"].tolist() == [7, 7]
    assert frame[["low", "usual", "high"]].isna().all(axis=None)
    with shop.writing() as session:
        sold(session, 1 + 7 * 8, *[1000] * 20)
    with shop.reading() as session:
        assert usual.usual_range(session, as_of=NOW)["unusual"].tolist() == ["below", "below"]


def campaigns(rates, *, channel="email", people=2_000.0, age_days=10, first=1):
    """Campaigns of one channel, the newest first, a week apart, with these open rates."""
    frame = add_rates(
        pd.DataFrame({"opened": [rate * people for rate in rates]}).assign(
            delivered=people, sent=people, bounced=0.0, clicked=float("nan"), converted=0.0, unsubscribed=0.0
        )
    )
    ages = [timedelta(days=age_days + 7 * i) for i in range(len(rates))]
    return frame.assign(
        campaign_id=range(first, first + len(rates)),
        name=[f"C{i}" for i in range(len(rates))],
        channel=channel,
        launched_at=pd.to_datetime([NOW - age for age in ages], utc=True),
    )


PAST = [0.30, 0.28, 0.33, 0.31, 0.29, 0.30, 0.32, 0.27, 0.31, 0.30]


@pytest.mark.parametrize(("rate", "side"), [(0.12, "below"), (0.31, ""), (0.55, "above")])
def test_a_new_campaign_is_compared_with_those_of_its_channel(rate, side):
    # Those before it are over 21 days old; another channel opens less and counts for nothing.
    mine = campaigns([rate], age_days=10)
    before = campaigns(PAST, age_days=30, first=50)
    others = campaigns([0.02] * 9, channel="push", age_days=30, first=90)
    frame = usual.of_campaigns(pd.concat([mine, before, others], ignore_index=True), as_of=NOW)
    assert frame[["campaign_id", "figure", "compared"]].to_numpy().tolist() == [[1, "open_rate", 10]]
    assert frame["unusual"].tolist() == [side]


def test_too_few_or_too_young_campaigns_are_not_compared():
    before = campaigns(PAST[:7], age_days=30, first=50)
    few = pd.concat([campaigns([0.01]), before], ignore_index=True)
    assert usual.of_campaigns(few, as_of=NOW).empty
    young = pd.concat([campaigns([0.01], age_days=2), campaigns(PAST, age_days=30, first=50)])
    assert usual.of_campaigns(young, as_of=NOW).empty

"""The record of past forecasts: what is judged, what is not, and how often the 80 % interval held."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from ma.analytics import calibration
from ma.analytics.calibration import coverage, forecast_record, of_record, wilson
from ma.models import Campaign
from ma.services import campaigns, launches
from ma.services.due import catch_up
from ma.types import SYSTEM, Channel
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, days, draft, outcomes

COSTS = {"cost_per_thousand_minor": 10_000, "fixed_cost_minor": 500}


@pytest.fixture
def session(database):
    with database.writing() as session:
        world.build(session, 600)
        yield session


def launched(session, name, *, figures, at=NOW, **values):
    campaign_id = draft(session, name=name, **COSTS | values)
    launches.launch_campaign(session, SYSTEM, campaign_id, at=at, seed=3)
    stored = {
        "figures": {
            name: dict(zip(("p10", "p50", "p90"), three, strict=True)) for name, three in figures.items()
        }
    }
    session.execute(update(Campaign).where(Campaign.id == campaign_id).values(forecast=stored))
    return campaign_id


def record(session, at):
    return forecast_record(session, as_of=at).set_index(["campaign_id", "figure"])


def test_what_happened_stands_beside_what_was_forecast(session):
    figures = {"treated": (600, 600, 600), "clicked": (0, 5, 9), "converted": (0, 300, 600),
               "cost_minor": (6_500, 6_500, 6_500), "profit_minor": (None, None, None)}  # fmt: skip
    mine = launched(session, "One", figures=figures)
    frame = outcomes(session, mine)
    found = record(session, NOW + days(9))
    assert found.loc[(mine, "treated"), "actual"] == 600
    assert found.loc[(mine, "clicked"), "actual"] == frame["clicked_at"].notna().sum() > 9
    assert found.loc[(mine, "converted"), "actual"] == frame["converted_at"].notna().sum()
    assert found.loc[(mine, "cost_minor"), "actual"] == 6_500
    assert set(found["state"]) == {"over"}
    inside = found["inside"].droplevel(0)
    assert not inside["clicked"]
    assert inside["converted"]
    # The launch itself settles how many people it goes to and what it costs: that is no forecast.
    assert inside[["treated", "cost_minor", "profit_minor"]].isna().all()


def test_nothing_is_judged_before_the_last_window_is_over(session):
    mine = launched(session, "Waves", figures={"converted": (0, 1, 600)}, waves=2, conversion_window_days=3)
    assert record(session, NOW + days(1))["state"].tolist() == ["open"]
    catch_up(session, at=NOW + days(1))
    # Sent on the second day; that day is over at midnight, and three days later the window.
    assert record(session, NOW + days(4))["state"].tolist() == ["open"]
    assert record(session, NOW + days(4))["inside"].isna().all()
    assert record(session, NOW + days(5))["inside"].tolist() == [True]
    assert record(session, NOW + days(5)).index.get_level_values(0).tolist() == [mine]


def test_a_campaign_whose_waves_were_dropped_is_not_judged(session):
    mine = launched(session, "Cut", figures={"converted": (0, 1, 600)}, waves=3)
    campaigns.complete_campaign(session, SYSTEM, mine, at=NOW)
    found = record(session, NOW + days(60))
    assert found["state"].tolist() == ["cut short"]
    assert found["inside"].isna().all()


def test_unknown_steps_and_campaigns_without_a_forecast_are_left_out(session):
    bare = draft(session, "Bare")
    launches.launch_campaign(session, SYSTEM, bare, at=NOW, seed=1)
    session.execute(update(Campaign).where(Campaign.id == bare).values(forecast=None))
    assert forecast_record(session, as_of=NOW + days(60)).empty
    assert coverage(session, as_of=NOW + days(60)).empty
    mine = launched(session, "Post", figures={"converted": (0, 1, 600)}, channel=Channel.DIRECT_MAIL)
    assert record(session, NOW + days(120)).index.tolist() == [(mine, "converted")]
    assert record(session, NOW - days(1)).empty
    one = forecast_record(session, as_of=NOW + days(120), campaign_id=mine)
    assert one["campaign_id"].tolist() == [mine]
    assert forecast_record(session, as_of=NOW + days(120), campaign_id=mine - 1).empty


def test_coverage_counts_campaigns_and_keeps_sources_apart(session):
    for number in range(12):
        wide = (0, 1, 600) if number < 9 else (599, 599, 600)
        launched(
            session, f"N{number}", figures={"clicked": wide, "converted": wide}, at=NOW + days(8 * number)
        )
    found = coverage(session, as_of=NOW + days(200)).set_index(["source", "figure"])
    assert set(found.index) == {("simulated", "all"), ("simulated", "clicked"), ("simulated", "converted")}
    row = found.loc[("simulated", "all")]
    assert (row["campaigns"], row["inside"], bool(row["enough"])) == (12, 0.75, True)
    # 24 figures, but 12 campaigns: the interval is that of 9 of 12.
    assert (row["low"], row["high"]) == pytest.approx((0.4677, 0.9111), abs=1e-4)
    early = coverage(session, as_of=NOW + days(30)).set_index("figure")
    assert not early.loc["all", "enough"]
    frame = forecast_record(session, as_of=NOW + days(200))
    apart = of_record(
        frame.assign(source=["imported" if i % 2 else "simulated" for i in frame["campaign_id"]])
    )
    assert apart[apart["figure"] == calibration.ALL]["campaigns"].tolist() == [6, 6]


# Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 1998, table I.
@pytest.mark.parametrize(
    ("count", "people", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(count, people, low, high):
    assert wilson(count / people, people) == pytest.approx((low, high), abs=6e-5)


@given(st.floats(0, 1), st.integers(1, 10_000))
def test_wilson_holds_the_share_and_stays_within_0_and_1(share, people):
    low, high = wilson(share, people)
    assert -1e-12 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1 + 1e-12

"""Forecasts of drafts: for the people a launch would reach, from what is known, and kept with the launch."""

import json

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import update

from ma.models import Customer
from ma.services import campaign_imports, campaigns, forecasts, launches
from ma.services.audience import eligible, members
from ma.services.sample_sizes import comparisons
from ma.services.segments import create_segment, refresh_segment
from ma.simulation.beliefs import Beliefs
from ma.simulation.forecast import compare
from ma.types import SYSTEM, Channel
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, days, draft

VARIANTS = [{"share": 0.4, "subject": "B", "body": "b", "effects": {"clicked": 0.5}}]
COSTS = {"cost_per_thousand_minor": 10_000, "fixed_cost_minor": 500}


@pytest.fixture
def session(database):
    with database.writing() as session:
        world.build(session, 1_200)
        refresh_segment(session, SYSTEM, world.SEGMENT, at=NOW)
        yield session


def forecast(session, campaign_id, *, at=NOW):
    return forecasts.forecast_draft(session, campaigns.stored(session, campaign_id), at=at)


def sources(session, channel, *, at=NOW):
    frame = forecasts.assumptions(forecasts.beliefs(session, channel, at=at))
    return dict(zip(frame["assumption"], frame["source"], strict=True))


def test_without_campaigns_everything_is_a_benchmark_or_an_assumption(session):
    found = sources(session, Channel.EMAIL)
    assert found["opened"] == "benchmark"
    assert found["order_value"] == found["organic"] == "assumption"
    assert set(found.values()) == {"benchmark", "assumption"}
    assert sources(session, Channel.PUSH)["converted"] == "assumption"
    frame = forecasts.assumptions(forecasts.beliefs(session, Channel.EMAIL, at=NOW)).set_index("assumption")
    assert frame.loc["opened", "typical"] == pytest.approx(0.1568)
    assert frame.loc["opened", "publisher"] == "Mailchimp 2019-10"
    assert (frame["low"] < frame["typical"]).all()
    assert (frame["typical"] < frame["high"]).all()


def test_real_campaigns_teach_what_they_know_and_simulated_ones_the_rest(session):
    launches.launch_campaign(session, SYSTEM, draft(session, "Old", channel=Channel.EMAIL), at=NOW, seed=1)
    later = NOW + days(30)
    assert sources(session, Channel.EMAIL, at=NOW + days(6))["opened"] == "benchmark"
    found = sources(session, Channel.EMAIL, at=later)
    assert found["opened"] == found["order_value"] == "simulated history"
    assert found["organic"] == "assumption"
    people = np.arange(1, 1_001)
    sent = pd.Timestamp(NOW)
    opened = pd.to_datetime(pd.Series(np.where(people <= 600, sent + days(1), pd.NaT)), utc=True)
    campaign_imports.import_campaign(
        session, SYSTEM, name="Real", channel=Channel.EMAIL, started_at=NOW, ended_at=NOW + days(6), at=later,
        outcomes=pd.DataFrame(
            {"customer_id": people, "sent_at": sent, "delivered_at": sent, "opened_at": opened}
        ),
    )  # fmt: skip
    found = sources(session, Channel.EMAIL, at=later)
    assert found["opened"] == found["delivered"] == "history"
    assert found["clicked"] == "simulated history"
    learnt = forecasts.assumptions(forecasts.beliefs(session, Channel.EMAIL, at=later)).set_index(
        "assumption"
    )
    # One campaign in which 60 % opened pulls the benchmark of 16 % far, but not all the way.
    assert 0.3 < learnt.loc["opened", "typical"] < 0.6
    assert (learnt.loc["opened", "campaigns"], learnt.loc["opened", "people"]) == (1, 1_000)


def test_the_forecast_is_for_the_people_whom_a_launch_now_would_reach(session):
    session.execute(update(Customer).where(Customer.id % 4 == 0).values(consent_sms=False))
    rule = {"field": "engagement", "operator": "lt", "value": 20}
    low = create_segment(session, SYSTEM, name="Low", rule=rule, at=NOW)
    refresh_segment(session, SYSTEM, low, at=NOW)
    mine = draft(session, excluded=[low], holdout_share=0.2, **COSTS)
    before = forecast(session, mine)
    steps = {step.step: step.people for step in before.basis.waterfall}
    launched = launches.launch_campaign(session, SYSTEM, mine, at=NOW, seed=3)
    happened = {step["step"]: step["people"] for step in launched.eligibility}
    assert {name: happened[name] for name in steps} == steps
    assert before.basis.people == launched.sent + launched.holdout
    treated = before.forecast.table().loc["treated"]
    assert treated["p10"] < 0.8 * before.basis.people < treated["p90"]
    assert before.basis.blocked is None


def test_a_budget_limits_the_people_and_an_unknown_cost_stays_unknown(session):
    table = forecast(session, draft(session, "Poor", budget_minor=3_500, **COSTS)).forecast.table()
    assert set(table.loc["treated"]) == {300.0}
    assert set(table.loc["cost_minor"]) == {3_500.0}
    unknown = forecast(session, draft(session, "Unknown")).forecast
    assert unknown.table().loc[["cost_minor", "profit_minor", "roi"]].isna().all().all()
    assert np.isnan(unknown.chance_of_loss)
    assert unknown.table().loc["revenue_minor", "p50"] > 0


def test_nobody_to_send_it_to_is_told_and_does_not_break_the_forecast(session):
    session.execute(update(Customer).values(consent_sms=False))
    found = forecast(session, draft(session, **COSTS))
    assert "agreed" in found.basis.blocked
    assert found.basis.people == 0
    table = found.forecast.table()
    assert set(table.loc["converted"]) == {0.0}
    assert comparisons(found.forecast, 0)["power"].isna().all()


def test_scenarios_share_their_luck_with_the_plan(session):
    campaign = campaigns.stored(session, draft(session, **COSTS))
    ground = forecasts.basis(session, campaign, at=NOW)
    planned, again = (forecasts.of_plan(ground, forecasts.plan(campaign)) for _ in range(2))
    assert all(
        np.array_equal(planned.figures[name], again.figures[name], equal_nan=True) for name in planned.figures
    )
    dearer = forecasts.of_plan(ground, forecasts.plan(campaign | {"fixed_cost_minor": 1_500}))
    assert np.allclose(planned.figures["profit_minor"] - dearer.figures["profit_minor"], 1_000)


def test_what_matters_most_is_told_with_its_source(session):
    campaign = campaigns.stored(session, draft(session, **COSTS))
    ground = forecasts.basis(session, campaign, at=NOW)
    frame, middle = forecasts.swings(ground, forecasts.plan(campaign))
    assert frame["span_minor"].is_monotonic_decreasing
    assert frame.set_index("assumption").loc["organic", "source"] == "assumption"
    row = frame.set_index("assumption").loc["converted"]
    assert row["profit_low_minor"] < middle["profit_minor"] < row["profit_high_minor"]


def test_the_forecast_of_a_launch_is_frozen_with_it_and_teaches_what_its_audience_was_like(session):
    mine = draft(session, channel=Channel.EMAIL, holdout_share=0.25, variants=VARIANTS, **COSTS)
    campaign = campaigns.stored(session, mine)
    believed = forecasts.beliefs(session, Channel.EMAIL, at=NOW)
    people, _ = eligible(members(session, world.SEGMENT, Channel.EMAIL, at=NOW), Channel.EMAIL)
    people = people.assign(holdout=people["customer_id"] % 4 == 0)
    expected = forecasts.at_launch(believed, campaign, people, seed=9)
    forecasts.freeze(session, mine, expected, at=NOW)
    stored = world.campaign(session, mine).forecast
    assert stored == json.loads(json.dumps(stored))
    assert stored["figures"]["treated"]["p10"] == stored["figures"]["treated"]["p90"] == 900
    assert set(stored["variants"]) == {"A", "B"}
    assert stored["beliefs"]["opened"]["source"] == "benchmark"
    assert {(row["step"], row["band"]) for row in stored["audience"]} >= {("opened", 0), ("opened", 4)}
    low, high = (
        next(row["effect"] for row in stored["audience"] if (row["step"], row["band"]) == ("opened", band))
        for band in (0, 4)
    )
    assert low < high


def test_one_campaigns_luck_is_drawn_from_what_its_forecast_believes(session):
    believed = forecasts.beliefs(session, Channel.EMAIL, at=NOW)
    once, again = (believed.realise(believed.luck(5)) for _ in range(2))
    assert once == again
    shifts = np.array([believed.realise(believed.luck(seed)).steps["opened"].shift for seed in range(400)])
    belief = believed.steps["opened"]
    assert shifts.std() == pytest.approx(np.hypot(belief.sd, belief.spread), rel=0.12)
    assert Beliefs.from_dict(json.loads(json.dumps(believed.to_dict()))) == believed


def test_the_data_version_grows_with_every_change(session):
    before = forecasts.data_version(session)
    draft(session, "New")
    assert forecasts.data_version(session) > before


def test_a_test_tells_what_it_can_see(session):
    found = forecast(session, draft(session, channel=Channel.SMS, variants=VARIANTS, holdout_share=0.1))
    frame = comparisons(found.forecast, found.basis.people, worth=0.5).set_index(["comparison", "figure"])
    clicks, sold = frame.loc[("B against A", "clicked")], frame.loc[("Sent against held out", "converted")]
    assert clicks["people_b"] / (clicks["people_a"] + clicks["people_b"]) == pytest.approx(0.4, abs=0.01)
    assert clicks["rate_b"] / clicks["rate_a"] == pytest.approx(1.5, abs=0.05)
    assert sold["people_a"] == pytest.approx(120)
    assert sold["rate_a"] < sold["rate_b"] < sold["detectable"]
    # A tenth as large a difference takes about a hundred times the people.
    small = comparisons(found.forecast, found.basis.people, worth=0.05).set_index(["comparison", "figure"])
    assert small.loc[("B against A", "clicked"), "needed"] / clicks["needed"] == pytest.approx(90, abs=25)
    none = forecast(session, draft(session, "Plain"))
    assert comparisons(none.forecast, none.basis.people)["comparison"].tolist() == ["Sent against held out"]


def test_another_segment_is_forecast_as_if_it_were_the_campaigns_own_on_the_same_luck(session):
    rule = {"field": "engagement", "operator": "lt", "value": 40}
    low = create_segment(session, SYSTEM, name="Low", rule=rule, at=NOW)
    refresh_segment(session, SYSTEM, low, at=NOW)
    mine = campaigns.stored(session, draft(session, **COSTS))
    ground, plan = forecasts.basis(session, mine, at=NOW), forecasts.plan(mine)
    there = forecasts.elsewhere(session, ground, dict(mine) | {"segment_id": low}, at=NOW)
    assert 0 < there.people < ground.people
    own = forecasts.forecast_draft(session, dict(mine) | {"segment_id": low}, at=NOW).forecast
    pd.testing.assert_frame_equal(forecasts.of_plan(there, plan).table(), own.table())
    same = forecasts.elsewhere(session, ground, mine, at=NOW)
    gain = compare(forecasts.of_plan(ground, plan), forecasts.of_plan(same, plan))
    assert (gain[["p10", "p90"]].to_numpy() == 0).all()

"""Tests of messages and holdouts: who counts in which arm, how the arms differ, and what is said of it."""

import math
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sqlalchemy import event
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from ma.analytics import experiment_arms as arms
from ma.analytics import experiments as tests_of
from ma.analytics import results
from ma.analytics.frames import frame
from ma.services import campaigns, launches
from ma.services.due import catch_up
from ma.simulation.sample_size import detectable_rate
from ma.types import SYSTEM, Arm
from tests.analytics import experiment_world
from tests.analytics.experiment_world import SENT, People, add, variants
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, ZONE, days

customers, session = experiment_world.customers, experiment_world.session
HALVES = {"variants": variants(B=0.5)}
THIRDS = {"variants": variants(B=0.3, C=0.3)}
CLEAR = {"A": People(500, converted=20), "B": People(500, converted=60)}


def told(session, campaign_id=1, *, as_of=NOW):
    return tests_of.tell(session, as_of=as_of, campaign_id=campaign_id)


def row(frame, **where):
    for name, value in where.items():
        frame = frame[frame[name] == value]
    [found] = frame.to_dict("records")
    return found


def test_rates_are_of_everybody_assigned_with_wilsons_intervals(session):
    a, b = People(400, opened=200, clicked=40, converted=12), People(500, opened=300, clicked=80)
    add(session, {"A": a, "B": b}, **HALVES)
    found = tests_of.experiment_variants(session, as_of=NOW, campaign_id=1)
    for label, arm in (("A", a), ("B", b)):
        for figure in ("opened", "clicked", "converted", "unsubscribed"):
            mine, count = row(found, label=label, figure=figure), getattr(arm, figure, 0)
            assert (mine["people"], mine["count"], mine["value"]) == (arm.people, count, count / arm.people)
            low, high = proportion_confint(count, arm.people, method="wilson")
            assert (mine["low"], mine["high"]) == pytest.approx((low, high), abs=1e-12)
    assert row(found, label="A", figure="opened")["planned_share"] == 0.5
    assert row(found, label="A", figure="opened")["share"] == pytest.approx(400 / 900)


def test_differences_are_those_of_independent_programs(session):
    a = People(500, clicked=50, converted=20, amounts=(1_000, 5_000))
    b = People(450, clicked=80, converted=30, amounts=(2_000, 3_000, 40_000))
    c = People(550, clicked=90, converted=25)
    add(session, {"A": a, "B": b, "C": c}, **THIRDS)
    found = tests_of.experiment_differences(session, as_of=NOW, campaign_ids=[1])
    clicked, adjusted = found[found["figure"] == "clicked"], []
    for label, arm in (("B", b), ("C", c)):
        mine = row(clicked, label=label)
        interval = confint_proportions_2indep(arm.clicked, arm.people, 50, 500, method="newcomb")
        table = [[50, 450], [arm.clicked, arm.people - arm.clicked]]
        assert mine["comparison"] == f"{label} against A"
        assert mine["difference"] == pytest.approx(arm.clicked / arm.people - 0.1)
        assert (mine["low"], mine["high"]) == pytest.approx(interval)
        assert mine["p_value"] == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue)
        base = (50 + arm.clicked) / (500 + arm.people)
        assert mine["detectable_effect"] == pytest.approx(detectable_rate(base, 500, arm.people) - base)
        adjusted.append((mine["p_value"], mine["p_adjusted"]))
    # Holm of two: the smaller doubled, the larger as it is, but not below the other.
    (least, once), (most, twice) = sorted(adjusted)
    assert once == pytest.approx(2 * least)
    assert twice == pytest.approx(max(2 * least, most))
    brought = {label: np.zeros(arm.people) for label, arm in (("A", a), ("B", b))}
    brought["A"][:20] = np.tile([1_000, 5_000], 10)
    brought["B"][:30] = np.tile([2_000, 3_000, 40_000], 10)
    money = row(found, label="B", figure="revenue_minor")
    test = CompareMeans(DescrStatsW(brought["B"]), DescrStatsW(brought["A"]))
    assert money["difference"] == pytest.approx(1_000 - 120)
    assert (money["low"], money["high"]) == pytest.approx(test.tconfint_diff(usevar="unequal"))
    assert money["p_value"] == pytest.approx(test.ttest_ind(usevar="unequal")[1])
    # The bootstrap agrees where there are enough buyers: its ends lie within a quarter of the width.
    width = money["high"] - money["low"]
    assert money["resampled_low"] == pytest.approx(money["low"], abs=width / 4)
    assert money["resampled_high"] == pytest.approx(money["high"], abs=width / 4)


def test_one_campaign_and_all_of_them_give_the_same_figures(session):
    add(session, CLEAR, **HALVES)
    add(session, {"A": People(300, converted=9), "Held out": People(40, converted=1)}, campaign_id=2,
        holdout_share=0.1)  # fmt: skip
    every = tests_of.experiment_differences(session, as_of=NOW)
    assert every["resampled_low"].isna().all()
    resampled = ["resampled_low", "resampled_high"]
    for campaign_id in (1, 2):
        alone = tests_of.experiment_differences(session, as_of=NOW, campaign_ids=[campaign_id])
        mine = every[every["campaign_id"] == campaign_id].reset_index(drop=True)
        assert len(mine) == len(alone)
        both = (one.sort_values(["figure", "label"], ignore_index=True).drop(columns=resampled) for one in
                (mine, alone))  # fmt: skip
        pd.testing.assert_frame_equal(*both, check_dtype=False)
        rates = tests_of.experiment_differences(
            session, as_of=NOW, campaign_ids=[campaign_id], figure="converted"
        )
        assert rates["difference"].tolist() == mine.loc[mine["figure"] == "converted", "difference"].tolist()


def test_a_clear_difference_names_the_winner_with_its_size(session):
    add(session, CLEAR, **HALVES)
    summary = told(session).summary
    assert summary["messages_finding"] == "better"
    assert summary["holdout_finding"] is None
    assert (
        "B converted more people than A: 12.0 % against 4.0 % of A, +8.0 percentage points"
        in summary["verdict"]
    )
    assert "p < 0.001" in summary["verdict"]
    assert summary["sample_ratio"] == "ok"
    best = told(session).variants.set_index(["figure", "label"])["probability_best"]
    assert best["converted", "B"] > 0.999
    assert best["converted"].sum() == pytest.approx(1.0)
    assert best["clicked"].isna().all()


def test_enough_people_are_said_to_be_enough(session):
    add(session, {"A": People(700, converted=630), "B": People(700, converted=640)}, **HALVES)
    assert told(session).summary["enough"]


def test_people_who_are_not_split_as_planned_forbid_a_winner(session):
    uneven = {"A": People(600, converted=20), "B": People(400, converted=60)}
    add(session, uneven, **HALVES)
    found = told(session)
    assert found.summary["sample_ratio"] == "alarm"
    # 100 too many and 100 too few of 500.
    assert found.summary["sample_ratio_p"] == pytest.approx(stats.chi2.sf(2 * 100**2 / 500, 1))
    assert found.summary["messages_finding"] == "split alarm"
    assert found.summary["verdict"].startswith(
        "People are not split as planned: A 60.0 % (planned 50.0 %), B 40.0 %"
    )
    assert "No winner can be named" in found.summary["verdict"]
    assert "converted more" not in found.summary["verdict"]
    assert found.variants["probability_best"].isna().all()


def test_while_conversions_count_nothing_is_decided(session):
    add(session, CLEAR, status="running", **HALVES)
    over = SENT + timedelta(days=15)
    early = told(session, as_of=over - timedelta(days=1)).summary
    assert not early["over"]
    assert early["messages_finding"] == "not over"
    assert "Do not stop it at the first significant look" in early["verdict"]
    assert "So far against A: B +8.0 percentage points" in early["verdict"]
    # The window of 14 days begins after the day of sending, in the workspace's time zone.
    assert early["ends_at"] == pd.Timestamp("2026-02-15", tz=ZONE)
    assert told(session, as_of=early["ends_at"].to_pydatetime()).summary["messages_finding"] == "better"


def test_as_of_a_moment_what_came_later_is_not_counted(session):
    add(session, CLEAR, **HALVES)
    before = tests_of.experiment_variants(session, as_of=SENT + timedelta(hours=29), campaign_id=1)
    assert (before["count"] == 0).all()
    assert (before["people"] == 500).all()
    after = tests_of.experiment_variants(session, as_of=SENT + timedelta(hours=30), campaign_id=1)
    assert row(after, figure="converted", label="B")["count"] == 60
    assert tests_of.experiments(session, as_of=SENT - timedelta(hours=1)).empty


def test_a_campaign_with_one_message_and_no_holdout_is_no_test(session):
    add(session, {"A": People(50)})
    assert tests_of.experiments(session, as_of=NOW).empty
    assert tests_of.experiment_variants(session, as_of=NOW, campaign_id=1).empty
    assert tests_of.experiment_differences(session, as_of=NOW).empty
    assert told(session) is None
    assert told(session, 99) is None


def test_of_imported_results_the_planned_shares_are_unknown(session):
    arms = {"A": People(300, converted=10), "B": People(100, converted=4), "Held out": People(50)}
    add(session, arms, source="imported", holdout_share=50 / 450)
    summary = told(session).summary
    assert summary["kind"] == "messages and holdout"
    assert summary["sample_ratio"] == "unknown"
    assert math.isnan(summary["sample_ratio_p"])
    assert summary["messages_finding"] == "no difference"


def test_steps_that_cannot_be_observed_are_left_out(session):
    add(session, CLEAR, steps="sent,converted", channel="direct_mail", **HALVES)
    assert set(told(session).variants["figure"]) == {"converted", "revenue_minor"}
    assert set(told(session).differences["figure"]) == {"converted", "revenue_minor"}
    add(session, CLEAR, campaign_id=2, steps="sent", **HALVES)
    assert told(session, 2).summary["verdict"] == "Conversions are unknown: it can say nothing."


def test_an_arm_without_anybody_is_nobody_to_compare(session):
    add(session, {"A": People(3), "Held out": People(0)}, holdout_share=0.05)
    summary = told(session).summary
    assert summary["verdict"] == "There is nobody to compare yet."
    assert summary["sample_ratio"] == "unknown"
    assert told(session).variants["value"].isna().sum() == 2


def launch(session, *, people=None, at=NOW, seed=7, **values):
    mine = world.draft(session, channel="email", **values)
    launches.launch_campaign(session, SYSTEM, mine, at=at, seed=seed)
    return mine


def by_hand(session, campaign_id, as_of, *, waves):
    """People and conversions of each arm, counted from the outcomes with pandas."""
    rows = world.outcomes(session, campaign_id)
    rows = rows[(rows["wave"] <= waves) & (rows["assigned_at"] <= as_of)]
    label = rows["variant"].where(rows["arm"] == "treated", "Held out")
    converted = rows["converted_at"] <= as_of
    frame = pd.DataFrame(
        {"people": 1, "converted": converted, "revenue": rows["revenue_minor"].where(converted, 0)}
    )
    return frame.groupby(label).sum().astype(float)


def test_the_arms_are_those_of_the_outcomes_at_any_moment(session):
    mine = launch(session, variants=variants(B=0.3, C=0.2), holdout_share=0.2, waves=3)
    for after in (0.01, 1.3, 40):
        as_of = NOW + timedelta(days=after)
        catch_up(session, at=as_of)
        expected = by_hand(session, mine, as_of, waves=min(int(after) + 1, 3))
        found = told(session, mine, as_of=as_of)
        assert [arm["label"] for arm in found.test.arms] == ["A", "B", "C", "Held out"]
        assert [arm["people"] for arm in found.test.arms] == expected["people"].tolist()
        assert [arm["converted"] for arm in found.test.arms] == expected["converted"].tolist()
        assert [found.money.sums[label].total for label in expected.index] == expected["revenue"].tolist()
        assert [arm["revenue_minor"] for arm in found.test.arms] == expected["revenue"].tolist()
        everybody = len(world.outcomes(session, mine))
        assert sum(arm["planned_people"] for arm in found.test.arms) == everybody
        # The same from the totals that Results shows: the arms are a partition.
        for arm, sides in ((Arm.TREATED, found.test.messages), (Arm.HOLDOUT, [found.test.held_out])):
            total = results.totals(session, as_of=as_of, campaign_ids=[mine], arm=arm).iloc[0]
            for name in ("converted", "revenue_minor"):
                assert sum(side[name] for side in sides) == total[name]
        assert found.test.sample_ratio == "ok"
    # Messages without effect: nothing is found, and that is said.
    assert found.summary["messages_finding"] == "no difference"
    assert found.summary["over"]


def test_waves_that_a_pause_holds_back_are_planned_people_not_people(session):
    mine = launch(session, holdout_share=0.2, waves=4)
    catch_up(session, at=NOW + days(1))
    campaigns.pause_campaign(session, SYSTEM, mine, at=NOW + timedelta(days=1.5))
    later = NOW + days(30)
    expected = by_hand(session, mine, later, waves=2)
    found = told(session, mine, as_of=later)
    assert [arm["people"] for arm in found.test.arms] == expected["people"].tolist()
    assert found.summary["planned_people"] == 1_600
    assert found.summary["people"] < 1_000
    assert found.summary["holdout_finding"] == "not over"
    assert (
        "2 waves have still to go out, and until when conversions count is not known yet"
        in found.summary["verdict"]
    )
    assert pd.isna(found.summary["ends_at"])
    campaigns.resume_campaign(session, SYSTEM, mine, at=later)
    assert told(session, mine, as_of=later).summary["ends_at"] > later
    campaigns.cancel_campaign(session, SYSTEM, mine, at=later)
    ended = told(session, mine, as_of=later).summary
    assert ended["over"]
    assert ended["planned_people"] == ended["people"] == expected["people"].sum()


def test_people_waiting_for_the_end_of_quiet_hours_count_in_both_arms(session):
    mine = launch(session, holdout_share=0.2, quiet_from=0, quiet_until=23 * 60 + 30, timezone="UTC")
    found = told(session, mine, as_of=NOW + timedelta(hours=1))
    assert [arm["people"] for arm in found.test.arms] == by_hand(session, mine, NOW, waves=1)[
        "people"
    ].tolist()
    assert found.test.messages[0]["sent"] == 0
    assert found.test.sample_ratio == "ok"


def test_whom_a_budget_left_out_is_no_wrong_split(session):
    budget = {"cost_per_thousand_minor": 10_000, "fixed_cost_minor": 0, "budget_minor": 4_000}
    mine = launch(session, holdout_share=0.2, variants=variants(B=0.5), **budget)
    test = told(session, mine).test
    assert sum(arm["people"] for arm in test.messages) == 400
    held = test.held_out["people"]
    assert held > 250
    assert test.sample_ratio == "ok"
    a, b = (arm["people"] for arm in test.messages)
    by_hand = (
        (a - 200) ** 2 / 200 + (b - 200) ** 2 / 200 + (held - 320) ** 2 / 320 + (held - 320) ** 2 / 1_280
    )
    assert test.split_p_value == pytest.approx(stats.chi2.sf(by_hand, 2))


def test_frames_take_text_and_give_what_the_functions_give(session):
    add(session, CLEAR, **HALVES)
    by_name = frame(
        session, "experiment_differences", as_of=NOW, params={"campaign_ids": "1", "figure": "converted"}
    )
    direct = tests_of.experiment_differences(session, as_of=NOW, campaign_ids=[1], figure="converted")
    pd.testing.assert_frame_equal(by_name, direct)
    assert len(frame(session, "experiments", as_of=NOW, params={})) == 1
    assert len(frame(session, "experiment_variants", as_of=NOW, params={"campaign_id": "1"})) == 10


def test_the_overview_reads_stored_results_and_no_outcomes(session):
    add(session, CLEAR, **HALVES)
    said = []
    event.listen(session.connection(), "before_cursor_execute", lambda *args: said.append(args[2]))
    tests_of.summary(session, arms.experiments(session, as_of=NOW))
    reading = [
        statement for statement in said if "outcome" in statement and "campaign_result" not in statement
    ]
    # One small statement: people whose wave is late.
    assert len(reading) == 1
    assert "waves_sent" in reading[0]

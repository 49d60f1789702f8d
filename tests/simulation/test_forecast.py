"""A forecast is what the simulation brings on average, with all its parts, and compares plans fairly."""

import json
import math
import time
from dataclasses import replace
from datetime import UTC, datetime
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from ma.simulation.assignment import assign, within
from ma.simulation.beliefs import BENCHMARK, from_benchmarks
from ma.simulation.forecast import FIGURES, Forecast, Plan, Variant, cells, compare, expected, forecast
from ma.simulation.funnel import simulate
from ma.types import Arm, Channel

SENT = datetime(2026, 3, 1, 9, tzinfo=UTC)
COSTS = {"cost_per_thousand_minor": 500, "fixed_cost_minor": 10_000}


def made(channels, channel, people):
    """The cells of an audience and the beliefs about a channel."""
    beliefs = from_benchmarks(channels[channel])
    return cells(people, beliefs.params.population), beliefs


def launched(people, params, plan, *, seed):
    """What one launch of the plan brings, people assigned and simulated as a launch does it."""
    shares = {variant.name: variant.share for variant in plan.variants}
    assigned = assign(people, seed=seed, holdout_share=plan.holdout_share, shares=shares, waves=1)
    assigned = assigned if plan.most is None else within(assigned, plan.most, seed=seed)
    days, held = plan.conversion_window_days, assigned["holdout"]
    found = {
        "held_converted": 0.0,
        "treated": float((~held).sum()),
        "revenue_minor": 0.0,
        "caused_minor": 0.0,
    }
    for variant in plan.variants:
        group = assigned[~held & (assigned["variant"] == variant.name)]
        own = params.with_effects(variant.effects)
        outcome = simulate(group, own, seed=seed, sent_at=SENT, conversion_window_days=days)
        usual = simulate(group, own, seed=seed, sent_at=SENT, conversion_window_days=days, arm=Arm.HOLDOUT)
        counts = outcome.filter(like="_at").notna().sum().rename(lambda name: name.removesuffix("_at"))
        for name in ("delivered", "opened", "clicked", "converted", "unsubscribed"):
            found[name] = found.get(name, 0.0) + counts[name]
        new = outcome["converted_at"].notna() & usual["converted_at"].isna()
        found["incremental_conversions"] = found.get("incremental_conversions", 0.0) + new.sum()
        found["revenue_minor"] += outcome["revenue_minor"].sum()
        found["caused_minor"] += outcome["revenue_minor"].sum() - usual["revenue_minor"].sum()
    return found | {"incremental_revenue_minor": found["caused_minor"]}


PLAN = Plan(
    holdout_share=0.2,
    variants=(
        Variant("A", 0.6),
        Variant("B", 0.4, {"converted": 0.5, "unsubscribed": -0.5, "order_value": 0.2}),
    ),
    conversion_window_days=14,
    **COSTS,
)


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.EMAIL, Channel.DIRECT_MAIL])
def test_the_mean_of_a_forecast_is_the_mean_of_launches(channels, mixed, channel):
    """Nothing in doubt; bands, holdout, variants with effects, organic conversions and revenue all there."""
    plan = PLAN if channel is not Channel.DIRECT_MAIL else Plan(0.2, (Variant("A", 1.0),), **COSTS, most=800)
    people = mixed(1_200).assign(order_rate=lambda frame: frame["order_rate"] * 10)
    grouped, beliefs = made(channels, channel, people)
    higher = {name: 1.0 for name in beliefs.steps if name not in ("delivered", "opened")}
    beliefs = beliefs.certain().moved(higher)
    beliefs = beliefs.with_bands(dict.fromkeys(beliefs.steps, (-0.2, 0.0, 0.1, 0.2, 0.3)))
    params = beliefs.realise(beliefs.luck(1))
    found = forecast(grouped, beliefs, plan, draws=4_000)
    known = pd.DataFrame([launched(people, params, plan, seed=seed) for seed in range(40)])
    table = found.table()
    compared = [name for name in table.index if name in known]
    assert {"treated", "converted", "revenue_minor", "incremental_revenue_minor"} <= set(compared)
    for name in compared:
        error = max(known[name].std(), 0.5) / math.sqrt(40)
        draws_error = found.figures[name].std() / math.sqrt(4_000)
        assert table.loc[name, "mean"] == pytest.approx(
            known[name].mean(), abs=3.5 * error + 3 * draws_error
        ), name
        if known[name].mean() > 20:  # chance itself is as large, too
            assert found.figures[name].std() == pytest.approx(known[name].std(), rel=0.4), name


def test_expected_figures_by_hand(channels, mixed):
    """1,000 people who are all alike: every figure is a product."""
    alike = mixed(1_000).assign(
        engagement=np.nan,
        days_since_last_order=30.0,
        recent_messages=4.0,
        average_order_minor=4_000.0,
        order_rate=2.0,
    )
    grouped, beliefs = made(channels, Channel.DIRECT_MAIL, alike)
    assert len(grouped) == 1
    plan = Plan(0.25, (Variant("A", 1.0, {"converted": 0.5, "order_value": 0.2}),), **COSTS)
    shifts = {"converted": 0.3, "order_value": 0.1, "organic": math.log(3.0)}
    found = expected(grouped, beliefs, plan, {name: np.array([shift]) for name, shift in shifts.items()})
    step = beliefs.params.steps["converted"]
    chance = 1.5 / (1 + math.exp(-(beliefs.params.intercepts()["converted"] + 0.3)))
    caused = chance * NormalDist().cdf(math.log(7 * 86_400 / step.median_seconds) / step.sigma)
    organic = 1 - math.exp(-2.0 * 0.005 * 3.0 * 7)
    order = 4_000 * math.exp(0.1) * 1.2
    known = {
        "treated": 750,
        "converted": 750 * (1 - (1 - caused) * (1 - organic)),
        "incremental_conversions": 750 * caused * (1 - organic),
        "revenue_minor": 750 * (1 - (1 - caused) * (1 - organic)) * order,
        # Those who buy anyway spend a fifth more, too.
        "incremental_revenue_minor": 750 * (caused * (1 - organic) * order + organic * order * (1 - 1 / 1.2)),
        "cost_minor": 10_375,
    }
    for name, value in known.items():
        assert found[name][0] == pytest.approx(value, rel=0.001), name
    assert found["profit_minor"][0] == found["revenue_minor"][0] - 10_375


def test_figures_that_the_channel_cannot_know_are_left_out(channels, mixed):
    for channel in Channel:
        found = forecast(*made(channels, channel, mixed(300)), Plan(**COSTS), draws=50).table()
        unknown = {"delivered", "opened", "clicked", "unsubscribed"} - set(channels[channel].steps)
        assert list(found.index) == [name for name in FIGURES if name not in unknown]
        assert found.notna().all(axis=None)
        assert (found["p10"] <= found["p50"]).all()
        assert (found["p50"] <= found["p90"]).all()


def test_nested_steps_never_exceed_the_one_before(channels, mixed):
    figures = forecast(*made(channels, Channel.EMAIL, mixed(2_000)), PLAN).figures
    for before, after in (("treated", "delivered"), ("delivered", "opened"), ("opened", "clicked")):
        assert (figures[after] <= figures[before]).all()
    assert (figures["incremental_conversions"] <= figures["clicked"]).all()
    assert (figures["incremental_conversions"] <= figures["converted"]).all()
    assert (figures["incremental_revenue_minor"] <= figures["revenue_minor"]).all()


def test_costs_and_chances_by_hand(channels, mixed):
    found = forecast(*made(channels, Channel.EMAIL, mixed(2_000)), Plan(**COSTS))
    # 10,000 + 2,000 x 500 / 1,000
    assert (found.figures["cost_minor"] == 11_000).all()
    profit = found.figures["revenue_minor"] - 11_000
    assert found.figures["profit_minor"] == pytest.approx(profit)
    assert found.figures["roi"] == pytest.approx(profit / 11_000)
    assert found.chance_of_loss == (profit < 0).mean()
    assert 0 < found.chance_of_loss < found.chance_of_incremental_loss < 1


def test_an_unknown_cost_makes_profit_and_its_chances_unknown_and_nothing_else(channels, mixed):
    for costs in ({}, {"fixed_cost_minor": 100}, {"cost_per_thousand_minor": 100}):
        found = forecast(*made(channels, Channel.SMS, mixed(500)), Plan(**costs), draws=100)
        table = found.table()
        unknown = ["cost_minor", "profit_minor", "roi", "incremental_profit_minor"]
        assert table.loc[unknown].isna().all(axis=None)
        assert table.drop(index=unknown).notna().all(axis=None)
        assert math.isnan(found.chance_of_loss)
        assert found.to_dict()["figures"]["roi"]["p50"] is None
    free = forecast(*made(channels, Channel.SMS, mixed(500)), Plan(**dict.fromkeys(COSTS, 0)), draws=100)
    assert free.table().loc["profit_minor"].notna().all()
    assert free.table().loc["roi"].isna().all()


def test_variants_add_up_to_the_campaign(channels, mixed):
    found = forecast(*made(channels, Channel.EMAIL, mixed(2_000)), PLAN, draws=300)
    for name in ("treated", "opened", "converted", "revenue_minor", "incremental_revenue_minor"):
        assert sum(figures[name] for figures in found.variants.values()) == pytest.approx(found.figures[name])
    costs = [figures["cost_minor"] for figures in found.variants.values()]
    assert np.abs(sum(costs) + 10_000 - found.figures["cost_minor"]).max() <= 1  # each rounded to the cent
    table = found.by_variant()
    assert list(table.columns) == ["variant", "figure", "p10", "p25", "p50", "p75", "p90", "mean"]
    treated = table[table["figure"] == "treated"].set_index("variant")["mean"]
    assert treated["A"] == pytest.approx(0.8 * 0.6 * 2_000, rel=0.01)
    assert treated["B"] == pytest.approx(0.8 * 0.4 * 2_000, rel=0.01)


def test_a_budget_for_fewer_people_reaches_fewer(channels, mixed):
    grouped, beliefs = made(channels, Channel.EMAIL, mixed(2_000))
    found = forecast(grouped, beliefs, Plan(holdout_share=0.1, most=700), draws=100)
    assert (found.figures["treated"] == 700).all()


def test_the_same_seed_is_the_same_forecast_and_another_is_not(channels, mixed):
    grouped, beliefs = made(channels, Channel.EMAIL, mixed(2_000))
    one, again, other = (forecast(grouped, beliefs, PLAN, draws=200, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one.table(), again.table())
    assert (one.figures["opened"] != other.figures["opened"]).mean() > 0.9
    # More draws keep the first ones: a draw's luck does not depend on how many there are.
    longer = forecast(grouped, beliefs, PLAN, draws=500, seed=1)
    assert np.array_equal(longer.figures["clicked"][:200], one.figures["clicked"])


def test_shared_luck_makes_a_comparison_narrower(channels, mixed):
    grouped, beliefs = made(channels, Channel.EMAIL, mixed(5_000))
    better = Plan(variants=(Variant("A", 1.0, {"opened": 0.1}),), **COSTS)
    usual, changed = forecast(grouped, beliefs, Plan(**COSTS)), forecast(grouped, beliefs, better)
    shared = compare(usual, changed)
    apart = compare(usual, forecast(grouped, beliefs, better, seed=1))
    for name in ("opened", "clicked", "revenue_minor"):
        assert _width(shared, name) < 0.5 * _width(apart, name)
        assert shared.loc[name, "mean"] == pytest.approx(
            changed.figures[name].mean() - usual.figures[name].mean()
        )
    assert shared.loc["opened", "chance_b_better"] > 0.999
    assert shared.loc["unsubscribed", "chance_b_better"] < 0.1
    assert shared.loc["cost_minor", "chance_b_better"] == 0.5


def _width(table, name):
    return table.loc[name, "p90"] - table.loc[name, "p10"]


def test_a_forecast_against_itself_is_a_tie(channels, mixed):
    found = forecast(*made(channels, Channel.SMS, mixed(500)), Plan(), draws=100)
    same = compare(found, found)
    known = same.drop(columns="chance_b_better").dropna()
    assert {"treated", "clicked", "revenue_minor"} <= set(known.index)
    assert (known == 0).all(axis=None)
    assert same.loc["converted", "chance_b_better"] == 0.5
    assert math.isnan(same.loc["roi", "chance_b_better"])


def test_what_is_stored_with_a_launch_is_plain(channels, mixed):
    found: Forecast = forecast(*made(channels, Channel.EMAIL, mixed(500)), PLAN, draws=100, seed=7)
    stored = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (stored["draws"], stored["seed"]) == (100, 7)
    assert stored["sources"]["opened"] == BENCHMARK
    assert stored["figures"]["opened"]["p90"] == found.table().loc["opened", "p90"]
    assert set(stored["variants"]) == {"A", "B"}
    assert stored["chance_of_loss"] == found.chance_of_loss


@pytest.mark.parametrize("count", [0, 1])
def test_nobody_and_one_person(channels, mixed, count):
    for channel in Channel:
        found = forecast(*made(channels, channel, mixed(count)), Plan(**COSTS), draws=200)
        assert found.figures["treated"].max() <= count
        assert found.figures["converted"].max() <= count
        assert (found.figures["revenue_minor"] >= 0).all()
        assert found.table().loc["converted"].notna().all()


def test_a_step_that_nobody_takes_ends_the_chain(channels, mixed):
    grouped, beliefs = made(channels, Channel.EMAIL, mixed(500))
    dead = replace(beliefs, params=beliefs.params.with_rates(opened=0.0))
    figures = forecast(grouped, dead, Plan(**COSTS), draws=100).figures
    for name in ("opened", "clicked", "incremental_conversions", "incremental_revenue_minor"):
        assert (figures[name] == 0).all()
    assert figures["converted"].any()


def test_two_thousand_draws_take_less_than_200_milliseconds(channels, mixed):
    grouped, beliefs = made(channels, Channel.EMAIL, mixed(20_000))
    plan = Plan(holdout_share=0.1, **COSTS)
    # The processor's time: other tests may be running.
    assert min(_seconds(lambda: forecast(grouped, beliefs, plan)) for _ in range(4)) < 0.2


def _seconds(work):
    start = time.process_time()
    work()
    return time.process_time() - start


def test_a_figure_per_thousand_is_that_of_any_size_of_the_same_audience(channels, mixed):
    people = mixed(4_000)
    some, beliefs = made(channels, Channel.EMAIL, people)
    many, _ = made(channels, Channel.EMAIL, pd.concat([people] * 5, ignore_index=True))
    plan = Plan(cost_per_thousand_minor=500, fixed_cost_minor=0)
    small, large = (forecast(audience, beliefs, plan, draws=4_000) for audience in (some, many))
    assert large.table().loc["revenue_minor", "mean"] > 4 * small.table().loc["revenue_minor", "mean"]
    a, b = (each.per_thousand("revenue_minor") for each in (small, large))
    assert a["mean"] == pytest.approx(b["mean"], rel=0.03)
    assert a["p10"] < a["p50"] < a["p90"]
    assert set(small.per_thousand("cost_minor")) == {500.0}
    nobody = forecast(some, beliefs, replace(plan, most=0), draws=50)
    assert nobody.per_thousand("revenue_minor").isna().all()

"""The best split of a budget: against brute force, by hand, person by person, and what must always hold."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ma.simulation.beliefs import from_benchmarks
from ma.simulation.cells import cells, place_of
from ma.simulation.forecast import Plan, Variant, forecast
from ma.simulation.lots import corners, crowd
from ma.simulation.planner import Candidate, outlook, plan_budget, worth
from ma.simulation.split import AUDIENCE, BUDGET, COST, FATIGUE, FIXED, Outlook, with_holdouts
from ma.types import Channel

CAP = 3


def market(rng, campaigns, people=300, *, fixed=True):
    """An Outlook of random campaigns that share people, who had up to three messages in the week."""
    week = rng.integers(0, CAP + 1, people)
    rooms = [np.where(rng.random(people) < rng.uniform(0.2, 0.9), CAP - week, 0) for _ in range(campaigns)]
    places = [rng.integers(0, 6, (room > 0).sum()) for room in rooms]
    found = crowd(rooms, places, [0.0] * campaigns)
    tired = [np.outer(rng.gamma(1.0, 10.0, 6), rng.uniform(0.5, 1.0) ** np.arange(campaigns)) for _ in rooms]
    sent, value = corners(found, tired)
    price = rng.uniform(1.0, 12.0, campaigns)
    once = rng.uniform(0.0, 400.0, campaigns) * (rng.random(campaigns) < 0.5) * fixed
    return Outlook(sent, value, price, once)


def on_grid(view, budget, points):
    """The highest profit among all splits of a grid within the budget, one by one."""
    steps = np.linspace(0.0, 1.0, points)
    splits = (np.array(split) for split in itertools.product(steps, repeat=view.campaigns))
    return max(view.profit(split) for split in splits if view.spend(split) <= budget)


def everybody(view):
    return view.spend(np.ones(view.campaigns))


# The search


@pytest.mark.parametrize("seed", range(12))
def test_no_split_on_a_fine_grid_earns_more(seed):
    rng = np.random.default_rng(seed)
    campaigns, points = ((2, 61), (3, 15))[seed % 2]
    view = market(rng, campaigns)
    budget = rng.uniform(0.1, 0.9) * everybody(view)
    best = view.best(budget)
    assert view.spend(best) <= budget * (1 + 1e-9)
    assert view.profit(best) >= on_grid(view, budget, points) - 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_no_random_split_of_ten_campaigns_earns_more(seed):
    rng = np.random.default_rng(100 + seed)
    view = market(rng, 10, 800)
    budget = rng.uniform(0.1, 0.8) * everybody(view)
    best = view.profit(view.best(budget))
    for _ in range(300):
        split = np.round(rng.random(10) * rng.integers(0, 2, 10) * 1.6, 1).clip(0.0, 1.0)
        if view.spend(split) > budget:
            continue
        assert view.profit(split) <= best + 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_the_plan_is_never_worse_than_equal_parts_or_one_campaign_and_more_money_never_hurts(seed):
    rng = np.random.default_rng(200 + seed)
    view = market(rng, int(rng.integers(2, 8)))
    budgets = np.linspace(0.0, 1.2 * everybody(view), 25)
    profits = [view.profit(view.best(budget)) for budget in budgets]
    assert profits[0] == 0.0
    assert np.diff(profits).min() >= -1e-9
    for budget, profit in zip(budgets, profits, strict=True):
        assert view.spend(view.even(budget)) <= budget + 1e-9
        assert profit >= view.profit(view.even(budget)) - 1e-9
        for one in np.eye(view.campaigns):
            alone = one * min((budget - view.fixed @ one) / (view.spend(one) - view.fixed @ one), 1.0)
            assert profit >= view.profit(np.maximum(alone, 0.0)) - 1e-9


@pytest.mark.parametrize("seed", [891, 1390, 2027])
def test_where_the_cap_is_nearly_reached_two_campaigns_may_share_the_rest(seed):
    """Of 3,000 such markets those where a split in which two go to a part of their people wins by most."""
    rng = np.random.default_rng(seed)
    campaigns = int(rng.integers(3, 5))
    sizes, week = rng.integers(1, 60, 8), rng.choice([0, 1, 2, 2, 2], 8)
    rooms = [np.repeat(np.where(rng.random(8) < 0.7, CAP - week, 0), sizes) for _ in range(campaigns)]
    found = crowd(rooms, [np.zeros((room > 0).sum(), dtype=int) for room in rooms], [0.0] * campaigns)
    tired = [np.outer(rng.gamma(0.7, 10), rng.uniform(0.3, 1) ** np.arange(campaigns)) for _ in rooms]
    view = Outlook(*corners(found, tired), rng.uniform(1, 12, campaigns), np.zeros(campaigns))
    budget = rng.uniform(0.05, 0.95) * everybody(view)
    best = view.best(budget)
    assert view.spend(best) <= budget * (1 + 1e-9)
    assert view.profit(best) >= on_grid(view, budget, 9)
    assert ((best > 0.0) & (best < 1.0)).sum() == 2


def apart(price, worth_each, people, fixed):
    """Campaigns with people of their own: nothing disturbs anything."""
    count = len(price)
    bits = np.arange(1 << count) >> np.arange(count)[:, None] & 1
    sent = bits * np.array(people)[:, None]
    return Outlook(sent, sent * np.array(worth_each)[:, None], price, fixed)


def test_without_common_people_the_money_goes_to_the_highest_return_first():
    # Returns per unit of money: 5/2 - 1 = 1.5, 3/1 - 1 = 2, 4/4 - 1 = 0. By hand: all 100 people of the
    # second (100), then 150 of the first's 200 with the other 300; the third earns nothing.
    view = apart([2.0, 1.0, 4.0], [5.0, 3.0, 4.0], [200, 100, 50], [0.0] * 3)
    best = view.best(400.0)
    assert best.tolist() == pytest.approx([0.75, 1.0, 0.0])
    assert view.profit(best) == pytest.approx(150 * 3 + 100 * 2)
    assert view.limits(best) == [BUDGET, AUDIENCE, COST]


def test_fixed_costs_make_it_a_knapsack():
    # Whole: a earns 300 - 200 = 100 for 300 money, b 200 - 20 = 180 for 120, c 90 - 95 < 0.
    # With all of a, the rest of the money sends b to so many that b earns 2 each less 20.
    view = apart([1.0] * 3, [4.0, 3.0, 1.9], [100, 100, 100], [200.0, 20.0, 95.0])
    assert view.best(120.0).tolist() == [0.0, 1.0, 0.0]
    assert view.best(319.0).tolist() == [0.0, 1.0, 0.0]
    # 100 + 2 * 48 - 20 = 176 < 180, 100 + 2 * 52 - 20 = 184 > 180.
    assert view.best(368.0).tolist() == [0.0, 1.0, 0.0]
    assert view.best(372.0).tolist() == pytest.approx([1.0, 0.52, 0.0])
    assert view.limits(view.best(120.0)) == [BUDGET, AUDIENCE, FIXED]
    assert view.limits(view.best(1e6)) == [AUDIENCE, AUDIENCE, FIXED]


def test_campaigns_that_earn_alike_share_alike():
    view = apart([2.0] * 4, [5.0] * 4, [100] * 4, [0.0] * 4)
    assert view.best(300.0).tolist() == pytest.approx([0.375] * 4)
    assert view.even(300.0).tolist() == pytest.approx([0.375] * 4)
    view = apart([2.0, 2.0, 1.0], [5.0, 5.0, 9.0], [100, 300, 50], [0.0] * 3)
    assert view.best(250.0).tolist() == pytest.approx([0.25, 0.25, 1.0])


def test_two_alike_to_the_same_people_are_not_mixed_when_that_tires():
    """Who gets both answers the second less, so one of them goes to everybody before the other begins."""
    sent = np.array([[0, 100, 0, 100], [0, 0, 100, 100]])
    view = Outlook(sent, np.array([[0, 500, 0, 500], [0, 0, 500, 300]]), [1.0, 1.0], [0.0, 0.0])
    for budget in (50.0, 100.0):
        assert sorted(view.best(budget)) == pytest.approx([0.0, budget / 100])
    # 150: by hand 500 + 0.5 * 300 - 150.
    assert view.profit(view.best(150.0)) == pytest.approx(500.0)


def test_what_is_free_goes_to_all_or_nobody():
    view = apart([0.0, 1.0], [2.0, 3.0], [100, 100], [0.0, 0.0])
    assert view.best(30.0).tolist() == pytest.approx([1.0, 0.3])
    view = Outlook(
        np.array([[0, 100, 0, 100], [0, 0, 100, 100]]),
        np.array([[0, 200, 0, 200], [0, 0, 900, 500]]),
        [0.0, 1.0],
        [0.0, 0.0],
    )
    # The free one costs the other more than it earns.
    assert view.best(100.0).tolist() == [0.0, 1.0]
    assert view.limits(view.best(100.0)) == [FATIGUE, AUDIENCE]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_in_which_they_are_listed_changes_nothing_where_they_go_out_apart(seed):
    rng = np.random.default_rng(300 + seed)
    count = 4
    price, each = rng.uniform(1, 5, count), rng.uniform(2, 9, count)
    people, fixed = rng.integers(50, 300, count), rng.uniform(0, 200, count)
    swap = rng.permutation(count)
    budget = rng.uniform(100, 1500)
    first = apart(price, each, people, fixed).best(budget)
    second = apart(price[swap], each[swap], people[swap], fixed[swap]).best(budget)
    assert second == pytest.approx(first[swap])


def test_a_holdout_is_a_lot_that_nobody_wins():
    rng = np.random.default_rng(8)
    view = market(rng, 3, fixed=False)
    held = [0.2, 0.0, 0.5]
    smaller = Outlook(with_holdouts(view.sent, held), with_holdouts(view.value, held), view.price, view.fixed)
    shares = np.array([0.7, 0.4, 1.0])
    assert smaller.worth(shares) == pytest.approx(view.worth(shares * (1.0 - np.array(held))))
    assert smaller.messages(shares) == pytest.approx(view.messages(shares * (1.0 - np.array(held))))


# The whole plan


def candidate(key, people, params, **decided):
    known = from_benchmarks(params)
    usual = {"cost_per_thousand_minor": 500, "fixed_cost_minor": 0}
    return Candidate(key, cells(people, params.population), known, Plan(**usual | decided))


def planned(mixed, channels, campaigns, count=3_000):
    """Campaigns as (channel, which people, decisions), and the crowd that they share."""
    people = mixed(count)
    params = [
        replace(channels[channel], population=channels["email"].population) for channel, *_ in campaigns
    ]
    masks = [mask(people["customer_id"].to_numpy()) for _, mask, _ in campaigns]
    found = [
        candidate(key, people[mask], each, **decided)
        for key, (mask, each, (*_, decided)) in enumerate(zip(masks, params, campaigns, strict=True), 1)
    ]
    places = [place_of(people[mask], each.population) for mask, each in zip(masks, params, strict=True)]
    return found, crowd([CAP * mask for mask in masks], places, [0.0] * len(campaigns))


def all_of_them(ids):
    return ids > 0


def every_second(ids):
    return ids % 2 == 0


BETTER = (Variant("A", 0.5), Variant("B", 0.5, {"converted": 0.5}))
THREE = [
    ("email", all_of_them, {}),
    ("sms", every_second, {"cost_per_thousand_minor": 3_000, "fixed_cost_minor": 300}),
    ("email", every_second, {"holdout_share": 0.2, "variants": BETTER}),
]


def test_each_persons_cell_is_the_row_that_counts_them(mixed, channels):
    people, population = mixed(5_000), channels["email"].population
    rows, place = cells(people, population), place_of(people, population)
    assert np.bincount(place).tolist() == rows["people"].tolist()
    order = people.groupby(place)["average_order_minor"].mean()
    assert order.to_numpy() == pytest.approx(rows["order_minor"].to_numpy())


@pytest.mark.parametrize("channel", ["email", "sms", "direct_mail"])
def test_what_a_person_is_worth_is_the_forecasts_mean_whatever_they_had_before(mixed, channels, channel):
    offers = (Variant("A", 0.5), Variant("B", 0.5, {"converted": 0.4, "order_value": 0.2}))
    known = candidate(1, mixed(5_000), channels[Channel(channel)], variants=offers)
    each = known.cells["people"].to_numpy() @ worth(known, 3)
    for before in (0, 2):
        tired = known.cells.assign(messages=known.cells["messages"] + before)
        drawn = forecast(tired, known.beliefs, known.plan, draws=6_000).figures["incremental_revenue_minor"]
        assert each[before] == pytest.approx(drawn.mean(), abs=4.0 * drawn.std() / 6_000**0.5)
        assert each[before] == pytest.approx(drawn.mean(), rel=0.05)


def test_a_plan_holds_together(mixed, channels):
    found, shared = planned(mixed, channels, THREE)
    view = outlook(found, shared)
    for budget in (150, 1_000, 5_000):
        plan = plan_budget(found, shared, budget, step_minor=100, draws=1_000)
        for split in (plan.best, plan.even):
            assert split.money_minor.sum() <= budget
            for each, money, messages in zip(found, split.money_minor, split.messages, strict=True):
                cost = each.plan.cost_minor(np.array(float(messages)))
                assert money == 0 if messages == 0 else money - 1 <= cost <= money
            assert split.messages == pytest.approx(view.messages(split.shares), abs=max(2, 200 / budget))
            # What is drawn scatters about what is expected.
            drawn = split.total()
            assert drawn.mean() == pytest.approx(
                split.expected_minor.sum(), abs=4.0 * drawn.std() / 1_000**0.5 + 0.02 * budget
            )
        assert plan.best.expected_minor.sum() >= plan.even.expected_minor.sum() - 0.01 * budget
        on_curve = np.interp(budget, plan.curve["budget_minor"], plan.curve["profit_minor"])
        assert on_curve == pytest.approx(plan.best.expected_minor.sum(), abs=0.01 * budget)
        assert plan.curve["profit_minor"].diff().min() > -1e-6
        assert 0.0 <= plan.chance_better <= 1.0


def test_one_campaign_for_everybody_is_its_own_forecast(mixed, channels):
    found, shared = planned(mixed, channels, THREE[:1])
    plan = plan_budget(found, shared, 10_000, draws=4_000)
    own = forecast(found[0].cells, found[0].beliefs, found[0].plan, draws=4_000, seed=9)
    mine, theirs = plan.best.total(), own.figures["incremental_profit_minor"]
    assert plan.best.messages.tolist() == [3_000]
    assert mine.mean() == pytest.approx(theirs.mean(), abs=4.0 * 1.5 * theirs.std() / 4_000**0.5)
    assert np.quantile(mine, [0.1, 0.5, 0.9]) == pytest.approx(
        np.quantile(theirs, [0.1, 0.5, 0.9]), abs=0.15 * theirs.std()
    )


def test_campaigns_of_one_channel_share_its_luck_and_others_do_not(mixed, channels):
    three = [("email", all_of_them, {}), ("email", all_of_them, {}), ("sms", all_of_them, {})]
    found, shared = planned(mixed, channels, three, 20_000)
    plan = plan_budget(found, shared, 10**6, draws=2_000)
    logs = np.log(np.maximum(plan.best.draws["profit_minor"] + 3 * 10**4, 1.0))
    matrix = np.corrcoef(logs)
    assert matrix[0, 1] > 0.4
    assert abs(matrix[0, 2]) < 0.1


def test_the_draws_had_no_part_in_the_choice(mixed, channels):
    """Another seed changes how sure it is, not what is chosen; the same one gives the same."""
    found, shared = planned(mixed, channels, THREE)
    first, again, other = (plan_budget(found, shared, 1_000, draws=500, seed=seed) for seed in (1, 1, 2))
    assert first.best.money_minor.tolist() == other.best.money_minor.tolist()
    assert first.best.expected_minor.tolist() == other.best.expected_minor.tolist()
    assert (first.best.total() == again.best.total()).all()
    assert (first.best.total() != other.best.total()).any()


def test_choosing_by_few_draws_would_promise_too_much_and_the_plan_does_not(mixed, channels):
    """The optimiser's curse: of ten equal campaigns, the best by a few draws each looks too good."""
    ten = [("email", lambda ids, k=k: ids % 10 == k, {}) for k in range(10)]
    found, shared = planned(mixed, channels, ten, 10_000)
    plan = plan_budget(found, shared, 500, draws=2_000)
    few = [
        forecast(each.cells, each.beliefs, each.plan, draws=30, seed=each.key)
        .figures["incremental_profit_minor"]
        .mean()
        for each in found
    ]
    honest = plan.best.total()
    noise = honest.std() / 2_000**0.5
    assert abs(honest.mean() - plan.best.expected_minor.sum()) < 4.0 * noise
    assert max(few) > plan.best.expected_minor.sum() + 4.0 * noise


def test_the_difference_to_an_even_split_is_far_surer_than_two_forecasts(mixed, channels):
    found, shared = planned(mixed, channels, [THREE[0], THREE[2]], 20_000)
    plan = plan_budget(found, shared, 4_000, draws=1_000)
    assert abs(plan.best.shares - plan.even.shares).max() > 0.1
    apart = plan.best.total().var() + plan.even.total().var()
    assert plan.gain().var() < apart / 2.0


def test_nothing_worth_sending_keeps_the_money(mixed, channels):
    dear = [
        ("email", all_of_them, {"fixed_cost_minor": 10**9}),
        ("sms", all_of_them, {"cost_per_thousand_minor": 10**7}),
    ]
    found, shared = planned(mixed, channels, dear)
    plan = plan_budget(found, shared, 10**6, draws=200)
    assert plan.best.money_minor.tolist() == [0, 0]
    assert plan.best.total().tolist() == [0.0] * 200
    assert plan.limits == [FIXED, COST]
    assert plan.enough_minor == 0
    assert np.isnan(plan.chance_of_loss)
    assert isinstance(plan.curve, pd.DataFrame)

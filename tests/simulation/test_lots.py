"""Several campaigns to the same people: against plain loops, and against the simulator person by person."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from ma.simulation.beliefs import from_benchmarks
from ma.simulation.cells import cells, place_of
from ma.simulation.forecast import Plan
from ma.simulation.funnel import simulate
from ma.simulation.lots import corners, crowd, recipients
from ma.simulation.planner import Candidate, outlook, plan_budget
from ma.simulation.split import LIMIT, Outlook
from ma.types import Arm

CAP = 3
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def one_by_one(rooms, days, chances, luck, *, cap_days, tired_days):
    """Who gets which campaign, person by person with plain loops; and how many they had before."""
    got = np.zeros(rooms.shape, dtype=bool)
    before = np.zeros(rooms.shape, dtype=int)
    for person, room in enumerate(rooms):
        for i, day in enumerate(days):
            had = [day - days[j] for j in range(i) if got[person, j]]
            got[person, i] = luck[person, i] < chances[i] and sum(gap < cap_days for gap in had) < room[i]
            before[person, i] = sum(gap < tired_days for gap in had)
    return got, before


@pytest.mark.parametrize("days", [[0.0] * 4, [0.0, 3.0, 8.0, 33.0]])
def test_people_counted_by_groups_are_the_mean_of_people_drawn_one_by_one(days):
    rng = np.random.default_rng(5)
    rooms = rng.integers(0, 4, (60, 4)) * (rng.random((60, 4)) < 0.8)
    places = [rng.integers(0, 3, (room > 0).sum()) for room in rooms.T]
    found = crowd(list(rooms.T), places, days)
    chances = np.array([0.9, 0.3, 0.6, 0.8])
    many = 400
    drawn = [
        one_by_one(rooms, days, chances, rng.random(rooms.shape), cap_days=7, tired_days=30)
        for _ in range(many)
    ]
    got = np.mean([each[0] for each in drawn], axis=0)
    before = np.mean([each[0] * each[1] for each in drawn], axis=0)
    for i, (people, messages, _) in enumerate(recipients(found, chances)):
        mine = rooms[:, i] > 0
        for counted, one in ((people, got), (messages, before)):
            expected = np.bincount(places[i], weights=one[mine, i], minlength=3)
            noise = 4.0 * np.sqrt(0.25 * np.bincount(places[i], minlength=3) / many) * 2.0
            assert (np.abs(counted - expected) < noise).all()
    worths = [np.tile(rng.uniform(1, 5, (3, 1)), 4) * 0.9 ** np.arange(4) for _ in days]
    sent, value = corners(found, worths)
    view = Outlook(sent, value, [1.0] * 4, [0.0] * 4)
    assert view.messages(chances) == pytest.approx(
        [people.sum() for people, _, _ in recipients(found, chances)]
    )
    each = np.zeros((many, 4))
    for run, (there, tired) in enumerate(drawn):
        for i, mine in enumerate(rooms.T > 0):
            each[run, i] = (there[mine, i] * worths[i][places[i], tired[mine, i]]).sum()
    assert (np.abs(each.mean(axis=0) - view.worth(chances)) < 4.5 * each.std(axis=0) / many**0.5).all()


def test_the_cap_takes_the_last_ones_people():
    """Four to the same 100 people: three fill the week, the fourth reaches nobody."""
    room = np.full(100, CAP)
    same = crowd([room] * 4, [np.zeros(100, dtype=int)] * 4, [0.0] * 4)
    sent, value = corners(same, [np.full((1, 4), worth) for worth in (9.0, 9.0, 9.0, 2.0)])
    view = Outlook(sent, value, [1.0] * 4, [0.0] * 4)
    best = view.best(1e6)
    assert view.messages(best).tolist() == [100.0, 100.0, 100.0, 0.0]
    assert view.limits(best)[3] == LIMIT
    later = crowd([room] * 4, [np.zeros(100, dtype=int)] * 4, [0.0, 0.0, 0.0, 7.0])
    assert corners(later, [np.ones((1, 4))] * 4)[0][3, -1] == 100.0


def tiring(mixed, channels):
    """Three campaigns to people who answer well and tire soon: people, rooms, candidates, crowd."""
    params = channels["email"].with_rates(opened=0.6, clicked=0.6, converted=0.6)
    opened = replace(params.steps["opened"], fatigue=-0.3)
    params = replace(params, steps={**params.steps, "opened": opened}, revenue_sigma=0.1)
    people = mixed(4_000).assign(average_order_minor=5_000.0)
    ids = people["customer_id"].to_numpy()
    left = np.random.default_rng(4).integers(1, CAP + 1, len(ids))
    rooms = [np.where(mask, left, 0) for mask in (ids > 0, ids % 2 == 0, ids % 3 > 0)]
    known = from_benchmarks(params).certain()
    costs = Plan(cost_per_thousand_minor=10, fixed_cost_minor=0)
    found = [
        Candidate(i, cells(people[room > 0], params.population), known, costs) for i, room in enumerate(rooms)
    ]
    places = [place_of(people[room > 0], params.population) for room in rooms]
    return people, np.column_stack(rooms), found, crowd(rooms, places, [0.0] * 3)


def test_what_a_split_is_expected_to_bring_is_the_mean_of_simulated_launches(mixed, channels):
    """Person by person with the simulator: lots, cap and tiredness as they would really happen."""
    people, rooms, found, shared = tiring(mixed, channels)
    params, view = found[0].beliefs.params, outlook(found, shared)
    shares, runs = np.array([0.7, 1.0, 0.6]), []
    for seed in range(12):
        luck = np.random.default_rng(seed).random(rooms.shape)
        got, before = one_by_one(rooms, [0.0] * 3, shares, luck, cap_days=7, tired_days=30)
        runs.append([])
        for i in range(3):
            messages = people["recent_messages"] + before[:, i]
            to = people.assign(recent_messages=messages)[got[:, i]]
            both = [
                simulate(to, params, seed=1000 * seed + i, sent_at=NOW, conversion_window_days=7, arm=arm)
                for arm in (Arm.TREATED, Arm.HOLDOUT)
            ]
            runs[-1].append(both[0]["revenue_minor"].sum() - both[1]["revenue_minor"].sum())
    runs = np.array(runs, dtype=float)
    noise = runs.std(axis=0) / len(runs) ** 0.5
    assert (np.abs(runs.mean(axis=0) - view.worth(shares)) < 4.0 * noise).all()
    assert (noise < 0.025 * view.worth(shares)).all()
    assert view.worth(shares)[2] < 0.7 * view.alone(view.value, shares)[2]
    assert view.messages(shares)[2] < 0.95 * view.alone(view.sent, shares)[2]


def test_the_draws_know_who_is_tired_and_who_is_left_out(mixed, channels):
    *_, found, shared = tiring(mixed, channels)
    plan = plan_budget(found, shared, 10**9)
    assert plan.best.shares.tolist() == [1.0] * 3
    drawn = plan.best.draws["incremental_profit_minor"].mean(axis=1)
    assert drawn == pytest.approx(plan.best.expected_minor, rel=0.015)
    assert plan.tired_minor[2] > 0.1 * plan.best.expected_minor[2]
    assert plan.capped[2] > 0.05 * plan.best.messages[2]

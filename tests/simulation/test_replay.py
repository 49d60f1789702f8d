"""Two worlds on one luck: what a change does not reach stays, and differences say how sure they are."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ma.simulation.funnel import TIMES, simulate
from ma.simulation.population import recipients
from ma.simulation.replay import FIGURES, NO_MESSAGE, World, compare, happens, same, values
from ma.types import Channel

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
LATER = AT + timedelta(days=40)
PLAIN = World({"A": {}}, 7, cost_per_thousand_minor=1_000, fixed_cost_minor=500)
CLICKS = replace(PLAIN, effects={"A": {"clicked": 0.5}})


def crowd(count, seed=3):
    """People of all sorts, all of whom are sent message A."""
    rng = np.random.default_rng(seed)
    orders = rng.poisson(6.0, count).astype(float)
    return pd.DataFrame(
        {
            "customer_id": rng.choice(10**9, count, replace=False) + 1,
            "engagement": rng.beta(1.2, 2.0, count) * 100.0,
            "days_since_last_order": np.where(orders > 0, rng.exponential(40.0, count), np.nan),
            "recent_messages": rng.poisson(4.0, count).astype(float),
            "orders": orders,
            "spend_minor": orders * 4_000.0 * rng.lognormal(0.0, 0.5, count),
            "days_observed": rng.uniform(30.0, 400.0, count),
            "variant": "A",
        }
    )


@pytest.fixture(scope="module")
def params(channels):
    """E-mail, with the later steps likely enough for small crowds to take them."""
    return channels[Channel.EMAIL].with_rates(opened=0.5, clicked=0.4, converted=0.3)


def run(people, params, world, seed=5):
    return happens(people, params, world, seed=seed, sent_at=AT)


def both(people, params, before, after, seed=5):
    return [values(run(people, params, world, seed), as_of=LATER) for world in (before, after)]


def test_unchanged_it_is_the_launch_itself_in_any_order_and_any_pieces(params):
    people = crowd(3_000)
    launched = simulate(
        recipients(people, params.population), params, seed=5, sent_at=AT, conversion_window_days=7
    )
    again = run(people, params, PLAIN)
    assert same(launched, again).all()
    shuffled = people.sample(frac=1.0, random_state=1)
    assert same(again.loc[shuffled.index], run(shuffled, params, PLAIN)).all()
    pieces = pd.concat([run(people.iloc[:7], params, PLAIN), run(people.iloc[7:], params, PLAIN)])
    assert same(again, pieces).all()


def test_what_differs_in_one_microsecond_is_not_the_same(params):
    people = crowd(500)
    launched = run(people, params, PLAIN)
    opened = launched["opened_at"].notna().to_numpy()
    other = launched.assign(opened_at=launched["opened_at"] + pd.Timedelta(microseconds=1))
    assert (same(launched, other) == ~opened).all()
    richer = launched.assign(revenue_minor=launched["revenue_minor"] + (launched["revenue_minor"] > 0))
    assert (same(launched, richer) == (launched["revenue_minor"] == 0).to_numpy()).all()


def test_a_better_offer_takes_nobody_away_and_leaves_the_others_as_they_were(params):
    people = crowd(4_000)
    base, changed = run(people, params, PLAIN), run(people, params, CLICKS)
    was, would = (frame["clicked_at"].notna() for frame in (base, changed))
    assert was.sum() < would.sum()
    assert not (was & ~would).any()
    untouched = was == would
    assert same(base[untouched], changed[untouched]).all()
    for name in ("opened_at", "delivered_at", "bounced_at", "unsubscribed_at"):
        assert base[name].equals(changed[name])


def test_a_longer_window_only_adds_conversions(params):
    people = crowd(4_000)
    short, long = both(people, params, PLAIN, replace(PLAIN, conversion_window_days=30))
    assert short["converted"].sum() < long["converted"].sum()
    assert not (short["converted"] & ~long["converted"]).any()


def test_who_is_sent_it_in_one_world_only_is_in_the_other_what_they_would_be_anyway(params):
    people = crowd(4_000).assign(variant=lambda rows: np.where(rows.index % 2, "A", NO_MESSAGE))
    often = replace(params, organic_share=1.0)
    outcome = run(people, often, PLAIN)
    held = people["variant"].eq(NO_MESSAGE).to_numpy()
    counted = values(outcome, as_of=LATER)
    assert outcome.loc[held, "organic"].sum() == outcome.loc[held, "converted_at"].notna().sum() > 100
    assert counted.loc[held, list(FIGURES[:9])].to_numpy().sum() == 0
    assert counted.loc[held, "revenue_minor"].sum() == 0
    assert counted.loc[held, "everybody_revenue_minor"].sum() == outcome.loc[held, "revenue_minor"].sum() > 0
    # With the luck they would have had as treated: whoever buys of themselves buys for the same money.
    treated = run(people.assign(variant="A"), often, PLAIN)
    alike = (held & treated["organic"]).to_numpy()
    assert alike.sum() > 50
    assert treated.loc[alike, "revenue_minor"].equals(outcome.loc[alike, "revenue_minor"])


def test_nothing_after_the_moment_counts(params):
    outcome = run(crowd(2_000), params, PLAIN)
    hour = AT + timedelta(hours=1)
    counted = values(outcome, as_of=hour)
    assert (
        counted["opened"].sum() == (outcome["opened_at"] <= hour).sum() < outcome["opened_at"].notna().sum()
    )
    before = values(outcome, as_of=AT - timedelta(seconds=1))
    assert before.drop(columns="customer_id").to_numpy().sum() == 0


def by_hand():
    """Four people: revenue 0, 100, 0, 500 as it was and 0, 100, 300, 700 with the change; all are sent it."""
    names = ("sent", "bounced", "delivered", "opened", "clicked", "converted", "caused", "unsubscribed",
             "complained")  # fmt: skip
    frames = []
    for revenue in ([0, 100, 0, 500], [0, 100, 300, 700]):
        frame = pd.DataFrame({"customer_id": [1, 2, 3, 4]} | dict.fromkeys(names, False))
        paid = np.array(revenue)
        frames.append(
            frame.assign(
                sent=True, converted=paid > 0, caused=paid > 0, revenue_minor=paid,
                everybody_converted=paid > 0, everybody_revenue_minor=paid,
            )
        )  # fmt: skip
    return frames


def test_the_interval_is_that_of_the_paired_differences_by_hand():
    dearer = replace(PLAIN, cost_per_thousand_minor=2_000, fixed_cost_minor=600)
    table = compare(*by_hand(), PLAIN, dearer)
    assert list(table.index) == list(FIGURES)
    row = table.loc["revenue_minor"]
    # Differences 0, 0, 300, 200: mean 125, variance 22,500 (with n - 1), so 500 ± 1.96 · √4 · 150.
    assert (row["base"], row["changed"], row["difference"]) == (600, 1_100, 500)
    assert row["high"] - row["difference"] == pytest.approx(1.959964 * 2 * 150, rel=1e-6)
    assert row["difference"] - row["low"] == pytest.approx(1.959964 * 2 * 150, rel=1e-6)
    # Variances 170,000 / 3 and 287,500 / 3 are what two separate launches would add up to.
    apart = np.var([0, 100, 0, 500], ddof=1) + np.var([0, 100, 300, 700], ddof=1)
    assert row["times"] == pytest.approx(apart / 22_500)
    assert (row["differ"], table.loc["converted", "differ"], table.loc["sent", "differ"]) == (2, 1, 0)
    # 4 · 1,000 / 1,000 = 4 and 8 for the messages, and the fixed costs.
    assert table.loc["cost_minor", ["base", "changed"]].tolist() == [504, 608]
    assert table.loc["profit_minor", "difference"] == 500 - 104
    assert table.loc["roi", "base"] == pytest.approx(96 / 504)
    assert table.loc["roi", ["low", "high", "times", "differ"]].isna().all()
    assert table.loc["sent", ["difference", "low", "high"]].tolist() == [0, 0, 0]
    assert np.isnan(table.loc["sent", "times"])


@pytest.mark.parametrize("unknown", ["cost_per_thousand_minor", "fixed_cost_minor"])
def test_an_unknown_cost_leaves_profit_unknown_and_the_rest_known(unknown):
    table = compare(*by_hand(), PLAIN, replace(PLAIN, **{unknown: None}))
    for name in ("cost_minor", "profit_minor", "roi", "everybody_profit_minor"):
        assert table.loc[name, ["changed", "difference", "low", "high", "differ"]].isna().all()
        assert table.loc[name, "base"] == table.loc[name, "base"]
    assert table.loc["revenue_minor"].notna().all()
    assert table.loc["revenue_minor", "differ"] == 2


def test_with_nothing_changed_nothing_differs_and_nothing_is_uncertain(params):
    table = compare(*both(crowd(1_000), params, PLAIN, PLAIN), PLAIN, PLAIN).drop("roi")
    assert (table["base"] == table["changed"]).all()
    assert (table[["difference", "low", "high"]] == 0).all(axis=None)
    assert table["times"].isna().all()
    one = compare(*(frame.iloc[:1] for frame in by_hand()), PLAIN, PLAIN)
    assert one.loc["revenue_minor", ["low", "high", "times"]].isna().all()


def test_a_difference_that_is_everybodys_is_certain(params):
    dearer = replace(PLAIN, cost_per_thousand_minor=1_234)
    table = compare(*both(crowd(1_000), params, PLAIN, dearer), PLAIN, dearer)
    for name in ("cost_minor", "profit_minor", "everybody_profit_minor"):
        row = table.loc[name]
        assert abs(row["difference"]) == 234
        assert row["low"] == row["high"] == row["difference"]
        assert np.isnan(row["times"])


def test_the_interval_holds_over_other_people_and_other_luck(params):
    """250 launches to 600 people each: the interval covers, and separate luck varies so much more."""
    launches, size = 250, 600
    base, changed = both(crowd(launches * size, seed=1), params, PLAIN, CLICKS)
    _, others = both(crowd(launches * size, seed=2), params, PLAIN, CLICKS)
    parts = [slice(start, start + size) for start in range(0, launches * size, size)]
    tables = [compare(base.iloc[part], changed.iloc[part], PLAIN, CLICKS) for part in parts]
    for name in ("clicked", "caused"):
        rows = pd.DataFrame([table.loc[name] for table in tables])
        truth, sd = rows["difference"].mean(), rows["difference"].std()
        inside = ((rows["low"] <= truth) & (truth <= rows["high"])).mean()
        assert 0.91 <= inside <= 0.985, (name, inside)
        assert ((rows["high"] - rows["low"]) / (2 * 1.96)).mean() == pytest.approx(sd, rel=0.15)
        apart = [others[name].iloc[part].sum() - base[name].iloc[part].sum() for part in parts]
        assert np.var(apart, ddof=1) / sd**2 == pytest.approx(rows["times"].mean(), rel=0.35)
        assert rows["times"].mean() > 2


def test_people_who_are_sent_nothing_at_all_make_no_trouble(params):
    people = crowd(50).assign(variant=NO_MESSAGE)
    outcome = run(people, params, PLAIN)
    assert outcome[[name for name in TIMES if name != "converted_at"]].isna().all(axis=None)
    table = compare(*[values(outcome, as_of=LATER)] * 2, PLAIN, PLAIN)
    assert table.loc["sent", "base"] == 0
    assert table.loc["cost_minor", "base"] == 500

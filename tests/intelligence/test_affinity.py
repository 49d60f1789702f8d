"""Lift of buying together: by hand, against the textbook, and on customers of whom the truth is known."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from ma.intelligence.affinity import LIFTS, Affinity


def frame(*baskets):
    """Customers 0, 1, … who bought these items, one purchase each."""
    rows = [(customer, item) for customer, items in enumerate(baskets) for item in items]
    return pd.DataFrame(rows, columns=["customer_id", "item"])


def fitted(bought, **options):
    return Affinity(**{"fewest": 0.0, "groups": 1} | options).fit(bought)


def pair(found, a, b):
    lifts = found.lifts_
    mine = lifts["item_a"].isin([a, b]) & lifts["item_b"].isin([a, b])
    return lifts[mine].iloc[0]


def shoppers(rng, customers, mix, *, spread=1.0, together=None):
    """Purchases of people who differ in how much they buy, not in what; `together`: (a, b, share of people).

    Of that share, whoever has a buys one b more.
    """
    count = rng.poisson(np.exp(rng.normal(1.5, spread, customers)))
    owner = np.repeat(np.arange(customers), count)
    bought = pd.DataFrame({"customer_id": owner, "item": rng.choice(len(mix), len(owner), p=mix)})
    if together:
        a, b, share = together
        have = np.unique(bought.loc[bought["item"] == a, "customer_id"])
        more = have[rng.random(len(have)) < share]
        bought = pd.concat([bought, pd.DataFrame({"customer_id": more, "item": b})], ignore_index=True)
    return bought


def test_lift_is_both_over_expected_by_hand():
    # Ten customers with two purchases: 5 with tea, 4 with milk, 3 with both. Each purchase is tea with the
    # chance 1 − √0.5 and milk with 1 − √0.6: (√0.5 + √0.6 − 1)² = 0.2321 of them would have neither.
    baskets = [["tea", "milk"]] * 3 + [["tea", "jam"]] * 2 + [["milk", "jam"]] + [["jam", "rice"]] * 4
    row = pair(fitted(frame(*baskets)), "tea", "milk")
    assert (row["item_a"], row["item_b"]) == ("tea", "milk")
    assert (row["customers_a"], row["customers_b"], row["both"], row["customers"]) == (5, 4, 3, 10)
    assert row["expected"] == pytest.approx(10 * (0.5 + 0.4 - 1 + 0.2321), abs=1e-3)
    assert row["lift"] == pytest.approx(3 / row["expected"])


def test_of_many_purchases_it_is_the_textbook_lift_with_its_interval():
    """Nobody's purchases are used up by two items: plain independence, and the two-by-two table."""
    many = 2_000
    baskets = [["a", "b"]] * 40 + [["a"]] * 60 + [["b"]] * 50 + [[]] * 150
    found = fitted(frame(*[[*items, *["z"] * (many - len(items))] for items in baskets]), fewest=1.0)
    n, a, b, both = 300, 100, 90, 40
    # Var log lift of a multinomial table, by its derivatives: 1/n11 − 1/n1. − 1/n.1 + 2 n11/(n1. n.1) − 1/n.
    variance = 1 / both - 1 / a - 1 / b + 2 * both / (a * b) - 1 / n
    half = norm.ppf(1 - 0.05 / len(found.lifts_) / 2) * math.sqrt(variance)
    row, lift = pair(found, "a", "b"), both * n / (a * b)
    assert row["expected"] == pytest.approx(a * b / n, rel=2e-3)
    expected = (lift / math.exp(half), lift * math.exp(half))
    assert (row["low"], row["high"]) == pytest.approx(expected, rel=4e-3)


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_what_is_drawn_by_chance_has_a_lift_of_one(spread):
    """A few purchases of one thing each: two of them leave no room for a third, which is no aversion."""
    mix = np.array([0.4, 0.25, 0.2, 0.1, 0.05])
    lifts = fitted(shoppers(np.random.default_rng(5), 40_000, mix, spread=spread), groups=10).lifts_
    assert len(lifts) == 10
    assert lifts["lift"].between(0.95, 1.05).all()
    assert ((lifts["low"] <= 1.0) & (lifts["high"] >= 1.0)).all()


def test_who_buys_much_does_not_make_things_go_together():
    """They differ in how much they buy, not in what: counted over all, everything seems to go together."""
    mix = np.array([0.3, 0.2, 0.15, 0.1, 0.1, 0.05, 0.05, 0.05])
    pairs, flagged, tables = 0, 0, 0
    for seed in range(8):
        bought = shoppers(np.random.default_rng(seed), 3_000, mix)
        owns = pd.crosstab(bought["customer_id"], bought["item"]).to_numpy() > 0
        together = (owns.T.astype(float) @ owns) * len(owns) / np.outer(owns.sum(0), owns.sum(0))
        assert together[np.triu_indices(8, 1)].mean() > 1.2
        lifts = fitted(bought, fewest=20.0, groups=10).lifts_
        pairs += len(lifts)
        flagged += int((lifts["low"] > 1.0).sum())
        tables += bool((lifts["low"] > 1.0).any())
    assert pairs == 8 * 28
    # All intervals of a table together: 1 of 20 tables may hold a false one.
    assert tables <= 2
    assert flagged / pairs < 0.02


def test_what_really_goes_together_is_found_and_how_much():
    rng = np.random.default_rng(7)
    mix = np.array([0.4, 0.25, 0.2, 0.08, 0.07])
    bought = shoppers(rng, 6_000, mix, spread=0.5, together=(3, 4, 0.5))
    found = Affinity().fit(bought).lifts_
    top = found.iloc[0]
    assert {top["item_a"], top["item_b"]} == {3, 4}
    assert top["low"] > 1.2
    # The others only make room for what was added.
    assert found["lift"][1:].between(0.92, 1.08).all()


def test_intervals_hold_as_often_as_they_say():
    """Two items, twenty purchases each: of three pairs compared, an interval holds in 98.3 of 100 samples."""
    shares = np.array([0.2, 0.15, 0.25, 0.4])  # both, only a, only b, neither
    chance = 0.35 + 0.45 - 1 + (0.65 ** (1 / 20) + 0.55 ** (1 / 20) - 1) ** 20
    rng, held = np.random.default_rng(3), 0
    people, items = np.repeat(np.arange(400), 20), np.full((4, 20), "z")
    items[[0, 1], 0], items[[0, 2], 1] = "a", "b"
    for _ in range(200):
        kind = rng.choice(4, 400, p=shares)
        bought = pd.DataFrame({"customer_id": people, "item": items[kind].ravel()})
        row = pair(fitted(bought, fewest=1.0), "a", "b")
        held += row["low"] <= 0.2 / chance <= row["high"]
    assert held / 200 >= 0.95


@pytest.mark.parametrize("seed", range(2))
def test_an_offer_is_the_surest_one_that_they_did_not_buy_lately(seed):
    rng = np.random.default_rng(seed)
    mix = np.array([0.3, 0.25, 0.2, 0.1, 0.1, 0.05])
    bought = shoppers(rng, 2_000, mix, together=(3, 4, 0.6))
    bought = pd.concat([bought, bought[bought["item"] == 5].assign(item=2)], ignore_index=True)
    found = Affinity().fit(bought)
    some = bought[bought["customer_id"] < 150].assign(recent=lambda f: rng.random(len(f)) < 0.3)
    offers = found.predict(some).set_index("customer_id")
    sure = found.lifts_[found.lifts_["low"] > 1.0]
    assert len(sure) >= 2
    for customer, mine in some.groupby("customer_id"):
        owns, lately = set(mine["item"]), set(mine.loc[mine["recent"], "item"])
        best = max(
            (
                row.low
                for row in sure.itertuples()
                for a, b in ((row.item_a, row.item_b), (row.item_b, row.item_a))
                if a in owns and b not in lately
            ),
            default=None,
        )
        if best is None:
            assert customer not in offers.index
            continue
        item, because = offers.loc[customer, ["item", "because"]]
        assert because in owns
        assert item not in lately
        assert pair(found, item, because)["low"] == best


def test_nothing_and_next_to_nothing_can_be_fitted():
    for bought in (frame(), frame(["a"]), frame(["a", "b"]), frame(*[["a", "a"]] * 30), frame(*[["a"]] * 9)):
        found = fitted(bought)
        assert list(found.lifts_.columns) == list(LIFTS)
        assert found.predict(bought.assign(recent=False)).empty
        assert not found.lifts_[["lift", "low", "high"]].isna().any(axis=None)


def test_pairs_of_which_too_few_customers_are_expected_are_left_out():
    baskets = [["a", "b"]] * 5 + [["c", "d"]] * 5 + [["c", "z"]] * 40
    assert len(fitted(frame(*baskets), fewest=1.0).lifts_) < len(fitted(frame(*baskets)).lifts_)
    assert (fitted(frame(*baskets), fewest=1.0).lifts_["expected"] >= 1.0).all()


def test_who_has_both_may_be_nobody():
    row = pair(fitted(frame(*[["a", "z"]] * 50, *[["b", "z"]] * 50)), "a", "b")
    assert (row["both"], row["lift"], row["low"]) == (0, 0.0, 0.0)
    # The exact upper end of a Poisson count of nobody (here of three pairs).
    assert row["high"] == pytest.approx(-math.log(0.05 / 3 / 2) / row["expected"])


def test_only_the_items_with_the_most_customers_are_compared():
    rng = np.random.default_rng(0)
    bought = shoppers(rng, 500, np.array([0.4, 0.3, 0.2, 0.1]))
    kept = fitted(bought, most_items=2).lifts_
    assert len(kept) == 1
    assert set(kept.loc[0, ["item_a", "item_b"]]) == {0, 1}

"""What customers will spend: the two models together, and the distributions around it, by simulation."""

import numpy as np
import pandas as pd
import pytest

from ma.intelligence.bgnbd import BetaGeo
from ma.intelligence.gamma_gamma import GammaGamma
from ma.intelligence.value import expected_value, total_interval, value_interval
from tests.intelligence.customers import purchase_times, summed_up

COLUMNS = ["frequency", "recency", "T", "monetary_value"]
HISTORIES = pd.DataFrame(
    [(2, 30.43, 38.86, 22.35), (0, 0.0, 38.0, np.nan), (12, 38.0, 38.0, 60.0), (9, 30.0, 31.0, 0.0)],
    columns=COLUMNS,
)


def futures(purchases, orders, row, ahead, draws=400_000):
    """What one customer may buy and spend: drawn as the models tell it, from what is known of them."""
    rng = np.random.default_rng(6)
    (r, alpha, a, b), (p, q, v) = purchases.parameters_, orders.parameters_
    known = row["monetary_value"] > 0.0
    x, spent = row["frequency"], row["frequency"] * row["monetary_value"] if known else 0.0
    active = rng.random(draws) < purchases.predict(row.to_frame().T, ahead)["p_alive"].iloc[0]
    come = rng.poisson(rng.gamma(r + x, 1.0 / (alpha + row["T"]), draws) * ahead)
    bought = np.minimum(come, rng.geometric(rng.beta(a, b + x, draws))) * active
    rate = rng.gamma(q + p * (x if known else 0.0), 1.0 / (v + spent), draws)
    return bought, rng.gamma(p * bought) / rate


def test_value_is_purchases_times_order(purchases, orders, cdnow):
    found = expected_value(purchases, orders, cdnow, 52.0)
    columns = ["p_alive", "expected_purchases", "order_chance", "expected_order", "expected_value"]
    assert found.columns.tolist() == columns
    assert np.isfinite(found).all(axis=None)
    by_hand = purchases.predict(cdnow, 52.0)["expected_purchases"] * orders.predict(cdnow)["expected_order"]
    np.testing.assert_allclose(found["expected_value"], by_hand)


@pytest.mark.parametrize("place", range(len(HISTORIES)))
def test_intervals_are_those_of_simulated_futures(purchases, orders, place):
    row = HISTORIES.iloc[place]
    found = value_interval(purchases, orders, HISTORIES, 52.0).iloc[place]
    bought, spent = futures(purchases, orders, row, 52.0)
    assert found["orders_low"] == np.quantile(bought, 0.1)
    assert found["orders_high"] == np.quantile(bought, 0.9)
    for name, tail in (("value_low", 0.1), ("value_high", 0.9)):
        # The share of futures below the bound is its level, unless no purchase at all is that likely.
        share = (spent <= found[name]).mean()
        assert share == pytest.approx(max(tail, (spent == 0.0).mean()), abs=0.003)
    assert expected_value(purchases, orders, HISTORIES, 52.0)["expected_value"].iloc[place] == pytest.approx(
        spent.mean(), rel=0.02
    )


def test_a_wider_level_has_a_wider_interval(purchases, orders):
    narrow = value_interval(purchases, orders, HISTORIES, 52.0, 0.5)
    wide = value_interval(purchases, orders, HISTORIES, 52.0, 0.95)
    for name in ("orders", "value"):
        assert (wide[f"{name}_low"] <= narrow[f"{name}_low"]).all()
        assert (wide[f"{name}_high"] >= narrow[f"{name}_high"]).all()


def test_cents_have_the_intervals_of_dollars(purchases, orders):
    cents = GammaGamma.of(orders.parameters_ * [1.0, 1.0, 100.0])
    rows = HISTORIES.assign(monetary_value=HISTORIES["monetary_value"] * 100.0)
    values = ["value_low", "value_high"]
    np.testing.assert_allclose(
        value_interval(purchases, cents, rows, 52.0)[values],
        value_interval(purchases, orders, HISTORIES, 52.0)[values] * 100.0,
    )


def test_intervals_at_the_edges(purchases, orders):
    rows = pd.DataFrame([(10_000, 52.0, 52.0, 30.0), (0, 0.0, 0.0, 0.0)], columns=COLUMNS)
    found = value_interval(purchases, orders, rows, 52.0)
    assert np.isfinite(found).all(axis=None)
    # (r + x) / (alpha + T) x 52 = 9,218 but for a dropout and for chance, whose sd is 134.
    assert 9_218 < found["orders_high"][0] < 9_218 + 2 * 134
    assert found["value_high"][0] == pytest.approx(30.0 * found["orders_high"][0], rel=0.02)
    assert (value_interval(purchases, orders, rows, 0.0) == 0.0).all(axis=None)
    assert len(value_interval(purchases, orders, rows.iloc[:0], 52.0)) == 0


def certain(model):
    """The model as if its parameters were known."""
    model.covariance_ = pd.DataFrame(0.0, index=model.parameters_.index, columns=model.parameters_.index)
    return model


def test_of_few_customers_chance_makes_the_interval(purchases, orders, cdnow):
    few = cdnow.head(900)
    known = certain(BetaGeo.of(purchases.parameters_)), certain(GammaGamma.of(orders.parameters_))
    found = total_interval(*known, few, 52.0, draws=600)
    chances = purchases.purchase_distribution(few, 52.0, 300)
    n = chances.columns.to_numpy()
    variance = (chances @ n**2 - (chances @ n) ** 2).sum()
    # The sum of 900 is nearly normal: 1.2816 sd to each side.
    width = (found["orders_high"] - found["orders_low"]) / 2.0
    assert width == pytest.approx(1.2816 * variance**0.5, rel=0.12)
    middle = (found["orders_high"] + found["orders_low"]) / 2.0
    assert middle == pytest.approx(found["orders"], abs=0.25 * variance**0.5)


def test_of_many_customers_the_parameters_make_the_interval(purchases, orders, cdnow):
    many = cdnow.assign(weight=10_000)
    found = total_interval(purchases, orders, many, 52.0, draws=600)
    assert found["customers"] == 23_570_000

    def total(parameters):
        model = BetaGeo.of(dict(zip(purchases.parameters_.index, parameters, strict=True)))
        return model.predict(cdnow, 52.0)["expected_purchases"].sum()

    # The delta method: the slope of the total by each parameter, and their covariance.
    at = purchases.parameters_.to_numpy()
    steps = np.diag(at * 1e-4)
    slope = [(total(at + step) - total(at - step)) / (2.0 * step.sum()) for step in steps]
    sd = float(np.array(slope) @ purchases.covariance_.to_numpy() @ slope) ** 0.5
    width = (found["orders_high"] - found["orders_low"]) / 2.0 / 10_000
    assert width == pytest.approx(1.2816 * sd, rel=0.12)
    assert found["orders"] == pytest.approx(10_000 * total(at))
    assert found["value_low"] < found["value"] < found["value_high"]


def test_weights_stand_for_customers_in_the_total(purchases, orders, cdnow):
    some = cdnow.head(40)
    one = total_interval(purchases, orders, pd.concat([some] * 3), 52.0)
    other = total_interval(purchases, orders, some.assign(weight=3), 52.0)
    np.testing.assert_allclose(one[["customers", "orders", "value"]], other[["customers", "orders", "value"]])
    np.testing.assert_allclose(one, other, rtol=0.1)


def test_the_same_seed_gives_the_same_interval(purchases, orders, cdnow):
    first = total_interval(purchases, orders, cdnow.head(50), 52.0, draws=20)
    pd.testing.assert_series_equal(first, total_interval(purchases, orders, cdnow.head(50), 52.0, draws=20))
    assert not first.equals(total_interval(purchases, orders, cdnow.head(50), 52.0, draws=20, seed=1))


def test_without_certainty_there_is_no_interval(purchases, orders, cdnow):
    unknown = BetaGeo.of(purchases.parameters_)
    unknown.covariance_ = purchases.covariance_ * np.nan
    found = total_interval(unknown, orders, cdnow.head(50), 52.0, draws=20)
    assert found[["orders_low", "orders_high", "value_low", "value_high"]].isna().all()
    assert found["value"] > 0.0


def test_nobody_is_expected_to_spend_nothing(purchases, orders, cdnow):
    assert (total_interval(purchases, orders, cdnow.iloc[:0], 52.0) == 0.0).all()


def test_what_a_base_buys_later_lies_as_far_from_its_middle_as_the_interval_says():
    # Both models fitted to few customers, so that chance and the parameters weigh alike.
    away = []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        age, rate = rng.uniform(1.0, 52.0, 600), rng.gamma(6.0, 1.0 / 60.0, 600)
        times = purchase_times(rng, 0.8, 6.0, 0.8, 2.5, age + 26.0)
        rows, later = summed_up(times, age), (times > age[:, None]).sum(axis=1)
        x = rows["frequency"]
        rows["monetary_value"] = rng.gamma(4.0 * x) / rate / np.where(x > 0, x, np.nan)
        spent = (rng.gamma(4.0 * later) / rate).sum()
        found = total_interval(BetaGeo().fit(rows), GammaGamma().fit(rows), rows, 26.0, draws=60)
        for name, actual in (("orders", later.sum()), ("value", spent)):
            low, high = found[f"{name}_low"], found[f"{name}_high"]
            away.append({"name": name, "away": (actual - (low + high) / 2.0) / (high - low) * 2.0})
    # 80 % of a normal distribution lie within 1.2816 sd; the sd of 16 is within a third of it.
    spread = pd.DataFrame(away).groupby("name")["away"].agg(lambda off: (off**2).mean() ** 0.5)
    assert (spread * 1.2816).between(0.67, 1.5).all()

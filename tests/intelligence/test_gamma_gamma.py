"""The gamma-gamma model against the figures of its paper, and amounts drawn as it says."""

import numpy as np
import pandas as pd
import pytest

from ma.intelligence.gamma_gamma import GammaGamma, _Likelihood
from ma.intelligence.summaries import BadSummary

# Fader & Hardie 2013.
PAPER = {"p": 6.25, "q": 3.74, "v": 15.44}


def spent(seed, p, q, v, customers):
    """Customers' mean amounts, each order drawn by itself."""
    rng = np.random.default_rng(seed)
    x = np.minimum(rng.geometric(0.4, customers), 8)
    rate = rng.gamma(q, 1.0 / v, customers)
    orders = rng.gamma(p, 1.0, (customers, 8)) / rate[:, None]
    mean = np.where(np.arange(8) < x[:, None], orders, 0.0).sum(axis=1) / x
    return pd.DataFrame({"frequency": x, "monetary_value": mean})


def test_parameters_of_cdnow_are_those_of_the_paper(orders):
    assert orders.parameters_[["p", "q"]].round(2).to_dict() == {"p": 6.25, "q": 3.74}
    # 15.44 in the paper, whose search stopped a little before the top.
    assert orders.parameters_["v"] == pytest.approx(15.447, abs=0.002)
    assert orders.customers_ == 946
    assert orders.converged_
    assert orders.at_bounds_ == ()


def test_standard_errors_of_cdnow_are_those_of_an_independent_program(orders):
    # The documentation of lifetimes prints them.
    assert orders.standard_errors_.round(2).to_dict() == {"p": 1.19, "q": 0.29, "v": 4.16}


def test_orders_of_the_first_ten_customers_are_those_of_the_paper(orders, cdnow):
    known = [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17]
    assert orders.predict(cdnow.head(10))["expected_order"].to_numpy() == pytest.approx(known, abs=0.011)


def test_whoever_did_not_come_back_is_expected_to_spend_the_mean_of_all(orders):
    rows = pd.DataFrame({"frequency": [0, 3, 3, 3], "monetary_value": [np.nan, np.nan, 0.0, -5.0]})
    p, q, v = orders.parameters_
    assert orders.predict(rows)["expected_order"].tolist() == pytest.approx([p * v / (q - 1.0)] * 4)


def test_the_more_orders_the_more_their_own_mean_counts(orders):
    rows = pd.DataFrame({"frequency": [1, 5, 50, 10**6], "monetary_value": 100.0})
    found = orders.predict(rows)["expected_order"]
    assert found.is_monotonic_increasing
    assert found.iloc[-1] == pytest.approx(100.0, rel=1e-5)


@pytest.mark.parametrize(
    "parameters", [tuple(PAPER.values()), (1.0, 8.0, 5_000.0), (30.0, 2.2, 900.0)], ids=str
)
def test_parameters_that_made_the_amounts_are_found_again(parameters):
    model = GammaGamma().fit(spent(1, *parameters, 20_000))
    away = (np.log(model.parameters_) - np.log(parameters)) * model.parameters_
    assert (away.abs() < 4.0 * model.standard_errors_).all()
    assert model.converged_


def test_the_next_order_is_what_is_expected(orders):
    p, q, v = orders.parameters_
    rng = np.random.default_rng(2)
    rate = rng.gamma(q, 1.0 / v, 200_000)
    rows = pd.DataFrame({"frequency": 2, "monetary_value": rng.gamma(2.0 * p, 1.0, 200_000) / rate / 2.0})
    later = rng.gamma(p, 1.0, 200_000) / rate
    groups = pd.DataFrame({"later": later, "expected": orders.predict(rows)["expected_order"]}).groupby(
        pd.qcut(rows["monetary_value"], 8)
    )
    means, error = groups.mean(), groups["later"].std() / groups.size() ** 0.5
    assert ((means["later"] - means["expected"]).abs() < 4.5 * error).all()


@pytest.mark.parametrize("parameters", [(6.25, 3.74, 15.44), (0.3, 1.2, 900.0), (300.0, 40.0, 1.0)], ids=str)
def test_gradient_and_curvature_are_the_differences(parameters):
    rows = spent(3, *PAPER.values(), 200)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(rows))
    likelihood = _Likelihood(*(rows[name].to_numpy(float) for name in rows), weight)
    at, step = np.array(parameters), 1e-5
    _, gradient = likelihood.slope(at)
    curvature = likelihood.curvature(at)
    for place in range(3):
        off = np.eye(3)[place] * step * at[place]
        up, down = likelihood.slope(at + off), likelihood.slope(at - off)
        scale = 2.0 * step * at[place]
        assert gradient[place] == pytest.approx((up[0] - down[0]) / scale, rel=1e-5, abs=1e-4)
        assert curvature[place] == pytest.approx((up[1] - down[1]) / scale, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("factor", [1e-4, 100.0, 1e8])
def test_cents_are_fitted_as_well_as_dollars(orders, cdnow, factor):
    scaled = cdnow.assign(monetary_value=cdnow["monetary_value"] * factor)
    model = GammaGamma().fit(scaled)
    expected = orders.parameters_ * [1.0, 1.0, factor]
    np.testing.assert_allclose(model.parameters_, expected, rtol=1e-6)
    np.testing.assert_allclose(
        model.standard_errors_ / expected, orders.standard_errors_ / orders.parameters_, rtol=1e-5
    )
    assert model.log_likelihood_ == pytest.approx(orders.log_likelihood_ - 946 * np.log(factor))
    found = model.predict(scaled)["expected_order"] / factor
    np.testing.assert_allclose(found, orders.predict(cdnow)["expected_order"], rtol=1e-6)


def test_weights_stand_for_rows_and_unknown_amounts_for_nothing(orders, cdnow):
    nothing = pd.DataFrame({"frequency": [4, 2, 1], "monetary_value": [0.0, -3.0, np.nan]})
    more = pd.concat([cdnow, nothing]).assign(weight=3.0)
    model = GammaGamma().fit(more)
    assert model.customers_ == 3 * 946
    np.testing.assert_allclose(model.parameters_, orders.parameters_, rtol=1e-7)
    assert model.log_likelihood_ == pytest.approx(3.0 * orders.log_likelihood_)


def test_amounts_that_never_differ_stop_at_a_bound():
    rows = pd.DataFrame({"frequency": [1, 2, 3] * 100, "monetary_value": 500.0})
    model = GammaGamma().fit(rows)
    assert model.at_bounds_
    assert model.standard_errors_.isna().all()
    assert model.predict(rows)["expected_order"].to_numpy() == pytest.approx(500.0, rel=0.01)


def test_amounts_with_too_long_a_tail_stop_where_there_is_no_mean():
    # Fader & Hardie: for q of 1 and below the mean over customers is infinite.
    model = GammaGamma().fit(spent(4, 5.0, 0.6, 100.0, 3_000))
    assert "q" in model.at_bounds_
    assert np.isfinite(model.predict(pd.DataFrame({"frequency": [0], "monetary_value": [np.nan]}))).all(
        axis=None
    )


def test_no_amounts_are_refused():
    with pytest.raises(BadSummary, match="No repeat purchase has an amount"):
        GammaGamma().fit(pd.DataFrame({"frequency": [0, 2], "monetary_value": [10.0, 0.0]}))
    with pytest.raises(BadSummary, match="Row 2: monetary_value is infinite"):
        GammaGamma().fit(pd.DataFrame({"frequency": [1, 2], "monetary_value": [10.0, np.inf]}))
    with pytest.raises(BadSummary, match="There is no column monetary_value"):
        GammaGamma().fit(pd.DataFrame({"frequency": [1, 2]}))

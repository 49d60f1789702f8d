"""BG/NBD against the figures of its paper, customers who buy as it says, and its own formulas by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import beta, nbinom

from ma.intelligence.bgnbd import BetaGeo, _Likelihood
from ma.intelligence.summaries import BadSummary
from tests.intelligence.customers import purchase_times, simulated, summed_up

# Fader, Hardie & Lee 2005: table 2.
PAPER = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
# Others, by what is unusual in them: few drop out, many do, all are alike, a and a + b at the formula's gaps.
OTHERS = [
    {"r": 0.6, "alpha": 8.0, "a": 0.3, "b": 9.0},
    {"r": 1.5, "alpha": 3.0, "a": 2.5, "b": 1.2},
    {"r": 30.0, "alpha": 60.0, "a": 20.0, "b": 80.0},
    {"r": 0.5, "alpha": 5.0, "a": 1.0, "b": 2.0},
    {"r": 0.5, "alpha": 5.0, "a": 0.4, "b": 0.6},
]


def history(frequency, recency, age):
    return pd.DataFrame({"frequency": [frequency], "recency": [recency], "T": [age]})


def test_parameters_of_cdnow_are_those_of_the_paper(purchases):
    assert purchases.parameters_.round(3).to_dict() == PAPER
    assert round(purchases.log_likelihood_, 1) == -9582.4
    assert purchases.customers_ == 2357
    assert purchases.repeat_customers_ == 946
    assert purchases.converged_ is True
    assert purchases.at_bounds_ == ()


def test_standard_errors_of_cdnow_are_those_of_an_independent_program(purchases):
    # The documentation of lifetimes prints them.
    known = {"r": 0.013, "alpha": 0.378, "a": 0.186, "b": 0.705}
    assert purchases.standard_errors_.round(3).to_dict() == known
    assert np.linalg.eigvalsh(purchases.covariance_).min() > 0.0


def test_expectation_of_a_customer_is_that_of_the_spreadsheet():
    # Fader, Hardie & Lee 2005, "Implementing the BG/NBD Model for Customer Base Analysis in Excel".
    found = BetaGeo.of(PAPER).predict(history(2, 30.43, 38.86), 39.0)["expected_purchases"]
    assert found.round(3).tolist() == [1.226]


def test_expectations_of_somebody_new_are_those_of_the_spreadsheet(purchases):
    times = [0.1429, 1.0, 3.0, 31.8571, 32.0, 78.0]
    known = [0.0078, 0.0532, 0.1506, 1.0405, 1.0437, 1.8576]
    assert purchases.expected_purchases_of_new(times) == pytest.approx(known, abs=5e-4)
    assert purchases.expected_purchases_of_new(1.0) == pytest.approx(0.0532, abs=5e-5)
    assert purchases.expected_purchases_of_new(0.0) == 0.0


def test_the_frequencies_of_cdnow_are_met(purchases, cdnow):
    found = purchases.actual_and_expected_by_frequency(cdnow)
    # The paper's figure 3.
    assert found["actual"].tolist() == [1411, 439, 214, 100, 62, 38, 29, 64]
    assert found["expected"].sum() == pytest.approx(2357)
    r, alpha = purchases.parameters_[["r", "alpha"]]
    assert found["expected"][0] == pytest.approx(((alpha / (alpha + cdnow["T"])) ** r).sum())
    # A good fit, as the paper says: 8 classes, 4 parameters; 5 % of good fits are beyond 7.8.
    assert ((found["actual"] - found["expected"]) ** 2 / found["expected"]).sum() < 7.8


def test_the_next_39_weeks_of_cdnow_are_forecast_four_percent_too_low_as_in_the_paper(
    purchases, cdnow, cdnow_days
):
    first = cdnow_days.groupby("id")["day"].transform("min")
    weeks = cdnow_days["day"][cdnow_days["day"] > first] / 7.0
    expected = purchases.expected_cumulative(cdnow["T"], [39.0, 78.0])
    assert expected.loc[39.0] / (weeks <= 39.0).sum() == pytest.approx(1.0, abs=0.02)
    assert expected.loc[78.0] / (weeks <= 78.0).sum() - 1.0 == pytest.approx(-0.04, abs=0.005)


def test_cumulative_expectation_adds_up_customers_by_when_they_began(purchases):
    found = purchases.expected_cumulative([10.0, 4.0, 4.0], [0.0, 5.0, 8.0, 12.0])
    one = purchases.expected_purchases_of_new
    assert found.tolist() == pytest.approx([0.0, one(5.0), one(8.0) + 2 * one(2.0), one(12.0) + 2 * one(6.0)])
    weighted = purchases.expected_cumulative([10.0, 4.0], [0.0, 5.0, 8.0, 12.0], weight=[1, 2])
    pd.testing.assert_series_equal(found, weighted)


@pytest.mark.parametrize("parameters", [PAPER, *OTHERS[:3]], ids=str)
def test_parameters_that_made_the_customers_are_found_again(parameters):
    model = BetaGeo().fit(simulated(1, parameters.values(), 20_000))
    away = (np.log(model.parameters_) - np.log(pd.Series(parameters))) * model.parameters_
    # Four standard errors: once in 16,000 a parameter is further off.
    assert (away.abs() < 4.0 * model.standard_errors_).all()
    assert model.converged_


def test_standard_errors_are_how_much_fits_differ():
    fits = [BetaGeo().fit(simulated(seed, (0.8, 6.0, 0.8, 2.5), 3_000)) for seed in range(60)]
    spread = np.log(pd.DataFrame([model.parameters_ for model in fits])).std()
    said = pd.DataFrame([model.standard_errors_ / model.parameters_ for model in fits]).mean()
    # The spread of 60 is within 9 % of its truth two times in three.
    assert (spread / said).between(0.7, 1.4).all()


@pytest.mark.parametrize("parameters", [PAPER, *OTHERS], ids=str)
def test_gradient_and_curvature_are_the_differences(parameters):
    rows = simulated(2, PAPER.values(), 300)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(rows))
    likelihood = _Likelihood(*(rows[name].to_numpy(float) for name in rows), weight)
    at, step = np.array(list(parameters.values())), 1e-5
    _, gradient = likelihood.slope(at)
    curvature = likelihood.curvature(at)
    for place in range(4):
        off = np.eye(4)[place] * step * at[place]
        up, down = likelihood.slope(at + off), likelihood.slope(at - off)
        scale = 2.0 * step * at[place]
        assert gradient[place] == pytest.approx((up[0] - down[0]) / scale, rel=1e-5, abs=1e-4)
        assert curvature[place] == pytest.approx((up[1] - down[1]) / scale, rel=1e-5, abs=1e-4)


def test_no_parameters_nearby_are_likelier(purchases, cdnow):
    likelihood = _Likelihood(
        *(cdnow[name].to_numpy(float) for name in ("frequency", "recency", "T")), np.ones(len(cdnow))
    )
    at = purchases.parameters_.to_numpy()
    assert likelihood.slope(at)[0] == pytest.approx(purchases.log_likelihood_, abs=1e-6)
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert likelihood.slope(at * np.exp(rng.normal(0.0, 0.01, 4)))[0] < purchases.log_likelihood_


def test_weights_stand_for_rows_and_their_order_does_not_matter(purchases, cdnow):
    twice = pd.concat([cdnow, cdnow.sample(frac=1.0, random_state=1)])
    weighted = BetaGeo().fit(cdnow.assign(weight=2))
    repeated = BetaGeo().fit(twice)
    assert weighted.customers_ == repeated.customers_ == 4714
    np.testing.assert_allclose(weighted.parameters_, purchases.parameters_, rtol=1e-7)
    np.testing.assert_allclose(repeated.parameters_, weighted.parameters_, rtol=1e-7)
    assert repeated.log_likelihood_ == pytest.approx(2.0 * purchases.log_likelihood_)
    np.testing.assert_allclose(repeated.standard_errors_ * 2**0.5, purchases.standard_errors_, rtol=1e-5)


@pytest.mark.parametrize("factor", [1e-3, 7.0, 1e5])
def test_the_unit_of_time_does_not_matter(purchases, cdnow, factor):
    scaled = cdnow.assign(recency=cdnow["recency"] * factor, T=cdnow["T"] * factor)
    model = BetaGeo().fit(scaled)
    expected = purchases.parameters_ * [1.0, factor, 1.0, 1.0]
    np.testing.assert_allclose(model.parameters_, expected, rtol=1e-6)
    np.testing.assert_allclose(
        model.standard_errors_ / expected, purchases.standard_errors_ / purchases.parameters_, rtol=1e-5
    )
    # Densities of times: each repeat purchase has one.
    assert model.log_likelihood_ == pytest.approx(
        purchases.log_likelihood_ - cdnow["frequency"].sum() * np.log(factor)
    )
    pd.testing.assert_frame_equal(
        model.predict(scaled, 39.0 * factor), purchases.predict(cdnow, 39.0), rtol=1e-5
    )


@pytest.mark.parametrize("parameters", [PAPER, *OTHERS], ids=str)
def test_expectation_and_chance_are_those_of_the_distribution(parameters):
    # Two routes: a closed form with a hypergeometric function, and a sum over every number of purchases.
    model = BetaGeo.of(parameters)
    rows = pd.DataFrame(
        [(0, 0.0, 0.0), (0, 0.0, 30.0), (1, 0.5, 40.0), (1, 40.0, 40.0), (7, 20.0, 25.0), (60, 50.0, 52.0)],
        columns=["frequency", "recency", "T"],
    )
    chances = model.purchase_distribution(rows, 26.0, 600)
    found = model.predict(rows, 26.0)
    assert chances.sum(axis=1).to_numpy() == pytest.approx(1.0, abs=1e-9)
    assert (chances >= 0.0).all(axis=None)
    mean = (chances * chances.columns).sum(axis=1)
    np.testing.assert_allclose(found["expected_purchases"], mean, rtol=1e-6)
    np.testing.assert_allclose(found["order_chance"], 1.0 - chances[0], rtol=1e-9)
    # The last column is "so many or more".
    np.testing.assert_allclose(
        model.purchase_distribution(rows, 26.0, 3)[3], chances.loc[:, 3:].sum(axis=1), atol=1e-9
    )


def test_distribution_is_the_mixture_integrated_numerically():
    model, (r, alpha, a, b) = BetaGeo.of(PAPER), PAPER.values()
    x, age, ahead = 3, 30.0, 20.0
    row = history(x, 25.0, age)
    active = model.predict(row, ahead)["p_alive"][0]
    come = nbinom(r + x, (alpha + age) / (alpha + age + ahead))
    dropout = beta(a, b + x)

    def chance(n):
        stays = quad(lambda p: (1 - p) ** n * dropout.pdf(p), 0, 1)[0]
        goes = quad(lambda p: p * (1 - p) ** (n - 1) * dropout.pdf(p), 0, 1)[0]
        return active * (stays * come.pmf(n) + goes * come.sf(n - 1))

    found = model.purchase_distribution(row, ahead, 20)
    assert [found.loc[0, n] for n in (1, 2, 5)] == pytest.approx([chance(n) for n in (1, 2, 5)], rel=1e-5)


@pytest.mark.parametrize("parameters", [PAPER, OTHERS[1], OTHERS[2]], ids=str)
def test_what_is_predicted_happens(parameters):
    rng, ahead = np.random.default_rng(5), 26.0
    age = rng.uniform(1.0, 52.0, 60_000)
    times = purchase_times(rng, *parameters.values(), age + ahead)
    summary = summed_up(times, age)
    later = (times > age[:, None]).sum(axis=1)
    found = BetaGeo.of(parameters).predict(summary, ahead)
    groups = pd.DataFrame(
        {
            "frequency": summary["frequency"].clip(upper=4),
            "bought": later,
            "expected": found["expected_purchases"],
            "some": later > 0,
            "chance": found["order_chance"],
        }
    ).groupby("frequency")
    means, error = groups.mean(), groups["bought"].std() / groups.size() ** 0.5
    assert ((means["bought"] - means["expected"]).abs() < 4.5 * error).all()
    error = (means["chance"] * (1.0 - means["chance"]) / groups.size()) ** 0.5
    assert ((means["some"] - means["chance"]).abs() < 4.5 * error).all()


def test_chance_of_being_active_by_hand():
    model = BetaGeo.of({"r": 1.0, "alpha": 1.0, "a": 1.0, "b": 1.0})
    rows = pd.concat([history(0, 0, 9), history(1, 4, 4), history(1, 1, 3), history(2, 1, 3)])
    # One repeat purchase: odds of having dropped out are a / b ((1 + T) / (1 + recency))^2.
    assert model.predict(rows, 1.0)["p_alive"].tolist() == pytest.approx([1.0, 1 / 2, 1 / 5, 1 / 5])


def test_whoever_was_not_seen_for_long_is_less_likely_active(purchases):
    rows = pd.concat([history(5, 20.0, age) for age in (20, 25, 40, 80, 500)])
    assert purchases.predict(rows, 10.0)["p_alive"].is_monotonic_decreasing
    # The more often they bought, the more a silence says.
    silent = pd.concat([history(x, 20.0, 40.0) for x in (5, 20, 100)])
    assert purchases.predict(silent, 10.0)["p_alive"].is_monotonic_decreasing


EDGES = pd.DataFrame(
    [
        (0, 0.0, 0.0),
        (0, 0.0, 1e6),
        (1, 1e-9, 1e-9),
        (1, 1.0, 1e6),
        (1, 39.0, 39.0),
        (10_000, 100.0, 100.0),
        (10_000, 1.0, 1e5),
        (1_000_000, 5_000.0, 5_000.0),
        (1_000_000, 4_000.0, 5_000.0),
    ],
    columns=["frequency", "recency", "T"],
)


@pytest.mark.parametrize("ahead", [0.0, 1e-6, 52.0, 1e6])
@pytest.mark.parametrize("parameters", [PAPER, *OTHERS, dict.fromkeys(BetaGeo.PARAMETERS, 1e-3)], ids=str)
def test_nothing_overflows_at_the_edges(parameters, ahead):
    model = BetaGeo.of(parameters)
    found = model.predict(EDGES, ahead)
    assert np.isfinite(found).all(axis=None)
    chances = found[["p_alive", "order_chance"]].to_numpy()
    assert ((chances >= 0.0) & (chances <= 1.0)).all()
    r, alpha = parameters["r"], parameters["alpha"]
    most = (r + EDGES["frequency"]) * ahead / (alpha + EDGES["T"])
    assert (found["expected_purchases"] <= most * (1.0 + 1e-12)).all()
    assert (found["expected_purchases"] >= found["order_chance"] * (1.0 - 1e-6)).all()
    if ahead == 0.0:
        assert (found[["expected_purchases", "order_chance"]] == 0.0).all(axis=None)
    chances = model.purchase_distribution(EDGES, ahead, 30)
    assert np.isfinite(chances).all(axis=None)
    assert chances.sum(axis=1).to_numpy() == pytest.approx(1.0, abs=1e-7)


@pytest.mark.parametrize("gap", [{"a": 1.0, "b": 2.0}, {"a": 0.4, "b": 0.6}, {"a": 1.0, "b": 1e-3}], ids=str)
def test_expectation_has_no_jump_where_its_formula_divides_by_zero(gap):
    rows = pd.concat([history(0, 0.0, 20.0), history(1, 5.0, 20.0), history(9, 19.0, 20.0)])

    def expected(a):
        return BetaGeo.of(PAPER | gap | {"a": a}).predict(rows, 52.0)["expected_purchases"].to_numpy()

    a = gap["a"]
    around = [expected(a + off) for off in (-2e-3, -2e-4, -5e-5, 0.0, 5e-5, 2e-4, 2e-3)]
    assert (np.diff(around, axis=0) < 0.0).all()
    np.testing.assert_allclose(around[3], (around[1] + around[5]) / 2.0, rtol=1e-6)


def test_customers_with_huge_counts_can_be_fitted():
    rows = simulated(3, PAPER.values(), 2_000)
    huge = pd.DataFrame({"frequency": [100_000], "recency": [51.0], "T": [52.0]})
    model = BetaGeo().fit(pd.concat([rows, huge]))
    assert model.converged_
    assert np.isfinite(model.predict(huge, 52.0)).all(axis=None)


def test_a_search_that_a_bound_stops_says_so():
    # Nobody ever drops out: a goes to 0, or b beyond all measure.
    rng = np.random.default_rng(4)
    age = np.full(3_000, 500.0)
    model = BetaGeo().fit(summed_up(purchase_times(rng, 2.0, 8.0, 1e-9, 50.0, age), age))
    assert set(model.at_bounds_) & {"a", "b"}
    assert model.standard_errors_.isna().all()
    assert model.predict(history(3, 40.0, 50.0), 10.0)["p_alive"][0] > 0.99


def test_an_empty_frame_is_predicted_as_one(purchases):
    none = history(1, 1.0, 1.0).iloc[:0]
    assert purchases.predict(none, 10.0).columns.tolist() == ["p_alive", "expected_purchases", "order_chance"]
    assert len(purchases.purchase_distribution(none, 10.0, 3)) == 0


def test_the_index_and_unsorted_rows_stay(purchases):
    rows = pd.concat([history(2, 5.0, 9.0), history(0, 0.0, 3.0), history(2, 8.0, 9.0)]).set_axis(list("cab"))
    found = purchases.predict(rows, 10.0)
    assert found.index.tolist() == ["c", "a", "b"]
    for name in rows.index:
        pd.testing.assert_frame_equal(found.loc[[name]], purchases.predict(rows.loc[[name]], 10.0))


BAD = [
    (history(1, 5.0, 4.0), "Row 1: recency 5 is more than T 4"),
    (history(-1, 0.0, 4.0), "Row 1: frequency -1 is negative"),
    (history(1.5, 1.0, 4.0), "frequency 1.5 is not a whole number"),
    (history(0, 1.0, 4.0), "recency is 1 without a repeat purchase"),
    (history(2, 0.0, 4.0), "recency is 0, but frequency 2"),
    (history(1, np.nan, 4.0), "recency is missing"),
    (history(1, 1.0, np.inf), "T is missing or infinite"),
    (history(1, "soon", 4.0), "recency 'soon' is not a number"),
    (history(1, 1.0, 4.0).drop(columns="T"), "There is no column T"),
    (history(0, 0.0, 4.0), "Nobody bought a second time"),
    (history(0, 0.0, 4.0).iloc[:0], "There are no customers"),
    (pd.concat([history(1, 1.0, 4.0), history(1, 5.0, 4.0)]), "Row 2: recency 5 is more than T 4"),
]


@pytest.mark.parametrize(("rows", "words"), BAD, ids=[words for _, words in BAD])
def test_what_cannot_be_is_refused_with_the_row(rows, words):
    with pytest.raises(BadSummary, match=words):
        BetaGeo().fit(rows)

"""What customers are expected to bring: by hand, against pandas, by laws, and by the models themselves."""

import shutil
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import insert, update

from ma.analytics import customer_value as card
from ma.analytics import segments, value_fit, value_overview
from ma.analytics.customer_scores import score_of
from ma.analytics.frames import frame
from ma.analytics.value_models import value_model
from ma.analytics.value_summaries import summaries
from ma.db.engine import connect
from ma.intelligence.rfm import SEGMENTS
from ma.models import Customer, CustomerScore, ValueModel
from ma.services import scoring
from ma.types import SYSTEM
from tests.analytics import value_world as world
from tests.analytics.value_world import NOW

SCORE = CustomerScore.__table__
MODEL = {
    "id": 1, "as_of": NOW, "status": "good", "problems": [], "customers": 4, "repeat_customers": 3,
    "parameters": {}, "figures": {"totals": {"low": 800.0, "high": 1200.0}}, "duration_ms": 1,
    "created_by": "system",
}  # fmt: skip
EMPTY = (
    "value_overview", "value_distribution", "value_concentration", "value_parameters", "value_tracking",
    "value_by_frequency", "value_holdout", "value_churn_calibration", "value_what_if", "new_customer_value",
)  # fmt: skip


def store(session, rows):
    """A model, and scores of customers 1, 2 …"""
    session.execute(insert(ValueModel.__table__).values(**MODEL))
    usual = {"model_id": 1, "scored_at": NOW} | dict.fromkeys(
        ["recency_score", "frequency_score", "monetary_score", "rfm_segment", "churn_risk", "expected_orders",
         "order_chance", "expected_value_minor"]
    )  # fmt: skip
    rows = [usual | {"customer_id": place + 1} | row for place, row in enumerate(rows)]
    session.execute(insert(SCORE), rows)


def expecting(value, risk, *, chance=0.5, orders=1.0):
    return {
        "expected_value_minor": value, "churn_risk": risk, "order_chance": chance, "expected_orders": orders,
        "rfm_segment": "Loyal", "recency_score": 4, "frequency_score": 4, "monetary_score": 4,
    }  # fmt: skip


def test_the_key_figures_by_hand(database):
    with database.writing() as session:
        world.build(session, 7, deleted=[6])
        rows = [expecting(600, 0.5, chance=0.9), expecting(300, 0.25, chance=0.6), expecting(100, 0.0)]
        store(session, [*rows, expecting(10, 0.995, chance=0.0), {}, expecting(5_000, 0.1)])
    with database.reading() as session:
        [row] = value_overview.value_overview(session, as_of=NOW).to_dict("records")
        before = value_overview.value_overview(session, as_of=NOW - timedelta(seconds=1))
    assert (row["customers"], row["expected_value_minor"], row["expected_orders"]) == (4, 1010, 4.0)
    assert (row["value_low_minor"], row["value_high_minor"]) == (800, 1200)
    # 600 × ½ ÷ ½ + 300 × ¼ ÷ ¾; the one who is gone for sure has nothing at risk.
    assert row["at_risk_minor"] == pytest.approx(700)
    assert (row["at_risk_customers"], row["gone_customers"]) == (1, 1)
    assert row["top_share"] == pytest.approx(600 / 1010)
    assert row["buyers"] == pytest.approx(2.0)
    # The standard deviation is √(0.09 + 0.24 + 0.25 + 0).
    half = 1.2815515655446004 * np.sqrt(0.58)
    assert (row["buyers_low"], row["buyers_high"]) == (pytest.approx(2 - half), pytest.approx(2 + half))
    assert before.empty


def test_without_scores_and_models_there_are_no_rows_and_never_a_zero(database):
    with database.writing() as session:
        world.build(session, 3)
    with database.reading() as session:
        for name in EMPTY:
            assert frame(session, name, as_of=NOW, params={}).empty, name
        assert card.customer_value(session, as_of=NOW, customer_id=1).empty
        grid = value_overview.rfm_grid(session, as_of=NOW)
        named = value_overview.rfm_segments(session, as_of=NOW)
    assert len(grid) == 25
    assert grid["customers"].sum() == 0
    assert named["rfm_segment"].tolist() == [one.name for one in SEGMENTS]
    for unknown in ("expected_value_minor", "churn_risk", "share_of_customers"):
        assert grid[unknown].isna().all()
        assert named[unknown].isna().all()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("whole", [1, 100])
def test_bands_part_the_customers_and_their_value(seed, whole):
    values = np.rint(np.random.default_rng(seed).lognormal(6 + seed, 2.5, 500))
    values[: 20 * seed] = 0
    found = value_overview.distribution_of(values, whole=whole)
    assert len(found) <= 8
    assert found["customers"].sum() == len(values)
    assert found["expected_value_minor"].sum() == values.sum()
    assert found["share_of_customers"].sum() == pytest.approx(1)
    assert found["share_of_value"].sum() == pytest.approx(1)
    assert found["low_minor"].iloc[0] == 0
    assert np.isnan(found["high_minor"].iloc[-1])
    for row in found.itertuples():
        high = np.inf if np.isnan(row.high_minor) else row.high_minor
        inside = values[(values >= row.low_minor) & (values < high)]
        assert (row.customers, row.expected_value_minor) == (len(inside), inside.sum())
        assert str(int(row.low_minor / whole)).strip("0") in ("", "1", "2", "5")


def test_a_base_that_brings_nothing_has_one_band_and_no_concentration():
    nothing = np.zeros(5)
    assert value_overview.distribution_of(nothing, whole=100)["customers"].tolist() == [5]
    assert value_overview.concentration_of(nothing).empty
    assert np.isnan(value_overview.top_share(nothing))
    assert value_overview.distribution_of(np.empty(0), whole=100).empty


def test_concentration_by_hand_and_its_laws():
    found = value_overview.concentration_of(np.array([10.0, 40, 20, 30]), points=[0, 0.25, 0.5, 0.75, 1])
    assert found["customers"].tolist() == [0, 1, 2, 3, 4]
    assert found["share_of_value"].tolist() == pytest.approx([0, 0.4, 0.7, 0.9, 1])
    alike = value_overview.concentration_of(np.full(200, 7.0))
    assert alike["share_of_value"].to_numpy() == pytest.approx(alike["share_of_customers"].to_numpy())
    values = np.random.default_rng(3).lognormal(5, 1.5, 1_000)
    curve = value_overview.concentration_of(values)
    steps = np.diff(curve["share_of_value"])
    assert len(curve) == 101
    assert (steps >= 0).all()
    assert (np.diff(steps) <= 1e-12).all()
    assert curve["customers"].tolist() == [10 * n for n in range(101)]
    assert value_overview.top_share(values) == pytest.approx(np.sort(values)[-200:].sum() / values.sum())


def test_grid_and_named_segments_are_those_of_pandas(database):
    chance = np.random.default_rng(8)
    rows = [
        expecting(int(value), risk)
        | {"recency_score": int(r), "frequency_score": int(f), "rfm_segment": SEGMENTS[n].name}
        for value, risk, r, f, n in zip(
            chance.integers(0, 9_000, 120), chance.random(120), chance.integers(1, 6, 120),
            chance.integers(2, 6, 120), chance.integers(0, 6, 120), strict=True,
        )
    ]  # fmt: skip
    with database.writing() as session:
        world.build(session, 125, deleted=[1, 2])
        store(session, rows)
        session.execute(update(Customer).values(spend_minor=Customer.id * 10))
    with database.reading() as session:
        grid = value_overview.rfm_grid(session, as_of=NOW)
        named = value_overview.rfm_segments(session, as_of=NOW)
        counts = {
            (row.recency_score, row.frequency_score): segments.count(
                session, value_overview.cell_rule(row.recency_score, row.frequency_score), as_of=NOW
            )
            for row in grid.iloc[5:9].itertuples()
        }
        people = [
            segments.count(session, value_overview.segment_rule(name), as_of=NOW)
            for name in named["rfm_segment"][:7]
        ]
    every = pd.DataFrame(rows).assign(spend_minor=10 * np.arange(1, 121)).iloc[2:]
    for found, by in ((grid, ["recency_score", "frequency_score"]), (named, ["rfm_segment"])):
        expected = every.groupby(by).agg(
            customers=("churn_risk", "size"), spend_minor=("spend_minor", "sum"),
            expected_value_minor=("expected_value_minor", "sum"), churn_risk=("churn_risk", "mean"),
        )  # fmt: skip
        there = found[found["customers"] > 0].set_index(by).sort_index()
        assert there[expected.columns].astype(float).to_numpy() == pytest.approx(
            expected.sort_index().astype(float).to_numpy()
        )
        assert there["value_per_customer_minor"].to_numpy() == pytest.approx(
            (expected["expected_value_minor"] / expected["customers"]).sort_index().to_numpy()
        )
        assert found["share_of_customers"].sum() == pytest.approx(1)
    assert named["share_of_value"].sum() == pytest.approx(1)
    assert named["share_of_spend"].sum() == pytest.approx(1)
    # The rule that a click makes chooses exactly the people counted here.
    assert people == named["customers"][:7].tolist()
    assert list(counts.values()) == grid.iloc[5:9]["customers"].tolist()
    assert sum(counts.values()) > 0


def test_figures_of_a_fit_as_stored():
    model = MODEL | {
        "parameters": {"purchases": {"r": {"value": 0.5, "se": 0.1}, "a": {"value": 2.0, "se": None}}},
        "figures": {
            "tracking": {"weeks": [1, 2, 3], "actual": [0, 4, 9], "expected": [1.0, 4.5, 8.0], "cut_week": 2},
            "by_frequency": {"frequency": ["0", "7+"], "actual": [3, 1], "expected": [2.5, 1.5]},
            "holdout": {
                "weeks": 1, "actual": 5, "expected": 3.5,
                "by_frequency": {"frequency": ["0"], "actual": [0.5], "expected": [0.4], "customers": [10]},
            },
            "churn": [
                {"low": 0.0, "high": 0.2, "predicted": 0.1, "observed": 0.2, "customers": 10.0,
                 "observed_low": 0.05, "observed_high": 0.5}
            ],
        },
    }  # fmt: skip
    parameters = value_fit.parameters_of(model).set_index("parameter")
    assert parameters.loc["r", ["value", "standard_error"]].tolist() == [0.5, 0.1]
    # The logarithm ± 1.96 × 0.1 ÷ 0.5.
    assert np.log(parameters.loc["r", ["low", "high"]].tolist()) == pytest.approx(
        np.log(0.5) + np.array([-1, 1]) * 0.3919928, rel=1e-6
    )
    assert parameters.loc["a", ["standard_error", "low", "high"]].isna().all()
    assert value_fit.tracking_of(model)["held_out"].tolist() == [False, False, True]
    assert value_fit.by_frequency_of(model)["frequency"].tolist() == ["0", "7+"]
    assert value_fit.holdout_of(model)["customers"].tolist() == [10]
    assert value_fit.churn_of(model)["customers"].tolist() == [10]
    assert value_fit.held_out(model) == {"weeks": 1, "actual": 5, "expected": 3.5}
    # One parameter is missing: nothing can be predicted.
    assert value_fit.restored(model) is None


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def scored(request, tmp_path_factory):
    """Customers who buy by the models, scored; the last two never bought. Only to be read."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("valued") / "ma.db"
        shutil.copy(request.getfixturevalue("template_sqlite"), path)
        database = connect(f"sqlite:///{path}")
    else:
        server, template = (request.getfixturevalue(n) for n in ("postgres_server", "template_postgres"))
        server.psql(f"CREATE DATABASE valued TEMPLATE {template}")
        database = connect(server.get_uri("valued"))
    with database.writing() as session:
        world.build(session, 702)
        world.sell(session, world.simulated(700))
    scoring.score_customers(database, SYSTEM, at=NOW)
    yield database
    database.close()
    if request.param == "postgresql":
        server.psql("DROP DATABASE valued WITH (FORCE)")


def test_one_customer_is_read_as_all_of_them_are(scored):
    with scored.reading() as session:
        every = summaries(session, as_of=NOW).set_index("customer_id")
        for customer_id in every.index[::23]:
            one = card.summary_of(session, customer_id, as_of=NOW)
            names = ["frequency", "recency", "T", "monetary_value"]
            expected = every.loc[[customer_id], names].astype(float)
            assert one[names].to_numpy() == pytest.approx(expected.to_numpy(), nan_ok=True)
        assert card.summary_of(session, 701, as_of=NOW).empty


def test_the_card_says_what_was_stored_and_what_would_change_it(scored):
    with scored.reading() as session:
        seen = {False: 0, True: 0}
        for customer_id in range(1, 700, 35):
            stored = score_of(session, customer_id)
            found = card.customer_value(session, as_of=NOW, customer_id=customer_id).set_index("case")
            now, silent = found.loc["now"], found.loc["silent"]
            assert now["churn_risk"] == pytest.approx(stored["churn_risk"], abs=1e-9)
            assert now["order_chance"] == pytest.approx(stored["order_chance"], abs=1e-9)
            assert now["expected_value_minor"] == pytest.approx(stored["expected_value_minor"], abs=0.501)
            assert now["value_low_minor"] <= now["value_high_minor"]
            assert silent["alive"] <= now["alive"]
            assert silent["expected_orders"] < now["expected_orders"]
            seen["order_today" in found.index] += 1
            if "order_today" in found.index:
                today = found.loc["order_today"]
                assert today["repeat_orders"] == now["repeat_orders"] + 1
                # Right after the x-th repeat purchase the odds of being gone are a ÷ (b + x − 1).
                values = value_model(session)["parameters"]["purchases"]
                a, b = values["a"]["value"], values["b"]["value"]
                odds = a / (b + today["repeat_orders"] - 1)
                assert today["alive"] == pytest.approx(1 / (1 + odds))
                assert today["expected_orders"] > silent["expected_orders"]
                # An order worth what was expected changes nothing in what is expected of the next.
                assert today["expected_order_minor"] == pytest.approx(now["expected_order_minor"])
        assert seen[True] > 10
        assert card.customer_value(session, as_of=NOW, customer_id=701).empty
        assert card.customer_value(session, as_of=NOW, customer_id=10**9).empty


def test_the_key_figures_agree_with_the_run_that_made_them(scored):
    with scored.reading() as session:
        [row] = value_overview.value_overview(session, as_of=NOW).to_dict("records")
        totals = value_model(session)["figures"]["totals"]
        whole = frame(session, "value_what_if", as_of=NOW, params={"larger_orders_percent": "10"})
        found = frame(session, "customer_value", as_of=NOW, params={"customer_id": "1"})
        named = value_overview.rfm_segments(session, as_of=NOW)
    assert row["customers"] == totals["customers"] == 700
    # Each was rounded to the smallest unit.
    assert row["expected_value_minor"] == pytest.approx(totals["expected_value_minor"], abs=350)
    assert row["value_low_minor"] < row["expected_value_minor"] < row["value_high_minor"]
    assert whole["expected_value_minor"].iloc[0] == pytest.approx(totals["expected_value_minor"])
    assert whole["expected_orders"].iloc[0] == pytest.approx(totals["expected_orders"])
    assert found["case"].iloc[0] == "now"
    assert named["customers"].sum() == 700

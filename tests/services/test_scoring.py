"""Scoring: what is stored is what the models say, all of one fit or none, and unfit models say nothing."""

import json
import shutil
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import delete, func, select, update

from ma import worker
from ma.analytics import segments
from ma.analytics.customer_scores import customer_scores, score_of
from ma.analytics.value_models import value_model, value_models
from ma.analytics.value_summaries import purchase_days, summaries
from ma.cli import main
from ma.db.engine import connect
from ma.errors import Conflict, NotAllowed
from ma.intelligence.bgnbd import BetaGeo
from ma.intelligence.gamma_gamma import GammaGamma
from ma.intelligence.rfm import SEGMENTS
from ma.intelligence.summaries import in_weeks
from ma.models import Audit, Customer, CustomerScore, OutboxEvent, Purchase, ValueModel
from ma.services import scoring, value_fitting
from ma.types import SYSTEM, Actor, Role
from tests.analytics import value_world as world
from tests.analytics.value_world import NOW, TRUE

PEOPLE = 900
DAY = timedelta(days=1)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def scored(request, tmp_path_factory):
    """Customers who buy by the model, scored; 5 were deleted, the last 10 never bought. Only to be read."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("scored") / "ma.db"
        shutil.copy(request.getfixturevalue("template_sqlite"), path)
        database = connect(f"sqlite:///{path}")
    else:
        server, template = (
            request.getfixturevalue(name) for name in ("postgres_server", "template_postgres")
        )
        server.psql(f"CREATE DATABASE scored TEMPLATE {template}")
        database = connect(server.get_uri("scored"))
    with database.writing() as session:
        world.build(session, PEOPLE, deleted=range(1, 6))
        world.sell(session, world.simulated(PEOPLE - 10))
    assert scoring.score_customers(database, SYSTEM, at=NOW) == PEOPLE - 5
    yield database
    database.close()
    if request.param == "postgresql":
        server.psql("DROP DATABASE scored WITH (FORCE)")


def few(session):
    """Too few customers for any model: scoring them takes no time."""
    world.build(session, 60)
    world.sell(session, world.simulated(50))


@pytest.fixture
def shop(database):
    """Few customers, on both engines."""
    with database.writing() as session:
        few(session)
    return database


@pytest.fixture
def small(sqlite_url):
    """Few customers, where the engine does not matter."""
    database = connect(sqlite_url)
    with database.writing() as session:
        few(session)
    yield database
    database.close()


def stored(database):
    """All rows of scores, by customer."""
    columns = CustomerScore.__table__.columns
    with database.reading() as session:
        rows = session.execute(select(*columns).order_by(CustomerScore.customer_id)).all()
    return pd.DataFrame(rows, columns=[column.name for column in columns]).set_index("customer_id")


def newest(database):
    with database.reading() as session:
        return value_model(session)


def test_scores_are_what_the_models_say_of_everybody_who_bought(scored):
    found, model = stored(scored), newest(scored)
    assert found.index.tolist() == list(range(6, PEOPLE + 1))
    assert set(found["model_id"]) == {model["id"]}
    assert (model["status"], model["problems"]) == ("good", [])
    never = found.loc[PEOPLE - 9 :]
    assert never.drop(columns=["model_id", "scored_at", "next_channel", "next_offer"]).isna().all(axis=None)
    with scored.reading() as session:
        summary = summaries(session, as_of=NOW).set_index("customer_id")
    # From the parameters as they are stored, by the formulas.
    parameters = {of: {name: p["value"] for name, p in ps.items()} for of, ps in model["parameters"].items()}
    r, alpha, a, b = (parameters["purchases"][name] for name in ("r", "alpha", "a", "b"))
    x, t, age = summary["frequency"], summary["recency"] / 7, summary["T"] / 7
    odds = a / (b + np.maximum(x, 1) - 1) * ((alpha + age) / (alpha + t)) ** (r + x)
    alive = np.where(x > 0, 1 / (1 + odds), 1.0)
    told = found.loc[summary.index]
    np.testing.assert_allclose(1 - told["churn_risk"].astype(float), alive, rtol=1e-9)
    orders = GammaGamma.of(parameters["orders"]).predict(summary)["expected_order"]
    expected = BetaGeo.of(parameters["purchases"]).predict(in_weeks(summary), 365 / 7)
    np.testing.assert_allclose(told["order_chance"].astype(float), expected["order_chance"], rtol=1e-9)
    value = told["expected_orders"].astype(float) * orders
    assert (told["expected_value_minor"].astype(float) - value).abs().max() <= 0.5 + 1e-6
    assert set(told["rfm_segment"]) <= {segment.name for segment in SEGMENTS}
    # The best 5 of each score are those who bought last, most often and most.
    for score, fact in (("frequency_score", "orders"), ("monetary_score", "spend_minor")):
        lowest = summary.groupby(told[score].astype(int))[fact].agg(["min", "max"])
        assert (lowest["min"].to_numpy()[1:] > lowest["max"].to_numpy()[:-1]).all(), score


def test_the_fit_finds_the_truth_and_tells_how_sure_it_is(scored):
    model = newest(scored)
    for of in model["parameters"].values():
        for name, found in of.items():
            # Purchases of one day are one, which lowers the rate a little; so four standard errors.
            assert abs(found["value"] - TRUE[name]) < 4 * found["se"], name
    assert model["customers"] == PEOPLE - 15
    figures = model["figures"]
    totals, held_out, tracking = figures["totals"], figures["holdout"], figures["tracking"]
    rows = stored(scored)
    assert totals["expected_value_minor"] == pytest.approx(rows["expected_value_minor"].sum(), rel=1e-4)
    assert totals["expected_orders"] == pytest.approx(rows["expected_orders"].sum())
    assert totals["low"] < totals["expected_value_minor"] < totals["high"]
    assert totals["orders_low"] < totals["expected_orders"] < totals["orders_high"]
    assert held_out["weeks"] == 26
    assert held_out["expected"] == pytest.approx(held_out["actual"], rel=0.25)
    # The three tell the same story in their own ways.
    groups = held_out["by_frequency"]
    for kind in ("actual", "expected"):
        assert np.dot(groups[kind], groups["customers"]) == pytest.approx(held_out[kind])
    last, cut = len(tracking["weeks"]) - 1, tracking["cut_week"] - 1
    assert tracking["weeks"][last] - tracking["cut_week"] == 26
    assert tracking["actual"][last] - tracking["actual"][cut] == held_out["actual"]
    assert sum(row["customers"] for row in figures["churn"]) == sum(groups["customers"])
    bought = sum(row["observed"] * row["customers"] for row in figures["churn"])
    assert sum(row["predicted"] * row["customers"] for row in figures["churn"]) == pytest.approx(
        bought, rel=0.2
    )
    for one in (tracking, figures["by_frequency"]):
        assert one["expected"][-1] == pytest.approx(one["actual"][-1], rel=0.25)
    assert sum(figures["by_frequency"]["actual"]) == model["customers"]
    assert figures["summary"]["log_likelihood"].keys() == {"purchases", "orders"}


def test_customers_who_stop_make_the_model_uncertain_and_it_says_by_how_much(sqlite_url):
    database = connect(sqlite_url)
    with database.writing() as session:
        world.build(session, 1_500)
        world.sell(session, world.simulated(1_500, stop=20))
    scoring.score_customers(database, SYSTEM, at=NOW)
    model = newest(database)
    held_out = model["figures"]["holdout"]
    assert model["status"] == "uncertain"
    [problem] = model["problems"]
    less = 1 - held_out["actual"] / held_out["expected"]
    assert f"bought {100 * less:.0f} % less often" in problem
    assert f"In the last {held_out['weeks']} weeks" in problem
    # The scores are there all the same, with their warning.
    assert stored(database)["churn_risk"].notna().all()
    with database.reading() as session:
        assert set(customer_scores(session, as_of=NOW)["model_status"]) == {"uncertain"}
    database.close()


def test_too_few_customers_or_weeks_predict_nothing_but_rfm(small):
    assert scoring.score_customers(small, SYSTEM, at=NOW) == 60
    found, model = stored(small), newest(small)
    assert model["status"] == "unfit"
    assert "at least 100" in model["problems"][0]
    predicted = ["churn_risk", "order_chance", "expected_orders", "expected_value_minor"]
    assert found[predicted].isna().all(axis=None)
    assert found["rfm_segment"].notna().sum() == 50
    assert (model["parameters"], model["figures"]) == ({}, {})


def test_a_young_shop_is_told_to_wait(sqlite_url):
    database = connect(sqlite_url)
    with database.writing() as session:
        world.build(session, 900)
        world.sell(session, world.simulated(900, weeks=11.9))
        days = purchase_days(session, as_of=NOW)
    fitted = value_fitting.fit(days)
    assert fitted.status == "unfit"
    assert any("11 weeks ago" in problem and "12 weeks" in problem for problem in fitted.problems)
    database.close()


def test_an_empty_workspace_is_scored_too(database):
    with database.writing() as session:
        world.build(session, 0)
    assert scoring.score_customers(database, SYSTEM, at=NOW) == 0
    model = newest(database)
    assert (model["status"], model["customers"]) == ("unfit", 0)
    assert "Nobody has bought anything yet" in model["problems"][0]
    with database.reading() as session:
        assert customer_scores(session, as_of=NOW).empty
        assert value_models(session, as_of=NOW)["model_version"].tolist() == [model["id"]]


def test_the_second_of_two_at_once_is_refused_and_changes_nothing(shop):
    with shop.reading() as session:
        one = scoring.scores(session, at=NOW)
        other = scoring.scores(session, at=NOW)
    with shop.writing() as session:
        scoring.store(session, SYSTEM, one)
    before = stored(shop)
    with pytest.raises(Conflict, match="just scored"), shop.writing() as session:
        scoring.store(session, SYSTEM, other)
    pd.testing.assert_frame_equal(stored(shop), before)
    with shop.reading() as session:
        assert session.scalar(select(func.count()).select_from(ValueModel)) == 1


def test_a_scoring_that_fails_half_way_leaves_the_scores_of_the_one_before(shop, monkeypatch):
    scoring.score_customers(shop, SYSTEM, at=NOW)
    before = stored(shop)

    def broken(*_arguments, **_named):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(scoring, "audit", broken)
    with pytest.raises(RuntimeError):
        scoring.score_customers(shop, SYSTEM, at=NOW + DAY)
    pd.testing.assert_frame_equal(stored(shop), before)


def test_whoever_goes_while_scores_are_worked_out_gets_none(shop):
    with shop.reading() as session:
        found = scoring.scores(session, at=NOW)
    with shop.writing() as session:
        session.execute(update(Customer).where(Customer.id == 10).values(deleted_at=NOW))
        session.execute(delete(Purchase).where(Purchase.customer_id == 11))
        session.execute(delete(Customer).where(Customer.id == 11))
    with shop.writing() as session:
        assert scoring.store(session, SYSTEM, found) == 58
    assert not {10, 11} & set(stored(shop).index)


def test_it_is_written_down_who_scored_and_told_as_an_event(small):
    mia = Actor("mia", Role.MARKETER)
    scoring.score_customers(small, mia, at=NOW)
    model = newest(small)
    assert (model["created_by"], model["as_of"]) == ("mia", NOW)
    assert model["duration_ms"] > 0
    with small.reading() as session:
        [entry] = session.execute(select(Audit.actor, Audit.detail).where(Audit.action == "score")).all()
        assert entry == ("mia", {"model": model["id"], "customers": 60, "status": "unfit"})
        told = select(OutboxEvent.payload).where(OutboxEvent.type == "CustomersScored")
        assert session.scalars(told).all() == [{"model_id": model["id"], "customers": 60}]
    with pytest.raises(NotAllowed):
        scoring.score_customers(small, Actor("vic", Role.VIEWER), at=NOW)


def test_the_last_twenty_fits_are_kept(small, monkeypatch):
    monkeypatch.setattr(scoring, "KEPT", 3)
    for days in range(5):
        scoring.score_customers(small, SYSTEM, at=NOW + days * DAY)
    with small.reading() as session:
        history = value_models(session, as_of=NOW + 9 * DAY)
        assert history["model_version"].tolist() == [5, 4, 3]
        assert value_models(session, as_of=NOW + 3 * DAY)["model_version"].tolist() == [4, 3]
    assert set(stored(small)["model_id"]) == {5}


def test_scores_are_read_by_segment_in_order_and_for_one(scored):
    with scored.reading() as session:
        everybody = customer_scores(session, as_of=NOW)
        assert len(everybody) == PEOPLE - 5
        known = everybody["expected_value_minor"].dropna()
        assert known.index.tolist() == list(range(len(known)))
        assert known.is_monotonic_decreasing
        assert everybody["name"].iloc[0] == f"Ada Number {everybody['customer_id'].iloc[0]}"
        segment = everybody["rfm_segment"].dropna().iloc[0]
        some = customer_scores(session, as_of=NOW, rfm_segment=segment, limit=2, offset=1)
        assert (
            some["customer_id"].tolist()
            == (everybody.loc[everybody["rfm_segment"] == segment, "customer_id"].tolist()[1:3])
        )
        assert customer_scores(session, as_of=NOW - DAY).empty
        best = score_of(session, int(everybody["customer_id"].iloc[0]))
        assert best["expected_value_minor"] == known.iloc[0]
        assert (best["scored_at"], best["model_status"]) == (NOW, "good")
        assert score_of(session, 1) is None
        assert score_of(session, PEOPLE)["churn_risk"] is None
        # One row more of the history, with what was fitted.
        [row] = value_models(session, as_of=NOW).to_dict("records")
        assert row["fitted_at"] == NOW
        assert row["alpha"] == value_model(session)["parameters"]["purchases"]["alpha"]["value"]
        assert row["holdout_weeks"] == 26


def test_a_rule_chooses_by_scores(scored):
    rule = {
        "all": [
            {"field": "churn_risk", "operator": "gte", "value": 0.5},
            {"field": "expected_value", "operator": "lt", "value": 2_000},
            {"field": "rfm_segment", "operator": "is_set"},
        ]
    }
    with scored.reading() as session:
        size = segments.count(session, rule, as_of=NOW)
        never = segments.count(session, {"field": "churn_risk", "operator": "is_missing"}, as_of=NOW)
    found = stored(scored)
    wanted = (found["churn_risk"] >= 0.5) & (found["expected_value_minor"] < 2_000)
    assert size == wanted.sum() > 0
    assert never == 10


def test_the_worker_scores_once_a_day_and_at_once_when_the_clock_was_moved(sqlite_url):
    shop = connect(sqlite_url)
    with shop.writing() as session:
        world.build(session, 500)
        world.sell(session, world.simulated(500))
    due = worker.refresh_scores(shop, at=NOW)
    assert newest(shop)["as_of"] == NOW
    for hours in (0.5, 12, 23.9):
        due = worker.refresh_scores(shop, due=due, at=NOW + hours * DAY / 24)
    assert due == NOW + DAY
    assert newest(shop)["as_of"] == NOW
    worker.refresh_scores(shop, due=due, at=NOW + 30 * DAY)
    assert newest(shop)["as_of"] == NOW + 30 * DAY
    # Another process finds in the database when it is due.
    assert worker.refresh_scores(shop, at=NOW + 30.5 * DAY) == NOW + 31 * DAY
    shop.close()


def test_the_worker_looks_again_soon_where_there_is_too_little(small):
    worker.refresh_scores(small, at=NOW)
    worker.refresh_scores(small, at=NOW + DAY / 25)
    assert newest(small)["as_of"] == NOW
    worker.refresh_scores(small, at=NOW + DAY / 24)
    assert newest(small)["as_of"] == NOW + DAY / 24


def test_a_scoring_that_fails_is_told_once_and_tried_again_an_hour_later(small, monkeypatch, caplog):
    tried = []

    def broken(*_arguments, at):
        tried.append(at)
        raise RuntimeError("out of luck")

    monkeypatch.setattr(scoring, "score_customers", broken)
    due = None
    for minutes in (0, 5, 59, 61):
        due = worker.refresh_scores(small, due=due, at=NOW + timedelta(minutes=minutes))
    assert tried == [NOW, NOW + timedelta(minutes=61)]
    assert caplog.text.count("scoring of customers") == 2
    assert "out of luck" not in caplog.text


def test_the_worker_leaves_a_workspace_without_customers_alone(sqlite_url):
    database = connect(sqlite_url)
    with database.writing() as session:
        world.build(session, 0)
    assert worker.refresh_scores(database, at=NOW) is None
    assert newest(database) is None
    database.close()


def test_nothing_that_json_cannot_say_is_stored():
    odd = {"a": float("nan"), "b": [np.float64(1.5), float("inf")], "c": (np.int64(2), "x", None, True)}
    assert scoring._storable(odd) == {"a": None, "b": [1.5, None], "c": [2, "x", None, True]}


def test_python_m_ma_value_score(small, monkeypatch, capsys):
    monkeypatch.setenv("MA_DATABASE_URL", f"sqlite:///{small.engine.url.database}")
    for options in ((), ("--json",)):
        with pytest.raises(SystemExit) as ended:
            main(["value", "score", *options])
        assert not ended.value.code
    text, _, document = capsys.readouterr().out.rstrip().rpartition("\n")
    assert "60 customers scored. Model 1 is unfit." in text
    told = json.loads(document)
    assert (told["customers"], told["model_version"], told["status"]) == (60, 2, "unfit")
    assert told["problems"] == newest(small)["problems"]

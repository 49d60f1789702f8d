"""Customer value on the screen, and the card of one customer: each state, each role, each address."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import delete, func, insert, select, update

from ma import clock
from ma.analytics import segments
from ma.analytics.frames import frames
from ma.models import Customer, CustomerScore, Purchase, Segment, ValueModel
from ma.services import scoring
from ma.services.customers import import_customers
from ma.types import SYSTEM
from tests.analytics import value_scores
from tests.pages.test_campaign_screens import labels, words
from ui import value_status

ROLES = ("viewer", "analyst", "marketer", "admin")
PROBLEM = "In the last 20 weeks customers bought **31 %** less often."


@pytest.fixture
def buyers(workbench):
    """Sixty customers who bought by the models until now, and one who never did; nobody is scored."""
    at = clock.now()
    with workbench.writing() as session:
        frame = pd.DataFrame({"email": [f"ada{n}@example.com" for n in range(61)]})
        import_customers(session, SYSTEM, frame, source="test", at=at - timedelta(days=900))
        value_scores.sell(session, 60, at=at)
    return workbench


@pytest.fixture
def unfit(buyers):
    """The same, scored: with so few of them no model can be fitted."""
    scoring.score_customers(buyers, SYSTEM, at=clock.now())
    return buyers


@pytest.fixture
def good(unfit):
    """The same as if a model had been fitted that holds."""
    with unfit.writing() as session:
        value_scores.good(session)
    return unfit


@pytest.fixture
def uncertain(good):
    """The same, with a check that fails."""
    with good.writing() as session:
        session.execute(update(ValueModel).values(status="uncertain", problems=[PROBLEM]))
    return good


def cards(test):
    return {metric.label: metric.value for metric in test.metric}


def test_nobody_signed_in_learns_nothing(good, act_as, screen):
    act_as(None)
    for tab in ("value", "rfm", "model", "what-if"):
        test = screen("value", tab=tab)
        assert not test.exception
        assert "Your session has ended" in words(test)
        assert not test.metric
        assert not test.dataframe


def test_an_empty_workspace_says_what_this_is(workbench, act_as, screen):
    for role in ROLES:
        act_as(role)
        test = screen("value", tab="rfm")
        assert not test.exception
        assert "No purchases yet" in words(test)
        assert not test.metric


def test_buyers_without_scores_are_scored_by_those_who_may(buyers, act_as, screen):
    for role in ("viewer", "analyst"):
        act_as(role)
        test = screen("value")
        assert "Customers have not been scored yet" in words(test)
        assert "Score customers now" not in labels(test)
    act_as("marketer")
    test = screen("value").button(key="fit-again").click().run()
    assert not test.exception
    assert not test.error
    with buyers.reading() as session:
        assert session.scalar(select(func.count()).select_from(CustomerScore)) == 61
    # Too few of them for a model: that is said, and nothing is shown as if it were known.
    assert "What customers will bring cannot be told yet" in words(test)
    assert not test.metric


def test_whoever_scores_at_the_same_time_gets_the_scores_of_the_other(buyers, act_as, screen, monkeypatch):
    def slower(database, actor, *, at, progress):
        """The real one, while somebody else begins later and ends before."""
        others = iter([scoring.score_customers])

        def tick(share, words):
            progress(share, words)
            if share > 0.0:
                for other in others:
                    other(database, SYSTEM, at=at)

        return scoring.score_customers(database, actor, at=at, progress=tick)

    act_as("marketer")
    test = screen("value", tab="rfm")
    monkeypatch.setattr(value_status, "score_customers", slower)
    test.button(key="fit-again").click().run()
    assert not test.exception
    assert not test.error
    with buyers.reading() as session:
        assert session.scalars(select(ValueModel.created_by)).all() == [SYSTEM.username]
    assert test.dataframe[0].value["customers"].sum() == 60


def test_unfit_models_leave_what_needs_none(unfit, act_as, screen):
    act_as("viewer")
    for tab in ("value", "what-if"):
        test = screen("value", tab=tab)
        assert not test.exception
        assert "cannot be told yet" in words(test)
        assert "It takes at least 100" in words(test)
        assert not test.metric
    test = screen("value", tab="rfm")
    assert not test.exception
    assert "No value is predicted" in words(test)
    assert test.dataframe[0].value["customers"].sum() == 60
    assert test.dataframe[0].value["expected_value"].isna().all()
    test = screen("value", tab="rfm", **{"rfm-colour": "risk"})
    assert not test.exception
    test = screen("value", tab="model")
    assert not test.exception
    assert "It takes at least 100" in words(test)
    assert "Not fitted" in words(test)


@pytest.mark.parametrize("role", ROLES)
def test_every_role_reads_all_of_it(good, act_as, screen, role):
    act_as(role)
    test = screen("value")
    assert not test.exception
    assert not test.error
    assert not test.warning
    assert list(cards(test)) == [
        "Value in 12 months", "Expected buyers", "From the top 20 %", "Value at risk",
    ]  # fmt: skip
    assert "not profit" in words(test)
    assert "type it above" in words(test)
    test = screen("value", tab="model")
    assert not test.exception
    assert "expected **131** repeat purchases; there were **100** (+31 %)" in words(test)
    assert ("Fit again" in labels(test)) == (role in ("marketer", "admin"))


def test_what_is_uncertain_says_so_wherever_it_stands(uncertain, act_as, screen):
    act_as("viewer")
    for tab in ("value", "rfm", "what-if"):
        test = screen("value", tab=tab)
        assert not test.exception
        [warning] = test.warning
        assert "These figures are uncertain" in warning.value
        # What is stored is data: its asterisks are no emphasis.
        assert r"\*\*31 %\*\*" in warning.value
    test = screen("value", tab="model")
    assert r"\*\*31 %\*\*" in words(test)
    test = screen("customers", id="1")
    assert not test.exception
    assert "These figures are uncertain" in " ".join(one.value for one in test.warning)


def test_the_cost_of_a_customer_stands_in_the_address(good, act_as, screen):
    act_as("viewer")
    test = screen("value", cost="1")
    assert "with the first order" in words(test)
    test = screen("value", cost="99999999", margin="50")
    assert "not paid back" in words(test)
    assert "50 % of revenue" in words(test)
    test.number_input(key="value-cost").set_value(7.5).run()
    assert test.query_params["cost"] == "750"
    assert test.query_params["margin"] == "50"
    for wrong in ("-1", "9" * 20):
        test = screen("value", cost=wrong, margin=wrong)
        assert not test.exception
        assert "type it above" in words(test)


def test_a_named_segment_becomes_a_segment(good, act_as, screen):
    act_as("marketer")
    table = screen("value", tab="rfm").dataframe[0].value.set_index("rfm_segment")
    assert table["customers"].sum() == 60
    name = table["customers"].idxmax()
    test = screen("value", tab="rfm", who=name)
    assert f"{table.loc[name, 'customers']:,} customers" in words(test)
    assert "See these customers" in {one.proto.label for one in test.get("page_link")}
    test.button(key="rfm-save").click().run()
    assert not test.error
    with good.reading() as session:
        segment = session.scalar(select(Segment))
        assert (segment.name, segment.size) == (name, table.loc[name, "customers"])
        assert segments.count(session, segment.rule, as_of=clock.now()) == segment.size


def test_a_cell_becomes_a_segment_of_its_people_and_no_reader_can_make_one(good, act_as, screen):
    with good.reading() as session:
        recency, frequency, there = session.execute(
            select(CustomerScore.recency_score, CustomerScore.frequency_score, func.count().label("n"))
            .where(CustomerScore.recency_score.is_not(None))
            .group_by(CustomerScore.recency_score, CustomerScore.frequency_score)
            .order_by(func.count().desc())
        ).first()
    who = f"{recency}-{frequency}"
    act_as("analyst")
    test = screen("value", tab="rfm", who=who)
    assert f"{there:,} customers" in words(test)
    assert "Save as segment" not in labels(test)
    act_as("marketer")
    test = screen("value", tab="rfm", who=who)
    test.text_input(key=f"rfm-segment-Recency {recency}, frequency {frequency}").set_value("Mine").run()
    test.button(key="rfm-save").click().run()
    with good.reading() as session:
        segment = session.scalar(select(Segment))
        assert (segment.name, segment.size) == ("Mine", there)


def test_a_name_that_is_taken_is_told(good, act_as, screen):
    act_as("marketer")
    screen("value", tab="rfm", who="Champions").button(key="rfm-save").click().run()
    test = screen("value", tab="rfm", who="Champions").button(key="rfm-save").click().run()
    assert not test.exception
    assert "Champions" in test.error[0].value


def test_wrong_addresses_are_said_and_break_nothing(good, act_as, screen):
    act_as("viewer")
    for who in ("6-1", "nobody", "²-1"):
        test = screen("value", tab="rfm", who=who)
        assert not test.exception
        assert "in the address is not there" in words(test)
    test = screen("value", tab="nonsense", **{"rfm-colour": "nonsense"})
    assert not test.exception
    assert "Value in 12 months" in cards(test)
    for wrong in ("-5", "91", "x"):
        test = screen("value", tab="what-if", **{"fewer-lost": wrong})
        assert not test.exception
        assert test.number_input(key="value-fewer-lost").value == 10


def test_changes_stand_in_the_address(good, act_as, screen):
    act_as("viewer")
    test = screen("value", tab="what-if", **{"fewer-lost": "0", "larger-orders": "0"})
    assert "Nothing is changed" in words(test)
    assert "not a forecast" in words(test)
    test.number_input(key="value-larger-orders").set_value(25).run()
    assert cards(test)["Difference"].startswith(r"\+")
    assert test.query_params["larger-orders"] == "25"
    table = test.dataframe[0].value.set_index("change")
    assert table.loc["Larger orders", "difference_share"] == pytest.approx(0.25)
    assert table.loc["Fewer lost", "difference_share"] == 0.0
    assert table.loc["Both", "difference"] == pytest.approx(table.loc["As it is", "expected_value"] / 4)


def test_nobody_left_is_said(good, act_as, screen):
    with good.writing() as session:
        session.execute(update(Customer).values(deleted_at=clock.now()))
    act_as("viewer")
    assert "Nobody who was scored is left" in words(screen("value"))
    test = screen("value", tab="rfm")
    assert not test.exception
    assert "Nobody has bought yet" in words(test)


def test_the_card_of_a_customer(good, act_as, screen):
    with good.reading() as session:
        score = session.execute(
            select(CustomerScore.__table__).where(CustomerScore.churn_risk > 0.02)
        ).first()
    for role in ("viewer", "admin"):
        act_as(role)
        test = screen("customers", id=str(score.customer_id))
        assert not test.exception
        shown = cards(test)
        assert shown["Still buying"] == f"{(1 - score.churn_risk) * 100:.1f} %"
        assert shown["Expected orders"] == f"{score.expected_orders:.1f}"
        assert f"**{score.rfm_segment}** :gray[recency {score.recency_score}," in words(test)
        table = next(one.value for one in test.dataframe if "case" in one.value)
        assert table["case"].iloc[-1] == "No order for 90 more days"
        assert table["expected_value"].iloc[0] == pytest.approx(score.expected_value_minor / 100, abs=0.0051)
        assert "not known of this one" in words(test)


def test_the_card_without_figures_says_why(unfit, act_as, screen):
    act_as("viewer")
    test = screen("customers", id="1")
    assert not test.exception
    assert "No value is predicted" in words(test)
    assert "It takes at least 100" in words(test)
    assert "Still buying" not in cards(test)
    assert "They have not bought yet" in words(screen("customers", id="61"))
    with unfit.writing() as session:
        session.execute(delete(CustomerScore).where(CustomerScore.customer_id == 1))
    assert "after the last scoring" in words(screen("customers", id="1"))
    with unfit.writing() as session:
        session.execute(delete(CustomerScore))
        session.execute(delete(ValueModel))
    assert "have not been scored yet" in words(screen("customers", id="1"))


def test_one_order_does_not_tell_who_is_gone(good, act_as, screen):
    with good.writing() as session:
        session.execute(delete(Purchase).where(Purchase.customer_id == 1))
        at = clock.now() - timedelta(days=300)
        session.execute(
            insert(Purchase.__table__).values(customer_id=1, kind="sale", at=at, amount_minor=900)
        )
    act_as("viewer")
    test = screen("customers", id="1")
    assert not test.exception
    assert cards(test)["Still buying"] == "–"
    table = next(one.value for one in test.dataframe if "case" in one.value).set_index("case")
    assert np.isnan(table.loc["As it is", "alive"])
    assert table.loc["They had ordered that day", "alive"] < 1


def test_every_table_of_the_screen_can_be_exported(good):
    for name in (
        "value_overview", "value_distribution", "value_concentration", "rfm_grid", "rfm_segments",
        "value_parameters", "value_tracking", "value_by_frequency", "value_holdout",
        "value_churn_calibration", "value_what_if", "new_customer_value", "value_models",
    ):  # fmt: skip
        with good.reading() as session:
            assert len(frames()[name](session, as_of=clock.now())), name

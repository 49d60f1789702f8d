"""The explanation under a rule and the comparison of segments: filled, empty, anonymous, hostile names."""

from datetime import timedelta

import pytest
from sqlalchemy import insert
from streamlit.testing.v1 import AppTest

from ma import clock
from ma.analytics import explanation
from ma.analytics import segments as analytics
from ma.models import Customer, Segment
from ma.services.segments import create_segment, refresh_segment
from ma.types import SYSTEM

NASTY = "![x](http://evil.example/x.png) **bold**"
MANY = {"field": "orders", "operator": "gte", "value": 10}
FEMALE = {"field": "gender", "operator": "eq", "value": "female"}
RULE = {"all": [MANY, {"any": [FEMALE, {"field": "city", "operator": "eq", "value": NASTY}]}]}


@pytest.fixture
def shop(workbench):
    """Five customers with 1, 2, 10, 20 and 30 orders; the gender of the last two is unknown."""
    now = clock.now()
    with workbench.writing() as session:
        for i, orders in enumerate((1, 2, 10, 20, 30), start=1):
            name = f"Person {i} {NASTY}"
            row = {"id": i, "split_bucket": i, "first_name": name, "first_name_folded": name.lower()}
            row |= {"orders": orders, "spend_minor": 1000 * orders, "visits": 0, "version": 1}
            row |= {"search_text": f"person {i}", "gender": "female" if i < 4 else None}
            row |= {f"consent_{channel}": True for channel in ("email", "sms", "push", "direct_mail")}
            session.execute(insert(Customer.__table__).values(**row, created_at=now, updated_at=now))
    return workbench


@pytest.fixture(autouse=True)
def _analyst(workbench, act_as):
    act_as("analyst")


def _explained(rule):
    import streamlit as st

    from ma.analytics.catalogue import catalogue
    from ma.rules.check import parse
    from ui import segment_explanation
    from ui.session import now, reading

    with reading() as session:
        known = catalogue(session)
    at = st.session_state.setdefault("at", now())
    segment_explanation.draw(parse(rule, known), currency="EUR", as_of=at, catalogue=known)


def explained(rule, view="effects", **state):
    test = AppTest.from_function(_explained, args=(rule,), default_timeout=60)
    test.session_state["explain-view"] = view
    for key, value in state.items():
        test.session_state[key] = value
    test.run()
    assert not test.exception
    return test


def words(test):
    """Everything readable on the screen."""
    kinds = ("subheader", "markdown", "caption", "info", "error", "warning", "text", "metric")
    return "\n".join(str(element.value) for kind in kinds for element in test.get(kind))


def test_each_rule_says_what_it_does(shop):
    test = explained(RULE)
    table = test.dataframe[0].value
    assert table["own"].tolist()[:2] == [3, 3]
    assert table["after"].tolist()[:2] == [3, 1]
    assert table["change"].tolist()[:2] == [2, 2]
    assert table["rule"][2].startswith("\u2003")
    # As in the chart: each part leaves out the half of those who are not in.
    assert table["share"].tolist()[:2] == [50, 50]
    assert "**2** customers are left out" in words(test)
    assert "gender \\(2\\)" in words(test) or "gender (2)" in words(test)
    # One rule alone needs no way to it, and without it there is no rule.
    for alone in (MANY, {"any": [MANY]}):
        assert list(explained(alone).dataframe[0].value.columns) == ["rule", "own"]


def test_nothing_is_worked_out_again_while_the_rule_stays(shop, monkeypatch):
    test = explained(RULE)
    calls = []
    work = explanation.truth_table
    monkeypatch.setattr(explanation, "truth_table", lambda *a, **k: calls.append(1) or work(*a, **k))
    test.run()
    assert calls == []
    test.session_state["at"] = clock.now() + timedelta(minutes=2)
    test.run()
    assert calls == [1]


def test_who_they_are_and_a_sample(shop):
    test = explained(MANY, "glance")
    assert "the 3 customers chosen" in words(test)
    assert len(test.get("plotly_chart")) == 4
    assert explained(MANY, "sample").dataframe[0].value["orders"].tolist() == [10, 20, 30]
    nobody = {"field": "orders", "operator": "lt", "value": 0}
    for view in ("glance", "sample"):
        assert "The rule chooses nobody." in words(explained(nobody, view))
    assert explained(MANY, None).dataframe.len == 0


def test_somebody_is_looked_up_and_told_why(shop):
    test = explained(RULE, "why")
    assert "Type who it is" in words(test)
    test = explained(RULE, "why", **{"explain-who": "person 3"})
    assert "is in." in words(test)
    assert ":green[:material/check_circle:] number of orders is at least 10" in words(test)
    assert "actually] **10**" in words(test)
    assert "![x]" not in words(test)
    test = explained(RULE, "why", **{"explain-who": "person 4"})
    assert "is not in, but what is unknown about them could change that" in words(test)
    assert "**unknown**" in words(test)
    assert "Nobody is found" in words(explained(RULE, "why", **{"explain-who": "zz"}))


def test_a_segment_that_is_gone_is_said_and_does_not_crash(shop):
    with shop.writing() as session:
        create_segment(session, SYSTEM, name="Inner", rule=MANY, at=clock.now())
    test = explained({"in_segment": 1})
    with shop.writing() as session:
        session.execute(Segment.__table__.update().values(rule={"in_segment": 1}))
    test.session_state["at"] = clock.now() + timedelta(minutes=2)
    test.run()
    assert not test.exception
    assert "uses itself" in words(test)


# Comparing


@pytest.fixture
def three(shop):
    """Three segments: at least 10 orders, women, and one that was never refreshed."""
    at = clock.now() - timedelta(days=1)
    with shop.writing() as session:
        for name, rule in ((f"Many {NASTY}", MANY), ("Women", FEMALE)):
            refresh_segment(
                session, SYSTEM, create_segment(session, SYSTEM, name=name, rule=rule, at=at), at=at
            )
        create_segment(session, SYSTEM, name="Never", rule=FEMALE, at=at)
    return shop


def _compared():
    import streamlit as st

    from ui import segment_compare
    from ui.page import current_actor

    if "id" in st.query_params:
        st.text(f"segment {st.query_params['id']}")
    else:
        segment_compare.draw(current_actor())


def compared(address, **state):
    test = AppTest.from_function(_compared, default_timeout=60)
    test.query_params["compare"] = address
    for key, value in state.items():
        test.session_state[key] = value
    test.run()
    assert not test.exception
    return test


def test_segments_lie_beside_each_other(three, act_as):
    act_as("marketer")
    test = compared("1,2")
    assert "5 customers are in at least one" in words(test)
    assert test.dataframe[0].value["people"].tolist() == [3, 3]
    assert test.dataframe[0].value["in 2"][0].startswith("1 · 33.3 % · likeness 20.0 %")
    orders = test.dataframe[1].value.query("label == 'Orders'")
    assert orders["value"].tolist() == ["20.0", "4.3"]
    assert orders["others"].tolist() == ["1.5", "25.0"]
    assert test.metric[0].value == "1"
    never = compared("1,2,3")
    assert "Nobody is in Never before the first refresh" in words(never)


@pytest.mark.parametrize(
    "address", ["", "1", "1,1", "99,x,1", "9" * 30], ids=["", "one", "same", "gone", "long"]
)
def test_an_address_that_names_too_few_asks_for_more(three, act_as, address):
    act_as("viewer")
    assert "Choose two to six segments" in words(compared(address))


def test_a_set_becomes_a_new_segment(three, act_as):
    act_as("marketer")
    test = compared("1,2", **{"combine-operation": "difference"})
    assert test.metric[0].value == "2"
    test.text_input(key="combine-name").set_value("Many who are not women").run()
    test.button(key="combine-save").click().run()
    assert not test.exception
    with three.reading() as session:
        found = analytics.segment(session, 4)
        people = analytics.members(session, as_of=clock.now(), segment_id=4)
    assert found.name == "Many who are not women"
    assert found.rule == {"all": [{"in_segment": 1}, {"none": [{"in_segment": 2}]}]}
    assert people["orders"].tolist() == [20, 30]
    assert "segment 4" in words(test)
    custom = compared("1,2", **{"combine-operation": "custom", "combine-part-1": "out"})
    assert "Choose at least one segment" in words(custom)


def test_who_may_only_read_makes_nothing(three, act_as):
    act_as("viewer")
    test = compared("1,2")
    assert "A marketer can combine them" in words(test)
    assert not [button for button in test.button if button.key == "combine-save"]
    assert not test.get("popover")

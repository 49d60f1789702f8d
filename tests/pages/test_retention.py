"""Cohorts on the screen in each of its states, for each role."""

from datetime import timedelta

import pandas as pd
import pytest
from sqlalchemy import insert, update

from ma import clock
from ma.analytics import segments
from ma.models import Customer, Purchase
from ma.services.customers import import_customers
from ma.services.profiles import rebuild_profiles
from ma.services.segments import add_members, create_static_segment
from ma.types import SYSTEM
from tests.pages.test_campaign_screens import labels, words

ROLES = ("viewer", "analyst", "marketer", "admin")
NASTY = "**x** <b>y</b>"


@pytest.fixture
def world(workbench):
    """Forty customers: each bought 400 days ago or later and, four in five, every 31 days since."""
    at = clock.now()
    frame = pd.DataFrame(
        {
            "email": [f"ada{n}@example.com" for n in range(40)],
            "gender": ["F", "M", NASTY, None] * 10,
        }
    )
    with workbench.writing() as session:
        import_customers(session, SYSTEM, frame, source="test", at=at - timedelta(days=500))
        purchases = [
            {"customer_id": n + 1, "kind": "sale", "at": at - timedelta(days=day), "amount_minor": 1_000}
            for n in range(40)
            for day in (range(400 - 5 * n, 0, -31) if n % 5 else [400 - 5 * n])
        ]
        session.execute(insert(Purchase.__table__), purchases)
        rebuild_profiles(session, as_of=at)
        segment_id = create_static_segment(session, SYSTEM, name=NASTY, at=at)
        add_members(session, SYSTEM, segment_id, segments.these([1, 2, 3]), at=at)
    return workbench


def card(test, label):
    return next(metric for metric in test.metric if metric.label == label)


def test_nobody_signed_in_learns_nothing(world, act_as, screen):
    act_as(None)
    test = screen("retention")
    assert not test.exception
    assert "Your session has ended" in words(test)
    assert not test.metric


def test_an_empty_workspace_says_what_this_is(workbench, act_as, screen):
    for role in ROLES:
        act_as(role)
        test = screen("retention", by="gender")
        assert not test.exception
        assert "No purchases yet" in words(test)
        assert not test.metric


def test_every_role_reads_it_and_only_editors_may_make_a_segment(world, act_as, screen):
    for role in ROLES:
        act_as(role)
        test = screen("retention")
        assert not test.exception
        assert not test.error
        assert card(test, "First purchases").value == "40"
        assert card(test, "Back in month 1").value.endswith("%")
        assert ("Make a segment of them" in labels(test)) == (role in ("marketer", "admin"))
        table = test.dataframe[0].value
        assert table["cohort_customers"].sum() == 40
    assert "where the data begin" in words(test)


def test_what_is_shown_stands_in_the_address(world, act_as, screen):
    act_as("viewer")
    for measure, title in (("Orders", "Orders"), ("nonsense", "Retention")):
        test = screen("retention", **{"cohort-measure": measure})
        assert not test.exception
        assert f"**{title} by month of the first purchase**" in words(test)
    test.segmented_control(key="cohort-measure").set_value("value").run()
    assert not test.exception
    assert "**Revenue per customer so far by month of the first purchase**" in words(test)
    test = screen("retention", by="gender", **{"is": NASTY, "segment": "1"})
    assert card(test, "First purchases").value == "1"
    assert test.query_params["is"] == NASTY
    assert "by what the profile says today" in words(test)
    test.selectbox(key="cohort-segment").set_value(0).run()
    assert card(test, "First purchases").value == "10"
    assert "segment" not in test.query_params
    test.selectbox(key="cohort-is-gender").set_value("").run()
    assert card(test, "First purchases").value == "10"
    assert test.query_params["is"] == ""
    test.selectbox(key="cohort-by").set_value("").run()
    assert card(test, "First purchases").value == "40"
    assert not {"by", "is"} & set(test.query_params)


def test_unknown_is_kept_by_the_address(world, act_as, screen):
    act_as("viewer")
    test = screen("retention", by="gender", **{"is": ""})
    assert test.selectbox(key="cohort-is-gender").value == ""


def test_a_wrong_address_is_said_and_shows_everybody(world, act_as, screen):
    act_as("viewer")
    test = screen("retention", by="email", segment="99", cohort="1999-01")
    assert not test.exception
    assert words(test).count("in the address is not there") == 2
    assert card(test, "First purchases").value == "40"


def test_filters_that_leave_nobody_are_said(world, act_as, screen):
    with world.writing() as session:
        session.execute(update(Customer).where(Customer.id <= 3).values(deleted_at=clock.now()))
    act_as("viewer")
    test = screen("retention", segment="1")
    assert not test.exception
    assert "Nobody chosen by these filters has bought yet" in words(test)
    assert not test.metric


def test_a_period_without_new_customers_is_said(world, act_as, screen):
    with world.writing() as session:
        session.execute(update(Purchase).values(at=clock.now() - timedelta(days=800)))
    act_as("viewer")
    test = screen("retention", **{"cohort-months": "12 months"})
    assert not test.exception
    assert "Nobody bought for the first time in these months" in words(test)

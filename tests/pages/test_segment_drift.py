"""The drift of a segment on its own screen: opened when asked for, told when there is nothing to tell."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import insert, update

from ma import clock
from ma.models import Customer, Purchase, Segment
from ma.services.customers import import_customers
from ma.services.segments import create_segment, create_static_segment, refresh_segment
from ma.types import SYSTEM
from tests.pages.test_campaign_screens import words

REGULARS = {
    "all": [
        {"field": "orders", "operator": "gte", "value": 3},
        {"field": "country", "operator": "eq", "value": "DE"},
    ]
}
NASTY = "**x** <b>y</b>"


@pytest.fixture
def world(workbench):
    """Eighty customers who buy now and then for 400 days; a segment of regulars and an empty list."""
    at = clock.now()
    frame = pd.DataFrame({"email": [f"ada{n}@example.com" for n in range(80)], "country": "DE"})
    days = np.random.default_rng(5).integers(1, 400, (80, 12)).tolist()
    with workbench.writing() as session:
        import_customers(session, SYSTEM, frame, source="test", at=at - timedelta(days=500))
        purchases = [
            {"customer_id": n + 1, "kind": "sale", "at": at - timedelta(days=day), "amount_minor": 1_000}
            for n in range(80)
            for day in days[n]
        ]
        session.execute(insert(Purchase.__table__), purchases)
        regulars = create_segment(session, SYSTEM, name=NASTY, rule=REGULARS, at=at - timedelta(days=90))
        create_static_segment(session, SYSTEM, name="Guests", at=at)
        refresh_segment(session, SYSTEM, regulars, at=at - timedelta(days=80))
    return workbench


def opened(screen, act_as, role="viewer", segment_id=1):
    """The segment's screen with the tab open."""
    act_as(role)
    test = screen("segments", id=str(segment_id))
    assert not test.exception
    test.session_state[f"segment-tab-{segment_id}"] = "Drift"
    return test.run()


def test_nothing_is_evaluated_before_the_tab_is_opened(world, act_as, screen):
    act_as("viewer")
    test = screen("segments", id="1")
    assert not test.exception
    assert "drifts-kept" not in test.session_state


def test_every_role_sees_size_profile_and_what_is_not_known(world, act_as, screen):
    for role in ("viewer", "admin"):
        test = opened(screen, act_as, role)
        assert not test.exception
        assert not test.error
        said = words(test)
        assert "Customers at the end of each month" in said
        assert "what is known for today only, at every month end: country" in said
        assert "the diamonds: the size at the last refresh before" in said
        table = next(frame.value for frame in test.dataframe if "psi" in frame.value)
        # Nobody's age is known, and all are from one country.
        assert {"Orders in 90 days", "Lifetime value"} <= set(table["label"])
        assert not {"Age", "Country"} & set(table["label"])
        assert set(table["reading"]) <= {"stable", "some shift", "shifted", "–"}


def test_what_was_worked_out_is_kept(world, act_as, screen):
    test = opened(screen, act_as)
    [kept] = test.session_state["drifts-kept"].values()
    test.run()
    [still] = test.session_state["drifts-kept"].values()
    assert still is kept


def test_a_list_without_people_says_so(world, act_as, screen):
    test = opened(screen, act_as, segment_id=2)
    assert not test.exception
    assert "Nobody would have been in it" in words(test)


def test_a_small_segment_is_not_spoken_of(world, act_as, screen):
    with world.writing() as session:
        session.execute(update(Customer).where(Customer.id > 20).values(country="FR"))
    test = opened(screen, act_as)
    assert not test.exception
    assert "too few to speak of drift" in words(test)


def test_a_rule_that_is_no_longer_valid_is_told(world, act_as, screen):
    with world.writing() as session:
        broken = {"field": "attribute:99", "operator": "gte", "value": 4}
        session.execute(update(Segment).where(Segment.id == 1).values(rule=broken))
    test = opened(screen, act_as)
    assert not test.exception
    assert "attribute:99" in words(test).replace("\\", "")

"""What is read about segments."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from sqlalchemy import insert

from ma.analytics import segments
from ma.analytics.explanation import explain
from ma.analytics.frames import frame
from ma.analytics.missing_data import Lacking, Undecided
from ma.errors import InvalidInput, InvalidRule
from ma.models import Customer
from ma.rules.check import parse
from ma.rules.nodes import SegmentRule
from ma.services.segments import create_segment, refresh_segment, update_segment
from ma.services.workspace import create_workspace
from ma.types import SYSTEM

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
OVER_30 = {"field": "age", "operator": "gt", "value": 30}

PEOPLE = [
    {
        "first_name": "Anna",
        "last_name": "Berg",
        "birth_date": date(1980, 1, 1),
        "gender": "female",
        "orders": 4,
    },
    {"first_name": "Bo", "last_name": None, "birth_date": date(2005, 1, 1), "gender": "male", "orders": 2},
    {"first_name": None, "last_name": None, "birth_date": None, "gender": "female", "orders": 9},
    {"first_name": "Dora", "last_name": "Amsel", "birth_date": None, "gender": None, "orders": 0},
    {
        "first_name": "Gone",
        "last_name": "Away",
        "birth_date": None,
        "gender": "male",
        "orders": 9,
        "deleted_at": NOW,
    },
]


@pytest.fixture
def session(database):
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Test", timezone="UTC", currency="USD", at=NOW)
        common = {"search_text": "", "spend_minor": 1250, "visits": 0, "created_at": NOW, "updated_at": NOW}
        common |= {f"consent_{channel}": True for channel in ("email", "sms", "push", "direct_mail")}
        for i, person in enumerate(PEOPLE, start=1):
            folded = {
                f"{name}_folded": person[name] and person[name].lower()
                for name in ("first_name", "last_name")
            }
            row = common | {"id": i, "split_bucket": 100 - i, "version": 1} | person | folded
            session.execute(insert(Customer.__table__).values(**row))
        yield session


def test_people_are_counted_out_of_everybody(session):
    assert segments.count(session, OVER_30, as_of=NOW) == 1
    assert segments.count(session, {"not": OVER_30}, as_of=NOW) == 3
    with pytest.raises(InvalidRule):
        segments.count(session, {"all": []}, as_of=NOW)


def test_it_is_said_who_is_left_out_for_want_of_data(session):
    rule = {"all": [OVER_30, {"field": "gender", "operator": "eq", "value": "female"}]}
    # Customer 3 lacks the age, customer 4 age and gender. Customer 2 is too young whatever else is known.
    found = segments.audience(session, rule, as_of=NOW)
    assert found == segments.Audience(1, 4, left_out(("age", 2), ("gender", 1), people=2))
    lenient = {"all": [OVER_30 | {"missing": "match"}, {"field": "orders", "operator": "gte", "value": 1}]}
    assert segments.audience(session, lenient, as_of=NOW) == segments.Audience(2, 4, left_out())
    # Nobody is left out here: who has no age is chosen, as not being over 30. That might be wrong.
    found = segments.audience(session, {"not": OVER_30}, as_of=NOW)
    assert found == segments.Audience(3, 4, Undecided(0, 2, (Lacking("age", 0, 2),)))
    assert found.undecided.facts("in_anyway") == [("age", 2)]


def left_out(*facts, people=0):
    return Undecided(people, 0, tuple(Lacking(fact, count, 0) for fact, count in facts))


def test_a_fact_that_is_asked_for_twice_is_named_once_for_everybody_it_decides(session):
    """Also where a later condition on it lets those in of whom it is unknown."""
    under_70 = {"field": "age", "operator": "lte", "value": 70}
    for later in (under_70, under_70 | {"missing": "match"}):
        found = segments.audience(session, {"all": [OVER_30, later]}, as_of=NOW)
        assert found == segments.Audience(1, 4, left_out(("age", 2), people=2))


def test_a_fact_is_counted_only_for_those_whom_it_decides(session):
    """Nobody knows the gender of Dora (4), but without an order she is out whatever it is."""
    buyer = {"field": "orders", "operator": "gte", "value": 1}
    female = {"field": "gender", "operator": "eq", "value": "female"}
    inner = {"all": [female, buyer]}
    found = segments.audience(session, {"any": [OVER_30, inner]}, as_of=NOW)
    # The age of customer 3 decides nothing: she is a woman who bought.
    assert found == segments.Audience(2, 4, left_out(("age", 1), people=1))


def test_what_is_unknown_of_a_segment_in_a_rule_is_named(session):
    inner = create_segment(session, SYSTEM, name="Over 30", rule=OVER_30, at=NOW)
    found = segments.audience(session, {"in_segment": inner}, as_of=NOW)
    assert found == segments.Audience(1, 4, left_out(("being in the segment “Over 30”", 2), people=2))
    assert explain(session, SegmentRule(inner), as_of=NOW).undecided == found.undecided


def test_who_never_did_something_is_not_left_out_for_want_of_data(session):
    """No visit can be late: that is known, and no further data would change it."""
    for rule in (
        {"event": "visit", "measure": "days_since_last", "operator": "gt", "value": 3},
        {"event": "purchase", "measure": "avg", "operator": "gt", "value": 3},
        {"field": "last_visit", "operator": "in_last", "value": 30, "unit": "day"},
        {"field": "average_order", "operator": "lt", "value": 100},
        {"field": "favourite_category", "operator": "ne", "value": "Wine"},
    ):
        assert segments.audience(session, rule, as_of=NOW) == segments.Audience(0, 4, left_out())
        found = explain(session, parse(rule), as_of=NOW)
        assert (found.undecided, len(found.missing)) == (left_out(), 0)
        lenient = segments.audience(session, rule | {"missing": "match"}, as_of=NOW)
        assert lenient == segments.Audience(4, 4, left_out())


def test_the_people_come_sorted_and_in_pages(session):
    everybody = {"field": "orders", "operator": "gte", "value": 0}
    by_name = segments.people(session, everybody, as_of=NOW)
    assert list(by_name["customer_id"]) == [4, 1, 2, 3]
    assert list(by_name["name"][:3]) == ["Dora Amsel", "Anna Berg", "Bo"]
    assert pd.isna(by_name["name"][3])
    page = segments.people(session, everybody, as_of=NOW, sort="orders", descending=True, limit=2, offset=1)
    assert list(page["customer_id"]) == [1, 2]
    with pytest.raises(InvalidInput, match="cannot be sorted by 'age; DROP'"):
        segments.people(session, everybody, as_of=NOW, sort="age; DROP")


def test_a_sample_is_the_same_each_time_and_follows_no_id(session):
    everybody = {"field": "orders", "operator": "gte", "value": 0}
    assert list(segments.sample(session, everybody, as_of=NOW, size=2)["customer_id"]) == [4, 3]


def test_members_are_those_of_the_last_refresh(session):
    segment_id = create_segment(session, SYSTEM, name="Over 30", rule=OVER_30, at=NOW)
    assert len(segments.members(session, as_of=NOW, segment_id=segment_id)) == 0
    refresh_segment(session, SYSTEM, segment_id, at=NOW)
    update_segment(session, SYSTEM, segment_id, version=1, rule={"not": OVER_30}, at=LATER)
    found = frame(session, "segment_members", as_of=LATER, params={"segment_id": str(segment_id)})
    assert list(found["customer_id"]) == [1]
    assert found["entered_at"][0] == pd.Timestamp(NOW)
    assert {"first_name", "email", "consent_sms", "spend_minor"} <= set(found.columns)


def test_the_list_shows_the_last_refresh_and_whether_it_is_stale(session):
    assert len(segments.segments(session, as_of=NOW)) == 0
    one = create_segment(session, SYSTEM, name="b", rule=OVER_30, at=NOW)
    create_segment(session, SYSTEM, name="A", rule=OVER_30, at=NOW)
    refresh_segment(session, SYSTEM, one, at=NOW)
    listed = segments.segments(session, as_of=NOW)
    assert list(listed["name"]) == ["A", "b"]
    assert listed["size"].isna().tolist() == [True, False]
    assert listed["size"][1] == 1
    assert listed["stale"].tolist() == [True, False]
    assert listed["rule"][0] == "Customers where age is more than 30."
    update_segment(session, SYSTEM, one, version=1, rule={"not": OVER_30}, at=LATER)
    assert segments.segments(session, as_of=LATER)["stale"].tolist() == [True, True]


def test_the_size_history_ends_with_the_latest_refresh(session):
    segment_id = create_segment(session, SYSTEM, name="Over 30", rule=OVER_30, at=NOW)
    for days in range(4):
        refresh_segment(session, SYSTEM, segment_id, at=NOW + timedelta(days=days))
    history = segments.size_history(session, as_of=NOW + timedelta(days=2), segment_id=segment_id, limit=2)
    assert history["as_of"].tolist() == [pd.Timestamp(NOW + timedelta(days=days)) for days in (1, 2)]
    assert len(segments.size_history(session, as_of=LATER)) == 2

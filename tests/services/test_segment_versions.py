"""Versions of rules, rules that use each other, and what may not be deleted."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from ma.analytics import segment_versions as versions
from ma.analytics import segments as analytics
from ma.db.engine import connect
from ma.errors import Conflict, InvalidInput, NotAllowed, NotFound
from ma.models import Attribute, Segment, SegmentVersion
from ma.services.attributes import define_attribute, delete_attribute
from ma.services.segments import (
    create_segment,
    create_static_segment,
    delete_segment,
    refresh_segment,
    restore_version,
    update_segment,
)
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Actor, Role
from tests.services.test_segments import add_customers

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MARKETER, ANALYST = Actor("mia", Role.MARKETER), Actor("ann", Role.ANALYST)
ZOE = Actor("zoe", Role.MARKETER)
OFTEN = {"field": "orders", "operator": "gte", "value": 10}


def later(days: int) -> datetime:
    return NOW + timedelta(days=days)


@pytest.fixture
def session(sqlite_url):
    database = connect(sqlite_url)
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Test", timezone="UTC", currency="USD", at=NOW)
        add_customers(session, 3, 10, 25, 0)
        yield session
    database.close()


def make(session, name: str, rule: dict, at: datetime = NOW) -> int:
    return create_segment(session, MARKETER, name=name, rule=rule, at=at)


def test_every_rule_is_a_version_with_its_author_time_and_size(session):
    segment_id = make(session, "Often", OFTEN)
    refresh_segment(session, MARKETER, segment_id, at=NOW)
    update_segment(session, ZOE, segment_id, version=1, rule=OFTEN | {"value": 20}, at=later(1))
    update_segment(session, ZOE, segment_id, version=2, name="Very often", at=later(2))
    refresh_segment(session, MARKETER, segment_id, at=later(3))
    frame = versions.versions(session, segment_id=segment_id)
    assert frame["number"].tolist() == [2, 1]
    assert frame["actor"].tolist() == ["zoe", "mia"]
    assert frame["at"].tolist() == [later(1), NOW]
    assert frame["size"].tolist() == [1, 2]
    assert frame["restored"].isna().all()
    assert frame["sentence"].tolist() == [
        "Customers where number of orders is at least 20.",
        "Customers where number of orders is at least 10.",
    ]


def test_a_size_belongs_to_the_rule_that_was_used_and_not_to_its_time(session):
    """A run that began before the rule was changed refreshes by the new rule, as of its own beginning."""
    segment_id = make(session, "Often", OFTEN)
    refresh_segment(session, MARKETER, segment_id, at=NOW)
    update_segment(session, ZOE, segment_id, version=1, rule=OFTEN | {"value": 20}, at=later(2))
    refresh_segment(session, MARKETER, segment_id, at=later(1))
    assert versions.versions(session, segment_id=segment_id)["size"].tolist() == [1, 2]
    assert not analytics.segment(session, segment_id).stale
    assert analytics.segments(session, as_of=later(3))["stale"].tolist() == [False]


def test_only_another_rule_makes_a_segment_stale(session):
    segment_id = make(session, "Often", OFTEN)
    refresh_segment(session, MARKETER, segment_id, at=NOW)
    changes = ({"name": "Very often"}, {"description": "A typo less"}, {"rule": OFTEN | {"value": 20}})
    found = []
    for version, change in enumerate(changes, 1):
        update_segment(session, ZOE, segment_id, version=version, **change, at=later(version))
        found.append(analytics.segment(session, segment_id).stale)
        assert analytics.segments(session, as_of=later(9))["stale"].tolist() == found[-1:]
    assert found == [False, False, True]
    refresh_segment(session, MARKETER, segment_id, at=later(4))
    assert not analytics.segment(session, segment_id).stale


def test_an_older_rule_is_brought_back_as_the_newest_version(session):
    segment_id = make(session, "Often", OFTEN)
    update_segment(session, MARKETER, segment_id, version=1, rule=OFTEN | {"value": 20}, at=later(1))
    assert restore_version(session, ZOE, segment_id, 1, version=2, at=later(2)) == ["rule"]
    saved = analytics.segment(session, segment_id)
    assert (saved.rule, saved.version) == (OFTEN, 3)
    rows = session.execute(
        select(SegmentVersion.number, SegmentVersion.rule, SegmentVersion.actor, SegmentVersion.restored)
    ).all()
    assert [(n, r["value"], a, back) for n, r, a, back in sorted(rows)] == [
        (1, 10, "mia", None),
        (2, 20, "mia", None),
        (3, 10, "zoe", 1),
    ]
    # The rule is that one already: no version that says nothing.
    assert restore_version(session, ZOE, segment_id, 1, version=3, at=later(3)) == []
    assert session.scalar(select(func.count()).select_from(SegmentVersion)) == 3


def test_restoring_is_refused_for_the_wrong_role_version_or_number(session):
    segment_id = make(session, "Often", OFTEN)
    update_segment(session, MARKETER, segment_id, version=1, rule=OFTEN | {"value": 20}, at=later(1))
    with pytest.raises(NotAllowed):
        restore_version(session, ANALYST, segment_id, 1, version=2, at=later(2))
    with pytest.raises(Conflict, match="reload and try again"):
        restore_version(session, MARKETER, segment_id, 1, version=1, at=later(2))
    with pytest.raises(NotFound, match="no version 9"):
        restore_version(session, MARKETER, segment_id, 9, version=2, at=later(2))


def test_an_older_rule_is_checked_again_before_it_comes_back(session):
    attribute_id = define_attribute(session, MARKETER, name="Shoe size", kind="number", at=NOW)
    rule = {"field": f"attribute:{attribute_id}", "operator": "gte", "value": 40}
    segment_id = make(session, "Big feet", rule)
    update_segment(session, MARKETER, segment_id, version=1, rule=OFTEN, at=later(1))
    delete_attribute(session, MARKETER, attribute_id, at=later(2))
    with pytest.raises(InvalidInput, match=f"attribute:{attribute_id}"):
        restore_version(session, MARKETER, segment_id, 1, version=2, at=later(3))
    frame = versions.versions(session, segment_id=segment_id)
    assert frame["problem"].notna().tolist() == [False, True]
    assert "no longer valid" in frame["sentence"].iloc[1]
    assert analytics.segment(session, segment_id).rule == OFTEN


def test_a_circle_of_segments_is_refused_and_named(session):
    first = make(session, "First", OFTEN)
    second = make(session, "Second", {"in_segment": first})
    third = make(session, "Third", {"all": [OFTEN, {"not": {"in_segment": second}}]})
    with pytest.raises(InvalidInput) as refused:
        update_segment(session, MARKETER, first, version=1, rule={"in_segment": third}, at=later(1))
    words = refused.value.problems["rule"]
    assert "“Third”, which uses “Second”, which uses this segment" in words
    with pytest.raises(InvalidInput, match="cannot be part of its own rule"):
        update_segment(session, MARKETER, first, version=1, rule={"in_segment": first}, at=later(1))
    assert analytics.segment(session, first).rule == OFTEN
    # The same segment twice is no circle.
    update_segment(
        session,
        MARKETER,
        third,
        version=1,
        rule={"any": [{"in_segment": first}, {"in_segment": second}]},
        at=later(1),
    )


def test_segments_in_segments_have_an_end_and_the_remedy_is_told(session):
    chain = [make(session, "S0", OFTEN)]
    while len(chain) < 11:
        chain.append(make(session, f"S{len(chain)}", {"all": [OFTEN, {"in_segment": chain[-1]}]}))
    with pytest.raises(InvalidInput, match=r"more than 10 deep\. Make one of them a static list"):
        make(session, "S11", {"in_segment": chain[-1]})
    # Nor from below, where the rule by itself is a small one.
    base = make(session, "Base", OFTEN)
    with pytest.raises(InvalidInput, match="“S10” uses this segment"):
        update_segment(session, MARKETER, chain[0], version=1, rule={"in_segment": base}, at=later(1))
    assert analytics.segment(session, chain[0]).rule == OFTEN
    update_segment(session, MARKETER, chain[5], version=1, rule={"in_segment": base}, at=later(1))
    update_segment(session, MARKETER, chain[0], version=1, rule={"in_segment": base}, at=later(1))


def test_segments_that_are_used_twice_again_and_again_have_an_end(session):
    last = make(session, "D0", OFTEN)
    for number in range(1, 8):
        twice = {"any": [{"in_segment": last}, {"all": [{"in_segment": last}, OFTEN]}]}
        last = make(session, f"D{number}", twice)
    four = {"any": [{"in_segment": last}] * 4}
    with pytest.raises(InvalidInput, match=r"more than 2,000 conditions\. Make a large one of them a static"):
        make(session, "Four", four)
    update_segment(session, MARKETER, last, version=1, rule=OFTEN, at=later(1))
    make(session, "Four", four)


def test_a_segment_that_rules_use_is_not_deleted_and_they_are_named(session):
    first = make(session, "First", OFTEN)
    second = make(session, "Second", {"none": [OFTEN, {"in_segment": first}]})
    with pytest.raises(Conflict, match=r"“First” cannot be deleted because the rules .* use it: Second"):
        delete_segment(session, MARKETER, first, at=NOW)
    guests = create_static_segment(session, MARKETER, name="Guests", at=NOW)
    third = make(session, "Third", {"in_segment": guests})
    with pytest.raises(Conflict, match="use it: Third"):
        delete_segment(session, MARKETER, guests, at=NOW)
    for segment_id in (second, first, third, guests):
        delete_segment(session, MARKETER, segment_id, at=NOW)
    assert session.scalar(select(func.count()).select_from(SegmentVersion)) == 0


def test_an_own_field_that_rules_use_is_not_deleted_and_they_are_named(session):
    attribute_id = define_attribute(session, MARKETER, name="Shoe size", kind="number", at=NOW)
    other_id = define_attribute(session, MARKETER, name="Hat size", kind="number", at=NOW)
    rule = {"field": f"attribute:{attribute_id}", "operator": "gte", "value": 40}
    segment_id = make(session, "Big feet", {"any": [OFTEN, {"not": rule}]})
    with pytest.raises(Conflict, match=r"“Shoe size” cannot be deleted .* use it: Big feet"):
        delete_attribute(session, MARKETER, attribute_id, at=NOW)
    delete_attribute(session, MARKETER, other_id, at=NOW)
    update_segment(session, MARKETER, segment_id, version=1, rule=OFTEN, at=NOW)
    delete_attribute(session, MARKETER, attribute_id, at=NOW)
    assert session.scalar(select(func.count()).select_from(Attribute)) == 0


def test_a_stored_rule_that_became_invalid_breaks_no_list(session):
    broken = make(session, "Broken", OFTEN)
    make(session, "Whole", OFTEN)
    rule = {"field": "attribute:99", "operator": "gte", "value": 40}
    session.execute(update(Segment).where(Segment.id == broken).values(rule=rule))
    frame = analytics.segments(session, as_of=later(1)).set_index("name")
    assert frame.loc["Whole", "rule"] == "Customers where number of orders is at least 10."
    assert frame["problem"].isna().to_dict() == {"Broken": False, "Whole": True}
    assert "attribute:99" in frame.loc["Broken", "problem"]
    assert frame.loc["Broken", "rule"].endswith("Open the segment and edit its rule.")


def changed(session, before: dict, after: dict) -> list[tuple]:
    name = f"Segment {session.scalar(select(func.count()).select_from(Segment))}"
    segment_id = make(session, name, before)
    update_segment(session, MARKETER, segment_id, version=1, rule=after, at=later(1))
    frame = versions.changes(session, segment_id=segment_id, older=1, newer=2)
    return [tuple(None if v != v else v for v in row) for row in frame.itertuples(index=False)]


AGE = {"field": "age", "operator": "gt", "value": 30}
CITY = {"field": "city", "operator": "eq", "value": "Rome"}
BOUGHT = {"event": "purchase", "measure": "count", "operator": "gte", "value": 3}


def test_a_diff_says_what_was_added_removed_and_changed(session):
    found = changed(session, {"all": [AGE, CITY]}, {"all": [AGE | {"value": 40}, OFTEN]})
    assert found == [
        ("changed", "age is more than 30", "age is more than 40", None),
        ("removed", "city is “Rome”", None, None),
        ("added", None, "number of orders is at least 10", None),
    ]


def test_a_diff_goes_into_groups_and_says_how_many_must_hold(session):
    before = {"all": [AGE, {"any": [CITY, OFTEN]}]}
    found = changed(session, before, {"all": [AGE, {"any": [CITY, OFTEN | {"value": 11}]}]})
    assert [(c, b, a) for c, b, a, _ in found] == [
        ("changed", "number of orders is at least 10", "number of orders is at least 11")
    ]
    assert "number of orders is at least 11" in found[0][3]
    found = changed(session, {"all": [AGE, CITY]}, {"any": [AGE, CITY]})
    assert found == [("how many must hold", "all of them", "any of them", None)]
    found = changed(session, AGE, {"not": AGE})
    assert found == [("how many must hold", "all of them", "none of them", None)]


def test_a_diff_sees_what_moved_and_nothing_in_another_order(session):
    found = changed(session, {"all": [AGE, CITY, {"any": [OFTEN]}]}, {"all": [AGE, {"any": [OFTEN, CITY]}]})
    assert [(c, b, a) for c, b, a, _ in found] == [("moved", "city is “Rome”", "city is “Rome”")]
    segment_id = make(session, "Order", {"all": [AGE, CITY]})
    update_segment(session, MARKETER, segment_id, version=1, rule={"all": [CITY, AGE]}, at=NOW)
    assert versions.changes(session, segment_id=segment_id, older=1, newer=2).empty


def test_a_diff_knows_events_and_every_version_is_kept_as_it_was(session):
    found = changed(session, BOUGHT, BOUGHT | {"within": {"last": 90, "unit": "day"}})
    [(kind, before, after, place)] = found
    assert (kind, place) == ("changed", None)
    assert before != after
    assert "90 days" in after
    rules = session.scalars(select(SegmentVersion.rule).order_by(SegmentVersion.number)).all()
    assert [json.dumps(rule) for rule in rules] == [
        json.dumps(BOUGHT),
        json.dumps(BOUGHT | {"within": {"last": 90, "unit": "day"}}),
    ]

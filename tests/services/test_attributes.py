"""Fields that a workspace defines itself: kinds, values, and two people at once, on both engines."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from ma.analytics.attributes import definitions, filled, values
from ma.errors import Conflict, InvalidInput, NotAllowed, NotFound
from ma.models import Attribute, AttributeValue, Audit, Customer, OutboxEvent
from ma.services.attribute_fields import KINDS, clean, clean_choices, clean_series
from ma.services.attributes import (
    change_attribute,
    define_attribute,
    delete_attribute,
    set_values,
    write_values,
)
from ma.services.customers import create_customer, delete_customer, update_customer
from ma.types import SYSTEM, Actor, Role

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
MIA = Actor(username="mia", role=Role.MARKETER)
ANN = Actor(username="ann", role=Role.ANALYST)
LEVELS = ("Gold", "Silver")


@pytest.fixture
def world(database) -> tuple[list[int], dict[str, int]]:
    """Three customers, and a field of each kind; `level` is a text with choices."""
    with database.writing() as session:
        people = [create_customer(session, SYSTEM, at=AT, first_name=name) for name in "ABC"]
        fields = {kind: define_attribute(session, MIA, name=f"My {kind}", kind=kind, at=AT) for kind in KINDS}
        fields["level"] = define_attribute(session, MIA, name="Level", kind="text", choices=LEVELS, at=AT)
    return people, fields


def change(database, customer_id, wanted, **options) -> list[int]:
    with database.writing() as session:
        return set_values(session, MIA, customer_id, wanted, at=LATER, **options)


def held(database, customer_id) -> dict:
    with database.reading() as session:
        return values(session, customer_id)


@pytest.mark.parametrize(
    ("kind", "given", "stored"),
    [
        ("text", "  Ärger ", "Ärger"),
        ("text", "00491701", "00491701"),
        ("text", "NA", "NA"),
        ("text", "  ", None),
        ("number", 5, 5.0),
        ("number", "12.50", 12.5),
        ("number", "−3", -3.0),
        ("number", Decimal("0.1"), 0.1),
        ("number", -0.0, 0.0),
        ("number", float("nan"), None),
        ("number", np.int64(7), 7.0),
        ("yes_no", True, True),
        ("yes_no", "No", False),
        ("yes_no", "1", True),
        ("date", date(2027, 1, 5), date(2027, 1, 5)),
        ("date", "2027-01-05", date(2027, 1, 5)),
        ("date", pd.NaT, None),
        ("list", ["Wine", "wine ", "Cheese", ""], ("Wine", "Cheese")),
        ("list", "Wine; Cheese, blue", ("Wine", "Cheese, blue")),
        ("list", "Wine, Cheese", ("Wine", "Cheese")),
        ("list", [], None),
        ("list", " , ", None),
    ],
)
def test_a_value_is_stored_as_its_kind(kind, given, stored):
    value, problem = clean(kind, (), given)
    assert problem is None
    assert value == stored
    assert type(value) is type(stored)


@pytest.mark.parametrize(
    ("kind", "given", "problem"),
    [
        ("text", 5, "as text|Give text"),
        ("text", "x" * 1001, "too long"),
        ("text", "a\nb", "control characters"),
        ("number", "12,5", "not a number"),
        ("number", True, "not a number"),
        ("number", "1e400", "too large"),
        ("number", float("inf"), "too large"),
        ("number", "sNaN", "not a number"),
        ("number", "1_000", "not a number"),
        ("number", "١", "not a number"),
        ("yes_no", "maybe", "Say yes or no"),
        ("yes_no", 2, "Say yes or no"),
        ("date", "5.1.2027", "2026-12-31"),
        ("date", AT, "without a time"),
        ("date", date(1899, 12, 31), "must lie between"),
        ("list", ["x" * 201], "too long"),
        ("list", [str(i) for i in range(51)], "too long"),
        ("list", [5], "Give text"),
        ("list", 5, "Give a list"),
    ],
)
def test_a_value_of_the_wrong_kind_says_the_remedy(kind, given, problem):
    value, said = clean(kind, (), given)
    assert value is None
    assert said is not None
    assert pd.Series([said]).str.contains(problem).all()


def test_choices_are_kept_to_without_regard_to_case():
    assert clean("text", LEVELS, "gold") == ("Gold", None)
    assert clean("list", LEVELS, "SILVER;gold") == (("Silver", "Gold"), None)
    for kind in ("text", "list"):
        value, problem = clean(kind, LEVELS, "Bronze")
        assert value is None
        assert "Use one of Gold, Silver" in problem
    assert clean_choices("text", [" Gold", "gold", "Silver"]) == (["Gold", "Silver"], None)
    assert "Only text and list" in clean_choices("number", ["1"])[1]


_VALUES = st.one_of(
    st.none(), st.text(max_size=12), st.integers(), st.floats(), st.booleans(),
    st.dates(), st.lists(st.text(max_size=5), max_size=3),
)  # fmt: skip


@given(kind=st.sampled_from(sorted(KINDS)), given=st.lists(_VALUES, max_size=8), again=st.booleans())
def test_a_series_is_cleaned_like_each_of_its_values(kind, given, again):
    series = pd.Series(given * 2 if again else given, dtype=object)
    stored, problems = clean_series(kind, (), series)
    expected = [clean(kind, (), value) for value in series]
    assert list(stored) == [value for value, _ in expected]
    assert list(map(type, stored)) == [type(value) for value, _ in expected]
    assert list(problems) == [problem for _, problem in expected]


def test_values_come_back_as_they_were_set(database, world):
    people, fields = world
    wanted = {
        fields["text"]: "Ärger",
        fields["number"]: "12.5",
        fields["yes_no"]: False,
        fields["date"]: date(2027, 1, 5),
        fields["list"]: ["Wine", "Cheese"],
        fields["level"]: "silver",
    }
    assert change(database, people[0], wanted) == sorted(wanted)
    expected = wanted | {
        fields["number"]: 12.5,
        fields["list"]: ("Wine", "Cheese"),
        fields["level"]: "Silver",
    }
    assert held(database, people[0]) == expected
    assert held(database, people[1]) == {}
    # The same again changes nothing; a new list and an emptied field do.
    assert change(database, people[0], {**expected, fields["list"]: ["Wine", "Cheese"]}) == []
    assert change(database, people[0], {fields["list"]: ["Beer"], fields["text"]: None}) == sorted(
        [fields["text"], fields["list"]]
    )
    del expected[fields["text"]]
    assert held(database, people[0]) == expected | {fields["list"]: ("Beer",)}
    with database.reading() as session:
        assert session.get(Customer, people[0]).version == 3
        told = session.scalars(
            select(OutboxEvent.payload).where(OutboxEvent.type == "CustomerAttributesChanged")
        ).all()
    assert told[0] == {"customer_id": people[0], "attribute_ids": sorted(wanted)}
    assert "Wine" not in str(told)


def test_all_problems_are_named_at_once_and_nothing_changes(database, world):
    people, fields = world
    with pytest.raises(InvalidInput) as refused:
        change(
            database,
            people[0],
            {fields["number"]: "many", fields["level"]: "Tin", fields["text"]: "x", 999: 1},
        )
    assert set(refused.value.problems) == {
        f"attribute:{fields['number']}", f"attribute:{fields['level']}", "attribute:999",
    }  # fmt: skip
    assert refused.value.problems[f"attribute:{fields['number']}"].startswith(
        "My number: This is not a number"
    )
    assert held(database, people[0]) == {}
    with database.reading() as session:
        assert session.get(Customer, people[0]).version == 1


def test_of_two_people_who_edit_one_customer_the_second_is_told(database, world):
    people, fields = world
    assert change(database, people[0], {fields["text"]: "first"}, version=1)
    with pytest.raises(Conflict, match="changed by somebody else"):
        change(database, people[0], {fields["text"]: "second"}, version=1)
    with database.writing() as session, pytest.raises(Conflict):
        update_customer(session, MIA, people[0], version=1, at=LATER, city="Bonn")
    assert held(database, people[0]) == {fields["text"]: "first"}


def test_who_may_not_edit_sets_nothing_and_the_deleted_get_nothing(database, world):
    people, fields = world
    with database.writing() as session:
        for refused in (
            lambda: set_values(session, ANN, people[0], {fields["text"]: "x"}, at=LATER),
            lambda: define_attribute(session, ANN, name="x", kind="text", at=LATER),
            lambda: change_attribute(session, ANN, fields["text"], name="x", at=LATER),
            lambda: delete_attribute(session, ANN, fields["text"], at=LATER),
        ):
            with pytest.raises(NotAllowed):
                refused()
        delete_customer(session, SYSTEM, people[0], version=1, at=AT)
        for gone in (people[0], 10**9):
            with pytest.raises(NotFound):
                set_values(session, MIA, gone, {fields["text"]: "x"}, at=LATER)
        assert session.scalar(select(func.count()).select_from(AttributeValue)) == 0


def test_many_values_are_written_at_once(database, world):
    people, fields = world
    change(database, people[0], {fields["list"]: ["Old", "Older"], fields["text"]: "stays"})
    frame = pd.DataFrame(
        {
            "customer_id": [people[2], people[0], people[1], people[1], people[0], people[2]],
            "attribute_id": [fields[k] for k in ("list", "list", "list", "number", "yes_no", "date")],
            "value": pd.Series([("A", "B", "C"), ("New",), None, 3.0, True, date(2027, 1, 5)], dtype=object),
        }
    )
    with database.writing() as session:
        write_values(session, frame, at=LATER)
    assert held(database, people[0]) == {
        fields["list"]: ("New",), fields["text"]: "stays", fields["yes_no"]: True,
    }  # fmt: skip
    assert held(database, people[1]) == {fields["number"]: 3.0}
    assert held(database, people[2]) == {fields["list"]: ("A", "B", "C"), fields["date"]: date(2027, 1, 5)}
    with database.reading() as session:
        assert session.scalars(
            select(AttributeValue.text_folded).where(AttributeValue.text == "New")
        ).all() == ["new"]
        assert {row.updated_at for row in session.scalars(select(Customer))} == {LATER}


_WRONG_DEFINITION = [
    ({"name": "", "kind": "text"}, {"name"}, "Give the field a name"),
    ({"name": "x" * 61, "kind": "text"}, {"name"}, "too long"),
    ({"name": "a\x00", "kind": "text"}, {"name"}, "control characters"),
    ({"name": " LEVEL ", "kind": "text"}, {"name"}, "is a field 'LEVEL' already"),
    ({"name": "E-Mail", "kind": "text"}, {"name"}, "Every customer has"),
    ({"name": "New", "kind": "colour"}, {"kind"}, "no kind 'colour'"),
    ({"name": "New", "kind": "number", "choices": ["1"]}, {"choices"}, "Only text and list"),
    ({"name": "", "kind": "colour"}, {"name", "kind"}, "Give the field"),
]


def test_a_wrong_definition_is_refused(database, world):
    for wanted, fields, words in _WRONG_DEFINITION:
        with database.writing() as session:
            with pytest.raises(InvalidInput) as refused:
                define_attribute(session, MIA, **wanted, at=AT)
            assert session.scalar(select(func.count()).select_from(Attribute)) == len(KINDS) + 1
        assert set(refused.value.problems) == fields
        assert words in str(refused.value)


def test_a_field_is_renamed_gets_other_choices_and_is_deleted_with_what_it_held(database, world):
    people, fields = world
    change(database, people[0], {fields["level"]: "Gold", fields["text"]: "x"})
    with database.writing() as session:
        level = fields["level"]
        assert change_attribute(session, MIA, level, name="Tier", choices=["Silver"], at=LATER) == [
            "choices",
            "name",
        ]
        assert change_attribute(session, MIA, level, name="Tier", choices=["Silver"], at=LATER) == []
        with pytest.raises(InvalidInput, match="already"):
            change_attribute(session, MIA, level, name="my TEXT", at=LATER)
        with pytest.raises(NotFound):
            change_attribute(session, MIA, 999, name="x", at=LATER)
        # What somebody has stays, even where it is no choice any more; it may be saved along unchanged.
        assert values(session, people[0])[level] == "Gold"
        assert set_values(session, MIA, people[0], {level: "Gold"}, at=LATER) == []
        assert filled(session, level) == 1
        assert definitions(session)["name"].tolist() == sorted(
            [f"My {kind}" for kind in KINDS] + ["Tier"], key=str.casefold
        )
        assert delete_attribute(session, MIA, level, at=LATER) == 1
        assert values(session, people[0]) == {fields["text"]: "x"}
        with pytest.raises(NotFound):
            delete_attribute(session, MIA, level, at=LATER)
        done = [(a.action, a.detail) for a in session.scalars(select(Audit).where(Audit.noun == "attribute"))]
    assert done[-2:] == [("update", {"fields": ["choices", "name"]}), ("delete", {"values": 1})]


def test_the_id_of_a_deleted_field_is_not_given_again(database, world):
    """An old version of a segment's rule may still name it, and would come back as another field's."""
    with database.writing() as session:
        first = define_attribute(session, MIA, name="Shoe size", kind="number", at=AT)
        delete_attribute(session, MIA, first, at=AT)
    with database.writing() as session:
        assert define_attribute(session, MIA, name="Unpaid invoices", kind="number", at=LATER) > first

"""The screens of possible duplicates and of static lists: anonymous, empty, filled."""

import pytest
from sqlalchemy import select

from ma import clock
from ma.analytics.duplicates import suggestions
from ma.models import Customer
from ma.services.customers import create_customer
from ma.services.segments import add_members, create_static_segment
from ma.types import SYSTEM
from tests.pages.test_segments import click, labels, words
from ui import customer_duplicates


@pytest.fixture
def pair(workbench):
    """Two records with one phone number."""
    with workbench.writing() as session:
        for name in ("Ann **x**", "Anna"):
            who = {"first_name": name, "last_name": "Berg", "phone": "+49 170 1234567"}
            create_customer(session, SYSTEM, **who, at=clock.now())
    return workbench


def test_nobody_sees_nothing(pair, act_as, screen):
    act_as(None)
    assert "Ann" not in words(screen("duplicates"))


def test_an_empty_screen_says_what_would_stand_there(workbench, act_as, screen):
    act_as("viewer")
    assert "No possible duplicates" in words(screen("duplicates"))


def test_a_viewer_sees_pairs_and_changes_nothing(pair, act_as, screen):
    act_as("viewer")
    test = screen("duplicates")
    assert "Same phone number" in words(test)
    assert "**1 pair**" in words(test)
    assert not labels(test) & {"Compare", "Not the same person"}


@pytest.mark.parametrize("quick", [0.0, 60.0])
def test_a_pair_is_told_apart_for_good(pair, act_as, screen, quick, monkeypatch):
    # Whether or not comparing took so long that the pairs are kept for some minutes.
    monkeypatch.setattr(customer_duplicates, "QUICK_SECONDS", quick)
    act_as("marketer")
    test = click(screen("duplicates"), "Not the same person")
    assert "No possible duplicates" in words(test)
    with pair.reading() as session:
        assert suggestions(session, as_of=clock.now()).total == 0


def test_a_static_list_is_shown_without_a_rule(pair, act_as, screen):
    with pair.writing() as session:
        segment_id = create_static_segment(session, SYSTEM, name="Guests", at=clock.now())
        add_members(session, SYSTEM, segment_id, select(Customer.id), at=clock.now())
    act_as("marketer")
    assert screen("segments").dataframe[0].value["about"].tolist() == ["Static list"]
    test = screen("segments", id=str(segment_id), edit="yes")
    assert "Static list" in words(test)
    assert {"Add people", "Rename", "Refresh", "Take off the list"} <= labels(test)
    assert "Edit rule" not in labels(test)
    assert not click(test, "Refresh").exception
    act_as("viewer")
    assert not labels(screen("segments", id=str(segment_id))) & {"Add people", "Rename", "Take off the list"}

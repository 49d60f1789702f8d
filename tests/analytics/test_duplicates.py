"""Suggesting records that may be one person: which pairs, why, in which order."""

from datetime import UTC, datetime

import pandas as pd
import pytest
from sqlalchemy import update

from ma.analytics import duplicates
from ma.analytics.duplicates import preview, suggestions
from ma.db.engine import connect
from ma.errors import InvalidInput, NotFound
from ma.models import Customer
from ma.services.customers import create_customer, delete_customer, import_customers
from ma.services.merging import mark_distinct, merge_customers
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Channel

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
# Who they are, and with whom they are one person in the test's eyes.
PEOPLE = {
    "ann": {"first_name": "Ann", "last_name": "Ångström", "phone": "+49 170 1234567", "city": "Bonn"},
    "ann_phone": {"external_id": "A-7", "phone": "0170 1234567"},
    "family": {"first_name": "Max", "last_name": "Berg", "phone": "0170 1234567"},
    "ann_twin": {"first_name": "ANN", "last_name": "ångström", "phone": "00491701234567", "city": "BONN"},
    "bob": {"first_name": "Bob", "last_name": "Lee", "email": "bob.lee@example.com", "postal_code": "53111"},
    "bob_mail": {"first_name": "bob", "last_name": "LEE", "email": "Bob.Lee@example.org"},
    "bob_zip": {"first_name": "Bob", "last_name": "Lee", "postal_code": "53111"},
    "bob_other": {"first_name": "Bob", "last_name": "Lee", "postal_code": "99999", "email": "b@example.com"},
    "short": {"first_name": "X", "phone": "112"},
    "short_too": {"first_name": "Y", "phone": "112"},
    "desk": {"first_name": "Eve", "last_name": "Long", "phone": "+49 228 7654321"},
    "desk_too": {"first_name": "Eve", "last_name": "Long", "phone": "0228 7654321"},
    "gone": {"first_name": "Bob", "last_name": "Lee", "postal_code": "53111"},
}


@pytest.fixture
def shop(database):
    """The people above by name, and six at one switchboard."""
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Test", timezone="UTC", currency="EUR", at=NOW)
        ids = {name: create_customer(session, SYSTEM, at=NOW, **values) for name, values in PEOPLE.items()}
        for number in range(6):
            create_customer(session, SYSTEM, at=NOW, first_name=f"Desk {number}", phone="+49 228 7654321")
        delete_customer(session, SYSTEM, ids["gone"], version=1, at=NOW)
    return database, ids


def pairs(session, ids, **values):
    """{(one, other): reasons} of what is suggested, by the names above."""
    names = {key: name for name, key in ids.items()}
    found = suggestions(session, as_of=NOW, **values)
    return {
        (names[row.first_id], names[row.second_id]): row.reasons for row in found.pairs.itertuples()
    }, found


def test_pairs_have_reasons_in_words_and_the_likeliest_come_first(shop):
    database, ids = shop
    with database.reading() as session:
        found, whole = pairs(session, ids)
    assert found == {
        ("ann", "ann_twin"): "same name and phone number, same name and city",
        ("ann", "ann_phone"): "same phone number, one has no name",
        ("ann_phone", "ann_twin"): "same phone number, one has no name",
        ("ann_phone", "family"): "same phone number, one has no name",
        ("desk", "desk_too"): "same name and phone number",
        ("bob", "bob_mail"): "same name and e-mail name at another provider",
        ("bob", "bob_zip"): "same name and postal code",
    }
    assert whole.pairs["score"].is_monotonic_decreasing
    assert whole.pairs["score"].between(1, 99).all()
    assert next(iter(found)) == ("ann", "ann_twin")
    assert (whole.total, whole.complete) == (7, True)
    top = whole.pairs.iloc[0]
    assert (top["first_name"], top["second_name"], top["first_city"]) == (
        "Ann Ångström",
        "ANN ångström",
        "Bonn",
    )


def test_fewer_are_given_where_fewer_are_wanted_but_all_are_counted(shop):
    database, ids = shop
    with database.reading() as session:
        found, whole = pairs(session, ids, limit=1)
    assert list(found) == [("ann", "ann_twin")]
    assert whole.total == 7


def test_who_was_told_apart_merged_or_deleted_is_not_suggested_again(shop):
    database, ids = shop
    with database.writing() as session:
        mark_distinct(session, SYSTEM, ids["bob"], ids["bob_zip"], at=NOW)
        delete_customer(session, SYSTEM, ids["bob_mail"], version=1, at=NOW)
        merge_customers(
            session, SYSTEM, keep_id=ids["ann"], other_id=ids["ann_twin"], versions=(1, 1), at=NOW
        )
        found, _ = pairs(session, ids)
    assert found == {
        ("ann", "ann_phone"): "same phone number, one has no name",
        ("ann_phone", "family"): "same phone number, one has no name",
        ("desk", "desk_too"): "same name and phone number",
    }


def test_nobody_is_a_duplicate_of_nobody(sqlite_url):
    database = connect(sqlite_url)
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Test", timezone="UTC", currency="EUR", at=NOW)
        found = suggestions(session, as_of=NOW)
    assert (len(found.pairs), found.total, found.complete) == (0, 0, True)
    database.close()


def test_too_many_to_look_at_is_said(sqlite_url, monkeypatch):
    monkeypatch.setattr(duplicates, "MOST_GROUPS", 3)
    database = connect(sqlite_url)
    numbers = [f"0170 555{i // 2:04d}" for i in range(20)]
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Test", timezone="UTC", currency="EUR", at=NOW)
        people = pd.DataFrame({"external_id": [f"P{i}" for i in range(20)], "phone": numbers})
        import_customers(session, SYSTEM, people, source="test", at=NOW)
        found = suggestions(session, as_of=NOW)
    assert (found.total, found.complete) == (3, False)
    database.close()


def test_a_preview_shows_only_what_differs(shop):
    database, ids = shop
    with database.writing() as session:
        session.execute(update(Customer).where(Customer.id == ids["bob"]).values(consent_email=True))
        shown = preview(session, ids["bob"], ids["bob_mail"], as_of=NOW)
    assert shown.names == ("Bob Lee", "bob LEE")
    assert {choice.name: (choice.keep, choice.other, choice.default) for choice in shown.choices} == {
        "first_name": ("Bob", "bob", "keep"),
        "last_name": ("Lee", "LEE", "keep"),
        "email": ("bob.lee@example.com", "Bob.Lee@example.org", "keep"),
        "postal_code": ("53111", None, "keep"),
    }
    assert shown.consent[Channel.EMAIL] == (True, False, False)
    assert shown.consent[Channel.SMS] == (False, False, False)
    assert shown.lifetime_values == (0, 0, 0)
    assert (shown.versions, shown.messages_left) == ((1, 1), 0)
    with database.reading() as session:
        with pytest.raises(InvalidInput):
            preview(session, 1, 1, as_of=NOW)
        with pytest.raises(NotFound):
            preview(session, 1, ids["gone"], as_of=NOW)

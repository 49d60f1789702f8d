"""Filling a table: dropped indexes are back and hold the new rows; a failure leaves them as they were."""

import pandas as pd
import pytest
from sqlalchemy import delete, insert, inspect, select, text

from ma.db import bulk, filling, search
from ma.models import Customer

ROWS = 40


def _people(first: int, number: int) -> pd.DataFrame:
    ids = range(first, first + number)
    at = pd.Timestamp("2026-03-01", tz="UTC")
    flags = dict.fromkeys(("consent_email", "consent_sms", "consent_push", "consent_direct_mail"), False)
    return pd.DataFrame(
        {
            "id": ids,
            "search_text": [f"person{i} everybody" for i in ids],
            "email_folded": [f"p{i}" for i in ids],
        }
    ).assign(
        split_bucket=1, orders=0, spend_minor=0, visits=0, version=1, created_at=at, updated_at=at, **flags
    )


def _indexes(session) -> dict[str, str]:
    schema = None if session.get_bind().dialect.name == "sqlite" else "ma"
    found = inspect(session.connection()).get_indexes("customer", schema=schema)
    options = {i["name"]: {name: str(what) for name, what in i["dialect_options"].items()} for i in found}
    return {i["name"]: f"{i['column_names']} {i['unique']} {options[i['name']]}" for i in found}


def _found(session, word: str) -> set[int]:
    return set(session.scalars(select(Customer.id).where(search.indexed(word))))


@pytest.fixture
def many(monkeypatch):
    """A few rows count as many."""
    monkeypatch.setattr(filling, "_MANY", 10)


def test_what_was_filled_is_found_and_every_index_is_back(database, many):
    with database.writing() as session:
        before = _indexes(session)
        bulk.insert(session, Customer.__table__, _people(1, 5))
    with database.writing() as session:
        with filling.filling(session, Customer.__table__, ROWS):
            bulk.insert(session, Customer.__table__, _people(6, ROWS))
        assert _indexes(session) == before
    with database.reading() as session:
        search.settle(session)
        if session.get_bind().dialect.name == "postgresql":
            # Nothing is left for another cleaning to sort in.
            cleaned = "SELECT gin_clean_pending_list('ma.ix_customer_search')"
            assert session.scalar(text(cleaned)) == 0
        assert _found(session, "everybody") == set(range(1, ROWS + 6))
        assert _found(session, "person7") == {7}
    with database.writing() as session:
        bulk.insert(session, Customer.__table__, _people(100, 1))
        session.execute(delete(Customer).where(Customer.id == 7))
        assert _found(session, "person100") == {100}
        assert _found(session, "person7") == set()
        if session.get_bind().dialect.name == "sqlite":
            session.execute(text("INSERT INTO customer_search (customer_search) VALUES ('integrity-check')"))
            # What grows from now on is merged again as it grows.
            assert session.scalar(text("SELECT v FROM customer_search_config WHERE k = 'automerge'")) == 4


def test_a_failure_leaves_everything_as_it_was(database, many):
    with database.writing() as session:
        before = _indexes(session)
        session.execute(insert(Customer).values(_people(1, 1).to_dict("records")[0]))
    with (
        pytest.raises(Exception, match=r"(?i)unique"),
        database.writing() as session,
        filling.filling(session, Customer.__table__, ROWS),
    ):
        bulk.insert(session, Customer.__table__, _people(2, ROWS).assign(email_folded="p1"))
    with database.reading() as session:
        assert _indexes(session) == before
        assert _found(session, "everybody") == {1}
    with database.writing() as session:
        bulk.insert(session, Customer.__table__, _people(9, 1))
        assert _found(session, "person9") == {9}

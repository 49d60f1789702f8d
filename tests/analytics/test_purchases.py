"""Whole lists of facts, as they are taken out."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from ma.analytics.frames import frame
from ma.db.engine import connect
from ma.services.customers import delete_customer, import_customers
from ma.services.facts import import_behaviour, import_purchases
from ma.services.workspace import create_workspace
from ma.types import SYSTEM

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def shop(sqlite_url):
    """Two customers with an order each, one of an unknown buyer, one in the future; the second is deleted."""
    database = connect(sqlite_url)
    times = pd.to_datetime([AT - timedelta(days=days) for days in (3, 2, 1, -1)], utc=True)
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Shop", timezone="UTC", currency="EUR", at=AT)
        people = pd.DataFrame({"external_id": ["A", "B"], "email": ["a@example.com", "b@example.com"]})
        ids = import_customers(session, SYSTEM, people, source="test", at=AT).tolist()
        orders = pd.DataFrame(
            {"external_key": list("1234"), "customer_id": [*ids, None, ids[0]], "kind": "sale", "at": times,
             "amount_minor": [100, 200, 300, 400]}
        )  # fmt: skip
        lines = pd.DataFrame(
            {"external_key": list("1124"), "category": ["Wine", None, "Tea", "Tea"], "quantity": 1,
             "amount_minor": [60, 40, 200, 400], "product": ["red", "white", "green", "black"]}
        )  # fmt: skip
        import_purchases(session, SYSTEM, orders, lines, source="test", at=AT)
        visits = pd.DataFrame(
            {"customer_id": ids, "kind": "visit", "at": times[:2], "page": ["home", "cart"]}
        )
        import_behaviour(session, SYSTEM, visits, source="test", at=AT)
    with database.writing() as session:
        delete_customer(session, SYSTEM, ids[1], version=1, at=AT)
    yield database
    database.close()


def test_whole_lists_name_nobody_who_was_deleted_and_nothing_of_the_future(shop):
    with shop.reading() as session:
        orders = frame(session, "purchases", as_of=AT, params={})
        lines = frame(session, "purchase_lines", as_of=AT, params={})
        events = frame(session, "events", as_of=AT, params={})
    assert orders["order_key"].tolist() == ["1", "2", "3"]
    assert orders["amount_minor"].tolist() == [100, 200, 300]
    assert orders["external_id"].isna().tolist() == [False, True, True]
    assert lines[["order_key", "product", "quantity"]].to_numpy().tolist() == [
        ["1", "red", 1],
        ["1", "white", 1],
        ["2", "green", 1],
    ]
    assert events["external_id"].tolist() == ["A"]

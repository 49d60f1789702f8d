"""What the data offer to rules: values with their counts, and how numbers lie."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from sqlalchemy import insert, update

from ma.analytics import rule_values
from ma.analytics.rule_values import choices, spread
from ma.errors import InvalidInput
from ma.models import BehaviourEvent, Customer, CustomerTag, Tag
from ma.services.facts import import_purchases
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Channel

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)


@pytest.fixture
def world(database):
    """Five customers, the last one deleted: orders 0 to 4, two born in 1990, tags, purchases, visits."""
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Shop", timezone="Europe/Berlin", currency="EUR", at=NOW)
        for i in range(5):
            row = {"id": i + 1, "split_bucket": i, "orders": i, "visits": 0, "search_text": "", "version": 1}
            row |= {f"consent_{channel}": True for channel in Channel}
            row |= {"country": "DE" if i < 2 else "FR", "deleted_at": NOW if i == 4 else None}
            row |= {"birth_date": [date(1990, 3, 2), date(1990, 3, 3), None, None, None][i]}
            session.execute(insert(Customer.__table__).values(**row, created_at=NOW, updated_at=NOW))
        session.execute(insert(Tag.__table__).values(id=1, name="Gold", name_folded="gold", created_at=NOW))
        for customer in (1, 2, 5):
            tagged = {"tag_id": 1, "customer_id": customer, "actor": "x", "at": NOW}
            session.execute(insert(CustomerTag.__table__).values(**tagged))
        orders = pd.DataFrame(
            {
                "external_key": ["a", "b", "c"],
                "customer_id": [1, 1, 2],
                "kind": "sale",
                "at": pd.to_datetime([NOW - timedelta(days=days) for days in (1, 10, 40)], utc=True),
                "amount_minor": [1000, 3000, 500],
            }
        )
        lines = orders[["external_key", "amount_minor"]].assign(category=["Tea", "Tea", "Cups"], quantity=1)
        import_purchases(session, SYSTEM, orders, lines, source="test", at=NOW)
        for device in ("phone", "phone", "desk"):
            visit = {"customer_id": 3, "kind": "visit", "at": NOW, "device": device}
            session.execute(insert(BehaviourEvent.__table__).values(**visit))
    with database.reading() as session:
        yield session


def values(found) -> dict[str, int]:
    assert found.exact
    return dict(zip(found.frame["value"], found.frame["count"].tolist(), strict=True))


def test_values_are_counted_among_those_who_are_there(world):
    assert values(choices(world, "country")) == {"DE": 2, "FR": 2}
    assert values(choices(world, "tags")) == {"Gold": 2}
    assert values(choices(world, "category", event="purchase")) == {"Tea": 2, "Cups": 1}
    assert values(choices(world, "device", event="visit")) == {"phone": 2, "desk": 1}
    for field, event in (("orders", None), ("nonsense", None), ("quantity", "purchase")):
        with pytest.raises(InvalidInput):
            choices(world, field, event=event)


def test_texts_that_people_write_are_counted_among_the_newest(world, monkeypatch):
    for customer, city in ((1, "Köln"), (2, "Köln"), (3, "Bonn"), (5, "Nobody's")):
        world.execute(update(Customer).where(Customer.id == customer).values(city=city, postal_code="01067"))
    found = choices(world, "city")
    assert (values(found), found.complete) == ({"Köln": 2, "Bonn": 1}, True)
    assert values(choices(world, "postal_code")) == {"01067": 3}
    monkeypatch.setattr(rule_values, "MOST_VALUES", 2)
    found = choices(world, "city")
    assert (list(found.frame["value"]), found.exact, found.complete) == (["Köln", "Bonn"], True, False)
    # Of five customers the newest three: one of them is deleted, one has no city.
    monkeypatch.setattr(rule_values, "MOST_ROWS", 3)
    found = choices(world, "city")
    assert dict(zip(found.frame["value"], found.frame["count"], strict=True)) == {"Bonn": 1, "Köln": 1}
    assert (found.rows, found.exact, found.complete) == (3, False, False)
    assert choices(world, "country").exact


def test_numbers_lie_as_they_are(world):
    found = spread(world, as_of=NOW, field="orders")
    assert found.bins["customers"].tolist() == [1, 1, 1, 1]
    assert (found.known, found.half, found.tenth, found.beyond) == (4, 1, 3, 0)
    ages = spread(world, as_of=NOW, field="age")
    assert (ages.bins["low"].tolist(), ages.bins["customers"].tolist()) == ([35, 36], [1, 1])
    assert spread(world, as_of=NOW, field="engagement") is None
    sums = spread(world, as_of=NOW, event="purchase", measure="sum")
    assert (sums.known, sums.half, sums.tenth) == (2, 500, 4000)
    days = spread(world, as_of=NOW, event="purchase", measure="days_since_last")
    assert (days.half, days.tenth) == (1, 40)
    assert spread(world, as_of=NOW - timedelta(days=20), event="purchase").known == 1

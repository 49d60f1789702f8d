"""Importing purchases, events and consent."""

import numpy as np
import pytest
from sqlalchemy import func, select

from ma.db.engine import connect
from ma.errors import Conflict, InvalidInput
from ma.models import (
    BehaviourEvent,
    ConsentChange,
    Customer,
    ImportRun,
    Outcome,
    Purchase,
    PurchaseLine,
)
from ma.services.customers import create_customer
from ma.services.profiles import rebuild_profiles
from tests.services.import_world import (
    AT,
    MARKETER,
    bring_in,
    carry_out,
    counted,
    dry_run,
    set_up,
    take_back,
)


@pytest.fixture
def world(database):
    set_up(database, currency="GBP", timezone="Europe/London")
    return database


@pytest.fixture
def sqlite(sqlite_url):
    database = connect(sqlite_url)
    set_up(database)
    yield database
    database.close()


def orders() -> dict[str, list]:
    """Three orders, the first with two equal lines, the second given back, the third by nobody known."""
    return {
        "order_key": ["1", "1", "1", "C2", "3"],
        "at": ["2026-01-05 10:00", "2026-01-05 10:00", "2026-01-05 10:01", "2026-01-06 09:00", "2026-01-07"],
        "external_id": ["A", "A", "A", "A", None],
        "quantity": ["1", "1", "3", "-1", "2"],
        "unit_price": ["2.55", "2.55", "0.005", "2.55", "1.00"],
        "product": ["Mug", "Mug", "Clip", "Mug", None],
        "category": ["Kitchen", "Kitchen", "Office", "Kitchen", None],
        "country": ["United Kingdom"] * 4 + ["Nowhere"],
    }


def changed(**columns) -> dict[str, list]:
    return orders() | columns


def stored(database, table=Purchase, *columns) -> list[tuple]:
    names = columns or ("external_key", "kind", "amount_minor", "customer_id")
    with database.reading() as session:
        query = select(*(getattr(table, name) for name in names)).order_by(
            *table.__table__.primary_key.columns
        )
        return [tuple(row) for row in session.execute(query)]


def count(database, table) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(table))


def figures(database) -> dict:
    with database.reading() as session:
        found = session.scalars(select(Customer).order_by(Customer.id)).first()
        return {
            name: getattr(found, name) for name in ("orders", "spend_minor", "favourite_category", "visits")
        }


def test_lines_become_orders_of_known_and_new_customers(world):
    refused = dry_run(world, "purchases", orders(), "order_key")
    assert counted(refused) == (1, 0, 0, 4)
    plan = dry_run(world, "purchases", orders(), "order_key", create_missing=True)
    assert counted(plan) == (5, 0, 0, 0)
    assert any("Nowhere" in note for note in plan.notes)
    carry_out(world, plan)
    [(ann, country, allowed)] = stored(world, Customer, "id", "country", "consent_email")
    assert (country, allowed) == ("GB", False)
    # 3 x 0.005 = 0.015, half a penny away from zero: 2.
    assert stored(world) == [("1", "sale", 512, ann), ("C2", "refund", -255, ann), ("3", "sale", 200, None)]
    assert stored(world, PurchaseLine, "line", "product", "quantity", "amount_minor")[:3] == [
        (1, "Mug", 1, 255),
        (2, "Mug", 1, 255),
        (3, "Clip", 3, 2),
    ]
    seen = figures(world)
    assert seen == {"orders": 1, "spend_minor": 257, "favourite_category": "Kitchen", "visits": 0}
    with world.writing() as session:
        rebuild_profiles(session, as_of=AT)
    assert figures(world) == seen


def test_the_same_orders_change_nothing_and_others_are_replaced_and_come_back(world):
    first = bring_in(world, "purchases", orders(), "order_key", create_missing=True)
    again = dry_run(world, "purchases", orders(), "order_key")
    assert counted(again) == (0, 0, 5, 0)
    assert carry_out(world, again).import_id is None
    before, lines = (
        stored(world),
        stored(world, PurchaseLine, "purchase_id", "line", "product", "amount_minor"),
    )
    file = changed(quantity=["1", "2", "3", "-1", "2"], product=["Mug", None, "Clip", "Mug", None])
    plan = dry_run(world, "purchases", file, "order_key")
    assert counted(plan) == (0, 3, 2, 0)
    assert plan.changes[["row", "field", "before", "after"]].to_numpy().tolist() == [
        [2, "Amount", "£5.12", "£7.67"],
        [2, "Line 2", "1 × Mug, £2.55", "2 × Mug, £5.10"],
    ]
    done = carry_out(world, plan)
    assert figures(world)["spend_minor"] == 512
    counts = take_back(world, done.import_id)
    assert (counts["orders_restored"], counts["orders_kept"]) == (1, 0)
    assert stored(world) == before
    assert stored(world, PurchaseLine, "purchase_id", "line", "product", "amount_minor") == lines
    assert figures(world)["spend_minor"] == 257
    counts = take_back(world, first.import_id)
    assert (counts["orders_removed"], counts["customers_removed"]) == (3, 1)
    assert [count(world, table) for table in (Purchase, PurchaseLine, Customer)] == [0, 0, 0]


def test_an_order_comes_in_whole_or_not_at_all(world):
    file = changed(unit_price=["2.55", "x", "0.005", "2.55", "1.00"])
    plan = dry_run(world, "purchases", file, "order_key", create_missing=True)
    assert counted(plan) == (2, 0, 0, 3)
    assert plan.rejected["row"].tolist() == [2, 3, 4]
    assert plan.rejected["problem"][0].startswith("Row 3 of the same order is refused")
    two = changed(external_id=["A", "B", "A", "A", None])
    assert counted(dry_run(world, "purchases", two, "order_key", create_missing=True)) == (2, 0, 0, 3)
    apart = changed(at=["2026-01-05", "2026-01-08", "2026-01-05", "2026-01-06", "2026-01-07"])
    assert counted(dry_run(world, "purchases", apart, "order_key", create_missing=True)) == (2, 0, 0, 3)
    half = changed(quantity=["1", "1.5", "3", "-1", "2"])
    assert counted(dry_run(world, "purchases", half, "order_key", create_missing=True)) == (2, 0, 0, 3)


def test_amounts_come_from_a_column_too_and_refunds_are_negative(sqlite):
    file = {
        "order_key": ["1", "2"],
        "at": ["2026-01-05", "2026-01-06"],
        "amount": ["1.234,50 €", "10"],
        "kind": ["sale", "refund"],
    }
    bring_in(sqlite, "purchases", file, "order_key", decimal=",")
    assert stored(sqlite)[0][:3] == ("1", "sale", 123450)
    assert stored(sqlite)[1][:3] == ("2", "refund", -1000)
    assert counted(dry_run(sqlite, "purchases", file, "order_key", decimal=",")) == (0, 0, 2, 0)
    with pytest.raises(InvalidInput, match="column of amounts"):
        dry_run(sqlite, "purchases", {name: file[name] for name in ("order_key", "at")}, "order_key")


def test_rounding_a_million_lines_is_exact(sqlite):
    """Against Python's own decimals."""
    from decimal import ROUND_HALF_UP, Decimal

    rng = np.random.default_rng(7)
    quantity = rng.integers(-99_999, 99_999, 400)
    price = [f"{milli // 10_000}.{milli % 10_000:04}" for milli in rng.integers(0, 10**8, 400)]
    file = {
        "order_key": [str(i) for i in range(400)],
        "at": ["2026-01-05"] * 400,
        "quantity": [str(q) for q in quantity],
        "unit_price": price,
    }
    bring_in(sqlite, "purchases", file, "order_key")
    wanted = [
        int((int(q) * Decimal(p) * 100).quantize(Decimal(1), ROUND_HALF_UP))
        for q, p in zip(quantity, price, strict=True)
    ]
    assert [amount for (amount,) in stored(sqlite, PurchaseLine, "amount_minor")] == wanted


def test_orders_that_changed_since_the_dry_run_are_not_overwritten(world):
    bring_in(world, "purchases", orders(), "order_key", create_missing=True)
    file = changed(quantity=["1", "2", "3", "-1", "2"])
    stale = dry_run(world, "purchases", file, "order_key")
    new = dry_run(world, "purchases", changed(order_key=["1", "1", "1", "C2", "9"]), "order_key")
    bring_in(world, "purchases", changed(quantity=["1", "9", "3", "-1", "2"]), "order_key")
    bring_in(world, "purchases", changed(order_key=["1", "1", "1", "C2", "9"]), "order_key")
    before = stored(world), count(world, ImportRun)
    for plan in (stale, new):
        with pytest.raises(Conflict, match="dry run again"):
            carry_out(world, plan)
    assert (stored(world), count(world, ImportRun)) == before


def test_a_customer_with_later_purchases_stays(sqlite):
    people = bring_in(sqlite, "customers", {"external_id": ["A", "B"]}, "external_id")
    bring_in(sqlite, "purchases", orders(), "order_key", create_missing=True)
    counts = take_back(sqlite, people.import_id)
    assert (counts["customers_removed"], counts["customers_kept"]) == (1, 1)
    assert stored(sqlite, Customer, "external_id") == [("A",)]
    assert count(sqlite, Outcome) == 0


def events() -> dict[str, list]:
    return {
        "at": ["2026-03-01 10:00"] * 3 + ["2026-03-02 11:00"],
        "external_id": ["A", "A", "B", "A"],
        "kind": ["visit", "visit", "Page view", "signup"],
        "page": ["/a", "/a", "/b", None],
        "device": ["mobile", "mobile", None, None],
    }


def test_equal_events_are_kept_and_the_same_file_twice_adds_none(world):
    done = bring_in(world, "events", events(), "whole event", create_missing=True)
    assert count(world, BehaviourEvent) == 4
    assert figures(world)["visits"] == 2
    assert counted(dry_run(world, "events", events(), "whole event")) == (0, 0, 4, 0)
    more = {name: [*column, column[0]] for name, column in events().items()}
    assert counted(dry_run(world, "events", more, "whole event")) == (1, 0, 4, 0)
    counts = take_back(world, done.import_id)
    assert (counts["events_removed"], counts["customers_removed"]) == (4, 2)


def test_events_with_a_key_of_their_own_can_be_corrected(world):
    file = events() | {"event_key": ["e1", "e2", "e3", "e3"]}
    plan = dry_run(world, "events", file, "event_key", create_missing=True)
    assert counted(plan) == (3, 0, 0, 1)
    carry_out(world, plan)
    corrected = {name: column[:2] for name, column in file.items()} | {
        "page": ["/a", "/z"],
        "device": [None, None],
    }
    plan = dry_run(world, "events", corrected, "event_key")
    assert counted(plan) == (0, 1, 1, 0)
    assert plan.changes[["field", "before", "after"]].to_numpy().tolist() == [["Page", "/a", "/z"]]
    done = carry_out(world, plan)
    assert ("/z", "mobile") in stored(world, BehaviourEvent, "page", "device")
    assert take_back(world, done.import_id)["events_restored"] == 1
    assert ("/z", "mobile") not in stored(world, BehaviourEvent, "page", "device")


def test_a_file_of_consents_keeps_its_times_and_no_counts_before_yes(world):
    with world.writing() as session:
        for name, allowed in (("a", True), ("b", False), ("c", False)):
            create_customer(session, MARKETER, at=AT, email=f"{name}@x.de", consent_email=allowed)
    file = {
        "email": ["A@x.de", "b@x.de", "b@x.de", "c@x.de", "c@x.de", "d@x.de"],
        "channel": ["e-mail", "SMS", "sms", "email", "email", "email"],
        "allowed": ["no", "yes", "no", "yes", "no", "yes"],
        "at": ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04", "2026-01-04", "2026-01-05"],
    }
    plan = dry_run(world, "consent", file, "email", create_missing=True, record_consent=True)
    assert counted(plan) == (1, 1, 3, 1)
    assert plan.rejected["row"].tolist() == [5]
    done = carry_out(world, plan)
    assert stored(world, Customer, "consent_email") == [(False,), (False,), (False,), (True,)]
    with world.reading() as session:
        query = select(ConsentChange.allowed, ConsentChange.at).where(
            ConsentChange.import_id == done.import_id
        )
        history = session.execute(query.order_by(ConsentChange.at)).all()
    assert [(row.allowed, row.at.isoformat()) for row in history] == [
        (False, "2026-01-01T00:00:00+00:00"),
        (True, "2026-01-05T00:00:00+00:00"),
    ]
    again = dry_run(world, "consent", file, "email", record_consent=True)
    assert counted(again)[:2] == (0, 0)


def test_an_old_yes_does_not_undo_a_later_no(sqlite):
    with sqlite.writing() as session:
        create_customer(session, MARKETER, at=AT, email="a@x.de", consent_sms=True)
    no = {"email": ["a@x.de"], "consent_sms": ["no"], "at": ["2026-02-01"]}
    yes = {"email": ["a@x.de"], "consent_sms": ["yes"], "at": ["2026-01-01"]}
    bring_in(sqlite, "consent", no, "email")
    plan = dry_run(sqlite, "consent", yes, "email", record_consent=True)
    assert counted(plan) == (0, 0, 1, 0)
    assert any("stays a no" in note for note in plan.notes)
    later = yes | {"at": ["2026-02-02"]}
    assert counted(dry_run(sqlite, "consent", later, "email")) == (0, 0, 1, 0)
    assert counted(dry_run(sqlite, "consent", later, "email", record_consent=True)) == (0, 1, 0, 0)

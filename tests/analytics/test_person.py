"""Everything held on one person: complete, readable, and theirs alone."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from ma.analytics.person import everything
from ma.db.engine import connect
from ma.errors import NotFound
from ma.models import (
    Audit,
    Customer,
    Lead,
    Outcome,
    Purchase,
    PurchaseLine,
    SalesSignal,
    ServiceSignal,
    Suppression,
    Ticket,
)
from ma.services.customers import delete_customer, update_customer
from ma.services.merging import merge_customers
from ma.services.notes import add_note
from ma.types import SYSTEM
from tests.services import one_person
from tests.services.one_person import LONG_AGO, NOW

# Rows that say nothing a person would recognise, by table: what stands for them in the document.
_STANDS_FOR = {"segment_member": "sharedsegment", "outcome": "sharedcampaign"}


@pytest.fixture
def shop(database):
    with database.writing() as session:
        one_person.build(session)
        for customer_id in (1, 2):
            one_person.add_customer(session, customer_id, f"mark{customer_id}")
    return database


def test_every_table_that_holds_something_on_a_person_is_in_it(shop):
    with shop.writing() as session:
        planted = one_person.plant(session, 1, "planted", partner=2)
        document = everything(session, 1, as_of=NOW)
        for_nobody = everything(session, 2, as_of=NOW)
    whole = json.dumps(document)
    # What is compared and searched is a folded copy of what stands there.
    missing = [text for text in planted if "folded" not in text and text not in whole]
    assert missing == []
    tables = {table.name for table in one_person.tables()}
    for table in tables & set(_STANDS_FOR):
        assert _STANDS_FOR[table] in whole
    assert [pair["customer"] for pair in document["not_the_same_person_as"]] == [2]
    assert [order["amount"] for order in document["purchases"]] == ["12.50"]
    assert tables == {
        "attribute_value", "behaviour_event", "consent_change", "customer_fact", "customer_score",
        "customer_tag", "distinct_pair", "import_change", "note", "outcome", "purchase", "segment_member",
    }, "a new table: put it into the document, and what erasing and merging do with it"  # fmt: skip
    for name in ("first_name", "email", "phone", "kids"):
        assert document["profile"][name]
    assert "planted" not in json.dumps({**for_nobody, "not_the_same_person_as": []})


def test_what_sales_and_service_keep_of_a_person_is_in_it(shop):
    seen = {"campaign_id": 7, "channel": "sms"}
    signal = seen | {"at": LONG_AGO, "stale": False, "told_at": LONG_AGO, "withdrawn": False}
    times = dict.fromkeys(("opened_at", "stage_at", "signal_at", "due_at", "status_at"), LONG_AGO)
    lead = seen | {"reason": "conversion", "score": 70, "stage": "new", "value_minor": 1999}
    ticket = seen | {"kind": "complaint", "people": 1, "priority": "high", "status": "open"}
    with shop.writing() as session:
        for key in (1, 2):
            noted = {"customer_id": key, "note": f"Written of {key}"}
            for table, row in ((Lead.__table__, lead), (Ticket.__table__, ticket)):
                row = row | {name: at for name, at in times.items() if name in table.c}
                session.execute(insert(table).values(**row, **noted))
            clicked = signal | {"customer_id": key, "step": "converted", "band": 3, "revenue_minor": 1999}
            session.execute(insert(SalesSignal).values(**clicked))
            session.execute(insert(ServiceSignal).values(**signal, customer_id=key, step="complained"))
            since = {"reason": "complained", "since": LONG_AGO}
            session.execute(insert(Suppression).values(**seen, **since, customer_id=key))
        document = everything(session, 1, as_of=NOW)
        before = everything(session, 1, as_of=LONG_AGO - timedelta(days=1))
    [lead], [ticket], [suppression] = (document[name] for name in ("leads", "tickets", "suppressions"))
    assert (lead["note"], lead["value"], lead["stage"]) == ("Written of 1", "19.99", "new")
    assert (ticket["note"], ticket["kind"]) == ("Written of 1", "complaint")
    assert (suppression["channel"], suppression["since"]) == ("sms", "2025-01-05T10:00:00+01:00")
    steps = [(one["module"], one["step"], one.get("revenue")) for one in document["signals"]]
    assert steps == [("sales", "converted", "19.99"), ("service", "complained", None)]
    assert "Written of 2" not in json.dumps(document)
    assert [before[name] for name in ("leads", "tickets", "signals", "suppressions")] == [[], [], [], []]


def test_the_document_is_readable(shop):
    with shop.writing() as session:
        one_person.plant(session, 1, "planted", partner=2)
        order = session.scalar(select(Purchase.id))
        line = {"purchase_id": order, "line": 1, "product": "Green tea", "quantity": 2, "amount_minor": -5}
        session.execute(insert(PurchaseLine).values(**line))
        add_note(session, SYSTEM, 1, "Likes tea", at=NOW)
        update_customer(session, SYSTEM, 1, version=1, at=NOW, city="Köln")
        session.flush()
        document = everything(session, 1, as_of=NOW)
    assert document["about"]["currency"] == "EUR"
    assert document["about"]["made_at"] == "2026-11-22T13:00:00+01:00"
    assert document["profile"]["birth_date"] == "1980-02-03"
    assert document["profile"]["city"] == "Köln"
    [bought] = document["purchases"]
    assert bought["at"] == "2025-01-05T10:00:00+01:00"
    assert [(one["product"], one["quantity"], one["amount"]) for one in bought["lines"]] == [
        ("Green tea", 2, "-0.05")
    ]
    assert document["consent"]["email"]["allowed"] is True
    assert [entry["allowed"] for entry in document["consent"]["email"]["history"]] == [True]
    assert [(entry["on"], entry["action"], entry["by"]) for entry in document["log"]] == [
        ("note", "create", "system"),
        ("customer", "update", "system"),
    ]
    assert document["notes"][-1]["text"] == "Likes tea"


def test_what_will_happen_in_a_simulation_is_not_held_on_them_yet(shop):
    with shop.writing() as session:
        one_person.plant(session, 1, "planted", partner=2)
        session.execute(update(Outcome).values(clicked_at=NOW + timedelta(days=1), converted_at=None))
        [message] = everything(session, 1, as_of=NOW)["messages"]
    assert message["clicked_at"] is None
    assert message["opened_at"] == "2025-01-05T10:00:00+01:00"
    assert message["revenue"] is None


def test_records_that_were_merged_into_theirs_belong_to_it(sqlite_url):
    database = connect(sqlite_url)
    with database.writing() as session:
        one_person.build(session)
        for customer_id in (1, 2, 3):
            one_person.add_customer(session, customer_id, f"mark{customer_id}")
        merge_customers(session, SYSTEM, keep_id=1, other_id=2, versions=(1, 1), at=NOW)
        session.flush()
        document = everything(session, 1, as_of=NOW)
        [earlier] = document["earlier_records"]
        assert (earlier["customer"], earlier["merged"]) == (2, True)
        assert earlier["profile"]["email"] == "mark2@example.com"
        assert [entry["action"] for entry in document["log"]] == ["merge"]
        delete_customer(session, SYSTEM, 3, version=1, at=NOW)
        for nobody in (2, 3, 99):
            with pytest.raises(NotFound):
                everything(session, nobody, as_of=NOW)
        assert session.scalar(select(Audit.id).where(Audit.action == "nothing")) is None
        assert session.scalar(select(Customer.created_at).where(Customer.id == 1)) == LONG_AGO
    database.close()

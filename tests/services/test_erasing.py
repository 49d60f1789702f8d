"""Erasing people: nothing of them is left anywhere, sums hold, and no import brings them back."""

import stat
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import JSON, String, func, insert, select, text, update

from ma.analytics import segments as segment_data
from ma.analytics.customers import customer_count
from ma.analytics.profile import profile
from ma.db import secret
from ma.db.engine import connect
from ma.errors import Conflict, InvalidInput, NotAllowed, NotFound, NotReady
from ma.models import (
    Audit,
    Base,
    BehaviourEvent,
    Customer,
    CustomerTag,
    ErasedIdentity,
    ImportChange,
    ImportRun,
    OutboxEvent,
    Outcome,
    Purchase,
    SegmentRefresh,
    Tag,
)
from ma.services.customers import create_customer, delete_customer
from ma.services.erasing import erase_customers, erase_one, erased_mask
from ma.services.segments import add_members, create_static_segment
from ma.types import SYSTEM, Actor, Role
from tests.services import one_person
from tests.services.one_person import NOW

MARK, OTHER = "zqxjkvw", "wvkpmqz"
ADMIN, MARKETER = Actor("ada", Role.ADMIN), Actor("mia", Role.MARKETER)
ME = select(Customer.id).where(Customer.id == 1)


@pytest.fixture(autouse=True)
def own_secret(tmp_path, monkeypatch):
    """PostgreSQL has no folder of its own: the secret goes to the test's."""
    monkeypatch.setattr(secret, "DATA", tmp_path)


@pytest.fixture
def shop(database):
    """Customer 1 with a row everywhere, and customer 2."""
    with database.writing() as session:
        one_person.build(session)
        for customer_id, mark in ((1, MARK), (2, OTHER)):
            one_person.add_customer(session, customer_id, mark)
        one_person.plant(session, 1, MARK, partner=2)
    return database


@pytest.fixture
def small(sqlite_url):
    """The same people without facts, where the engine does not matter."""
    database = connect(sqlite_url)
    with database.writing() as session:
        one_person.build(session)
        for customer_id, mark in ((1, MARK), (2, OTHER)):
            one_person.add_customer(session, customer_id, mark)
    yield database
    database.close()


def traces(session, *marks):
    """Where a text with one of these marks stands: every text and JSON column of every table is read."""
    found = []
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, String | JSON):
                values = " ".join(str(value) for value in session.scalars(select(column)))
                found += [f"{table.name}.{column.name}" for mark in marks if mark.lower() in values.lower()]
    return found


def sums(session):
    return (
        session.execute(select(func.count(), func.sum(Purchase.amount_minor))).one(),
        session.execute(select(func.count(), func.sum(Outcome.revenue_minor))).one(),
    )


def test_nothing_of_a_person_is_left_in_any_column_of_any_table(shop):
    with shop.reading() as session:
        before = sums(session)
        # The canary was planted: otherwise this test could not fail.
        planted = {place.split(".")[0] for place in traces(session, MARK)}
        kept = {table.name for table in one_person.tables()} - {
            "segment_member",
            *one_person.KEPT,
            "distinct_pair",
        }
        assert planted >= {"customer", *kept}
    with shop.writing() as session:
        assert erase_customers(session, ADMIN, ME, at=NOW) == 1
    with shop.reading() as session:
        assert traces(session, MARK, "1700000001") == []
        assert sums(session) == before
        assert set(session.scalars(select(Purchase.customer_id))) == {1}
        row = session.execute(select(Customer.__table__).where(Customer.id == 1)).one()
        known = {name: value for name, value in row._mapping.items() if value not in (None, 0, False, "")}
        assert known == {
            "id": 1, "split_bucket": 1, "created_at": one_person.LONG_AGO, "updated_at": NOW,
            "deleted_at": NOW, "erased_at": NOW, "version": 2,
        }  # fmt: skip
        assert "customer.email" in traces(session, OTHER)
        for table, columns in one_person.tables().items():
            left = [c for c in columns if session.scalar(select(func.count()).where(table.c[c] == 1))]
            assert (left == []) is (table.name not in one_person.KEPT), table.name


def test_nothing_lingers_in_the_search_index_or_the_file(small):
    shop = small
    with shop.writing() as session:
        one_person.plant(session, 1, MARK, partner=2)
    with shop.reading() as session:
        found = text("SELECT count(*) FROM customer_search WHERE customer_search MATCH :word")
        assert session.scalar(found, {"word": f"{MARK}*"}) == 1
    with shop.writing() as session:
        erase_customers(session, ADMIN, ME, at=NOW)
    with shop.reading() as session:
        assert session.scalar(found, {"word": f"{MARK}*"}) == 0
    shop.close()
    content = Path(shop.engine.url.database).read_bytes()
    assert OTHER.encode() in content
    assert MARK.encode() not in content


def test_what_imports_keep_of_their_events_goes_too(small):
    run = {"kind": "events", "file_name": "f", "file_sha256": "x", "counts": {}, "options": {}}
    with small.writing() as session:
        session.execute(insert(ImportRun).values(id=1, **run, actor="mia", at=NOW))
        for key, owner, before in ((1, 1, 2), (2, 2, 1), (3, 2, 2)):
            event = {"id": key, "customer_id": owner, "kind": "visit", "at": NOW, "page": f"page {key}"}
            session.execute(insert(BehaviourEvent).values(**event))
            change = {"import_id": 1, "noun": "event", "object_id": key, "before": {"customer_id": before}}
            session.execute(insert(ImportChange).values(**change))
        erase_customers(session, ADMIN, ME, at=NOW)
        assert session.scalars(select(ImportChange.object_id)).all() == [3]
        assert session.scalars(select(BehaviourEvent.id).order_by(BehaviourEvent.id)).all() == [2, 3]


def test_an_import_recognises_them_and_nobody_else(shop):
    emails = pd.Series(
        [f"{MARK}@example.com", f"{OTHER}@example.com", None, None, "new@example.com"], index=list("abcde")
    )
    ids = pd.Series([None, None, f"{MARK}customerexternalid", None, None], index=list("abcde"))
    phones = pd.Series([None, None, None, "00491700000001", "491700000001"], index=list("abcde"))
    with shop.reading() as session:
        assert not erased_mask(session, emails, ids, phones).any()
    with shop.writing() as session:
        erase_customers(session, ADMIN, ME, at=NOW)
    with shop.reading() as session:
        mask = erased_mask(session, emails, ids, phones)
        # The last one has the number of somebody who was erased, and an address of their own.
        assert mask.to_dict() == {"a": True, "b": False, "c": True, "d": True, "e": False}
        assert erased_mask(session, phone_digits=phones).tolist() == [False, False, False, True, True]
        assert erased_mask(session).empty
        hashes = set(session.scalars(select(ErasedIdentity.hash)))
    assert len(hashes) == 4
    assert all(len(value) == 64 for value in hashes)


def test_without_the_secret_nothing_is_guessed(small, monkeypatch):
    with small.writing() as session:
        erase_customers(session, ADMIN, ME, at=NOW)
    secret._kept.cache_clear()
    kept = Path(small.engine.url.database).parent / "secrets" / "workspace.key"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    address = pd.Series([f"{MARK}@example.com"])
    with small.reading() as session:
        assert erased_mask(session, address).tolist() == [True]
    kept.write_text("another secret of another workspace")
    secret._kept.cache_clear()
    with small.writing() as session:
        for refused in (
            lambda: erased_mask(session, address),
            lambda: erase_customers(session, ADMIN, select(Customer.id), at=NOW),
        ):
            with pytest.raises(NotReady, match="not the one that people were erased with"):
                refused()
    kept.write_text("short")
    secret._kept.cache_clear()
    with small.reading() as session, pytest.raises(NotReady, match="damaged"):
        erased_mask(session, address)
    secret._kept.cache_clear()


def test_whoever_comes_back_by_hand_starts_without_consent(small):
    with small.writing() as session:
        erase_customers(session, ADMIN, ME, at=NOW)
    values = {"first_name": "Back", "email": f"{MARK.upper()}@example.com"}
    with small.writing() as session:
        with pytest.raises(InvalidInput, match="must start without consent"):
            create_customer(session, MARKETER, at=NOW, consent_sms=True, **values)
        customer_id = create_customer(session, MARKETER, at=NOW, **values)
    with small.reading() as session:
        again = profile(session, customer_id, as_of=NOW)
        assert not any(again.fields[f"consent_{channel}"] for channel in ("email", "sms", "push"))
        # They are a customer again: an import may know them.
        assert not erased_mask(session, pd.Series([f"{MARK}@example.com"])).any()


def test_earlier_records_of_the_same_person_go_too(small):
    with small.writing() as session:
        one_person.add_customer(
            session, 3, "earlier", deleted_at=NOW - timedelta(days=9), email=f"{MARK}@example.com"
        )
        one_person.add_customer(session, 4, "merged", deleted_at=NOW - timedelta(days=9), merged_into=1)
        one_person.add_customer(session, 5, "stranger", deleted_at=NOW - timedelta(days=9))
        assert erase_customers(session, ADMIN, ME, at=NOW) == 1
    with small.reading() as session:
        assert traces(session, "earlier", "merged") == []
        assert "customer.first_name" in traces(session, "stranger")


def test_events_that_wait_about_them_are_not_sent(small):
    with small.writing() as session:
        customer_id = create_customer(session, MARKETER, at=NOW, first_name="Short", email="s@example.com")
        delete_customer(session, MARKETER, 2, version=1, at=NOW)
        sent = create_customer(session, MARKETER, at=NOW, first_name="Told")
        session.flush()
        session.execute(
            update(OutboxEvent)
            .where(OutboxEvent.payload["customer_id"].as_integer() == sent)
            .values(sent_at=NOW)
        )
        erase_customers(
            session, ADMIN, select(Customer.id).where(Customer.id.in_([customer_id, sent])), at=NOW
        )
    with small.reading() as session:
        rows = session.execute(select(OutboxEvent.type, OutboxEvent.payload).order_by(OutboxEvent.id)).all()
    assert [(kind, payload["customer_id"]) for kind, payload in rows] == [
        ("CustomerDeleted", 2),
        ("CustomerCreated", sent),
        ("CustomerErased", customer_id),
        ("CustomerErased", sent),
    ]


def test_a_tag_of_theirs_alone_goes_and_a_shared_one_stays(small):
    with small.writing() as session:
        for tag_id, name, people in ((1, "Only them", (1,)), (2, "Everybody", (1, 2))):
            session.execute(
                insert(Tag).values(id=tag_id, name=name, name_folded=name.lower(), created_at=NOW)
            )
            for customer_id in people:
                row = {"tag_id": tag_id, "customer_id": customer_id, "at": NOW, "actor": "mia"}
                session.execute(insert(CustomerTag).values(**row))
        erase_customers(session, ADMIN, ME, at=NOW)
    with small.reading() as session:
        assert session.scalars(select(Tag.name)).all() == ["Everybody"]
        assert session.scalars(select(CustomerTag.customer_id)).all() == [2]


def test_lists_lose_them_and_say_so(small):
    with small.writing() as session:
        segment_id = create_static_segment(session, MARKETER, name="List", at=NOW)
        add_members(session, MARKETER, segment_id, select(Customer.id), at=NOW)
        erase_customers(session, ADMIN, ME, at=NOW)
    with small.reading() as session:
        assert segment_data.segment(session, segment_id).size == 1
        assert segment_data.members(session, as_of=NOW, segment_id=segment_id)["customer_id"].tolist() == [2]
        history = session.execute(
            select(SegmentRefresh.size, SegmentRefresh.entered, SegmentRefresh.left).order_by(
                SegmentRefresh.id
            )
        )
        assert history.all() == [(2, 2, 0), (1, 0, 1)]
        assert customer_count(session, as_of=NOW).people == 1
        with pytest.raises(NotFound):
            profile(session, 1, as_of=NOW)


def test_only_an_admin_erases_and_only_what_they_saw(small):
    with small.writing() as session:
        with pytest.raises(NotAllowed, match="Ask an admin for the role admin"):
            erase_customers(session, MARKETER, ME, at=NOW)
        with pytest.raises(NotAllowed):
            erase_one(session, MARKETER, 1, version=1, at=NOW)
        with pytest.raises(Conflict, match="Nobody was erased"):
            erase_one(session, ADMIN, 1, version=7, at=NOW)
        with pytest.raises(NotFound):
            erase_one(session, ADMIN, 99, version=1, at=NOW)
        erase_one(session, ADMIN, 1, version=1, at=NOW)
        with pytest.raises(NotFound):
            erase_one(session, ADMIN, 1, version=2, at=NOW)
        assert erase_customers(session, ADMIN, ME, at=NOW) == 0
        entry = session.scalars(select(Audit).where(Audit.action == "erase")).one()
        assert (entry.actor, entry.object_id, entry.detail) == ("ada", "1", {"customers": 1})
        assert erase_customers(session, SYSTEM, select(Customer.id), at=NOW) == 1

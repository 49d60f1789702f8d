"""Tags: put on and taken off in one statement, the same whatever their case, on both engines."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from sqlalchemy import func, select

from ma.analytics.tags import customer_tags, tag_names, tags
from ma.errors import InvalidInput, NotAllowed, NotFound
from ma.models import Audit, Customer, CustomerTag, OutboxEvent, Tag
from ma.services.customers import create_customer, delete_customer
from ma.services.tags import add_tag, remove_tag, tag_customer, untag_customer, write_tags
from ma.types import SYSTEM, Actor, Role

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
MIA = Actor(username="mia", role=Role.MARKETER)
ANN = Actor(username="ann", role=Role.ANALYST)
EVERYBODY = select(Customer.id)


@pytest.fixture
def ids(database) -> list[int]:
    """Four customers, the last of them deleted."""
    with database.writing() as session:
        ids = [create_customer(session, SYSTEM, at=AT, first_name=name) for name in "ABCD"]
        delete_customer(session, SYSTEM, ids[3], version=1, at=AT)
    return ids


def add(database, name, customers=EVERYBODY) -> int:
    with database.writing() as session:
        return add_tag(session, MIA, customers, name, at=AT)


def remove(database, name, customers=EVERYBODY) -> int:
    with database.writing() as session:
        return remove_tag(session, MIA, customers, name, at=LATER)


def names(database, customer_id, as_of=LATER) -> list[str]:
    with database.reading() as session:
        return customer_tags(session, customer_id=customer_id, as_of=as_of)["name"].tolist()


def test_a_tag_is_put_once_on_everybody_found_but_not_on_the_deleted(database, ids):
    assert add(database, "VIP", select(Customer.id).where(Customer.id == ids[0])) == 1
    assert add(database, "  vip ") == 2
    assert add(database, "VIP") == 0
    assert [names(database, person) for person in ids] == [["VIP"], ["VIP"], ["VIP"], []]
    with database.reading() as session:
        assert tags(session, as_of=AT)[["name", "customers"]].to_numpy().tolist() == [["VIP", 3]]
        entries = session.scalars(select(Audit.detail).where(Audit.action == "tag").order_by(Audit.id)).all()
        told = session.scalars(select(OutboxEvent).where(OutboxEvent.type == "CustomersTagged")).all()
    tag_id = entries[0]["tag_id"]
    assert entries == [{"tag_id": tag_id, "customers": n} for n in (1, 2)]
    assert [event.payload["customers"] for event in told] == [1, 2]
    assert "vip" not in str([event.payload for event in told]).lower()


def test_a_tag_is_taken_off_those_found_only(database, ids):
    add(database, "VIP")
    add(database, "Wine")
    assert remove(database, "vip", select(Customer.id).where(Customer.id.in_(ids[:2]))) == 2
    assert remove(database, "VIP", select(Customer.id).where(Customer.id == ids[0])) == 0
    assert [names(database, person) for person in ids[:3]] == [["Wine"], ["Wine"], ["VIP", "Wine"]]
    assert remove(database, "VIP") == 1
    with database.reading() as session:
        # Nobody has it any more: it is not offered.
        assert tag_names(session) == ["Wine"]


def test_a_tag_holds_from_the_moment_it_was_put_on(database, ids):
    add(database, "VIP")
    assert names(database, ids[0], as_of=AT - timedelta(microseconds=1)) == []
    assert names(database, ids[0], as_of=AT) == ["VIP"]


_WRONG_NAME = [
    ("", "Type a tag"),
    ("   ", "Type a tag"),
    ("x" * 51, "too long"),
    ("ﷺ" * 20, "too long"),
    ("a\x00b", "control characters"),
    ("a\nb", "control characters"),
    ("\u202etxt", "control characters"),
    ("wine, cheese", "commas"),
    (None, "as text"),
    (7, "as text"),
]


def test_a_wrong_name_is_refused_and_changes_nothing(database, ids):
    for name, problem in _WRONG_NAME:
        with pytest.raises(InvalidInput, match=problem):
            add(database, name)
        with database.reading() as session:
            assert session.scalar(select(func.count()).select_from(Tag)) == 0


def test_a_tag_that_nobody_has_cannot_be_taken_off(database, ids):
    with pytest.raises(NotFound, match="There is no tag 'gold'"):
        remove(database, "gold")


def test_one_customer_is_tagged_by_id(database, ids):
    with database.writing() as session:
        assert tag_customer(session, MIA, ids[0], "VIP", at=AT)
        assert not tag_customer(session, MIA, ids[0], "vip", at=AT)
        assert untag_customer(session, MIA, ids[0], "VIP", at=AT)
        assert not untag_customer(session, MIA, ids[0], "VIP", at=AT)
        for gone in (ids[3], 10**9):
            with pytest.raises(NotFound):
                tag_customer(session, MIA, gone, "VIP", at=AT)


@pytest.mark.parametrize("act", [add_tag, remove_tag])
def test_an_analyst_may_not_tag(database, ids, act):
    with database.writing() as session, pytest.raises(NotAllowed):
        act(session, ANN, EVERYBODY, "VIP", at=AT)


def test_many_tags_on_many_customers_keep_those_there_are(database, ids):
    add(database, "VIP", select(Customer.id).where(Customer.id == ids[0]))
    frame = pd.DataFrame(
        {
            "customer_id": [ids[0], ids[1], ids[1], ids[1], ids[2]],
            "tag": ["vip", "VIP", "Wine", "wine", "Wine"],
        }
    )
    with database.writing() as session:
        assert write_tags(session, MIA, frame, at=LATER) == 3
        assert write_tags(session, MIA, frame, at=LATER) == 0
        assert session.scalar(select(func.count()).select_from(CustomerTag)) == 4
    assert [names(database, person) for person in ids[:3]] == [["VIP"], ["VIP", "Wine"], ["Wine"]]

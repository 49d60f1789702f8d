"""What the rules of one workspace may speak of, from its data."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from sqlalchemy import event, insert, text, update

from ma.analytics import catalogue as module
from ma.analytics.catalogue import catalogue, kinds
from ma.db import bulk
from ma.errors import InvalidRule
from ma.models import Attribute, BehaviourEvent, Campaign, Customer, Segment
from ma.rules.check import parse
from ma.rules.events import EVENTS
from ma.rules.fields import FIELDS, Kind
from ma.rules.to_english import english
from ma.services import attributes, segments
from ma.services.attribute_fields import GREATEST, KINDS
from ma.services.workspace import create_workspace
from ma.types import SYSTEM

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LOYAL = {"field": "orders", "operator": "gte", "value": 3}
NASTY = "a\tb\n\u202e\u0000".replace("\0", "\x01")


@pytest.fixture
def session(database):
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Shop", timezone="UTC", currency="EUR", at=NOW)
        yield session


def happened(session, *found, customer=1):
    """One customer to whom these kinds of events happened, one after the other."""
    session.execute(
        insert(Customer).values(id=customer, search_text="", split_bucket=1, created_at=NOW, updated_at=NOW)
    )
    rows = {"customer_id": customer, "kind": list(found), "at": NOW - timedelta(days=1)}
    bulk.insert(session, BehaviourEvent.__table__, pd.DataFrame(rows))


def campaign(session, name):
    row = {"name": name, "name_folded": name.casefold(), "channel": "email", "status": "draft"}
    row |= {"source": "simulated", "conversion_window_days": 7, "steps": "sent", "created_by": "me"}
    statement = insert(Campaign.__table__).values(**row, created_at=NOW, updated_at=NOW)
    return session.execute(statement).inserted_primary_key[0]


def test_an_empty_workspace_has_what_all_have(session):
    known = catalogue(session)
    assert (dict(known.fields), dict(known.events)) == (FIELDS, EVENTS)
    assert (known.campaigns, known.segments) == ({}, {})


def test_every_kind_of_own_field_is_a_field_of_rules(session):
    names = {kind: f"My {kind}" for kind in KINDS}
    ids = {
        kind: attributes.define_attribute(
            session, SYSTEM, name=name, kind=kind, choices=["a"] if kind == "text" else [], at=NOW
        )
        for kind, name in names.items()
    }
    own = {kind: catalogue(session).fields[f"attribute:{number}"] for kind, number in ids.items()}
    assert {kind: (field.label, field.kind, field.column.key) for kind, field in own.items()} == {
        "text": ("My text", Kind.TEXT, "text_folded"),
        "number": ("My number", Kind.NUMBER, "number"),
        "yes_no": ("My yes_no", Kind.YES_NO, "flag"),
        "date": ("My date", Kind.DATE, "day"),
        "list": ("My list", Kind.LIST, "text_folded"),
    }
    assert [kind for kind, field in own.items() if field.suggests] == ["text"]
    assert all(field.can_be_missing for field in own.values())
    assert (own["number"].low, own["number"].high) == (-GREATEST, GREATEST)
    for kind, field in own.items():
        assert str(ids[kind]) in str(field.rows.where[0].compile(compile_kwargs={"literal_binds": True}))


def test_behaviours_come_from_the_data(session):
    happened(session, "cart", "visit", "wish_list", "cart", "visit", "Ärger", "a b")
    assert sorted(kinds(session)) == ["a b", "cart", "wish_list", "Ärger"]
    known = catalogue(session)
    assert set(known.events) == {*EVENTS, "cart", "wish_list", "Ärger", "a b"}
    assert known.events["wish_list"].label == "wish list"
    assert known.events["visit"] is EVENTS["visit"]


def test_a_behaviour_called_like_a_purchase_is_not_one(session):
    happened(session, "purchase")
    known = catalogue(session)
    assert known.events["purchase"] is EVENTS["purchase"]
    assert known.events["behaviour:purchase"].owner.class_ is BehaviourEvent


def test_kinds_without_end_are_cut_off(session):
    happened(session, *(f"kind {n:04}" for n in range(60)))
    assert kinds(session, most=20) == [f"kind {n:04}" for n in range(20)]
    assert module.MOST_KINDS >= 100


def test_the_kinds_are_found_without_reading_the_events(session):
    happened(session, *(["visit"] * 2000), *(["cart", "wish list"] * 500))
    if session.bind.dialect.name == "postgresql":
        session.execute(text("ANALYZE ma.behaviour_event"))
        session.execute(text("SET LOCAL enable_seqscan = off"))
        explain = "EXPLAIN ANALYZE "
    else:
        explain = "EXPLAIN QUERY PLAN "
    seen = []
    connection = session.connection()

    def note(_connection, _cursor, statement, parameters, _context, _many):
        seen.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    kinds(session)
    event.remove(connection, "before_cursor_execute", note)
    [(statement, parameters)] = seen
    plan = "\n".join(str(row) for row in connection.exec_driver_sql(explain + statement, parameters))
    assert plan.count("ix_behaviour_event_kind") == 2
    # Searched for the one next entry, not read through, and no row of an event itself.
    assert plan.count("SEARCH" if session.bind.dialect.name == "sqlite" else "Index Only Scan") == 2


def test_campaigns_and_segments_are_known_by_their_ids(session):
    autumn = campaign(session, "Autumn sale")
    loyal = segments.create_segment(session, SYSTEM, name="Loyal", rule=LOYAL, at=NOW)
    press = segments.create_static_segment(session, SYSTEM, name="Press", at=NOW)
    known = catalogue(session)
    assert known.campaigns == {autumn: "Autumn sale"}
    assert {number: (s.name, s.rule) for number, s in known.segments.items()} == {
        loyal: ("Loyal", LOYAL),
        press: ("Press", None),
    }
    assert set(catalogue(session, but=loyal).segments) == {press}
    parse({"in_segment": loyal}, known)
    with pytest.raises(InvalidRule, match=f"Use {press} \\(Press\\)"):
        parse({"in_segment": loyal}, catalogue(session, but=loyal))


def test_odd_names_break_nothing(session):
    happened(session, "", NASTY, " ", "'; --", "%s", ":x")
    number = campaign(session, NASTY)
    own = attributes.define_attribute(session, SYSTEM, name="My field", kind="text", at=NOW)
    session.execute(update(Attribute.__table__).values(name=NASTY))
    session.execute(
        insert(Segment.__table__).values(
            name="", name_folded="", rule=LOYAL, created_by="me", created_at=NOW, updated_at=NOW
        )
    )
    known = catalogue(session)
    [segment] = known.segments
    rules = [{"field": f"attribute:{own}", "operator": "eq", "value": "x"}, {"in_segment": segment}]
    rules += [{"campaign": number, "did": "opened"}]
    rules += [{"event": kind, "measure": "count", "operator": "gte", "value": 1} for kind in known.events]
    assert len(known.events) == len(EVENTS) + 6
    sentence = english(parse({"all": rules}, known), currency="EUR", catalogue=known)
    assert sentence.isprintable()
    assert "“without a name”" in sentence
    for wrong in ({"campaign": 99, "did": "opened"}, {"in_segment": 99}, {"event": "nothing like it"}):
        with pytest.raises(InvalidRule) as refused:
            parse(wrong, known)
        assert str(refused.value).isprintable()

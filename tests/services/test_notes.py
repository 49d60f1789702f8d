"""Notes: who may write, change and delete which, on both engines."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from ma.analytics.notes import customer_notes
from ma.errors import InvalidInput, NotAllowed, NotFound
from ma.models import Audit, Note, OutboxEvent
from ma.services.customers import create_customer, delete_customer
from ma.services.notes import add_note, delete_note, edit_note, may_change
from ma.types import SYSTEM, Actor, Role

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
MIA = Actor(username="mia", role=Role.MARKETER)
TOM = Actor(username="tom", role=Role.MARKETER)
ANN = Actor(username="ann", role=Role.ANALYST)
ADA = Actor(username="ada", role=Role.ADMIN)


@pytest.fixture
def person(database) -> int:
    with database.writing() as session:
        return create_customer(session, SYSTEM, at=AT, first_name="Anna")


def add(database, person, text="Call back on Friday.", actor=MIA) -> int:
    with database.writing() as session:
        return add_note(session, actor, person, text, at=AT)


def notes(database, person, as_of=LATER):
    with database.reading() as session:
        return customer_notes(session, customer_id=person, as_of=as_of)


def test_a_note_is_kept_as_written_and_told_without_its_text(database, person):
    note_id = add(database, person, "  Zoë called.\r\nWants\ta *voucher*  ")
    found = notes(database, person)
    assert found[["note_id", "author", "text"]].to_numpy().tolist() == [
        [note_id, "mia", "Zoë called.\nWants\ta *voucher*"]
    ]
    assert found["edited_at"].isna().all()
    with database.reading() as session:
        told = [event.payload for event in session.scalars(select(OutboxEvent))]
        done = [(a.action, a.noun, a.detail) for a in session.scalars(select(Audit))]
    assert told[-1] == {"note_id": note_id, "customer_id": person}
    assert done[-1] == ("create", "note", {"customer_id": person})


def test_the_author_and_an_admin_change_a_note_and_nobody_else(database, person):
    note_id = add(database, person)
    with database.writing() as session:
        with pytest.raises(NotAllowed, match="somebody else's"):
            edit_note(session, TOM, note_id, "Mine now", at=LATER)
        with pytest.raises(NotAllowed, match="somebody else's"):
            delete_note(session, TOM, note_id, at=LATER)
        assert not edit_note(session, MIA, note_id, " Call back on Friday. ", at=LATER)
        assert edit_note(session, ADA, note_id, "Called back.", at=LATER)
    found = notes(database, person)
    assert found[["author", "text"]].to_numpy().tolist() == [["mia", "Called back."]]
    assert found["edited_at"].tolist() == [LATER]
    with database.writing() as session:
        delete_note(session, MIA, note_id, at=LATER)
        with pytest.raises(NotFound, match="no longer there"):
            delete_note(session, MIA, note_id, at=LATER)
    assert notes(database, person).empty
    assert [may_change(actor, "mia") for actor in (MIA, TOM, ANN, ADA)] == [True, False, False, True]


@pytest.mark.parametrize(
    ("text", "problem"),
    [("", "cannot be empty"), (" \n ", "cannot be empty"), (None, "cannot be empty"),
     ("x" * 5001, "too long"), ("a\x00b", "control characters"), ("\u202eabc", "control characters")],
)  # fmt: skip
def test_a_wrong_note_is_refused_and_changes_nothing(database, person, text, problem):
    note_id = add(database, person)
    with database.writing() as session:
        with pytest.raises(InvalidInput, match=problem):
            add_note(session, MIA, person, text, at=LATER)
        with pytest.raises(InvalidInput, match=problem):
            edit_note(session, MIA, note_id, text, at=LATER)
        assert session.scalars(select(Note.text)).all() == ["Call back on Friday."]


def test_a_reader_writes_no_notes_and_a_deleted_customer_gets_none(database, person):
    note_id = add(database, person)
    with database.writing() as session:
        with pytest.raises(NotAllowed):
            add_note(session, ANN, person, "x", at=AT)
        delete_customer(session, SYSTEM, person, version=1, at=AT)
        for act in (
            lambda: add_note(session, MIA, person, "x", at=AT),
            lambda: add_note(session, MIA, 10**9, "x", at=AT),
            lambda: edit_note(session, MIA, note_id, "x", at=AT),
        ):
            with pytest.raises(NotFound):
                act()
        assert session.scalar(select(func.count()).select_from(Note)) == 1
    assert notes(database, person).empty

"""The audit log, entry by entry, with what Sales and Service keep of their own people."""

from datetime import UTC, date, datetime, timedelta

import pytest

from ma.analytics import frames
from ma.analytics.audit_log import audit_count, audit_words
from ma.services.audit import audit
from ma.services.workspace import create_workspace
from ma.subscribers import leads, tickets
from ma.subscribers.loop import InProcess
from ma.types import SYSTEM, Actor, Role
from tests.subscribers.bus_world import bought, outcomes, record, relay

# Half past eleven in the evening of the 3rd in UTC: the 4th in Berlin.
AT = datetime(2026, 5, 3, 22, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIA = Actor("mia", Role.MARKETER)


@pytest.fixture
def log(database):
    """Six entries: a workspace, two of the log, two of a lead, one of a ticket."""
    with database.writing() as session:
        create_workspace(
            session, SYSTEM, name="Shop", timezone="Europe/Berlin", currency="EUR", at=AT - 9 * DAY
        )
    record(database, bought(1, at=AT - HOUR), outcomes("complained", 2, at=AT - HOUR), at=AT)
    relay(database, InProcess(database))
    with database.writing() as session:
        audit(session, MIA, "export", "roi", at=AT - DAY, extension="csv", rows=12, params={"days": "28"})
        audit(session, SYSTEM, "merge", "customer", 7, at=AT, into=8, fields=["email", "phone"], empty=None)
        leads.move_lead(session, MIA, 1, stage="contacted", version=1, at=AT + HOUR)
        leads.note_lead(session, MIA, 1, note="Secret words", version=2, at=AT + 2 * HOUR)
        tickets.close_ticket(session, MIA, 1, resolution="explained", version=1, at=AT + 3 * HOUR)
    return database


def entries(database, *, as_of=AT + DAY, **chosen):
    with database.reading() as session:
        frame = frames.frame(session, "audit_log", as_of=as_of, params=chosen)
    return [tuple(row) for row in frame[["who", "action", "noun", "object_id"]].itertuples(index=False)]


def test_every_entry_is_there_the_latest_first_and_what_a_module_did_by_itself_is_not(log):
    found = entries(log)
    assert found[:3] == [
        ("mia", "close", "ticket", "1"),
        ("mia", "note", "lead", "1"),
        ("mia", "move", "lead", "1"),
    ]
    assert [entry[:3] for entry in found[3:]] == [
        ("system", "merge", "customer"),
        ("mia", "export", "roi"),
        ("system", "create", "workspace"),
    ]


def test_details_are_a_line_without_what_people_wrote(log):
    with log.reading() as session:
        frame = frames.frame(session, "audit_log", as_of=AT + DAY, params={})
    details = dict(zip(frame["action"], frame["detail"], strict=True))
    assert details["export"] == "extension csv, rows 12, params days=28"
    assert details["merge"] == "into 8, fields email, phone"
    assert (details["move"], details["close"], details["note"]) == ("contacted", "explained", "")
    assert not frame.to_csv().count("Secret")


@pytest.mark.parametrize(
    ("chosen", "actions"),
    [
        ({"who": "mia"}, ["close", "note", "move", "export"]),
        ({"noun": "lead"}, ["note", "move"]),
        ({"action": "merge"}, ["merge"]),
        ({"object_id": "1", "who": "mia"}, ["close", "note", "move"]),
        ({"object_id": "7", "noun": "customer"}, ["merge"]),
        ({"who": "nobody"}, []),
        # The days are Berlin's: the merge was on the 4th there, the export on the 3rd.
        ({"start": "2026-05-04"}, ["close", "note", "move", "merge"]),
        ({"start": "2026-05-03", "end": "2026-05-04"}, ["export"]),
    ],
)
def test_filters_keep_what_they_say(log, chosen, actions):
    assert [entry[1] for entry in entries(log, **chosen)] == actions
    typed = {name: date.fromisoformat(v) if name in ("start", "end") else v for name, v in chosen.items()}
    with log.reading() as session:
        assert audit_count(session, as_of=AT + DAY, **typed) == len(actions)


def test_it_knows_no_future_and_comes_in_pages(log):
    assert [entry[1] for entry in entries(log, as_of=AT)] == ["merge", "export", "create"]
    whole = entries(log)
    assert [*entries(log, limit="2"), *entries(log, limit="4", offset="2")] == whole
    with log.reading() as session:
        words = audit_words(session, as_of=AT)
    assert words["who"] == ["mia", "system"]
    assert {"lead", "ticket", "customer", "roi", "workspace"} == set(words["noun"])

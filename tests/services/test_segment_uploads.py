"""People of a file put on a static list: who is found, who is not, and why."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from ma.analytics import segments as analytics
from ma.db.engine import connect
from ma.errors import Conflict, InvalidInput, NotAllowed
from ma.files.reading import headless, read
from ma.models import Customer
from ma.services.customers import create_customer
from ma.services.merging import merge_customers
from ma.services.segment_uploads import add_uploaded, header_person, look_up, suggested
from ma.services.segments import add_members, create_segment, create_static_segment
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Actor, Role

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MARKETER, ANALYST = Actor("mia", Role.MARKETER), Actor("ann", Role.ANALYST)


@pytest.fixture
def session(sqlite_url):
    """Ten customers; 9 and 10 share a phone number, 8 is deleted."""
    database = connect(sqlite_url)
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Test", timezone="UTC", currency="USD", at=NOW)
        for i in range(1, 11):
            create_customer(
                session,
                SYSTEM,
                at=NOW,
                first_name=f"P{i}",
                email=f"p{i}@example.com",
                external_id=f"X-{i}",
                phone=f"+49 170 00000{min(i, 9)}",
            )
        session.execute(update(Customer).where(Customer.id == 8).values(deleted_at=NOW))
        yield session
    database.close()


@pytest.fixture
def guests(session):
    segment_id = create_static_segment(session, MARKETER, name="Guests", at=NOW)
    add_members(session, MARKETER, segment_id, select(Customer.id).where(Customer.id.in_([1, 2])), at=NOW)
    return segment_id


def sheet(*lines: str):
    return read("\n".join(lines).encode(), name="people.csv")


def on_list(session, segment_id: int) -> list[int]:
    return analytics.members(session, as_of=NOW + timedelta(days=1), segment_id=segment_id)[
        "customer_id"
    ].tolist()


def test_a_dry_run_says_who_is_found_unknown_ambiguous_and_there_already(session, guests):
    table = sheet(
        "name;Phone", "A;+49 170 000001 ", "B;+49 (170) 000-003", "C;+49170000003", "D;+49 170 999999",
        "E;+49 170 000009", "F;", "G;+49 170 000008",
    )  # fmt: skip
    upload = look_up(session, MARKETER, guests, table, column="Phone", key="phone")
    assert (upload.rows, upload.found, upload.unknown, upload.ambiguous, upload.empty) == (7, 3, 2, 1, 1)
    assert (upload.people, upload.already, upload.new) == (2, 1, 1)
    assert upload.repeated == 1
    assert upload.refused[["row", "name", "problem"]].to_numpy().tolist() == [
        [5, "D", "No customer has this phone number."],
        [6, "E", "Several customers have this phone number."],
        [7, "F", "The row has no phone number."],
        [8, "G", "No customer has this phone number."],
    ]
    assert on_list(session, guests) == [1, 2]
    assert add_uploaded(session, MARKETER, guests, upload, at=NOW) == 1
    assert on_list(session, guests) == [1, 2, 3]
    assert add_uploaded(session, MARKETER, guests, upload, at=NOW) == 0


@pytest.mark.parametrize(
    ("key", "lines", "people"),
    [
        ("email", ["P4@Example.com ", "p5@example.com", "p8@example.com", "p4"], [4, 5]),
        ("external_id", ["X-4", "X-5", "x-6", "X-8"], [4, 5]),
        ("customer_id", ["4", " 5 ", "8", "99", "4.0", "-4", "9" * 30, "many"], [4, 5]),
    ],
    ids=["e-mail", "external-id", "customer-id"],
)
def test_people_are_found_by_their_ids(session, guests, key, lines, people):
    table = sheet("who", *lines)
    upload = look_up(session, MARKETER, guests, table, column="who", key=key)
    assert upload.customer_ids.tolist() == people
    assert upload.unknown == len(lines) - len(people)
    assert len(upload.refused) == upload.unknown


def merge(session, *, kept: int, gone: int) -> None:
    versions = dict(session.execute(select(Customer.id, Customer.version)).all())
    pair = (versions[kept], versions[gone])
    merge_customers(session, SYSTEM, keep_id=kept, other_id=gone, versions=pair, at=NOW)


def test_a_phone_number_of_two_who_were_merged_into_different_people_is_ambiguous(session, guests):
    merge(session, kept=3, gone=9)
    merge(session, kept=4, gone=10)
    upload = look_up(session, MARKETER, guests, sheet("phone", "+49 170 000009"), column="phone", key="phone")
    assert (upload.found, upload.ambiguous, upload.people) == (0, 1, 0)


def test_a_phone_number_of_two_who_were_merged_into_the_same_person_is_theirs(session, guests):
    merge(session, kept=4, gone=9)
    merge(session, kept=3, gone=10)
    merge(session, kept=3, gone=4)
    upload = look_up(session, MARKETER, guests, sheet("phone", "+49 170 000009"), column="phone", key="phone")
    assert (upload.ambiguous, upload.customer_ids.tolist()) == (0, [3])


def test_the_id_of_a_merged_customer_leads_to_the_one_who_was_kept(session, guests):
    merge(session, kept=4, gone=9)
    merge(session, kept=3, gone=4)
    upload = look_up(session, MARKETER, guests, sheet("id", "9", "4", "8"), column="id", key="customer_id")
    assert (upload.found, upload.unknown, upload.customer_ids.tolist()) == (2, 1, [3])


def test_whoever_was_deleted_since_the_dry_run_is_left_out(session, guests):
    upload = look_up(session, MARKETER, guests, sheet("id", "3", "4"), column="id", key="customer_id")
    session.execute(update(Customer).where(Customer.id == 3).values(deleted_at=NOW))
    assert add_uploaded(session, MARKETER, guests, upload, at=NOW) == 1
    assert on_list(session, guests) == [1, 2, 4]


def test_only_marketers_upload_and_only_to_lists(session, guests):
    table = sheet("id", "3")
    with pytest.raises(NotAllowed):
        look_up(session, ANALYST, guests, table, column="id", key="customer_id")
    with pytest.raises(InvalidInput, match="no column “who”"):
        look_up(session, MARKETER, guests, table, column="who", key="customer_id")
    upload = look_up(session, MARKETER, guests, table, column="id", key="customer_id")
    with pytest.raises(NotAllowed):
        add_uploaded(session, ANALYST, guests, upload, at=NOW)
    rule = {"field": "orders", "operator": "gte", "value": 0}
    by_rule = create_segment(session, MARKETER, name="By rule", rule=rule, at=NOW)
    with pytest.raises(Conflict, match="chooses its people by its rule"):
        add_uploaded(session, MARKETER, by_rule, upload, at=NOW)


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (["name,E-Mail", "A,a@b.de"], ("E-Mail", "email")),
        (["Customer ID,name", "4,A"], ("Customer ID", "customer_id")),
        (["name,contact", "A,a@b.de"], ("contact", "email")),
        (["number,name", "X1,A"], ("number", "external_id")),
    ],
    ids=["mail", "id", "by-content", "first-column"],
)
def test_the_column_and_what_it_holds_are_guessed_from_the_file(lines, answer):
    assert suggested(sheet(*lines)) == answer


@pytest.mark.parametrize(
    ("lines", "person"),
    [
        (["p3@example.com", "p4@example.com"], ("p3@example.com", "email")),
        (["Linda;nobody@example.com", "P;p4@example.com"], ("nobody@example.com", "email")),
        (["+49 170 000003", "0170 000004"], ("+49 170 000003", "phone")),
        (["X-3", "X-4"], ("X-3", "external_id")),
        (["3", "4"], ("3", "customer_id")),
        (["p3@example.com"], ("p3@example.com", "email")),
        (["who", "p3@example.com"], None),
        (["e-mail,p3@example.com", "p4@example.com,yes"], None),
        (["X-99", "X-4"], None),
        (["20261124", "X-4"], None),
        (["name,3", "P,4"], None),
    ],
    ids=[
        "mail", "mail-beside", "phone", "external-id", "customer-id", "one-line", "header", "named-header",
        "unknown-id", "number", "not-the-first",
    ],
)  # fmt: skip
def test_a_header_that_is_a_person_is_seen(session, lines, person):
    assert header_person(session, sheet(*lines)) == person


def test_a_list_without_a_header_keeps_its_first_person(session, guests):
    table = headless(sheet("", "p3@example.com;Col", "nobody@example.com;", "p4@example.com"))
    upload = look_up(session, MARKETER, guests, table, column="Column 1", key="email")
    assert (upload.rows, upload.customer_ids.tolist()) == (3, [3, 4])
    assert upload.refused["row"].tolist() == [3]

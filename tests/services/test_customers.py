"""Creating, changing, deleting and importing customers, on both engines."""

import threading
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from ma.db.engine import connect
from ma.errors import Conflict, InvalidInput, NotAllowed, NotFound
from ma.models import Audit, Customer, OutboxEvent
from ma.services import customer_fields
from ma.services.customers import (
    create_customer,
    delete_customer,
    import_customers,
    split_bucket,
    update_customer,
)
from ma.types import SYSTEM, Actor, Role

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
MARKETER = Actor(username="mia", role=Role.MARKETER, user_id=1)
ANALYST = Actor(username="ann", role=Role.ANALYST, user_id=2)


def create(database, **values) -> int:
    with database.writing() as session:
        return create_customer(session, MARKETER, at=AT, **values)


def update(database, customer_id, *, version=1, **values) -> list[str]:
    with database.writing() as session:
        return update_customer(session, MARKETER, customer_id, version=version, at=LATER, **values)


def delete(database, customer_id, *, version=1) -> None:
    with database.writing() as session:
        delete_customer(session, MARKETER, customer_id, version=version, at=LATER)


def row(database, customer_id) -> Customer:
    with database.reading() as session:
        return session.get(Customer, customer_id)


def counts(database) -> tuple[int, int, int]:
    """How many customers, audit entries and events there are."""
    with database.reading() as session:
        return tuple(
            session.scalar(select(func.count()).select_from(t)) for t in (Customer, Audit, OutboxEvent)
        )


def events(database) -> list[tuple[str, dict]]:
    with database.reading() as session:
        return [(e.type, e.payload) for e in session.scalars(select(OutboxEvent).order_by(OutboxEvent.id))]


def test_a_new_customer_is_stored_as_typed(database):
    customer_id = create(
        database,
        first_name="  Zoë ",
        last_name="NA",
        email="Zoe.NA@Example.COM",
        phone="00491701",
        postal_code="01234",
        country="DE",
        birth_date=date(1980, 2, 29),
        consent_sms=True,
    )
    found = row(database, customer_id)
    assert (found.first_name, found.last_name, found.email) == ("Zoë", "NA", "Zoe.NA@Example.COM")
    assert (found.phone, found.postal_code, found.birth_date) == ("00491701", "01234", date(1980, 2, 29))
    assert (found.email_folded, found.last_name_folded) == ("zoe.na@example.com", "na")
    assert list(dict.fromkeys(found.search_text.split())) == [
        "zoe",
        "na",
        "example",
        "com",
        "00491701",
        "01234",
        "491701",
        "91701",
        "1701",
        "701",
    ]
    assert (found.consent_sms, found.consent_email) == (True, False)
    assert (found.version, found.created_at, found.deleted_at, found.orders) == (1, AT, None, 0)
    assert (found.city, found.engagement, found.profiled_at) == (None, 0.0, AT)
    assert 0 <= found.split_bucket < 10_000


def test_creating_leaves_an_audit_entry_and_an_event_without_personal_data(database):
    customer_id = create(database, first_name="Canary", email="canary@example.com")
    with database.reading() as session:
        entry = session.scalars(select(Audit)).one()
    assert (entry.actor, entry.action, entry.noun, entry.object_id) == (
        "mia", "create", "customer", str(customer_id),
    )  # fmt: skip
    assert entry.detail == {"fields": ["email", "first_name"]}
    assert events(database) == [("CustomerCreated", {"customer_id": customer_id})]


def test_all_problems_are_named_at_once_and_nothing_changes(database):
    with pytest.raises(InvalidInput) as refused:
        create(
            database,
            email="no at sign",
            phone="call me",
            country="de",
            birth_date=date(2026, 3, 6),
            joined_on=date(1899, 12, 31),
            city="x" * 101,
            first_name="a\x00b",
        )
    assert set(refused.value.problems) == {
        "email", "phone", "country", "birth_date", "joined_on", "city", "first_name",
    }  # fmt: skip
    assert counts(database) == (0, 0, 0)


def test_somebody_must_be_recognisable(database):
    with pytest.raises(InvalidInput, match="at least one of"):
        create(database, city="Berlin", first_name="  ")
    assert create(database, external_id="K-1")


def test_an_unknown_field_is_refused(database):
    with pytest.raises(InvalidInput, match="no field 'spend_minor'"):
        create(database, first_name="Anna", spend_minor=10**9)


def test_an_address_belongs_to_one_customer_whatever_its_case(database):
    owner = create(database, first_name="Anna", last_name="Berg", email="anna@example.com", external_id="A1")
    with pytest.raises(InvalidInput) as refused:
        create(database, first_name="Bea", email="ANNA@EXAMPLE.COM", external_id="A1")
    assert f"customer {owner} (Anna Berg)" in refused.value.problems["email"]
    assert "external id" in refused.value.problems["external_id"]
    other = create(database, first_name="Bea", email="bea@example.com")
    with pytest.raises(InvalidInput, match=f"customer {owner}"):
        update(database, other, email="Anna@example.com")
    assert update(database, owner, email="Anna@example.com") == ["email"]


@pytest.mark.parametrize(
    "email",
    ["a@b", "a@@b.de", "a b@c.de", "@b.de", "a@.de", "a@b..de", ".a@b.de", "a.@b.de", "a..b@c.de", "a@-b.de",
     "a@b.1", "<a@b.de>", "a@b.de, c@d.de", "a" * 250 + "@b.de"],
)  # fmt: skip
def test_what_is_no_address_is_refused(email):
    _, problems = customer_fields.clean({"email": email}, today=AT.date())
    assert "email" in problems


@pytest.mark.parametrize(
    "email", ["a@b.de", "o'neil+tag@mail.example.co.uk", "jörg@müller.de", "a_b-c.d@x-y.museum"]
)
def test_usual_and_unusual_addresses_are_accepted(email):
    assert customer_fields.clean({"email": email}, today=AT.date()) == ({"email": email}, {})


@given(st.text(max_size=120))
def test_accepted_text_can_be_stored_and_is_accepted_again(text):
    cleaned, problems = customer_fields.clean({"first_name": text}, today=AT.date())
    name = cleaned["first_name"]
    if problems or name is None:
        assert name is None
        return
    name.encode()
    assert "\x00" not in name
    assert len(name) <= 100
    assert customer_fields.clean({"first_name": name}, today=AT.date()) == ({"first_name": name}, {})


def test_an_update_changes_what_was_given_and_says_which(database):
    customer_id = create(database, first_name="Anna", last_name="Berg", city="Bonn")
    assert update(database, customer_id, last_name="Bergé", city="Bonn", consent_email=True) == [
        "consent_email", "last_name",
    ]  # fmt: skip
    found = row(database, customer_id)
    assert (found.first_name, found.last_name, found.city, found.version) == ("Anna", "Bergé", "Bonn", 2)
    assert found.search_text == "anna berge bonn"
    assert found.updated_at == LATER
    assert events(database)[-1] == (
        "CustomerUpdated", {"customer_id": customer_id, "fields": ["consent_email", "last_name"]},
    )  # fmt: skip


def test_an_update_without_a_change_leaves_no_trace(database):
    customer_id = create(database, first_name="Anna")
    before = counts(database)
    assert update(database, customer_id, first_name=" Anna ") == []
    assert counts(database) == before
    assert row(database, customer_id).version == 1


def test_the_second_of_two_editors_is_told(database):
    customer_id = create(database, first_name="Anna")
    update(database, customer_id, city="Bonn")
    with pytest.raises(Conflict, match="changed by somebody else"):
        update(database, customer_id, city="Köln")
    with pytest.raises(Conflict, match="changed by somebody else"):
        delete(database, customer_id)
    assert row(database, customer_id).city == "Bonn"


def test_an_update_may_not_take_the_last_name_away(database):
    customer_id = create(database, first_name="Anna")
    with pytest.raises(InvalidInput, match="at least one of"):
        update(database, customer_id, first_name="")


def test_a_date_is_judged_in_the_time_zone_of_the_workspace(database):
    from ma.services.workspace import create_workspace

    with database.writing() as session:
        create_workspace(session, SYSTEM, name="W", timezone="Pacific/Auckland", currency="NZD", at=AT)
    # 12:00 UTC on 5 March is already 6 March in Auckland.
    assert create(database, first_name="Anna", joined_on=date(2026, 3, 6))


def test_a_deleted_customer_is_gone_and_frees_the_address(database):
    customer_id = create(database, first_name="Anna", email="anna@example.com", external_id="A1")
    delete(database, customer_id)
    with pytest.raises(NotFound):
        update(database, customer_id, version=2, first_name="X")
    with pytest.raises(NotFound):
        delete(database, customer_id, version=2)
    again = create(database, first_name="Anna", email="anna@example.com", external_id="A1")
    delete(database, again)
    assert create(database, email="anna@example.com") not in (customer_id, again)
    assert ("CustomerDeleted", {"customer_id": customer_id}) in events(database)


def test_roles_below_marketer_change_nothing(database):
    customer_id = create(database, first_name="Anna")
    before = counts(database)
    for attempt in (
        lambda s: create_customer(s, ANALYST, at=AT, first_name="X"),
        lambda s: update_customer(s, ANALYST, customer_id, version=1, at=AT, first_name="X"),
        lambda s: delete_customer(s, ANALYST, customer_id, version=1, at=AT),
        lambda s: import_customers(s, ANALYST, pd.DataFrame({"first_name": ["X"]}), source="test", at=AT),
    ):
        with pytest.raises(NotAllowed, match="role marketer"), database.writing() as session:
            attempt(session)
    assert counts(database) == before


def test_two_at_once_cannot_take_the_same_address(postgres_url):
    database = connect(postgres_url)
    outcome = []

    def second():
        try:
            create(database, email="anna@example.com")
        except Conflict as error:
            outcome.append(str(error))

    with database.writing() as session:
        create_customer(session, MARKETER, at=AT, email="anna@example.com")
        session.flush()
        rival = threading.Thread(target=second)
        rival.start()
        rival.join(0.5)
        assert rival.is_alive()  # it waits for us to commit
    rival.join(10)
    assert outcome
    assert counts(database)[0] == 1
    database.close()


def people(n: int = 5) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "external_id": [f"H{i}" for i in range(n)],
            "first_name": ["Zoë", "José", None, "Łukasz", "NA"][:n],
            "last_name": ["Ångström", "NA", None, "Nowak", "O'Neil"][:n],
            "email": ["zoe@example.com", "JOSE@example.com", None, "lukasz@example.org", None][:n],
            "phone": ["+1 513 555 0153", "00491701", None, None, None][:n],
            "postal_code": pd.Categorical(["01234", "01234", None, "45202", None][:n]),
            "birth_date": [date(1990, 1, 2), None, None, date(1936, 4, 26), None][:n],
            "consent_email": [True, False, False, True, False][:n],
        }
    )


def test_an_import_stores_each_row_as_a_form_would(database):
    create(database, first_name="Was here before")
    frame = people().set_index(pd.Index([10, 11, 12, 13, 14]))
    with database.writing() as session:
        ids = import_customers(session, SYSTEM, frame, source="test", at=AT)
    assert ids.index.tolist() == [10, 11, 12, 13, 14]
    imported = [row(database, i) for i in ids]
    with database.writing() as session:
        session.query(Customer).filter(Customer.id.in_(ids.tolist())).update(
            {"external_id": None, "email_folded": None}
        )
    for record, one in zip(frame.to_dict("records"), imported, strict=True):
        values = {k: None if v is None or v != v else v for k, v in record.items()}
        typed = row(database, create(database, **values))
        for column in [c.name for c in Customer.__table__.columns]:
            if column not in ("id", "split_bucket", "engagement", "profiled_at"):
                assert getattr(typed, column) == getattr(one, column), column
        assert one.split_bucket == split_bucket(one.id)
    assert ("CustomersImported", {"customers": 5, "source": "test"}) in events(database)


def test_an_import_with_wrong_rows_says_where_and_adds_nobody(database):
    create(database, email="zoe@example.com")
    before = counts(database)
    wrong = people()
    wrong.loc[1, "email"] = "nonsense"
    wrong.loc[3, "birth_date"] = date(2030, 1, 1)
    wrong.loc[2, "external_id"] = None
    with pytest.raises(InvalidInput) as refused, database.writing() as session:
        import_customers(session, SYSTEM, wrong, source="test", at=AT)
    assert refused.value.problems["email"].startswith("Row 2 has a wrong e-mail address. This is not")
    assert refused.value.problems["birth_date"].startswith("Row 4 ")
    assert refused.value.problems["identity"].startswith("Row 3 ")
    assert counts(database) == before


def test_an_import_with_an_unknown_column_is_refused(database):
    frame = people().assign(zip="1")
    with (
        pytest.raises(InvalidInput, match=r"^A customer has no field 'zip'\."),
        database.writing() as session,
    ):
        import_customers(session, SYSTEM, frame, source="test", at=AT)


def test_an_import_with_the_same_address_twice_is_refused(database):
    frame = pd.DataFrame({"email": ["a@b.de", "c@d.de", "A@B.de"]})
    with pytest.raises(InvalidInput, match=r"^Row 3 repeats"), database.writing() as session:
        import_customers(session, SYSTEM, frame, source="test", at=AT)


def test_split_buckets_are_murmur3s_and_spread_evenly():
    # MurmurHash3's finaliser maps 1 to 0x514E28B7 and 2 to 0x30F4C306 (reference implementation, seed-free).
    assert split_bucket(1) == 0x514E28B7 * 10_000 // 2**32
    assert split_bucket(2) == 0x30F4C306 * 10_000 // 2**32
    buckets = split_bucket(np.arange(1, 100_001))
    assert buckets.min() >= 0
    assert buckets.max() <= 9_999
    expected = 100_000 / 100
    chi2 = ((np.bincount(buckets // 100, minlength=100) - expected) ** 2 / expected).sum()
    assert chi2 < 150  # 99 degrees of freedom: 0.1 % lie above 149
    assert buckets.tolist()[:3] == [split_bucket(i) for i in (1, 2, 3)]

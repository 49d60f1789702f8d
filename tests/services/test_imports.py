"""Importing customers: dry run, all or nothing, the same file twice, and what an import never does."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from ma.db.engine import connect
from ma.errors import Conflict, InvalidInput, NotAllowed
from ma.models import (
    Audit,
    ConsentChange,
    Customer,
    CustomerTag,
    ImportChange,
    ImportMapping,
    ImportRun,
    OutboxEvent,
)
from ma.services import customer_fields, import_derived, imports
from ma.services.attributes import define_attribute
from ma.services.customers import create_customer, delete_customer, update_customer
from ma.services.imports import Cancelled
from ma.types import Actor, Role
from tests.services.import_world import (
    AT,
    MARKETER,
    bring_in,
    carry_out,
    counted,
    dry_run,
    set_up,
    sheet,
    take_back,
)

ANALYST = Actor(username="ann", role=Role.ANALYST, user_id=2)


@pytest.fixture
def world(database):
    set_up(database)
    return database


@pytest.fixture
def sqlite(sqlite_url):
    database = connect(sqlite_url)
    set_up(database)
    yield database
    database.close()


def people(database, *columns) -> list[tuple]:
    with database.reading() as session:
        names = [getattr(Customer, name) for name in columns]
        return [tuple(row) for row in session.execute(select(*names).order_by(Customer.id))]


def rows(database, *tables) -> list[int]:
    with database.reading() as session:
        return [session.scalar(select(func.count()).select_from(table)) for table in tables]


def everything() -> dict[str, list]:
    return {
        "external_id": ["A", "B", "C", "A", "B", "D", None],
        "first_name": ["Ann", "Bärbel", "Cy", "Ann", "Bob", None, "Eve"],
        "last_name": ["NA", "O'Neil", None, "NA", None, "Łuk", None],
        "email": ["Ann@X.de", "b@x.de", "zz", "Ann@X.de", None, None, None],
        "phone": ["00491701", "+49 170 1", None, "00491701", None, None, None],
        "postal_code": ["01234", None, None, "01234", None, None, None],
        "country": ["Germany", "FR", "DE", "Germany", None, "Atlantis", None],
        "birth_date": ["31.01.2000", None, None, "31.01.2000", None, None, None],
        "consent_email": ["yes", "no", None, "yes", None, None, None],
        "tags": ["vip; new", "VIP", None, "vip; new", None, None, None],
    }


def test_a_dry_run_says_what_is_new_and_what_is_wrong_where_and_why(world):
    plan = dry_run(world, "customers", everything(), "external_id")
    assert counted(plan) == (2, 0, 1, 4)
    found = [(r.row, r.column, r.value) for r in plan.rejected.itertuples()]
    assert [row for row, _, _ in found] == [4, 6, 7, 8]
    assert found[0] == (4, "email", "zz")
    assert found[2] == (7, "country", "Atlantis")
    assert plan.rejected["problem"].str.len().min() > 20
    assert "Row 3 " in plan.rejected["problem"][1]
    assert plan.rejected_rows["first_name"].fillna("").tolist() == ["Cy", "Bob", "", "Eve"]
    assert plan.rejected_rows["problem"][2].startswith("country: This is no known country.")
    assert rows(world, Customer, ImportRun, OutboxEvent) == [0, 0, 0]


def test_what_was_typed_is_what_is_stored_and_the_same_file_changes_nothing(world):
    done = bring_in(world, "customers", everything(), "external_id")
    columns = ("external_id", "last_name", "email", "phone", "postal_code", "country", "engagement")
    assert people(world, *columns) == [
        ("A", "NA", "Ann@X.de", "00491701", "01234", "DE", 0.0),
        ("B", "O'Neil", "b@x.de", "+49 170 1", None, "FR", 0.0),
    ]
    with world.reading() as session:
        for one in session.scalars(select(Customer)):
            wanted = customer_fields.derived({name: getattr(one, name) for name in customer_fields.ALL})
            assert {name: getattr(one, name) for name in wanted} == wanted
            assert one.import_id == done.import_id
    assert rows(world, CustomerTag, ConsentChange, ImportMapping) == [3, 0, 1]
    before = rows(world, Audit, OutboxEvent, ImportRun, Customer)
    again = dry_run(world, "customers", everything(), "external_id")
    assert counted(again) == (0, 0, 3, 4)
    assert carry_out(world, again).import_id is None
    assert rows(world, Audit, OutboxEvent, ImportRun, Customer) == before


def test_a_change_comes_with_its_diff_and_empty_cells_change_nothing(world):
    bring_in(world, "customers", everything(), "external_id")
    change = {
        "external_id": ["A", "B"],
        "first_name": ["Anna", None],
        "birth_date": ["01.02.2000", None],
        "phone": [None, None],
        "tags": ["old; VIP", None],
    }
    plan = dry_run(world, "customers", change, "external_id")
    assert counted(plan) == (0, 1, 1, 0)
    diff = [(d.row, d.field, d.before, d.after) for d in plan.changes.fillna("").itertuples()]
    assert sorted(diff) == [
        (2, "Date of birth", "2000-01-31", "2000-02-01"),
        (2, "First name", "Ann", "Anna"),
        (2, "Tags", "", "old"),
    ]
    done = carry_out(world, plan)
    columns = ("first_name", "phone", "version", "search_text")
    words = customer_fields.search_text(["Anna", "NA", "Ann@X.de", "00491701", None, "01234", "A"])
    assert people(world, *columns)[0] == ("Anna", "00491701", 2, words)
    counts = take_back(world, done.import_id)
    assert (counts["customers_restored"], counts["customers_kept"]) == (1, 0)
    assert people(world, "first_name", "version")[0] == ("Ann", 3)
    assert rows(world, CustomerTag) == [3]


def test_consent_is_raised_only_where_somebody_says_so_and_lowered_always(world):
    file = {"email": ["a@x.de", "b@x.de"], "consent_email": ["yes", "yes"], "consent_sms": [None, "no"]}
    plan = dry_run(world, "customers", file, "email")
    assert "2 people" in plan.notes[0]
    assert "left out" in plan.notes[0]
    carry_out(world, plan)
    assert people(world, "consent_email") == [(False,), (False,)]
    assert rows(world, ConsentChange) == [0]
    assert counted(dry_run(world, "customers", file, "email")) == (0, 0, 2, 0)
    allowed = bring_in(world, "customers", file, "email", record_consent=True)
    assert people(world, "consent_email") == [(True,), (True,)]
    lowered = bring_in(world, "customers", file | {"consent_email": ["no", None]}, "email")
    assert people(world, "consent_email") == [(False,), (True,)]
    with world.reading() as session:
        history = session.execute(
            select(ConsentChange.allowed, ConsentChange.source, ConsentChange.import_id).order_by(
                ConsentChange.id
            )
        ).all()
    assert [tuple(row) for row in history] == [
        (True, "import", allowed.import_id),
        (True, "import", allowed.import_id),
        (False, "import", lowered.import_id),
    ]
    counts = take_back(world, lowered.import_id)
    assert (counts["consent_not_raised"], counts["consent_raised"]) == (1, 0)
    assert people(world, "consent_email") == [(False,), (True,)]


def test_own_fields_come_in_and_go_back(world):
    with world.writing() as session:
        number = define_attribute(session, MARKETER, name="Points", kind="number", at=AT)
        colours = define_attribute(session, MARKETER, name="Colours", kind="list", at=AT)
    names = {"external_id": "id", f"attribute:{number}": "Points", f"attribute:{colours}": "Colours"}
    file = {"id": ["A", "B"], "Points": ["1.250,5", "x"], "Colours": ["red;blue", None]}
    plan = dry_run(world, "customers", sheet(file), "external_id", mapping=names, decimal=",")
    assert counted(plan) == (1, 0, 0, 1)
    carry_out(world, plan)
    again = sheet(file | {"Points": ["1.250,5", "2"], "Colours": ["red", None]})
    plan = dry_run(world, "customers", again, "external_id", mapping=names, decimal=",")
    assert counted(plan) == (1, 1, 0, 0)
    assert plan.changes[["field", "before", "after"]].to_numpy().tolist() == [["Colours", "red; blue", "red"]]
    done = carry_out(world, plan)
    counts = take_back(world, done.import_id)
    assert (counts["customers_restored"], counts["customers_removed"]) == (1, 1)
    plan = dry_run(world, "customers", sheet(file), "external_id", mapping=names, decimal=",")
    assert counted(plan) == (0, 0, 1, 1)


def test_two_customers_never_get_one_address(world):
    with world.writing() as session:
        create_customer(session, MARKETER, at=AT, external_id="Z", email="taken@x.de")
    file = {"external_id": ["A", "B", "C"], "email": ["TAKEN@x.de", "new@x.de", "New@x.de"]}
    plan = dry_run(world, "customers", file, "external_id")
    assert counted(plan) == (1, 0, 0, 2)
    assert plan.rejected["row"].tolist() == [2, 4]


def test_the_key_is_chosen(sqlite):
    with sqlite.writing() as session:
        for name in ("Ann", "Anne"):
            create_customer(session, MARKETER, at=AT, first_name=name, phone="0170 12")
        create_customer(session, MARKETER, at=AT, first_name="Bob", phone="0171/1", email="b@x.de")
    file = {"phone": ["0170-12", "01711", None], "first_name": ["X", "Bobby", "Y"]}
    plan = dry_run(sqlite, "customers", file, "phone")
    assert counted(plan) == (0, 1, 0, 2)
    assert plan.rejected["problem"][0].startswith("Several customers have this phone number.")
    by_email = dry_run(sqlite, "customers", {"email": ["B@X.DE"], "first_name": ["Bob"]}, "email")
    assert plan.changes["after"].tolist() == ["Bobby"]
    assert counted(by_email) == (0, 0, 1, 0)
    with pytest.raises(InvalidInput, match="is no key"):
        dry_run(sqlite, "customers", file, "first_name")
    with pytest.raises(InvalidInput, match="Choose the column"):
        dry_run(sqlite, "customers", file, "email")


def test_a_deleted_customers_id_is_free_and_analysts_import_nothing(sqlite):
    with sqlite.writing() as session:
        gone = create_customer(session, MARKETER, at=AT, external_id="A")
        delete_customer(session, MARKETER, gone, version=1, at=AT)
    assert counted(dry_run(sqlite, "customers", {"external_id": ["A"]}, "external_id")) == (1, 0, 0, 0)
    with pytest.raises(NotAllowed):
        dry_run(sqlite, "customers", {"external_id": ["A"]}, "external_id", actor=ANALYST)


def test_who_was_merged_is_found_as_the_one_who_was_kept(sqlite):
    with sqlite.writing() as session:
        kept = create_customer(session, MARKETER, at=AT, external_id="K", first_name="Ann")
        gone = create_customer(session, MARKETER, at=AT, external_id="G")
        delete_customer(session, MARKETER, gone, version=1, at=AT)
        session.get(Customer, gone).merged_into = kept
    plan = dry_run(sqlite, "customers", {"external_id": ["G"], "first_name": ["Anna"]}, "external_id")
    assert counted(plan) == (0, 1, 0, 0)
    carry_out(sqlite, plan)
    assert people(sqlite, "external_id", "first_name")[0] == ("K", "Anna")


def test_a_phone_number_of_two_who_were_merged_into_different_people_names_nobody(sqlite):
    with sqlite.writing() as session:
        for name in ("Ann", "Bob"):
            kept = create_customer(session, MARKETER, at=AT, first_name=name)
            gone = create_customer(session, MARKETER, at=AT, first_name=name, phone="0170 12")
            delete_customer(session, MARKETER, gone, version=1, at=AT)
            session.get(Customer, gone).merged_into = kept
    plan = dry_run(sqlite, "customers", {"phone": ["0170-12"], "first_name": ["X"]}, "phone")
    assert counted(plan) == (0, 0, 0, 1)
    assert plan.rejected["problem"][0].startswith("Several customers have this phone number.")


def test_who_was_erased_does_not_come_back(sqlite, monkeypatch):
    from ma.services.erasing import erase_customers

    monkeypatch.setenv("MA_SECRET", "s" * 40)
    admin = Actor(username="ada", role=Role.ADMIN, user_id=3)
    with sqlite.writing() as session:
        gone = create_customer(session, MARKETER, at=AT, external_id="A", email="a@x.de")
        erase_customers(session, admin, select(Customer.id).where(Customer.id == gone), at=AT)
    file = {"external_id": ["A", "B", "C"], "email": [None, "A@x.de", "c@x.de"]}
    plan = dry_run(sqlite, "customers", file, "external_id")
    assert counted(plan) == (1, 0, 0, 2)
    assert plan.rejected["problem"].str.contains("erased").all()


def test_a_plan_that_no_longer_holds_is_refused(world):
    bring_in(world, "customers", everything(), "external_id")
    plan = dry_run(world, "customers", {"external_id": ["A"], "city": ["Bonn"]}, "external_id")
    new = dry_run(world, "customers", {"external_id": ["N"], "city": ["Bonn"]}, "external_id")
    with world.writing() as session:
        [ann, *_] = session.scalars(select(Customer.id).order_by(Customer.id))
        update_customer(session, MARKETER, ann, version=1, at=AT, city="Köln")
        create_customer(session, MARKETER, at=AT, external_id="N")
    before = rows(world, ImportRun, Audit, OutboxEvent, Customer)
    for stale in (plan, new):
        with pytest.raises(Conflict, match="dry run again"):
            carry_out(world, stale)
    assert rows(world, ImportRun, Audit, OutboxEvent, Customer) == before


def test_an_import_whose_indexes_are_built_at_its_end_is_like_any_other(world, monkeypatch):
    from ma.analytics.customers import customers
    from ma.db import filling

    # Three rows count as many: the way of a large file.
    monkeypatch.setattr(filling, "_MANY", 3)
    bring_in(world, "customers", everything(), "external_id")
    with world.reading() as session:
        imports.settle(session)
        ids = set(people(world, "external_id"))
        assert set(customers(session, as_of=AT)["external_id"]) == {external_id for (external_id,) in ids}
        for (external_id,) in ids:
            assert external_id in set(customers(session, as_of=AT, q=external_id)["external_id"])
    assert counted(dry_run(world, "customers", everything(), "external_id"))[:2] == (0, 0)
    file = {"external_id": ["N1", "N2", "N3"], "email": ["n1@x.de", "n2@x.de", "n3@x.de"]}
    plan = dry_run(world, "customers", file, "external_id")
    # As if somebody had taken the address between the check and the insert.
    plan.work.added["email_folded"] = plan.work.added["email_folded"].iloc[0]
    before = rows(world, ImportRun, Customer)
    with pytest.raises(Conflict, match="dry run again"):
        carry_out(world, plan)
    assert rows(world, ImportRun, Customer) == before


def test_cancelled_means_nothing_happened(world):
    plan = dry_run(world, "customers", everything(), "external_id")
    seen = []
    with pytest.raises(Cancelled):
        carry_out(
            world, plan, progress=lambda share, words: seen.append(share), cancelled=lambda: len(seen) > 1
        )
    assert len(seen) > 1
    assert rows(world, Customer, ImportRun, CustomerTag, OutboxEvent) == [0] * 4


def test_an_undo_keeps_whom_somebody_changed_or_needs(world):
    first = bring_in(
        world, "customers", {"external_id": list("ABCD"), "first_name": list("abcd")}, "external_id"
    )
    with world.writing() as session:
        a, b, *_ = session.scalars(select(Customer.id).order_by(Customer.id))
        update_customer(session, MARKETER, a, version=1, at=AT, city="Bonn")
    second = {"external_id": ["B", "C"], "first_name": ["bb", "cc"]}
    changed = bring_in(world, "customers", second, "external_id")
    with world.writing() as session:
        update_customer(session, MARKETER, b, version=2, at=AT, city="Köln")
    counts = take_back(world, changed.import_id)
    assert (counts["customers_restored"], counts["customers_kept"]) == (1, 1)
    assert people(world, "external_id", "first_name") == [("A", "a"), ("B", "bb"), ("C", "c"), ("D", "d")]
    counts = take_back(world, first.import_id)
    assert (counts["customers_removed"], counts["customers_kept"]) == (2, 2)
    assert people(world, "external_id") == [("A",), ("B",)]
    with pytest.raises(Conflict, match="already"):
        take_back(world, first.import_id)
    assert rows(world, ImportChange) == [2]


def test_a_row_with_too_many_cells_is_rejected(sqlite):
    from dataclasses import replace

    file = replace(
        sheet({"external_id": ["A", "B"]}), surplus={1: "This row has more cells than the header."}
    )
    plan = dry_run(sqlite, "customers", file, "external_id")
    assert counted(plan) == (1, 0, 0, 1)
    assert plan.rejected[["row", "column"]].to_numpy().tolist() == [[3, "whole row"]]


def test_the_mapping_is_remembered_by_the_header(sqlite):
    file = sheet({"Nr": ["A"], "Vorname": ["Ann"]})
    mapping = {"external_id": "Nr", "first_name": "Vorname"}
    carry_out(sqlite, dry_run(sqlite, "customers", file, "external_id", mapping=mapping))
    with sqlite.reading() as session:
        assert imports.remembered(session, "customers", ["Nr", "Vorname"]) == mapping
        assert imports.remembered(session, "customers", ["Nr"]) is None
        assert imports.remembered(session, "purchases", ["Nr", "Vorname"]) is None


TEXT = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.text("+0123456789 ()/.-", max_size=16),
    st.sampled_from(["Zoë", "+49 170 12", "+491701234567", "a b", "x@y.de", "İ", "ß"]),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.fixed_dictionaries(dict.fromkeys(import_derived.SEARCHED, TEXT)), min_size=1, max_size=4))
def test_derived_columns_are_those_of_the_form(people):
    import pandas as pd

    clean = [customer_fields.clean(person, today=AT.date())[0] for person in people]
    frame = pd.DataFrame(clean).astype(pd.StringDtype(na_value=float("nan")))
    ours = import_derived.derived(frame)
    for place, person in enumerate(clean):
        wanted = customer_fields.derived(person)
        got = {name: ours[name].iloc[place] for name in wanted}
        assert {name: None if value != value else value for name, value in got.items()} == wanted


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "external_id": st.sampled_from(["A", "B", "C", " A ", None]),
                "first_name": st.sampled_from(["Ann", "Änn ", None, "\x07"]),
                "email": st.sampled_from(["a@x.de", "A@x.de", "b@x.de", "no", None]),
                "birth_date": st.sampled_from(["2000-01-31", "2999-01-01", None]),
                "consent_sms": st.sampled_from(["yes", "no", None]),
                "tags": st.sampled_from(["a;b", "b", None]),
            }
        ),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
def test_what_was_imported_is_unchanged_the_second_time(sqlite, people, record):
    file = {name: [person[name] for person in people] for name in people[0]}
    plan = dry_run(sqlite, "customers", file, "external_id", record_consent=record)
    assert sum(counted(plan)) == plan.counts["rows"] == len(people)
    carry_out(sqlite, plan)
    again = dry_run(sqlite, "customers", file, "external_id", record_consent=record)
    assert counted(again)[:2] == (0, 0)

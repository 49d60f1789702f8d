"""Finding customers on both engines: what people type, filters, order, pages; the truth comes from pandas."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import update

from ma.analytics import customers as found
from ma.analytics import finding
from ma.analytics.customers import Found, Search
from ma.errors import InvalidInput, InvalidRule
from ma.models import Customer
from ma.services.customers import delete_customer, import_customers
from ma.services.tags import add_tag
from ma.services.workspace import create_workspace
from ma.types import SYSTEM

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
PEOPLE = pd.DataFrame(
    {
        "first_name": ["Zoë", "José", "Anna", "Łucja", None, "Per", "Gone"],
        "last_name": ["Ångström", "Muñoz", "100%", "O'Neil", None, "a_b", "Away"],
        "email": ["zoe@example.com", "jose@example.org", None, None, "only@example.com", None, "x@a.com"],
        "phone": ["+1 513 555-0153", None, "+491701234567", "0170 7654321", None, None, "0170 1234567"],
        "postal_code": ["01234", None, None, None, None, None, None],
        "city": ["Köln", "Bogotá", None, "Köln", None, None, "Köln"],
        "consent_email": [True, True, False, False, True, False, True],
        "consent_sms": [True, False, False, True, False, False, True],
    }
)  # fmt: skip


@pytest.fixture
def ids(database) -> list[int]:
    """Seven customers, the last one deleted; figures for three of them."""
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="W", timezone="America/New_York", currency="USD", at=AT)
        ids = import_customers(session, SYSTEM, PEOPLE, source="test", at=AT).tolist()
        for position, spend, orders, last in ((0, 700, 3, AT), (1, 99, 1, None), (3, 700, 2, AT - HOUR)):
            figures = {
                "spend_minor": spend,
                "orders": orders,
                "last_order_at": last,
                "engagement": spend / 10,
            }
            session.execute(update(Customer).where(Customer.id == ids[position]).values(**figures))
        delete_customer(session, SYSTEM, ids[6], version=1, at=AT)
    return ids


def find(session, ids, **arguments) -> list[int]:
    """The positions in PEOPLE of whom a search finds."""
    frame = found.customers(session, as_of=AT, **arguments)
    return [ids.index(i) for i in frame["customer_id"]]


EVERYBODY = {0, 1, 2, 3, 4, 5}
SEARCHES = [
    ("", EVERYBODY),
    ("zoe", {0}),
    ("ÅNGSTROM zoë", {0}),
    ("strom", set()),
    ("munoz jose", {1}),
    ("munoz zoe", set()),
    ("koln", {0, 3}),
    ("  koln\tlucja ", {3}),
    ("o'neil", {3}),
    ("neil", {3}),
    ("100%", {2}),
    ("a_b per", {5}),
    ("example", {0, 1, 4}),
    ("jose@exa", {1}),
    ("01234", {0}),
    ("5135550153", {0}),
    ("513 555-01", {0}),
    ("555-0153", {0}),
    ("+1 513 555 0153", {0}),
    ("0015135550153", {0}),
    ("0170 1234567", {2}),
    ("+49 170 1234567", {2}),
    ("+49 (0)170 12345", {2}),
    ("+49 170 7654", {3}),
    ("+491707654321", {3}),
    ("lucja 0170 koln", {3}),
    ("gone", set()),
    ("'; DROP TABLE customer --", set()),
    ("zo\x00e", {0}),
    ("zo\x00", {0}),
    ("\ud800zoe", {0}),
    ("x" * 100_000, set()),
    ("0 1 2 3 4 5 6 7 8 9 " * 100, set()),
    # Nothing to look for yet: whoever types "+49" begins with "+".
    ("%", EVERYBODY),
    ("_\\' \"*()-", EVERYBODY),
]


def test_search_finds_beginnings_of_words_in_any_order_without_case_and_accents(database, ids):
    with database.reading() as session:
        for q, expected in SEARCHES:
            assert set(find(session, ids, q=q)) == expected, q[:50]
            assert set(find(session, ids, q=q, limit=10)) == expected, q[:50]
            assert found.customer_count(session, Search(q), as_of=AT) == Found(len(expected)), q[:50]
            chosen = session.scalars(found.found(session, Search(q), as_of=AT)).all()
            assert {ids.index(i) for i in chosen} == expected, q[:50]


def test_filters_by_consent_tag_and_profile_field(database, ids):
    rich = {"field": "lifetime_value", "operator": "gte", "value": 100}
    with database.writing() as session:
        wanted = found.found(session, Search("koln"), as_of=AT)
        assert add_tag(session, SYSTEM, wanted, "VIP", at=AT) == 2
    with database.reading() as session:
        assert set(find(session, ids, consent="email")) == {0, 1, 4}
        assert set(find(session, ids, consent="email,sms")) == {0}
        assert set(find(session, ids, consent="email", q="only")) == {4}
        assert set(find(session, ids, tag="vip")) == {0, 3}
        assert set(find(session, ids, tag="nobody's \x00")) == set()
        assert set(find(session, ids, rule=rich)) == {0, 3}
        assert set(find(session, ids, rule={"all": [rich]}, tag="VIP", consent="sms", q="zo")) == {0}
        everything = Search("zo", {"all": [rich]}, ("sms",), "VIP")
        assert found.customer_count(session, everything, as_of=AT) == Found(1)
        tagged = found.customers(session, as_of=AT, columns="name,tags", tag="VIP", limit=5)
        assert tagged["tags"].tolist() == ["VIP", "VIP"]
        with pytest.raises(InvalidInput, match="Unknown channel 'fax'"):
            find(session, ids, consent="fax")
        with pytest.raises(InvalidRule, match="Unknown field 'agee'"):
            find(session, ids, rule='{"field": "agee", "operator": "eq", "value": 1}')


def test_missing_values_sort_last_and_equal_ones_by_id_in_the_lists_direction(database, ids):
    with database.reading() as session:
        assert find(session, ids, sort="email") == [1, 4, 0, 2, 3, 5]
        assert find(session, ids, sort="email", descending=True) == [0, 4, 1, 5, 3, 2]
        assert find(session, ids, sort="spend", descending=True) == [3, 0, 1, 5, 4, 2]
        assert find(session, ids, sort="spend") == [2, 4, 5, 1, 0, 3]
        assert find(session, ids, sort="last_order", descending=True) == [0, 3, 5, 4, 2, 1]
        assert find(session, ids, sort="engagement") == [1, 0, 3, 2, 4, 5]
        assert find(session, ids, sort="name")[-1] == 4
        for wrong in ("password", "tags"):
            with pytest.raises(InvalidInput, match=f"sorted by '{wrong}'"):
                find(session, ids, sort=wrong)
        with pytest.raises(InvalidInput, match="no column 'password'"):
            find(session, ids, columns="name,password")


def test_a_list_has_the_same_columns_when_nobody_is_found(database, ids):
    with database.reading() as session:
        for columns in ("", ",".join(found.COLUMNS)):
            some = found.customers(session, as_of=AT, columns=columns)
            nobody = found.customers(session, as_of=AT, q="nobody at all", columns=columns)
            assert some.dtypes.to_dict() == nobody.dtypes.to_dict()
            assert some["name"].isna().sum() == 1


CROWD = 600


@pytest.fixture
def crowd(database) -> pd.DataFrame:
    """Customers with many equal and missing values, and how pandas sees them."""
    rng = np.random.default_rng(7)

    def some(values, share=0.8):
        return pd.Series(rng.choice(values, CROWD), dtype=object).where(rng.random(CROWD) < share, None)

    frame = pd.DataFrame(
        {
            "external_id": [f"c{i:04d}" for i in range(CROWD)],
            "first_name": some(["ann", "bob", "cid"]),
            "last_name": some(["smith", "small", "jones", "zimmer"]),
            "city": some(["rome", "oslo"]),
            "phone": [f"+49 170 1{i:03d}000" if i % 3 else None for i in range(CROWD)],
            "consent_email": rng.random(CROWD) < 0.5,
        }
    )
    figures = pd.DataFrame(
        {
            "spend_minor": rng.integers(0, 5, CROWD),
            "engagement": pd.Series(rng.integers(0, 3, CROWD))
            .astype(object)
            .where(rng.random(CROWD) < 0.7, None),
            "orders": rng.integers(0, 9, CROWD),
        }
    )
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="W", timezone="Europe/Berlin", currency="EUR", at=AT)
        ids = import_customers(session, SYSTEM, frame, source="test", at=AT)
        session.execute(update(Customer), figures.assign(id=ids).to_dict("records"))
    # All came in one import.
    return pd.concat([frame, figures], axis=1).assign(customer_id=ids, created=1)


# The list's names for the columns that pandas sorts by.
KEYS = {"name": ["last_name", "first_name"], "spend": ["spend_minor"], "engagement": ["engagement"],
        "city": ["city"], "orders": ["orders"], "created": ["created"]}  # fmt: skip


def in_order(people: pd.DataFrame, keys: list[str], descending: bool) -> list[int]:
    """Ids in a list's order: unknown first keys last; a last name alone before those who share it."""
    first = people[keys[0]].isna()
    rest = pd.DataFrame({key: people[key].astype(object).where(people[key].notna(), None) for key in keys})
    rows = []
    for gone, values, customer_id in zip(
        first, rest.itertuples(index=False), people["customer_id"], strict=True
    ):
        known = [(value is not None, value if value is not None else 0) for value in values]
        unnamed = gone and (len(keys) < 2 or values[1] is None)
        rows.append(((gone, unnamed), (*known, customer_id), customer_id))
    rows.sort(key=lambda row: row[1], reverse=descending)
    rows.sort(key=lambda row: row[0])
    return [row[2] for row in rows]


@pytest.mark.parametrize("small", [True, False], ids=["looked up", "estimated"])
def test_every_way_to_a_page_gives_the_same_page(database, crowd, monkeypatch, small):
    """However a list is read (looked up, walked, sorted, from its end), it is the list that pandas has."""
    monkeypatch.setattr(finding, "SMALL", 10**6 if small else 0)
    words = crowd[["external_id", "first_name", "last_name", "city"]].fillna("").agg(" ".join, axis=1)
    searches = {
        "": crowd.index == crowd.index,
        "smi": words.str.contains(r"\bsmi"),
        "s": words.str.contains(r"\bs"),
        "zimmer rome": words.str.contains(r"\bzimmer") & words.str.contains(r"\brome"),
        "c0123": crowd["external_id"] == "c0123",
        "+49 17": crowd["phone"].notna(),
        "0170-1001": crowd["phone"].eq("+49 170 1001000"),
        "an s c0": words.str.contains(r"\ban") & words.str.contains(r"\bs") & words.str.contains(r"\bc0"),
    }
    with database.reading() as session:
        for q, holds in searches.items():
            consent = "email" if q in ("smi", "c0123") else ""
            people = crowd[holds & (crowd["consent_email"] | (consent == ""))]
            search = Search(q, consent=tuple(filter(None, [consent])))
            total = found.customer_count(session, search, as_of=AT)
            assert total == Found(len(people))
            for sort in KEYS if q in ("", "smi") else ("name", "orders"):
                for descending in (False, True):
                    wanted = in_order(people, KEYS[sort], descending)
                    same = {"as_of": AT, "q": q, "consent": consent, "sort": sort, "columns": "name"}
                    same |= {"descending": descending, "total": len(people), "limit": 25}
                    for offset in {0, len(people) // 3, max(len(people) - 40, 0)}:
                        page = found.customers(session, **same, offset=offset)
                        assert page["customer_id"].tolist() == wanted[offset : offset + 25], same
                whole = found.customers(session, **same | {"limit": None})
                assert whole["customer_id"].tolist() == wanted


def test_many_are_counted_up_to_a_limit_and_said_to_be_more(database, crowd, monkeypatch):
    monkeypatch.setattr(finding, "SMALL", 0)
    with database.reading() as session:
        smiths = (crowd["last_name"] == "smith").sum()
        assert found.customer_count(session, Search("smith"), as_of=AT, most=50) == Found(50, exact=False)
        assert found.customer_count(session, Search("smith"), as_of=AT, most=None) == Found(smiths)
        assert found.customer_count(session, as_of=AT, most=50) == Found(CROWD)

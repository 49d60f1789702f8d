"""Customers over the API: whole lists in pages, and edits of which none is lost."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import product

import pandas as pd
import pyarrow as pa
import pytest
from sqlalchemy import select, update

from ma.analytics.customer_pages import SORTS
from ma.analytics.customers import COLUMNS, customers, listed, listed_rows
from ma.api.tables import records
from ma.models import Audit, Customer
from ma.services.tags import add_tag
from ma.types import SYSTEM
from tests.services.campaign_world import NOW


def pages(client, address, *, between=lambda: None):
    """All rows of a list, page after page; `between` is called after each."""
    rows, answers = [], 0
    while address:
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        rows += answer.json()["rows"]
        address, answers = answer.json()["next"], answers + 1
        between()
    return rows, answers


def add(client, **fields):
    answer = client.post("/api/customers", json=fields)
    assert answer.status_code == 201, answer.text
    return answer.json()["customer_id"]


# Lists


def test_a_list_in_pages_is_the_whole_list(api):
    rows, answers = pages(api.marketer, "/api/customers?limit=7")
    assert [row["customer_id"] for row in rows] == list(range(1, 41))
    assert answers == 6
    with api.database.reading() as session:
        frame = customers(session, as_of=NOW)
    assert list(rows[0]) == list(frame.columns)
    assert {row["email"] for row in rows} == set(frame["email"])


def test_every_order_is_whole_with_the_unknown_last(api):
    columns = {
        "id": "customer_id",
        "spend": "spend_minor",
        "last_order": "last_order_at",
        "created": "created_at",
        "updated": "updated_at",
    }
    with api.database.writing() as session:
        few = Customer.__table__.c.id % 5
        session.execute(
            update(Customer.__table__)
            .where(few == 0)
            .values(engagement=None, last_order_at=None, spend_minor=3)
        )
    shown = "orders,spend,last_order,engagement,created,updated"
    for sort, descending in product(SORTS, (False, True)):
        address = f"/api/customers?limit=6&sort={sort}&descending={str(descending).lower()}"
        rows, _ = pages(api.marketer, f"{address}&columns={shown}")
        name = columns.get(sort, sort)
        values = [(row[name], row["customer_id"]) for row in rows]
        known = [value for value in values if value[0] is not None]
        assert sorted(place for _, place in values) == list(range(1, 41))
        assert known == sorted(known, reverse=descending)
        assert all(value is None for value, _ in values[len(known) :])


def test_whoever_comes_or_goes_meanwhile_leaves_nobody_out(api):
    client, gone = api.marketer, iter((1, 2, 3, 11))

    def happen():
        if (one := next(gone, None)) is not None:
            add(client, first_name="New")
            client.delete(f"/api/customers/{one}", headers={"If-Match": "*"})

    rows, _ = pages(client, "/api/customers?limit=10", between=happen)
    ids = [row["customer_id"] for row in rows]
    # Whoever was read before they were deleted, everybody who stayed, and those who came.
    assert ids == list(range(1, 45))


def test_a_search_narrows_the_list_and_its_count(api):
    client = api.marketer
    add(client, first_name="Zoë", last_name="Müller", email="zoe@example.org")
    rows, _ = pages(client, "/api/customers?q=zoe muller")
    assert [row["name"] for row in rows] == ["Zoë Müller"]
    assert client.get("/api/customers/count?q=zoe").json() == {"people": 1, "exact": True}
    assert client.get("/api/customers/count").json()["people"] == 41
    rule = '{"field": "engagement", "operator": "gte", "value": 38}'
    found, _ = pages(client, f"/api/customers?rule={rule}&limit=2")
    assert [row["customer_id"] for row in found] == [38, 39, 40]
    assert client.get("/api/customers/count?consent=email,sms").json()["people"] == 40


def test_a_cursor_belongs_to_its_list(sqlite_api):
    client = sqlite_api.marketer
    following = client.get("/api/customers?limit=2").json()["next"]
    for changed in ("&q=x", "&sort=spend", "&descending=true"):
        answer = client.get(following + changed)
        assert answer.status_code == 422
        assert "cursor" in answer.json()["problems"]
    # Another length of page is the same list.
    assert client.get(following.replace("limit=2", "limit=3")).status_code == 200


@pytest.mark.parametrize("cursor", ["x", "####", "bnVsbA", "W10", "WyIiLFtdXQ", "é", "A" * 1999, "A" * 2001])
def test_an_invented_cursor_is_refused(sqlite_api, cursor):
    answer = sqlite_api.marketer.get("/api/customers", params={"cursor": cursor})
    assert answer.status_code == 422
    assert "cursor" in answer.json()["problems"]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "sort=name", "descending=perhaps", "strat=2026", "columns=ag"],
)
def test_an_unknown_or_impossible_parameter_is_refused(sqlite_api, query):
    answer = sqlite_api.marketer.get(f"/api/customers?{query}")
    assert answer.status_code == 422
    assert query.split("=")[0] in answer.json()["problems"]


# Formats


def test_csv_and_arrow_hold_what_json_holds(api):
    client = api.client("analyst")
    address = "/api/customers?limit=5&columns=email,orders,spend,last_order,engagement"
    rows = client.get(address).json()["rows"]
    csv = client.get(address, headers={"Accept": "text/csv"})
    assert csv.headers["content-type"] == "text/csv; charset=utf-8"
    assert csv.headers["content-disposition"] == 'attachment; filename="customers.csv"'
    assert pd.read_csv(BytesIO(csv.content))["email"].tolist() == [row["email"] for row in rows]
    arrow = client.get(address, headers={"Accept": "application/vnd.apache.arrow.stream"})
    table = pa.ipc.open_stream(arrow.content).read_all()
    assert table.column_names == list(rows[0])
    assert table["spend_minor"].to_pylist() == [row["spend_minor"] for row in rows]
    assert table.schema.field("last_order_at").type == pa.timestamp("us", "UTC")
    assert csv.headers["link"] == arrow.headers["link"]
    following = csv.headers["link"].removeprefix("<").partition(">")[0]
    assert client.get(following).json()["rows"][0]["customer_id"] == 6


def test_taking_a_list_out_needs_the_permission_and_is_noted(api):
    csv = {"Accept": "text/csv"}
    assert api.client("viewer").get("/api/customers?q=zoe", headers=csv).status_code == 403
    assert api.client("viewer").get("/api/customers?q=zoe").status_code == 200
    assert api.client("analyst").get("/api/customers?q=zoe&limit=3", headers=csv).status_code == 200
    with api.database.reading() as session:
        [entry] = session.scalars(select(Audit).where(Audit.action == "export")).all()
    assert (entry.actor, entry.noun, entry.detail["extension"]) == ("analyst", "customers", "csv")
    assert "zoe" not in str(entry.detail)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json; charset=utf-8"),
        ("text/*", "text/csv; charset=utf-8"),
        ("application/json;q=0.5, text/csv", "text/csv; charset=utf-8"),
        ("text/html, */*;q=0.1", "application/json; charset=utf-8"),
        ("application/vnd.apache.arrow.stream, */*;q=0.1", "application/vnd.apache.arrow.stream"),
    ],
)
def test_the_format_is_the_one_that_is_liked_best(sqlite_api, accept, kind):
    answer = sqlite_api.client("analyst").get("/api/customers?limit=1", headers={"Accept": accept})
    assert answer.headers["content-type"] == kind
    assert answer.headers["vary"] == "Accept"


@pytest.mark.parametrize("accept", ["image/png", "application/xml", "text/csv;q=0, image/*", "nonsense"])
def test_a_format_that_there_is_not_is_refused(sqlite_api, accept):
    answer = sqlite_api.client("analyst").get("/api/customers", headers={"Accept": accept})
    assert answer.status_code == 406
    assert "text/csv" in answer.json()["detail"]


# One customer


def test_a_customer_is_added_read_changed_and_deleted(api):
    client = api.marketer
    added = client.post(
        "/api/customers", json={"first_name": "Ann", "birth_date": "1990-02-28", "consent_email": True}
    )
    assert added.status_code == 201
    place = added.headers["location"]
    read = client.get(place)
    assert read.json()["birth_date"] == "1990-02-28"
    assert read.json()["consent_email"] is True
    assert read.json()["figures"]["orders"] == 0
    changed = client.patch(
        place, json={"city": "Köln", "birth_date": None}, headers={"If-Match": read.headers["etag"]}
    )
    assert changed.status_code == 200
    assert (changed.json()["city"], changed.json()["birth_date"], changed.json()["version"]) == (
        "Köln",
        None,
        2,
    )
    assert changed.json()["first_name"] == "Ann"
    assert client.delete(place, headers={"If-Match": changed.headers["etag"]}).status_code == 204
    assert client.get(place).status_code == 404


def test_an_edit_without_the_version_that_was_seen_is_refused(api):
    for method in ("patch", "delete"):
        answer = api.marketer.request(method, "/api/customers/1", json={})
        assert answer.status_code == 428
        assert "If-Match" in answer.json()["detail"]


@pytest.mark.parametrize("tag", ['"0"', '"2"', "1", 'W/"x"', "nonsense", '"1x"', '"99999999999999999999"'])
def test_an_edit_of_another_version_is_refused(sqlite_api, tag):
    for method in ("patch", "delete"):
        answer = sqlite_api.marketer.request(
            method, "/api/customers/1", json={"city": "Bonn"}, headers={"If-Match": tag}
        )
        assert answer.status_code == 412
    assert sqlite_api.marketer.get("/api/customers/1").json()["version"] == 1


def test_of_two_who_edit_the_same_version_one_is_told(api):
    tag = api.marketer.get("/api/customers/1").headers["etag"]
    first = api.marketer.patch("/api/customers/1", json={"city": "Bonn"}, headers={"If-Match": tag})
    second = api.client("admin").patch("/api/customers/1", json={"city": "Köln"}, headers={"If-Match": tag})
    assert (first.status_code, second.status_code) == (200, 412)
    assert api.marketer.get("/api/customers/1").json()["city"] == "Bonn"


def test_of_eight_who_edit_at_once_one_is_quicker(api):
    tag = {"If-Match": api.marketer.get("/api/customers/1").headers["etag"]}

    def edit(number):
        return api.client("marketer").patch("/api/customers/1", json={"city": f"Bonn {number}"}, headers=tag)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(edit, range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    [winner] = [answer.json()["city"] for answer in answers if answer.status_code == 200]
    read = api.marketer.get("/api/customers/1").json()
    assert (read["city"], read["version"]) == (winner, 2)


def test_what_was_not_changed_is_not_sent_again(api):
    client = api.marketer
    read = client.get("/api/customers/1")
    tag = {"If-None-Match": read.headers["etag"]}
    again = client.get("/api/customers/1", headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    # Figures change without an edit.
    with api.database.writing() as session:
        session.execute(update(Customer.__table__).where(Customer.__table__.c.id == 1).values(orders=31))
    assert client.get("/api/customers/1", headers=tag).json()["figures"]["orders"] == 31


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"agee": 3}, "agee"),
        ({"first_name": 3}, "first_name"),
        ({"first_name": "x" * 101}, "first_name"),
        ({"first_name": "a\x00b"}, "first_name"),
        ({"first_name": "a\ud800"}, "first_name"),
        ({"birth_date": "1990-02-30"}, "birth_date"),
        ({"birth_date": "2090-02-03", "first_name": "Ann"}, "birth_date"),
        ({"birth_date": 1}, "birth_date"),
        ({"consent_email": "yes"}, "consent_email"),
        ({"email": "P1@example.com"}, "email"),
        ({}, "first_name"),
    ],
)
def test_what_cannot_be_accepted_is_told_by_field(sqlite_api, body, field):
    answer = sqlite_api.marketer.post("/api/customers", json=body)
    assert answer.status_code == 422
    assert list(answer.json()["problems"]) == [field]
    assert answer.json()["type"] == "/api/docs#invalid-input"


def test_there_is_no_such_customer(api):
    for one in ("0", "41", "999999999999999999", "9" * 30, "x", "-1", "1.0", "%00", "१"):
        answer = api.marketer.get(f"/api/customers/{one}")
        assert answer.status_code == (422 if one == "0" else 404), one
        assert answer.headers["content-type"] == "application/problem+json"


def test_what_one_bought_and_did_is_the_frame_of_the_screens(api):
    for name in ("purchases", "timeline"):
        answer = api.marketer.get(f"/api/customers/1/{name}")
        assert answer.status_code == 200
        assert answer.json()["rows"] == []
        assert api.marketer.get(f"/api/customers/400/{name}").status_code == 404


def test_rows_of_json_are_those_of_the_frame(api):
    add(api.marketer, first_name="Ann", birth_date="1990-02-28", city="Köln")
    add(api.marketer, last_name="Only")
    with api.database.writing() as session:
        add_tag(session, SYSTEM, select(Customer.id).where(Customer.id > 38), "vip", at=NOW)
    ids = [41, 1, 42, 39]
    with api.database.reading() as session:
        for columns in ("", ",".join(COLUMNS), "city,tags", "orders"):
            expected = records(listed(session, ids, columns))
            assert listed_rows(session, ids, columns) == expected
            assert [row["customer_id"] for row in expected] == ids
        assert listed_rows(session, [], "tags") == []

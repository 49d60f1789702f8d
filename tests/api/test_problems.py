"""What goes wrong is told with its remedy, and gives nothing away."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from ma.api import customers, segments, tables
from ma.api.app import AT_ONCE, create_app
from ma.db import engine
from ma.db.engine import connect
from tests.api.client import Client
from tests.api.conftest import serve

CANARY = "canary-7f3a@example.org"


def test_an_unknown_address_or_method_is_a_problem_too(sqlite_api):
    for method, address, status in (
        ("GET", "/api/nowhere", 404),
        ("GET", "/api/", 404),
        ("GET", "/api/customers/", 404),
        ("GET", "/api/customers/1/", 404),
        ("PUT", "/api/customers/1", 405),
        ("DELETE", "/api/health", 405),
        ("POST", "/api/customers/count", 405),
    ):
        answer = sqlite_api.marketer.request(method, address)
        assert answer.status_code == status, address
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
        assert answer.json()["detail"].endswith(".")
    assert sqlite_api.client().request("DELETE", "/api/health").headers["allow"] == "GET"


def test_an_error_nobody_foresaw_gives_nothing_away(sqlite_api, monkeypatch, caplog):
    def broken(*_given, **_named):
        raise ValueError(f"SELECT secret FROM place WHERE email = '{CANARY}'")

    monkeypatch.setattr(customers, "create_customer", broken)
    answer = sqlite_api.marketer.post("/api/customers", json={"first_name": "Ann", "email": CANARY})
    assert answer.status_code == 500
    told = answer.json()
    assert told["reference"] in told["detail"]
    assert "SELECT" not in answer.text
    assert "canary" not in answer.text
    [entry] = [json.loads(record.message) for record in caplog.records if record.name == "ma.errors"]
    assert (entry["reference"], entry["error"]) == (told["reference"], ["ValueError"])
    assert entry["doing"] == "POST /customers"
    assert "canary" not in caplog.text


def test_refusals_do_not_log_or_repeat_what_was_sent(sqlite_api, caplog):
    for body in ({"email": f"{CANARY} "}, {"email": [CANARY]}, {CANARY: 1}, {"email": f"{CANARY}@"}):
        sqlite_api.marketer.post("/api/customers", json=body)
    sqlite_api.client().post("/api/auth/login", json={"username": CANARY, "password": CANARY})
    sqlite_api.client().get("/api/customers", headers={"Authorization": f"Bearer {CANARY}"})
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"null", 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b"\xff\xfe", 422),
        (b'{"first_name": NaN}', 422),
        (b'{"first_name": ' + b"9" * 5_000 + b"}", 422),
        (b"[" * 100_000, 422),
        (b'{"first_name": "Ann", "first_name": 3}', 422),
    ],
)
def test_what_is_no_body_is_refused(sqlite_api, content, status):
    answer = sqlite_api.marketer.post(
        "/api/customers", content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


OFTEN = b'{"field": "orders", "operator": "gte", "value": 1}'


@pytest.mark.parametrize(
    ("address", "content", "place"),
    [
        ("/api/segments", b'{"name": "A", "rule": {"all": [%b], "all": [%b]}}' % (OFTEN, OFTEN), "rule.all"),
        (
            "/api/segments/preview",
            b'{"rule": {"any": [%b, {"not": %b, "not": 1}]}}' % (OFTEN, OFTEN),
            "rule.any[1].not",
        ),
        ("/api/customers", b'{"first_name": "Ann", "city": "Bonn", "first_name": "Zoe"}', "first_name"),
        # What was dropped with the first of two is not told of: it is no longer there.
        ("/api/customers", b'{"a": {"b": 1, "b": 2}, "a": 3}', "a"),
        (
            "/api/events",
            b'{"rows": [{"kind": "visit"}, {"kind": "visit", "kind": "search"}]}',
            "rows[1].kind",
        ),
        ("/api/auth/login", b'{"username": "a", "password": "b", "password": "c"}', "password"),
    ],
)
def test_a_key_that_stands_twice_is_refused_and_named(sqlite_api, address, content, place):
    headers = {"Content-Type": "application/json"}
    answer = sqlite_api.marketer.post(address, content=content, headers=headers)
    assert answer.status_code == 422
    key = place.rpartition(".")[2]
    words = f"The key '{key}' stands twice in one object. Keep one of them."
    assert answer.json()["problems"] == {place: words}


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_what_is_no_json_is_refused(sqlite_api, kind):
    answer = sqlite_api.marketer.post(
        "/api/customers", content=b'{"first_name": "Ann"}', headers={"Content-Type": kind}
    )
    assert answer.status_code == 415


def test_json_may_be_called_by_its_longer_names(sqlite_api):
    for kind in ("application/json; charset=utf-8", "application/merge-patch+json"):
        headers = {"Content-Type": kind, "If-Match": "*"}
        answer = sqlite_api.marketer.patch("/api/customers/1", content=b'{"city": "Bonn"}', headers=headers)
        assert answer.status_code == 200


def test_a_body_has_an_end(sqlite_api):
    client, megabyte = sqlite_api.marketer, b" " * 1024 * 1024
    json_body = {"Content-Type": "application/json"}
    # Said to be too long, too long without saying so, and long enough to be a batch.
    said = client.post("/api/customers", content=b"{}", headers=json_body | {"Content-Length": str(10**9)})
    unsaid = client.post("/api/customers", parts=[megabyte, b'{"first_name": "Ann"}'], headers=json_body)
    allowed = client.post("/api/events", parts=[megabyte, b'{"rows": []}'], headers=json_body)
    too_many = client.post("/api/events", parts=[megabyte] * 11, headers=json_body)
    assert [said.status_code, unsaid.status_code, allowed.status_code, too_many.status_code] == [
        413,
        413,
        422,
        413,
    ]
    assert "1 MB" in said.json()["detail"]
    assert "10 MB" in too_many.json()["detail"]


def test_a_database_that_somebody_holds_is_told_with_when_to_come_again(sqlite_api, monkeypatch):
    monkeypatch.setattr(engine, "BUSY_MS", 50)
    impatient = connect(str(sqlite_api.database.engine.url))
    try:
        client = serve(impatient, sqlite_api.secrets).marketer
        with sqlite_api.database.writing() as session:
            session.execute(text("UPDATE workspace SET name = name"))
            answer = client.post("/api/customers", json={"first_name": "Ann"})
            # Who only reads does not wait.
            assert client.get("/api/customers").status_code == 200
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert "Nothing of yours was changed" in answer.json()["detail"]
        assert client.post("/api/customers", json={"first_name": "Ann"}).status_code == 201
    finally:
        impatient.close()


def test_a_database_that_is_away_is_told_without_its_address(tmp_path, caplog):
    (tmp_path / "ma.db").write_bytes(b"this is no database, but quite long enough to be one" * 100)
    broken = connect(f"sqlite:///{tmp_path / 'ma.db'}")
    answer = Client(serve(broken, {}).app).get("/api/health")
    broken.close()
    assert answer.status_code == 503
    assert answer.json()["type"] == "/api/docs#not-ready"
    assert str(tmp_path) not in answer.text + caplog.text


def test_answers_are_not_kept_by_anybody(sqlite_api):
    client = sqlite_api.marketer
    for address in ("customers", "customers/1", "auth/me", "segments/9", "analytics/overview", "health"):
        kept = client.get(f"/api/{address}").headers.get("cache-control")
        assert kept == "no-store", address


def test_the_api_leaves_the_screens_threads_of_their_own(sqlite_api, monkeypatch):
    at_work, most, lock, go_on = 0, 0, threading.Lock(), threading.Event()

    def slow(session, *_given, **_named):
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        go_on.wait(0.3)
        with lock:
            at_work -= 1
        raise KeyError

    monkeypatch.setattr(segments.analytics, "segment", slow)
    app = create_app(lambda: sqlite_api.database)
    headers = {"authorization": f"Bearer {sqlite_api.secrets['viewer']}"}
    with ThreadPoolExecutor(2 * AT_ONCE) as pool:
        asked = [pool.submit(Client(app, headers).get, "/segments/1") for _ in range(2 * AT_ONCE)]
        assert {one.result().status_code for one in asked} == {500}
    assert most <= AT_ONCE


def test_a_short_answer_does_not_wait_for_long_ones(sqlite_api, monkeypatch):
    go_on, at_work = threading.Event(), threading.Semaphore(0)

    def slow(*_given, **_named):
        at_work.release()
        go_on.wait(60)
        raise KeyError

    monkeypatch.setattr(tables, "registered", slow)
    app = create_app(lambda: sqlite_api.database)
    client = Client(app, {"authorization": f"Bearer {sqlite_api.secrets['viewer']}"})
    with ThreadPoolExecutor(2 * AT_ONCE) as pool:
        asked = [pool.submit(client.get, "/analytics/overview") for _ in range(2 * AT_ONCE)]
        try:
            assert all(at_work.acquire(timeout=60) for _ in range(AT_ONCE))
            assert client.get("/segments/1").status_code == 200
            assert client.get("/health").status_code == 200
        finally:
            go_on.set()
        assert {one.result().status_code for one in asked} == {500}

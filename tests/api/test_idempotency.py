"""Requests that count once, however often and by however many they are sent."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from ma import clock
from ma.models import Audit, Customer, IdempotencyKey, Outcome
from ma.services import customers as services
from tests.api.client import HOST

KEY = {"Idempotency-Key": "6f2c"}
ANN = {"first_name": "Ann", "email": "ann@example.org"}
DRAFT = {"name": "Spring", "channel": "sms", "segment_id": 1, "body": "Come in."}


def count(api, model):
    with api.database.reading() as session:
        return session.scalar(select(func.count()).select_from(model))


def age(api, **by):
    with api.database.writing() as session:
        for row in session.scalars(select(IdempotencyKey)):
            row.created_at -= timedelta(**by)


def test_the_same_request_gets_the_stored_answer_and_does_nothing(api):
    first = api.marketer.post("/api/customers", json=ANN, headers=KEY)
    again = api.marketer.post("/api/customers", json=ANN, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    for header in ("location", "etag"):
        assert first.headers[header] == again.headers[header]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert count(api, Customer) == 41


@pytest.mark.parametrize(
    ("path", "body"),
    [("/api/customers", {"first_name": "Bea"}), ("/api/customers?x=1", ANN), ("/api/segments", ANN)],
)
def test_another_request_with_the_key_is_refused(api, path, body):
    api.marketer.post("/api/customers", json=ANN, headers=KEY)
    answer = api.marketer.post(path, json=body, headers=KEY)
    assert answer.status_code == 409
    assert "another request" in answer.json()["detail"]
    assert count(api, Customer) == 41


def test_keys_of_different_people_are_different(api):
    assert api.marketer.post("/api/customers", json={"first_name": "Ann"}, headers=KEY).status_code == 201
    answer = api.client("admin").post("/api/customers", json={"first_name": "Bea"}, headers=KEY)
    assert answer.status_code == 201
    assert count(api, Customer) == 42


def test_a_request_that_was_refused_leaves_its_key_free(api):
    wrong = api.marketer.post("/api/customers", json={"email": "no address"}, headers=KEY)
    assert wrong.status_code == 422
    assert api.marketer.post("/api/customers", json=ANN, headers=KEY).status_code == 201
    assert count(api, IdempotencyKey) == 1


def test_a_request_that_broke_off_leaves_nothing_and_its_key_free(api, monkeypatch):
    def broken(*_given, **_named):
        raise RuntimeError("killed here")

    monkeypatch.setattr(services.outbox, "record", broken)
    assert api.marketer.post("/api/customers", json=ANN, headers=KEY).status_code == 500
    assert (count(api, Customer), count(api, IdempotencyKey)) == (40, 0)
    monkeypatch.undo()
    assert api.marketer.post("/api/customers", json=ANN, headers=KEY).status_code == 201


def test_eight_at_once_launch_once_and_are_all_told_so(api):
    campaign = api.marketer.post("/api/campaigns", json=DRAFT).headers["location"]

    def launch(_):
        return api.client("marketer").post(f"{campaign}/launch", headers=KEY)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(launch, range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8, [answer.text for answer in answers]
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert count(api, Outcome) == 40
    with api.database.reading() as session:
        assert len(session.scalars(select(Audit).where(Audit.action == "launch")).all()) == 1


def test_without_a_key_the_second_launch_is_told_why_not(api):
    campaign = api.marketer.post("/api/campaigns", json=DRAFT).headers["location"]
    assert api.marketer.post(f"{campaign}/launch").status_code == 200
    answer = api.marketer.post(f"{campaign}/launch")
    assert answer.status_code == 409
    assert "You can pause it" in answer.json()["detail"]


def test_a_key_is_forgotten_after_a_day(api):
    api.marketer.post("/api/customers", json=ANN, headers=KEY)
    age(api, hours=23)
    assert "idempotency-replayed" in api.marketer.post("/api/customers", json=ANN, headers=KEY).headers
    age(api, hours=1)
    again = api.marketer.post("/api/customers", json={"first_name": "Bea"}, headers=KEY)
    assert again.status_code == 201
    with api.database.reading() as session:
        [row] = session.scalars(select(IdempotencyKey)).all()
    assert clock.now() - row.created_at < timedelta(minutes=1)


def test_stored_answers_hold_nothing_personal(api):
    api.marketer.post("/api/customers", json=ANN, headers=KEY)
    rows = {"rows": [{"email": "p1@example.com", "event_key": "e1", "at": "2026-03-01T10:00:00Z"}]}
    api.marketer.post("/api/events", json=rows, headers={"Idempotency-Key": "2"})
    with api.database.reading() as session:
        kept = str([row.__dict__ for row in session.scalars(select(IdempotencyKey))])
    assert "customer_id" in kept
    assert "received" in kept
    assert "ann" not in kept.lower()
    assert "example" not in kept


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "é", "a\tb"])
def test_an_unusable_key_is_refused(sqlite_api, key):
    headers = {"Idempotency-Key": key.encode("latin-1")}
    answer = sqlite_api.marketer.post("/api/customers", json=ANN, headers=headers)
    assert answer.status_code == 422
    assert list(answer.json()["problems"]) == ["Idempotency-Key"]


def test_signing_in_is_never_kept(sqlite_api):
    credentials = {"username": "marketer", "password": "green tea at four"}
    for _ in range(2):
        answer = sqlite_api.client().post("/api/auth/login", json=credentials, headers=KEY | {"Origin": HOST})
        assert "set-cookie" in answer.headers
    assert count(sqlite_api, IdempotencyKey) == 0


def test_every_post_keeps_its_answer(api):
    client, soon = api.marketer, (clock.now() + timedelta(days=2)).isoformat()
    rule = {"field": "orders", "operator": "gte", "value": 1}
    person = {"email": "p1@example.com", "at": "2026-03-01T10:00:00Z"}
    first, second = "/api/campaigns/1", "/api/campaigns/2"
    asked = (
        ("/api/customers", ANN),
        ("/api/segments", {"name": "New", "rule": rule}),
        ("/api/segments", {"name": "List", "static": True}),
        ("/api/segments/1/refresh", None),
        ("/api/campaigns", DRAFT | {"waves": 2}),
        ("/api/campaigns", DRAFT | {"name": "Summer"}),
        (f"{first}/schedule", {"scheduled_at": soon}),
        (f"{first}/unschedule", None),
        (f"{first}/launch", None),
        (f"{first}/pause", None),
        (f"{first}/resume", None),
        (f"{first}/complete", None),
        (f"{second}/cancel", None),
        ("/api/outcomes", {"campaign": "Real", "channel": "email", "rows": [person | {"step": "sent"}]}),
        ("/api/events", {"rows": [person | {"event_key": "1"}]}),
    )
    for number, (address, body) in enumerate(asked):
        key = {"Idempotency-Key": str(number)}
        one, two = (client.post(address, json=body, headers=key) for _ in range(2))
        assert one.status_code in (200, 201, 202), one.text
        assert (two.status_code, two.content) == (one.status_code, one.content)
        assert "idempotency-replayed" in two.headers
    # All that take a key were asked.
    document = client.get("/api/openapi.json").json()
    taking = {
        path
        for path, methods in document["paths"].items()
        if "Idempotency-Key" in str(methods.get("post", {}).get("parameters", ""))
    }
    told = {re.sub(r"/api(/\w+)/\d", r"\1/{id}", address).removeprefix("/api") for address, _ in asked}
    assert {re.sub(r"{\w+}", "{id}", path) for path in taking} == told

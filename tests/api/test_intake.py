"""Outcomes and events that other systems send: all that is right, once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from ma.models import Audit, BehaviourEvent, Campaign, Customer, ImportRun, OutboxEvent, Outcome
from ma.services import imports
from ma.types import SYSTEM
from tests.services.campaign_world import NOW

SENT, CONVERTED = "2026-03-01T08:00:00Z", "2026-03-01T20:15:00.250000+01:00"


def outcome(email, step="sent", at=SENT, **more):
    return {"email": email, "step": step, "at": at} | more


def batch(*rows, **more):
    return {"campaign": "Letter", "channel": "email", "rows": list(rows)} | more


def event(number, email="p1@example.com", **more):
    return {"event_key": f"e{number}", "email": email, "at": SENT} | more


def count(api, model):
    with api.database.reading() as session:
        return session.scalar(select(func.count()).select_from(model))


def test_outcomes_come_in_with_their_campaign(api):
    answer = api.marketer.post(
        "/api/outcomes",
        json=batch(
            outcome("p1@example.com"),
            outcome("P1@Example.com", "converted", CONVERTED, revenue_minor=4990),
            outcome("p2@example.com"),
        ),
    )
    assert answer.status_code == 202
    told = answer.json()
    assert (told["received"], told["new"], told["rejected"]) == (3, 3, 0)
    with api.database.reading() as session:
        first, second = session.scalars(select(Outcome).order_by(Outcome.customer_id)).all()
        campaign = session.scalars(select(Campaign)).one()
        run = session.get(ImportRun, told["import_id"])
        audit = session.scalars(select(Audit).where(Audit.action == "import", Audit.noun == "outcomes")).one()
        events = session.scalars(select(OutboxEvent.type)).all()
    assert (campaign.name, campaign.channel, campaign.source) == ("Letter", "email", "imported")
    assert first.sent_at.isoformat() == "2026-03-01T08:00:00+00:00"
    assert first.converted_at.isoformat() == "2026-03-01T19:15:00.250000+00:00"
    assert (first.revenue_minor, second.revenue_minor) == (4990, 0)
    assert (run.kind, run.actor, audit.actor) == ("outcomes", "marketer", "marketer")
    assert {"CampaignImported", "ImportApplied"} <= set(events)


def test_a_batch_that_comes_twice_changes_nothing(api):
    body = batch(outcome("p1@example.com"), outcome("p1@example.com", "clicked", CONVERTED))
    first, again = (api.marketer.post("/api/outcomes", json=body).json() for _ in range(2))
    assert (first["new"], again["new"], again["changed"], again["unchanged"]) == (2, 0, 0, 2)
    assert again["import_id"] is None
    rows = {"rows": [event(1), event(2, "p2@example.com")]}
    first, again = (api.marketer.post("/api/events", json=rows).json() for _ in range(2))
    assert (first["new"], again["new"], again["unchanged"]) == (2, 0, 2)
    assert (count(api, Outcome), count(api, BehaviourEvent), count(api, ImportRun)) == (1, 2, 2)


def test_a_later_step_is_added_to_what_is_here(api):
    api.marketer.post("/api/outcomes", json=batch(outcome("p1@example.com")))
    told = api.marketer.post(
        "/api/outcomes", json=batch(outcome("p1@example.com", "opened", CONVERTED))
    ).json()
    assert (told["new"], told["changed"]) == (0, 1)
    with api.database.reading() as session:
        assert session.scalars(select(Outcome)).one().opened_at is not None


def test_what_is_wrong_is_told_by_row_and_the_rest_comes_in(api):
    told = api.marketer.post(
        "/api/outcomes",
        json=batch(
            outcome("p1@example.com"),
            outcome("nobody@example.com"),
            outcome("p2@example.com", at="2099-01-01T00:00:00Z"),
            outcome("p3@example.com", "opened", revenue_minor=5),
        ),
    ).json()
    assert (told["received"], told["new"], told["rejected"]) == (4, 1, 3)
    assert [(one["row"], one["field"]) for one in told["problems"]] == [
        (2, "email"),
        (3, "at"),
        (4, "revenue"),
    ]
    assert "No customer has this" in told["problems"][0]["problem"]
    assert "nobody" not in str(told)
    assert count(api, Outcome) == 1


def test_unknown_people_become_customers_only_where_that_is_said(api):
    rows = [event(1, "new@example.org")]
    told = api.marketer.post("/api/events", json={"rows": rows}).json()
    assert (told["rejected"], count(api, Customer)) == (1, 40)
    told = api.marketer.post("/api/events", json={"rows": rows, "create_missing": True}).json()
    assert (told["new"], count(api, Customer)) == (1, 41)
    with api.database.reading() as session:
        added = session.scalar(select(Customer).where(Customer.email == "new@example.org"))
    assert (added.consent_email, added.consent_sms) == (False, False)


def test_four_senders_of_one_batch_add_it_once(api):
    rows = {"rows": [event(number, f"p{number}@example.com") for number in range(1, 6)]}

    def send(_):
        return api.client("marketer").post("/api/events", json=rows)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(4)))
    assert [answer.status_code for answer in answers] == [202] * 4, [answer.text for answer in answers]
    assert sum(answer.json()["new"] for answer in answers) == 5
    assert count(api, BehaviourEvent) == 5


def test_a_key_gives_the_first_answer_without_planning_again(api, monkeypatch):
    key, body = {"Idempotency-Key": "b1"}, {"rows": [event(1)]}
    first = api.marketer.post("/api/events", json=body, headers=key)
    monkeypatch.setattr(imports, "plan", None)
    again = api.marketer.post("/api/events", json=body, headers=key)
    assert (again.status_code, again.content) == (202, first.content)
    assert again.json()["new"] == 1


def test_a_batch_is_undone_like_any_import(api):
    told = api.marketer.post("/api/outcomes", json=batch(outcome("p1@example.com"))).json()
    with api.database.writing() as session:
        imports.undo(session, SYSTEM, told["import_id"], at=NOW)
    assert (count(api, Outcome), count(api, Campaign)) == (0, 0)


def test_a_simulated_campaign_takes_no_real_outcomes(api):
    draft = {"name": "Letter", "channel": "email", "segment_id": 1, "subject": "S", "body": "B"}
    assert api.marketer.post("/api/campaigns", json=draft).status_code == 201
    told = api.marketer.post("/api/outcomes", json=batch(outcome("p1@example.com"))).json()
    assert (told["new"], told["rejected"]) == (0, 1)
    assert "simulated" in told["problems"][0]["problem"]


def test_amounts_are_exact(api):
    amounts = (0, 1, 99, 100, 12_345_678_901)
    rows = []
    for number, minor in enumerate(amounts, 1):
        person = f"p{number}@example.com"
        rows += [outcome(person), outcome(person, "converted", CONVERTED, revenue_minor=minor)]
    answer = api.marketer.post("/api/outcomes", json=batch(*rows))
    assert answer.json()["rejected"] == 0, answer.text
    with api.database.reading() as session:
        assert session.scalars(select(Outcome.revenue_minor).order_by(Outcome.customer_id)).all() == [
            *amounts
        ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"rows": []}, "rows"),
        (batch(outcome("a@b.de", "opened it")), "rows.0.step"),
        (batch(outcome("a@b.de", at="yesterday")), "rows.0.at"),
        (batch(outcome("a@b.de", at="2026-03-01T08:00:00")), "rows.0.at"),
        (batch(outcome("a@b.de", at=1_772_000_000)), "rows.0.at"),
        (batch(outcome("a@b.de", "converted", revenue_minor=-1)), "rows.0.revenue_minor"),
        (batch(outcome("a@b.de", colour="red")), "rows.0.colour"),
        (batch(outcome("a@b.de"), channel="fax"), "channel"),
        (batch(outcome("a@b.de"), window_days=0), "window_days"),
        (batch(*[outcome("a@b.de")] * 10_001), "rows"),
        ({"rows": [outcome("a@b.de")]}, "campaign"),
    ],
)
def test_what_is_no_batch_is_refused_whole(sqlite_api, body, field):
    answer = sqlite_api.marketer.post("/api/outcomes", json=body)
    assert answer.status_code == 422
    assert list(answer.json()["problems"]) == [field]
    assert count(sqlite_api, ImportRun) == 0

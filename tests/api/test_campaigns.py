"""Segments and campaigns over the API, from a rule to what a launch brought."""

import json
from datetime import timedelta
from io import BytesIO

import pandas as pd
import pytest
from sqlalchemy import select

from ma import clock
from ma.analytics.frames import frame
from ma.analytics.workspace import workspace
from ma.api.answers import to_json
from ma.api.tables import records
from ma.models import Campaign, Segment, SegmentMember
from tests.api.test_customers import pages

ENGAGED = {"field": "engagement", "operator": "gte", "value": 31}
DRAFT = {"name": "Spring", "channel": "sms", "segment_id": 1, "body": "Come in."}
ANY = {"If-Match": "*"}


def post(client, address, body=None, status=200):
    answer = client.post(address, json=body) if body is not None else client.post(address)
    assert answer.status_code == status, answer.text
    return answer.json()


# Segments


def test_a_segment_is_looked_at_saved_refreshed_and_read(api):
    client = api.marketer
    looked = post(client, "/api/segments/preview", {"rule": ENGAGED})
    assert (looked["people"], looked["everybody"], looked["unsure"]) == (10, 40, 0)
    assert "engagement" in looked["english"]
    assert (looked["unknown"], looked["in_anyway"], looked["unknown_of_those_in"]) == ([], 0, [])
    assert all(one["engagement"] >= 31 for one in looked["sample"])
    rich = {"field": "income_band", "operator": "eq", "value": "100K+"}
    lacking = [{"fact": "income band", "people": 40}]
    looked = post(client, "/api/segments/preview", {"rule": rich})
    assert (looked["unsure"], looked["unknown"], looked["in_anyway"]) == (40, lacking, 0)
    looked = post(client, "/api/segments/preview", {"rule": {"not": rich}})
    assert (looked["unsure"], looked["in_anyway"], looked["unknown_of_those_in"]) == (0, 40, lacking)
    made = post(client, "/api/segments", {"name": "Engaged", "rule": ENGAGED}, 201)
    place = f"/api/segments/{made['segment_id']}"
    assert client.get(f"{place}/members").json()["rows"] == []
    refreshed = post(client, f"{place}/refresh")
    assert (refreshed["size"], refreshed["entered"], refreshed["left"]) == (10, 10, 0)
    rows, answers = pages(client, f"{place}/members?limit=4")
    assert ([row["customer_id"] for row in rows], answers) == (list(range(31, 41)), 3)
    read = client.get(place)
    assert (read.json()["size"], read.json()["rule"], read.json()["stale"]) == (10, ENGAGED, False)
    assert client.get(place, headers={"If-None-Match": read.headers["etag"]}).status_code == 304


def test_a_segment_is_changed_by_who_saw_it(api):
    client = api.marketer
    tag = client.get("/api/segments/1").headers["etag"]
    changed = client.patch("/api/segments/1", json={"rule": ENGAGED}, headers={"If-Match": tag})
    assert (changed.status_code, changed.json()["version"], changed.json()["stale"]) == (200, 2, True)
    assert client.patch("/api/segments/1", json={"name": "X"}, headers={"If-Match": tag}).status_code == 412
    assert client.patch("/api/segments/1", json={"name": "X"}).status_code == 428
    assert client.delete("/api/segments/1", headers={"If-Match": tag}).status_code == 412
    assert client.delete("/api/segments/1", headers=ANY).status_code == 204
    assert client.get("/api/segments/1").status_code == 404


@pytest.mark.parametrize("field", ["name", "description", "rule"])
def test_null_is_no_change_of_a_segment(api, field):
    body = {"name": "New", field: None}
    answer = api.marketer.patch("/api/segments/1", json=body, headers=ANY)
    assert answer.status_code == 422
    words = f"'{field}' cannot be null. Give it a value, or leave it out."
    assert answer.json()["problems"] == {field: words}
    assert api.marketer.get("/api/segments/1").json()["version"] == 1


def test_a_wrong_rule_says_where_and_what_to_do(api):
    rule = {"all": [{"field": "agee", "operator": "gt", "value": 3}]}
    for address, body in (
        ("/api/segments/preview", {"rule": rule}),
        ("/api/segments", {"name": "X", "rule": rule}),
    ):
        answer = api.marketer.post(address, json=body)
        assert answer.status_code == 422
        assert "all[0]" in answer.json()["problems"]["rule"]
        assert "agee" in answer.json()["detail"]
    assert answer.json()["type"].startswith("/api/docs#invalid")


def test_a_list_kept_by_hand_has_no_rule(api):
    client = api.marketer
    made = post(client, "/api/segments", {"name": "VIP", "static": True}, 201)
    assert client.get(f"/api/segments/{made['segment_id']}").json()["english"] == "Static list"
    for body in ({"name": "A", "static": True, "rule": ENGAGED}, {"name": "A"}):
        assert list(client.post("/api/segments", json=body).json()["problems"]) == ["rule"]


def test_a_refresh_that_fails_keeps_why(api):
    client = api.marketer
    inner = post(client, "/api/segments", {"name": "Inner", "static": True}, 201)["segment_id"]
    outer = post(client, "/api/segments", {"name": "Outer", "rule": {"in_segment": inner}}, 201)["segment_id"]
    with api.database.writing() as session:
        session.get(Segment, outer).rule = {"in_segment": 99}
    answer = client.post(f"/api/segments/{outer}/refresh", headers={"Idempotency-Key": "r"})
    assert answer.status_code == 422
    assert "99" in client.get(f"/api/segments/{outer}").json()["refresh_error"]


def test_segments_that_are_used_stay(api):
    post(api.marketer, "/api/campaigns", DRAFT, 201)
    answer = api.marketer.delete("/api/segments/1", headers=ANY)
    assert answer.status_code == 409
    assert "Spring" in answer.json()["detail"]


# Campaigns


def test_a_campaign_from_draft_to_its_end(api):
    client = api.marketer
    made = post(
        client, "/api/campaigns", DRAFT | {"waves": 3, "holdout_share": 0.2, "fixed_cost_minor": 100}, 201
    )
    place = f"/api/campaigns/{made['campaign_id']}"
    launched = post(client, f"{place}/launch")
    assert launched["sent"] + launched["holdout"] + launched["planned"] == 40
    assert [post(client, f"{place}/{step}")["status"] for step in ("pause", "resume", "complete")] == [
        "paused",
        "running",
        "completed",
    ]
    read = client.get(place).json()
    assert (read["status"], read["waves_sent"]) == ("completed", 1)
    assert read["eligibility"][-1] == {"step": "sent", "people": launched["sent"]}
    assert client.post(f"{place}/pause").status_code == 409
    with api.database.reading() as session:
        assert session.scalars(select(SegmentMember.customer_id)).all()


def test_a_draft_is_changed_by_who_saw_it_and_archived(api):
    client = api.marketer
    place = f"/api/campaigns/{post(client, '/api/campaigns', DRAFT, 201)['campaign_id']}"
    tag = client.get(place).headers["etag"]
    body = {"body": "Come in, {{ first_name }}.", "variants": [{"share": 0.5, "body": "Or not."}]}
    changed = client.patch(place, json=body, headers={"If-Match": tag})
    assert changed.status_code == 200, changed.text
    assert changed.json()["variants"][0]["name"] == "B"
    assert changed.json()["name"] == "Spring"
    assert client.patch(place, json={"waves": 2}, headers={"If-Match": tag}).status_code == 412
    assert client.patch(place, json={"waves": 2}).status_code == 428
    assert client.delete(place, headers=ANY).status_code == 204
    assert client.get(place).json()["archived_at"]
    assert client.get("/api/campaigns?archived=false").json()["rows"] == []


def test_a_draft_is_scheduled_and_taken_back(api):
    client = api.marketer
    place = f"/api/campaigns/{post(client, '/api/campaigns', DRAFT, 201)['campaign_id']}"
    for wrong in (
        "2020-01-01T00:00:00Z",
        "2999-01-01T00:00:00Z",
        "2027-01-01T00:00:00",
        "soon",
        "2027-02-30T00:00:00Z",
    ):
        answer = client.post(f"{place}/schedule", json={"scheduled_at": wrong})
        assert list(answer.json()["problems"]) == ["scheduled_at"]
    soon = (clock.now() + timedelta(days=2)).isoformat()
    assert post(client, f"{place}/schedule", {"scheduled_at": soon})["status"] == "scheduled"
    assert client.patch(place, json={"waves": 2}, headers=ANY).status_code == 409
    assert post(client, f"{place}/unschedule")["status"] == "draft"
    assert post(client, f"{place}/cancel")["status"] == "cancelled"


def test_a_launch_that_would_reach_nobody_says_where_they_were_lost(api):
    client = api.marketer
    empty = {"name": "Nobody", "rule": {"field": "orders", "operator": "gte", "value": 99}}
    segment_id = post(client, "/api/segments", empty, 201)["segment_id"]
    campaign = post(client, "/api/campaigns", DRAFT | {"segment_id": segment_id}, 201)["campaign_id"]
    answer = client.post(f"/api/campaigns/{campaign}/launch")
    assert answer.status_code == 409
    assert answer.json()["step"] == "audience"
    with api.database.reading() as session:
        assert session.get(Campaign, campaign).status == "draft"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": ""}, "name"),
        ({"segment_id": 99}, "segment_id"),
        ({"segment_id": 2**63}, "segment_id"),
        ({"holdout_share": 0.9}, "holdout_share"),
        ({"channel": "fax"}, "channel"),
        ({"budget_minor": 10}, "budget_minor"),
        ({"colour": "red"}, "colour"),
        ({"variants": [{"share": 2.0, "body": "x"}]}, "variants.0.share"),
        ({"excluded": list(range(1, 1_200))}, "excluded"),
    ],
)
def test_what_a_campaign_cannot_be_is_told_by_field(sqlite_api, changed, field):
    answer = sqlite_api.marketer.post("/api/campaigns", json=DRAFT | changed)
    assert answer.status_code == 422
    assert list(answer.json()["problems"]) == [field]


def test_campaigns_are_listed_in_pages_the_latest_first(api):
    client = api.marketer
    for name in ("A", "B", "C", "D", "E"):
        post(client, "/api/campaigns", DRAFT | {"name": name}, 201)
    rows, answers = pages(client, "/api/campaigns?limit=2&status=draft&channel=sms")
    assert ([row["name"] for row in rows], answers) == (["E", "D", "C", "B", "A"], 3)
    assert client.get("/api/campaigns?status=flying").status_code == 422


def test_lists_are_the_frames_of_the_screens_in_every_format(api):
    client, headers = api.client("analyst"), {"Accept": "text/csv"}
    ids = [post(api.marketer, "/api/campaigns", DRAFT | {"name": name}, 201)["campaign_id"] for name in "AB"]
    post(api.marketer, f"/api/campaigns/{ids[0]}/launch")
    post(api.marketer, "/api/segments", {"name": "By hand", "static": True}, 201)
    for name, key, falling in (("campaigns", "campaign_id", True), ("segments", "segment_id", False)):
        with api.database.reading() as session:
            whole = frame(session, name, as_of=workspace(session).now(), params={})
        whole = whole.sort_values(key, ascending=not falling)
        expected = json.loads(to_json(records(whole)))
        rows, _ = pages(client, f"/api/{name}?limit=1")
        assert rows == expected
        assert len(rows) >= 2
        lines = client.get(f"/api/{name}?limit=1", headers=headers).text.splitlines()
        assert lines[0].lstrip("\ufeff").split(",") == list(whole.columns)
        assert lines[1].split(",")[0] == str(expected[0][key])
        assert len(lines) == 2
    sent = {row["campaign_id"]: row["sent"] for row in pages(client, "/api/campaigns")[0]}
    assert sent[ids[0]] > 0 == sent[ids[1]]


# Figures


def test_the_segment_of_a_campaign_is_a_whole_number_where_another_has_none(api):
    client = api.client("analyst")
    post(api.marketer, "/api/campaigns", DRAFT, 201)
    imported = post(api.marketer, "/api/campaigns", DRAFT | {"name": "Imported"}, 201)["campaign_id"]
    with api.database.writing() as session:
        session.get(Campaign, imported).segment_id = None
    answer = client.get("/api/tables/campaigns", headers={"Accept": "text/csv"})
    told = pd.read_csv(BytesIO(answer.content), dtype=str).set_index("name")["segment_id"]
    assert told["Spring"] == "1"
    assert pd.isna(told["Imported"])
    rows = client.get("/api/tables/campaigns").json()["rows"]
    assert {row["name"]: row["segment_id"] for row in rows} == {"Spring": 1, "Imported": None}


def test_figures_are_the_frames_of_the_screens(api):
    client = api.marketer
    campaign = post(client, "/api/campaigns", DRAFT | {"holdout_share": 0.5}, 201)["campaign_id"]
    forecast = client.get(f"/api/campaigns/{campaign}/forecast").json()["rows"]
    assert {"p10", "p50", "p90"} <= set(forecast[0])
    post(client, f"/api/campaigns/{campaign}/launch")
    assert client.get(f"/api/campaigns/{campaign}/forecast").status_code == 404
    month = {"start": "2026-01-01", "end": "2026-02-01"}
    for address, name, params in (
        ("overview?start=2026-01-01&end=2026-02-01", "kpis", month),
        ("trend?start=2026-01-01&end=2026-02-01&by=week", "trend", month | {"by": "week"}),
        ("cohorts", "cohorts", {}),
        ("attribution?start=2026-01-01&end=2026-02-01", "attribution", month),
    ):
        told = client.get(f"/api/analytics/{address}").json()["rows"]
        with api.database.reading() as session:
            expected = records(frame(session, name, as_of=workspace(session).now(), params=params))
        assert told == json.loads(to_json(expected))
    [test] = client.get("/api/analytics/experiments").json()["rows"]
    assert (test["campaign_id"], test["kind"]) == (campaign, "holdout")
    for name in ("roi", "funnel", "segments"):
        assert client.get(f"/api/analytics/{name}").json()["rows"], name
    one = client.get(f"/api/analytics/roi?campaign_ids={campaign}&campaign_ids=99").json()["rows"]
    assert [row["campaign_id"] for row in one] == [campaign]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("overview?start=2026-02-02&end=2026-01-01", None),
        ("overview?start=2026-13-01", "start"),
        ("overview?start=1899-12-31", "start"),
        ("roi?campaign_ids=x", "campaign_ids.0"),
        ("roi?campagne_ids=1", "campagne_ids"),
        ("attribution?level=planet", "level"),
        ("attribution?models=magic", "models"),
        ("cohorts?field=agee&value=1", "field"),
        ("cohorts?segment_id=99", None),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(sqlite_api, query, field):
    answer = sqlite_api.marketer.get(f"/api/analytics/{query}")
    assert answer.status_code in (404, 422)
    if field:
        assert list(answer.json()["problems"]) == [field]


def test_figures_come_as_csv_for_those_who_may_export(api):
    csv = {"Accept": "text/csv"}
    assert api.client("viewer").get("/api/analytics/overview", headers=csv).status_code == 403
    answer = api.client("analyst").get("/api/analytics/overview", headers=csv)
    assert answer.text.lstrip("\ufeff").startswith("kpi,label,unit,value,previous,change,base")

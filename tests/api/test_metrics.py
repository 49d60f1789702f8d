"""Figures for a monitoring system: they are Prometheus' text format, and what they say is so."""

import re
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert

from ma import clock
from ma.events.relay import relay_once
from ma.models import SalesDeadLetter
from ma.services.campaigns import create_campaign, schedule_campaign
from ma.subscribers.loop import InProcess
from ma.types import SYSTEM
from tests.services.campaign_world import NOW
from tests.subscribers.bus_world import AT, bought, record

LINE = re.compile(r'([a-z_][a-z0-9_]*)(?:{((?:[a-z_]+="[^"\\\n]*",?)*)})? (\+Inf|-?[0-9.e+-]+)')


def read(text):
    """Every sample: (name, labels) -> value. Each belongs to the metric that was named before it."""
    assert text.endswith("\n")
    samples, named, kinds = {}, None, {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            named = line.split()[2]
            assert named not in kinds
        elif line.startswith("# TYPE "):
            assert line.split()[2] == named
            kinds[named] = line.split()[3]
            assert kinds[named] in ("gauge", "counter", "histogram")
        else:
            name, labels, value = LINE.fullmatch(line).groups()
            assert name in (named, f"{named}_bucket", f"{named}_sum", f"{named}_count")
            key = (name, *re.findall(r'"([^"]*)"', labels or ""))
            assert key not in samples
            samples[key] = float(value)
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in kinds.items())
    return samples


def metrics(api):
    answer = api.client("viewer").get("/api/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return read(answer.text)


def test_what_waits_and_who_is_behind_and_what_was_given_up(api):
    waiting = metrics(api)["ma_events_waiting", "ma"]
    record(api.database, bought(1), bought(2))
    found = metrics(api)
    assert found["ma_events_waiting", "ma"] == waiting + 2
    assert found["ma_subscriber_behind", "sales"] == 2
    assert found["ma_subscriber_parked", "sales"] == 0
    while relay_once(api.database, InProcess(api.database), at=AT):
        pass
    letter = {
        "event_id": "e", "source": "ma", "type": "X", "version": 1, "occurred_at": AT, "payload": {},
        "attempts": 5, "failed_at": AT, "retry_at": None, "error": "x",
    }  # fmt: skip
    with api.database.writing() as session:
        session.execute(insert(SalesDeadLetter).values(**letter))
    found = metrics(api)
    assert found["ma_events_waiting", "ma"] == found["ma_subscriber_behind", "sales"] == 0
    assert found["ma_subscriber_parked", "sales"] == 1
    assert found["ma_subscriber_per_minute", "sales"] > 0
    assert found["ma_info", max(key[1] for key in found if key[0] == "ma_info")] == 1


def test_what_is_due_and_not_done(sqlite_api):
    assert metrics(sqlite_api)["ma_scheduled_overdue",] == 0
    with sqlite_api.database.writing() as session:
        made = create_campaign(session, SYSTEM, name="Late", channel="sms", segment_id=1, body="Hi", at=NOW)
        schedule_campaign(session, SYSTEM, made, scheduled_at=NOW + timedelta(minutes=1), at=NOW)
    assert clock.now() > NOW + timedelta(minutes=1)
    assert metrics(sqlite_api)["ma_scheduled_overdue",] == 1


def test_requests_are_counted_by_address_and_time(sqlite_api):
    before = metrics(sqlite_api)
    client = sqlite_api.client("viewer")
    for path in ("customers/1", "customers/2", "customers/999", "nowhere"):
        client.get(f"/api/{path}")
    sqlite_api.client().get("/api/customers/1")
    client.request("BREW", "/api/customers/1")
    found = metrics(sqlite_api)
    counted = {
        key[1:]: value - before.get(key, 0)
        for key, value in found.items()
        if key[0] == "ma_api_requests_total" and value != before.get(key, 0)
    }
    one = "/customers/{customer_id:id}"
    assert counted == {
        ("GET", one, "200"): 2,
        ("GET", one, "404"): 1,
        ("GET", one, "401"): 1,
        ("GET", "other", "404"): 1,
        ("other", one, "405"): 1,
        ("GET", "/metrics", "200"): 1,
    }
    buckets = [value for key, value in found.items() if key[0] == "ma_api_request_seconds_bucket"]
    assert buckets == sorted(buckets)
    assert buckets[-1] == found["ma_api_request_seconds_count",] == 7
    assert 0 < found["ma_api_request_seconds_sum",] < 60


def test_the_process_says_what_it_uses(sqlite_api):
    found = metrics(sqlite_api)
    assert 10e6 < found["process_resident_memory_bytes",] < 10e9
    assert found["process_cpu_seconds_total",] > 0
    assert found["process_start_time_seconds",] <= clock.now().timestamp()


def test_strangers_learn_nothing(sqlite_api):
    assert sqlite_api.client().get("/api/metrics").status_code == 401


def test_the_guide_for_teams_explains_every_metric(sqlite_api):
    guide = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`(?:ma|process)_[^|]*) \|", guide, re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    served = re.findall(r"^# TYPE (\w+)", sqlite_api.client("viewer").get("/api/metrics").text, re.MULTILINE)
    assert sorted(told) == sorted(served)

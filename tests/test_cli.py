"""The command line, run as people run it: figures, one JSON document, and errors with a remedy."""

import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest
import typer

import ma
from ma import clock
from ma.cli import app
from ma.db.engine import connect
from ma.services.campaigns import create_campaign
from ma.services.customers import create_customer
from ma.services.segments import create_segment
from ma.services.workspace import create_workspace
from ma.types import SYSTEM

RULE = {"all": [{"field": "consent_email", "operator": "eq", "value": True}]}


@pytest.fixture(scope="module")
def url(template_sqlite, tmp_path_factory):
    """A workspace with 40 customers (30 agree to e-mail), a segment of them and a draft campaign."""
    path = tmp_path_factory.mktemp("cli") / "ma.db"
    path.write_bytes(template_sqlite.read_bytes())
    url = f"sqlite:///{path}"
    database = connect(url)
    at = clock.now() - timedelta(hours=1)
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Shop", timezone="Europe/Berlin", currency="EUR", at=at)
        for number in range(40):
            create_customer(
                session,
                SYSTEM,
                at=at,
                first_name="Ada",
                last_name=f"Nr{number}",
                email=f"ada{number}@example.com",
                consent_email=number % 4 != 0,
            )
        segment_id = create_segment(session, SYSTEM, name="Agreed", description="", rule=RULE, at=at)
        create_campaign(
            session,
            SYSTEM,
            at=at,
            name="Hello",
            channel="email",
            segment_id=segment_id,
            subject="Hello",
            body="Hello",
            cost_per_thousand_minor=1000,
            fixed_cost_minor=0,
            waves=2,
        )
    database.close()
    return url


def run(url, *arguments, **environment):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MA_")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "ma", *arguments],
        env={**inherited, "MA_DATABASE_URL": url, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def document(url, *arguments, **environment):
    """What a command prints with --json: one document and nothing else."""
    result = run(url, *arguments, "--json", **environment)
    return json.loads(result.stdout)


def test_segment_count_reads_a_rule_from_a_file(url, tmp_path):
    (tmp_path / "rule.json").write_text(json.dumps(RULE))
    found = document(url, "segment", "count", str(tmp_path / "rule.json"))
    assert found["people"] == 30
    assert "e-mail consent" in found["english"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"all": []}', "empty"),
        ('{"all": [{"field": "agee", "operator": "gt", "value": 3}]}', "age"),
        ("not json", "JSON"),
        ('{"all": [], "all": []}', "twice"),
    ],
)
def test_segment_count_refuses_a_wrong_rule_with_a_remedy(url, tmp_path, text, words):
    (tmp_path / "rule.json").write_text(text)
    result = run(url, "segment", "count", str(tmp_path / "rule.json"))
    assert result.returncode == 1
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_segment_count_of_a_missing_file_says_so(url):
    refused = document(url, "segment", "count", "nowhere.json")
    assert refused["error"] == "FileProblem"


def test_campaign_goes_through_its_life_and_reports_agree(url):
    refreshed = document(url, "segment", "refresh")["rows"]
    assert [row["size"] for row in refreshed] == [30]
    launched = document(url, "campaign", "launch", "1")
    assert launched["status"] == "running"
    assert launched["waves_sent"] == 1
    again = run(url, "campaign", "launch", "1")
    assert again.returncode == 1
    assert "running" in again.stderr
    assert document(url, "campaign", "pause", "1")["status"] == "paused"
    assert document(url, "campaign", "resume", "1")["status"] == "running"
    sent = launched["eligibility"][-1]["people"]
    funnel = document(url, "report", "funnel", "1")["rows"]
    assert (funnel[0]["step"], funnel[0]["people"]) == ("sent", sent)
    roi = document(url, "report", "roi")["rows"]
    assert (roi[0]["name"], roi[0]["sent"], roi[0]["cost_minor"]) == ("Hello", sent, sent)
    kpis = {row["kpi"]: row for row in document(url, "report", "kpis", "--days", "7")["rows"]}
    assert kpis["reach"]["value"] == sent
    assert kpis["customers"]["value"] == 40
    assert document(url, "campaign", "complete", "1")["status"] == "completed"

    workbench = ma.connect(url)
    assert workbench.funnel(1)["people"].iloc[0] == sent
    assert workbench.roi()["sent"].iloc[0] == sent
    assert workbench.kpis(days=7).set_index("kpi").loc["reach", "value"] == sent
    assert len(workbench.customers("ada nr7")) == 1
    assert workbench.segments()["size"].tolist() == [30]


def test_relay_without_redis_says_what_to_set(url):
    result = run(url, "relay", "--once")
    assert result.returncode == 1
    assert "MA_REDIS_URL" in result.stderr


def test_relay_sends_every_event_to_redis(url, redis_server):
    assert document(url, "relay", "--once", MA_REDIS_URL=redis_server.url)["sent"] > 40
    assert document(url, "relay", "--once", MA_REDIS_URL=redis_server.url) == {"sent": 0}


def test_doctor_names_what_is_wrong(url, tmp_path):
    assert document(url, "doctor")["ok"] is True
    missing = f"sqlite:///{tmp_path / 'new.db'}"
    found = document(missing, "doctor", MA_REDIS_URL="redis://127.0.0.1:1/0")
    assert {c["name"]: c["ok"] for c in found["checks"]} == {
        "database": False,
        "event bus": False,
        "settings": True,
    }
    assert "python -m ma init" in found["checks"][0]["text"]


def test_init_creates_a_workspace_and_prints_its_password_once(tmp_path):
    url = f"sqlite:///{tmp_path / 'ma.db'}"
    first = document(url, "init")
    assert first["created"] is True
    assert len(first["admin"]["password"]) >= 16
    assert document(url, "init") == {"created": False, "demo": False}


def test_user_add_takes_the_password_from_the_environment(url):
    added = document(url, "user", "add", "vera", "--role", "viewer", MA_PASSWORD="nine lives of a cat")
    assert added == {"username": "vera", "role": "viewer"}
    refused = document(url, "user", "add", "otto", MA_PASSWORD="short")
    assert refused["error"] == "InvalidInput"


def commands(command):
    """A command and all commands below it."""
    yield command
    for below in getattr(command, "commands", {}).values():
        yield from commands(below)


def test_every_command_and_option_explains_itself():
    for command in commands(typer.main.get_command(app)):
        assert command.help, command.name
        for parameter in command.params:
            named = parameter.name in ("username",) or getattr(parameter, "help", None)
            assert named, f"{command.name} {parameter.name}"


def test_help_lists_the_commands(url):
    text = run(url, "--help").stdout
    for name in ("init", "demo", "relay", "doctor", "segment", "campaign", "report", "user"):
        assert name in text

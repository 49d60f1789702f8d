"""The command line, run as people run it: figures, one JSON document, and errors with a remedy."""

import io
import json
import logging
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from datetime import timedelta
from unittest import mock

import pytest
import typer
from sqlalchemy import update

import ma
from ma import clock, doctor
from ma.cli import app, main
from ma.db.engine import connect
from ma.models import Campaign, Segment, Workspace
from ma.services.campaigns import create_campaign
from ma.services.customers import create_customer
from ma.services.segments import create_segment
from ma.services.workspace import create_workspace
from ma.settings import settings
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


def variables(url, **environment):
    """The environment of a command: ours without settings, and these."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MA_")}
    return {**inherited, "MA_DATABASE_URL": url, **environment}


def run(url, *arguments, **environment):
    """One command, run in this process: starting Python for each takes a minute in all."""
    printed, told = io.StringIO(), io.StringIO()
    settings.cache_clear()
    with (
        mock.patch.dict(os.environ, variables(url, **environment), clear=True),
        redirect_stdout(printed),
        redirect_stderr(told),
        pytest.raises(SystemExit) as ended,
    ):
        main(list(arguments))
    settings.cache_clear()
    return subprocess.CompletedProcess(arguments, ended.value.code or 0, printed.getvalue(), told.getvalue())


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


def test_segment_explain_says_what_each_part_does(url, tmp_path):
    rule = {"all": [*RULE["all"], {"field": "last_name", "operator": "starts_with", "value": "Nr1"}]}
    (tmp_path / "rule.json").write_text(json.dumps(rule))
    found = document(url, "segment", "explain", str(tmp_path / "rule.json"))
    # Of Nr1 and Nr10 to Nr19, those whose number is no multiple of four: all but 12 and 16.
    assert (found["people"], found["everybody"], found["match"]) == (9, 40, "all")
    assert [part["own"] for part in found["effects"]] == [30, 11]
    assert [part["after"] for part in found["effects"]] == [30, 9]
    told = run(url, "segment", "explain", str(tmp_path / "rule.json")).stdout
    assert told.startswith("9 of 40 customers: Customers where e-mail consent is yes")


def test_segment_refresh_of_all_says_what_failed(tmp_path, template_sqlite):
    path = tmp_path / "ma.db"
    path.write_bytes(template_sqlite.read_bytes())
    url = f"sqlite:///{path}"
    database = connect(url)
    at = clock.now() - timedelta(hours=1)
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Shop", timezone="Europe/Berlin", currency="EUR", at=at)
        base = create_segment(session, SYSTEM, name="Agreed", rule=RULE, at=at)
        create_segment(session, SYSTEM, name="Others", rule={"not": {"in_segment": base}}, at=at)
    done = document(url, "segment", "refresh", "--all")["rows"]
    assert [(row["name"], row["size"]) for row in done] == [("Agreed", 0), ("Others", 0)]
    with database.writing() as session:
        broken = {"field": "attribute:9", "operator": "gt", "value": 1}
        session.execute(update(Segment).where(Segment.id == base).values(rule=broken))
    database.close()
    failed = run(url, "segment", "refresh", "--all", "--json")
    assert failed.returncode == 1
    errors = [row["refresh_error"] for row in json.loads(failed.stdout)["rows"]]
    assert ["attribute:9" in error for error in errors] == [True, True]
    one = run(url, "segment", "refresh", str(base))
    assert one.returncode == 1
    assert "attribute:9" in one.stderr
    listed = document(url, "segment", "list")["rows"]
    assert [row["name"] for row in listed] == ["Agreed", "Others"]
    assert "no longer valid" in listed[0]["rule"]
    assert run(url, "segment", "refresh", "1", "--all").returncode == 2


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


def test_roi_of_the_last_days_goes_by_the_calendar_and_clock_of_the_workspace(template_sqlite, tmp_path):
    path = tmp_path / "ma.db"
    path.write_bytes(template_sqlite.read_bytes())
    database = connect(f"sqlite:///{path}")
    at = clock.now()
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Shop", timezone="Pacific/Auckland", currency="EUR", at=at)
        session.get(Workspace, 1).clock_offset_seconds = 10 * 86_400
        segment_id = create_segment(session, SYSTEM, name="Agreed", description="", rule=RULE, at=at)
        text = {"channel": "push", "subject": "Hello", "body": "Hello"}
        for name in ("just inside", "just outside"):
            create_campaign(session, SYSTEM, at=at, name=name, segment_id=segment_id, **text)
        today = clock.local_day(at + timedelta(days=10), "Pacific/Auckland")
        first = clock.day_start(today - timedelta(days=6), "Pacific/Auckland")
        launched = update(Campaign).values(status="running", launched_at=first)
        session.execute(launched)
        before = first - timedelta(seconds=1)
        session.execute(launched.values(launched_at=before).where(Campaign.name == "just outside"))
    database.close()
    found = document(f"sqlite:///{path}", "report", "roi", "--days", "7")["rows"]
    assert [row["name"] for row in found] == ["just inside"]
    assert len(document(f"sqlite:///{path}", "report", "roi", "--days", "8")["rows"]) == 2


def test_relay_without_redis_says_what_to_set(url):
    result = run(url, "relay", "--once")
    assert result.returncode == 1
    assert "MA_REDIS_URL" in result.stderr


def test_relay_sends_every_event_to_redis(url, redis_server):
    assert document(url, "relay", "--once", MA_REDIS_URL=redis_server.url)["sent"] > 40
    assert document(url, "relay", "--once", MA_REDIS_URL=redis_server.url) == {"sent": 0}


def test_relay_that_runs_on_has_no_single_document_to_print(url):
    result = run(url, "relay", "--json", MA_REDIS_URL="redis://127.0.0.1:1/0")
    assert result.returncode == 2
    assert "--once" in json.loads(result.stdout)["message"]


def test_doctor_names_what_is_wrong(url, tmp_path):
    assert document(url, "doctor")["ok"] is True
    missing = f"sqlite:///{tmp_path / 'new.db'}"
    found = document(missing, "doctor", MA_REDIS_URL="redis://127.0.0.1:1/0")
    assert {c["name"]: c["ok"] for c in found["checks"]} == {
        "database": False,
        "event bus": False,
    }
    assert "python -m ma init" in found["checks"][0]["text"]


def test_doctor_lists_every_setting_and_hides_what_is_secret(url):
    secret = {"MA_REDIS_URL": "redis://:hush@127.0.0.1:1/0?password=hush", "MA_ADMIN_PASSWORD": "hush"}
    result = run(url, "doctor", MA_PORT="8600", **secret)
    assert "MA_PORT=8600  (the port the app listens on)" in result.stdout
    assert "MA_REDIS_URL=redis://:***@127.0.0.1:1/0" in result.stdout
    assert "MA_ADMIN_PASSWORD=***" in result.stdout
    assert "hush" not in result.stdout + result.stderr
    assert {s["name"] for s in document(url, "doctor")["settings"]} == {
        f"MA_{name.upper()}" for name in type(settings()).model_fields
    }


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


def test_user_join_names_what_is_missing(url):
    refused = document(url, "user", "join", "nobody", "no-one")
    assert refused["error"] == "InvalidInput"
    assert "'nobody'" in refused["message"]
    assert "'no-one'" in refused["message"]


def refusal(url, *arguments, **environment):
    """How a command is refused: in one line for a person, in one document with --json; the document."""
    line = run(url, *arguments, **environment)
    refused = run(url, *arguments, "--json", **environment)
    assert line.returncode == refused.returncode == 1
    assert line.stdout == ""
    told = json.loads(refused.stdout)
    assert line.stderr == f"Error: {told['message']}\n"
    assert "\n" not in told["message"]
    return told


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("MA_PORT", "abc", "integer"),
        ("MA_REDIS_URL", "localhost:6379", "must begin with redis://"),
        ("MA_REDIS_URL", "redis://localhost:hush", "port must be a number"),
        ("MA_DATABASE_URL", "mysql://hush@localhost/ma", "must begin with sqlite:/// or postgresql://"),
        ("MA_DATABASE_URL", "data/ma.db", "must begin with sqlite:/// or postgresql://"),
        ("MA_ENV", "prod", "'development' or 'production'"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_its_remedy(url, name, value, remedy):
    told = refusal(url, "doctor", **{name: value})
    assert told["error"] == "InvalidInput"
    assert told["message"].startswith(f"{name} (")
    assert remedy in told["message"]
    assert "hush" not in told["message"]


@pytest.mark.parametrize("command", [("report", "kpis"), ("init",)])
def test_a_database_that_cannot_be_used_is_said_plainly(tmp_path, command):
    (tmp_path / "ma.db").write_text("This is a letter, not a database. " * 100)
    for bad in (f"sqlite:///{tmp_path}/ma.db", "sqlite:////proc/none/ma.db", "postgresql://127.0.0.1:1/ma"):
        assert "Check MA_DATABASE_URL" in refusal(bad, *command)["message"]
    assert "Set MA_DATABASE_URL to" in refusal("postgresql://127.0.0.1:x/ma", *command)["message"]


def test_doctor_tells_a_letter_from_a_database(tmp_path):
    (tmp_path / "ma.db").write_text("This is a letter, not a database. " * 100)
    found = document(f"sqlite:///{tmp_path}/ma.db", "doctor")
    assert [c["ok"] for c in found["checks"] if c["name"] == "database"] == [False]


@pytest.mark.parametrize(
    "arguments", [("campaign", "launch"), ("segment", "refresh"), ("report", "funnel"), ("campaign", "pause")]
)
def test_an_id_that_no_row_can_have_is_not_found(url, arguments):
    for wanted in ("9" * 12, "9" * 20):
        told = refusal(url, *arguments, wanted)
        assert told == {"error": "NotFound", "message": f"There is nothing with the id {wanted}."}


@pytest.mark.parametrize(
    "arguments",
    [
        ("campaign", "launch", "one"),
        ("campaign", "launch"),
        ("report", "kpis", "--days", "0"),
        ("report", "gains"),
        ("user", "add", "vera", "--role", "king"),
    ],
)
def test_a_command_used_wrongly_ends_with_2(url, arguments):
    told = run(url, *arguments)
    assert (told.returncode, told.stdout) == (2, "")
    assert "Traceback" not in told.stderr
    refused = run(url, *arguments, "--json")
    assert refused.returncode == 2
    assert set(json.loads(refused.stdout)) == {"error", "message"}


def test_an_error_nobody_foresaw_is_a_reference_that_the_log_knows(url, monkeypatch, caplog):
    def broken(_settings):
        raise RuntimeError("anna@example.com")

    monkeypatch.setattr(doctor, "checks", broken)
    with caplog.at_level(logging.ERROR):
        result = run(url, "doctor", "--json")
    told = json.loads(result.stdout)
    reference = json.loads(caplog.records[-1].message)["reference"]
    assert (result.returncode, told["error"]) == (1, "RuntimeError")
    assert told["message"].startswith("Something went wrong.")
    assert reference in told["message"]
    assert "anna" not in result.stdout + result.stderr + caplog.text


def test_a_password_that_nobody_enters_is_no_fault(url, monkeypatch):
    def nobody(*_arguments, **_options):
        raise typer.Abort

    monkeypatch.setattr(typer, "prompt", nobody)
    assert document(url, "user", "add", "nora")["message"] == "Stopped: nothing was entered."


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


def test_python_m_ma_lists_the_commands(url):
    command = [sys.executable, "-W", "error", "-m", "ma", "--help"]
    text = subprocess.run(command, env=variables(url), capture_output=True, text=True, check=True).stdout
    for name in ("init", "demo", "relay", "doctor", "segment", "campaign", "report", "user"):
        assert name in text


def test_events_say_how_far_everybody_is_and_what_is_parked_is_tried_again(url):
    rows = document(url, "events", "status")["rows"]
    assert [row["subscriber"] for row in rows] == ["ma", "sales", "service", "webhooks"]
    assert document(url, "events", "retry", "sales") == {"events": 0}
    assert refusal(url, "events", "retry", "sales", "--event", "nothing")["error"] == "NotFound"
    assert "MA_REDIS_URL" in run(url, "subscribe", "sales").stderr
    assert run(url, "subscribe", "warehouse").returncode == 2


def test_schemas_are_written_where_one_wants_them(url, tmp_path):
    written = document(url, "events", "schemas", "--out", str(tmp_path / "events"))["changed"]
    assert "LeadWon.v1.json" in written
    assert document(url, "events", "schemas", "--out", str(tmp_path / "events")) == {"changed": []}

"""The files that start it for a team: what they name exists, and started together it works.

There is no container here: the same commands run as processes, with the same settings, on a real PostgreSQL
with the logins that they make, and a real Redis.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import psycopg
import pytest
import yaml
from sqlalchemy import func, make_url, select

from ma import clock
from ma.db.engine import connect
from ma.events import outbox
from ma.models import CustomerFact, Lead, SignInFailure
from ma.services import tokens
from ma.settings import ROOT, Settings
from ma.types import SYSTEM
from tests.postgres_roles import guarded
from tests.subscribers.bus_world import AT, bought

EXAMPLE = dict(
    line.split("=", 1)
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)
SECRETS = {name: f"secret-{name.lower()}-{'x' * 32}" for name, value in EXAMPLE.items() if not value}
VARIABLE = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")


def compose():
    """The file as it is written."""
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def filled(text, values):
    """A text with its variables, as docker compose fills them in."""
    return VARIABLE.sub(lambda found: values.get(found[1]) or found[3], str(text))


SERVICES = compose()["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def test_every_variable_is_in_the_example_and_the_other_way_round():
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    used = {name: kind for name, kind, _ in VARIABLE.findall(text)}
    assert set(used) == set(EXAMPLE)
    # Without a value it does not start, or there is one that does.
    assert set(used.values()) == {"?", "-"}
    assert [name for name, kind in used.items() if kind == "-"] == ["MA_TIMEZONE", "MA_CURRENCY"]


def test_the_lines_of_the_guide_fill_in_every_secret(tmp_path):
    guide = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    lines = re.search(r"^    cp \.env\.example .*?(?=^\S)", guide, re.MULTILINE | re.DOTALL)[0]
    (tmp_path / ".env.example").write_bytes((ROOT / ".env.example").read_bytes())
    subprocess.run(["bash", "-ec", lines], cwd=tmp_path, check=True)
    made = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines() if line[0] != "#")
    assert set(made) == set(EXAMPLE)
    secrets = [made[name] for name in SECRETS]
    assert len(set(secrets)) == len(secrets) == 8
    assert all(re.fullmatch("[0-9a-f]{48,64}", secret) for secret in secrets)
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_images_are_pinned():
    images = [service["image"] for service in SERVICES.values()]
    images += re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(images) > 5
    assert [image for image in images if not re.fullmatch(r"[\w-]+:\d+\.\d+(\.\d+)?(-[\w.-]+)?", image)] == []


def test_postgresql_takes_what_is_set_for_it(postgres_server):
    program, *options = SERVICES["postgres"]["command"]
    assert program == "postgres"
    settings = [option.split("=") for option in options if option != "-c"]
    assert settings
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        for name, value in settings:
            # What is unknown or out of its range is refused.
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            connection.execute(f"ALTER SYSTEM RESET {name}")


def test_every_setting_exists():
    named = {name for service in OURS.values() for name in service["environment"]}
    ours = {name for name in named if name.startswith("MA_")}
    assert len(ours) > 8
    assert {name.removeprefix("MA_").lower() for name in ours} <= set(Settings.model_fields)
    assert named - ours == {"FORWARDED_ALLOW_IPS"}


def test_the_secret_and_other_settings_are_given_to_those_who_need_them():
    assert {name for name, one in OURS.items() if "MA_SECRET" in one["environment"]} == {
        "app", "webhooks", "setup",
    }  # fmt: skip
    assert {name for name, one in SERVICES.items() if "env_file" in one} == {"app", "webhooks"}


def test_everything_it_refers_to_is_there():
    document = compose()
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", {})) <= set(SERVICES), name
        assert set(service["networks"]) <= set(document["networks"]), name
        assert ("healthcheck" in service) == (name != "setup"), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in document["volumes"] or (ROOT / source).is_file(), volume
    copied = re.findall(r"^COPY (\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    kept = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    assert set(copied) == kept
    assert all((ROOT / path).exists() for path in copied)
    assert {"ma", "ui", "pages", "app.py"} <= kept


def test_the_outside_reaches_the_proxy_alone():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert compose()["networks"]["data"] == {"internal": True}
    to = re.search(r"reverse_proxy (\w+):(\d+)", (ROOT / "Caddyfile").read_text(encoding="utf-8"))
    assert SERVICES[to[1]]["environment"]["MA_PORT"] == to[2]
    together = [name for name, service in SERVICES.items() if "front" in service["networks"]]
    assert together == ["proxy", "app"]


class Team:
    """The services as processes of this machine."""

    def __init__(self, owner_url, redis_url, folder):
        self.owner_url, self.redis_url, self.folder, self.running = make_url(owner_url), redis_url, folder, {}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])

    def here(self, text):
        """What names containers names this machine."""
        text = text.replace("redis://redis:6379/0", self.redis_url).replace("8501", self.port)
        return text.replace("/tmp/alive", str(self.folder / "alive"))

    def environment(self, name):
        given = {
            key: filled(value, SECRETS | EXAMPLE | SECRETS)
            for key, value in OURS[name]["environment"].items()
        }
        url = make_url(given["MA_DATABASE_URL"])
        query = self.owner_url.query
        url = url.set(host=None, port=None, database=self.owner_url.database, query=query)
        given["MA_DATABASE_URL"] = url.render_as_string(hide_password=False)
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("MA_", "STREAMLIT_"))
        }
        path = f"{Path(sys.executable).parent}:{inherited['PATH']}"
        return (
            inherited
            | {"PATH": path}
            | {k: v if k == "MA_DATABASE_URL" else self.here(v) for k, v in given.items()}
        )

    def command(self, name):
        line = OURS[name].get("command") or json.loads(
            re.search(r"^CMD (.*)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)[1]
        )
        return [self.here(word).replace("/alive", f"/alive-{name}") for word in line]

    def start(self, name):
        log = (self.folder / f"{name}.log").open("wb")
        self.running[name] = subprocess.Popen(
            self.command(name), cwd=ROOT, env=self.environment(name), stdout=log, stderr=subprocess.STDOUT
        )
        log.close()

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def healthy(self, name):
        """Whether the healthcheck of the file says so."""
        kind, *words = OURS[name]["healthcheck"]["test"]
        words = [self.here(word).replace("/alive", f"/alive-{name}") for word in words]
        words = ["sh", "-c", *words] if kind == "CMD-SHELL" else words
        done = subprocess.run(words, env=self.environment(name), capture_output=True, check=False)
        return done.returncode == 0

    def stop(self):
        for process in self.running.values():
            process.terminate()
        ended = {name: process.wait(20) for name, process in self.running.items()}
        self.running.clear()
        return ended


def wait_for(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.4)


@pytest.fixture
def team(postgres_server, template_postgres, redis_server, tmp_path):
    with guarded(postgres_server, template=template_postgres, prefix="") as url:
        team = Team(url, redis_server.url, tmp_path)
        yield team
        for process in team.running.values():
            process.kill()
            process.wait()


def ask(team, path, *, method="GET", body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    named = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
    request = Request(f"http://127.0.0.1:{team.port}{path}", data=data, method=method, headers=named)
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.status
    except HTTPError as refused:
        return refused.code
    except URLError:
        return None


def knock(team, host):
    """The answer to a screen's connection under a name."""
    with socket.create_connection(("127.0.0.1", int(team.port)), timeout=10) as wire:
        lines = (
            "GET /_stcore/stream HTTP/1.1", f"Host: {host}", f"Origin: https://{host}", "Upgrade: websocket",
            "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
        )  # fmt: skip
        wire.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(wire.recv(64).split()[1])


def test_started_together_they_work(team):
    team.start("setup")
    assert team.running.pop("setup").wait(60) == 0, team.log("setup")
    for name in set(OURS) - {"setup"}:
        team.start(name)
    for name in sorted(team.running, key=lambda name: name == "app"):
        wait_for(lambda name=name: team.healthy(name))

    # An event goes from the app to Sales and comes back to the marketing module as a fact.
    app = connect(team.environment("app")["MA_DATABASE_URL"])
    login = {"username": "admin", "password": SECRETS["MA_ADMIN_PASSWORD"]}
    assert ask(team, "/api/auth/login", method="POST", body=login) == 200
    with app.writing() as session:
        named = {"username": "admin", "name": "x", "role": "admin", "at": clock.now()}
        bearer = f"Bearer {tokens.create_token(session, SYSTEM, **named).secret}"
    assert ask(team, "/api/customers", method="POST", body={"first_name": "Ann"}, Authorization=bearer) == 201
    with app.writing() as session:
        outbox.record_all(session, [bought(1)], at=AT)

    def count(table):
        with app.reading() as session:
            return session.scalar(select(func.count()).select_from(table))

    wait_for(lambda: count(CustomerFact) == 1)
    assert count(Lead) == 1

    # People reach it by its name only, and who failed to sign in is known behind the proxy.
    assert (knock(team, EXAMPLE["DOMAIN"]), knock(team, "elsewhere.example.org")) == (101, 403)
    wrong = {"username": "admin", "password": "wrong"}
    assert ask(team, "/api/auth/login", method="POST", body=wrong, X_Forwarded_For="203.0.113.9") == 401
    with app.reading() as session:
        assert any("203.0.113.9" in subject for subject in session.scalars(select(SignInFailure.subject)))
    app.close()

    # A process that hangs is noticed, and asked to stop all of them do.
    hour_ago = time.time() - 3_600
    team.running["relay"].send_signal(signal.SIGSTOP)
    time.sleep(0.2)
    os.utime(team.folder / "alive-relay", (hour_ago, hour_ago))
    assert not team.healthy("relay")
    team.running["relay"].send_signal(signal.SIGCONT)
    wait_for(lambda: team.healthy("relay"))
    ended = team.stop()
    assert {code for name, code in ended.items() if name != "app"} == {0}
    assert not team.healthy("app")

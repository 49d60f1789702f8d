"""What the program says when it starts, and when it cannot: one line, with the remedy."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import delete

from ma import clock
from ma.db.engine import connect
from ma.models import User, Workspace
from ma.services import auth
from ma.services.workspace import create_workspace
from ma.settings import settings
from ma.types import SYSTEM
from tests.browser.conftest import environment, serve
from ui import server, session

ROOT = Path(__file__).resolve().parents[2]


def run(*command, **variables):
    """Start a program that ends by itself; gives its exit code and what it printed."""
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, (ended.stdout + ended.stderr).strip()


@pytest.fixture
def refused(monkeypatch, capsys):
    """`refused(url, MA_ENV="production")`: the line with which the server refuses these settings."""

    def start(database_url, **variables):
        for name, value in {"MA_DATABASE_URL": database_url, **variables}.items():
            monkeypatch.setenv(name, value)
        for cached in (settings, session.database):
            cached.cache_clear()
        with pytest.raises(SystemExit) as ended:
            server.require_ready()
        assert ended.value.code == 1
        return capsys.readouterr().err.removesuffix("\n")

    yield start
    for cached in (settings, session.database):
        cached.cache_clear()


def create(url, *, demo_world=False, demo_login=False):
    """A workspace in this database, or what it lacks of a demo world."""
    database, at = connect(url), clock.now()
    with database.writing() as writing:
        create_workspace(writing, SYSTEM, name="Shop", timezone="UTC", currency="EUR", at=at)
        if demo_world:
            writing.get(Workspace, 1).demo_loaded_at = at
        if demo_login:
            login = {"username": "admin", "password": "admin123", "name": "Admin", "role": "admin"}
            auth.create_user(writing, SYSTEM, **login, demo=True, at=at)
    database.close()


def test_production_does_not_start_with_the_demo_login(sqlite_url, refused):
    create(sqlite_url, demo_login=True)
    assert refused(sqlite_url, MA_ENV="production") == (
        "Everybody knows the demo login, and MA_ENV is production. "
        "Change the password of 'admin' or use another database (MA_DATABASE_URL)."
    )


def test_production_does_not_serve_a_demo_world(sqlite_url, refused):
    create(sqlite_url, demo_world=True)
    assert refused(sqlite_url, MA_ENV="production") == (
        "This database holds the demo world, and MA_ENV is production. "
        "Use another database (MA_DATABASE_URL)."
    )


def test_a_first_start_prints_a_password_once_and_a_demo_world_says_how_to_get_in(tmp_path):
    url, first, second = f"sqlite:///{tmp_path / 'new.db'}", tmp_path / "first", tmp_path / "second"
    with serve(url, first, MA_DEMO="0") as address:
        printed = announced(first)
    assert f"The workbench is at {address}\n" in printed
    assert len(re.findall(r"Sign in as admin / \S{16,} \(shown only now\)", printed)) == 1
    assert "Demo login" not in printed
    assert "Traceback" not in printed

    password = re.search(r"Sign in as admin / (\S+)", printed)[1]
    database = connect(url)
    with database.writing() as writing:
        assert auth.matches(password, auth.find_account(writing, "admin").password_hash)
        writing.execute(delete(User))
    database.close()
    create(url, demo_world=True, demo_login=True)
    with serve(url, second, MA_DEMO="1"):
        printed = announced(second)
    assert "Demo login: admin / admin123\n" in printed
    assert "shown only now" not in printed


def announced(log):
    """What a server has printed once it has said where it is and all that follows."""
    for _ in range(300):
        if re.search(r"The workbench is at .*\n(.+\n)?\n", log.read_text()):
            break
        time.sleep(0.1)
    return log.read_text()


def test_without_tables_the_remedy_is_printed(tmp_path):
    command = ("-m", "streamlit", "run", "app.py", "--server.port", "0")
    code, printed = run(*command, MA_DATABASE_URL=f"sqlite:///{tmp_path / 'new.db'}")
    assert (code, printed) == (1, "The database has no tables yet. Run: python -m ma init")


def test_without_a_workspace_the_remedy_is_printed(sqlite_url, refused):
    assert refused(sqlite_url) == "This database has no workspace yet. Run: python -m ma init"


def test_a_database_that_cannot_be_used_is_said_in_one_line(tmp_path, refused):
    (tmp_path / "letter.db").write_text("Dear reader, " * 1000)
    for url in ("postgresql://127.0.0.1:1/ma", f"sqlite:///{tmp_path}/letter.db", "letter.db"):
        line = refused(url)
        assert "MA_DATABASE_URL" in line
        assert "\n" not in line


def test_a_setting_that_cannot_be_used_is_said_in_one_line(sqlite_url):
    code, printed = run("app.py", MA_DATABASE_URL=sqlite_url, MA_PORT="abc")
    assert (code, len(printed.splitlines())) == (1, 1)
    assert printed.startswith("MA_PORT (the port the app listens on) cannot be used.")

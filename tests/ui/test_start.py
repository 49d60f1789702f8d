"""What the program says when it cannot serve, in one line and with the remedy."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from ma import clock
from ma.db.engine import connect
from ma.models import Workspace
from ma.services import auth
from ma.services.workspace import create_workspace
from ma.types import SYSTEM

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", "0"]


def environment(database_url, **more):
    """The environment of a server: ours without settings, and these."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("MA_", "STREAMLIT_"))}
    return {**inherited, "MA_DATABASE_URL": database_url, **more}


def start(database_url, **more):
    """Start the server; gives its exit code and what it printed."""
    ended = subprocess.run(
        COMMAND,
        cwd=ROOT,
        env=environment(database_url, **more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, (ended.stdout + ended.stderr).strip()


@pytest.fixture
def demo_login(sqlite_url):
    """A workspace where admin / admin123 is let in."""
    database = connect(sqlite_url)
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Shop", timezone="UTC", currency="EUR", at=clock.now())
        auth.create_user(
            session,
            SYSTEM,
            username="admin",
            name="Admin",
            role="admin",
            password="admin123",
            demo=True,
            at=clock.now(),
        )
    database.close()
    return sqlite_url


def test_production_does_not_start_with_the_demo_login(demo_login):
    code, printed = start(demo_login, MA_ENV="production")
    assert code == 1
    assert printed.splitlines() == [
        "Everybody knows the demo login, and MA_ENV is production. "
        "Change the password of 'admin' or use another database (MA_DATABASE_URL)."
    ]


@pytest.mark.parametrize("demo_world", [True, False])
def test_once_it_is_up_it_says_where_and_in_a_demo_world_how_to_get_in(demo_login, tmp_path, demo_world):
    if demo_world:
        database = connect(demo_login)
        with database.writing() as session:
            session.get(Workspace, 1).demo_loaded_at = clock.now()
        database.close()
    printed = tmp_path / "printed"
    with printed.open("wb") as output:
        process = subprocess.Popen(
            COMMAND, cwd=ROOT, env=environment(demo_login), stdout=output, stderr=subprocess.STDOUT
        )
        try:
            for _ in range(300):
                if b"http://" in printed.read_bytes():
                    break
                time.sleep(0.1)
            address = re.search(r"The workbench is at (http://127\.0\.0\.1:\d+)\n", printed.read_text())[1]
            with urlopen(f"{address}/health", timeout=20) as answer:
                assert answer.status == 200
        finally:
            process.terminate()
            process.wait(20)
    assert ("Demo login: admin / admin123" in printed.read_text()) is demo_world


def test_without_tables_the_remedy_is_printed(tmp_path):
    code, printed = start(f"sqlite:///{tmp_path / 'new.db'}")
    assert (code, printed) == (1, "The database has no tables yet. Run: python -m ma init")


def test_without_a_workspace_the_remedy_is_printed(sqlite_url):
    code, printed = start(sqlite_url)
    assert (code, printed) == (1, "This database has no workspace yet. Run: python -m ma init")


def test_a_server_that_cannot_be_reached_is_said_in_one_line():
    code, printed = start("postgresql://127.0.0.1:1/ma")
    assert (code, len(printed.splitlines())) == (1, 1)
    assert "MA_DATABASE_URL" in printed

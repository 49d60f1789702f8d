"""What the program says when it cannot serve, in one line and with the remedy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ma import clock
from ma.db.engine import connect
from ma.services import auth
from ma.services.workspace import create_workspace
from ma.types import SYSTEM

ROOT = Path(__file__).resolve().parents[2]


def start(database_url, **environment):
    """Start the server; gives its exit code and what it printed."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("MA_", "STREAMLIT_"))}
    ended = subprocess.run(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", "0"],
        cwd=ROOT,
        env={**inherited, "MA_DATABASE_URL": database_url, **environment},
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

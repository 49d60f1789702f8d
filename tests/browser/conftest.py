"""A real server with a small workspace, and a real Chromium, for every browser test.

def test_something(app, page, signed_in):
    signed_in(page, "marketer", "/customers?id=5")   # signed in and settled on that screen
    page.get_by_role("button", name="Save").click()
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import expect

from ma import clock
from ma.db.engine import Database, connect
from ma.services import auth
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Role
from tests.browser import chromium
from tests.browser.widgets import WATCH, settle

ROOT = Path(__file__).resolve().parents[2]
# Machines differ: whoever waits for a screen waits as long as `settled` does.
expect.set_options(timeout=20_000)
PASSWORDS = {role: f"a {role} has tea at four" for role in Role}


@dataclass(frozen=True)
class App:
    """A running server. User names are the roles: admin, marketer, analyst, viewer."""

    url: str
    database: Database
    passwords: dict[str, str]

    def token(self, username: str) -> str:
        """The token of a new session of a user, as the sign-in form would make it."""
        with self.database.writing() as session:
            account = auth.find_account(session, username)
            ticket = auth.issue_ticket(session, account.user_id, at=clock.now())
            return auth.redeem_ticket(session, ticket, at=clock.now())

    def cookie(self, username: str) -> dict:
        """The cookie of a new session, for `page.context.add_cookies`."""
        return {"name": "ma_session", "value": self.token(username), "url": self.url, "httpOnly": True}


def environment(**variables: str) -> dict[str, str]:
    """The environment of a server: ours without settings, and these."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("MA_", "STREAMLIT_"))}
    return {**inherited, **variables}


@contextmanager
def serve(database_url: str, log: Path, **variables: str):
    """Run the real server, as `make run` does, on a free port until the block ends; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables |= {"MA_DATABASE_URL": database_url, "MA_HOST": "127.0.0.1", "MA_PORT": str(port)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=ROOT,
            env=environment(**variables),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url, process, log)
            yield url
            if process.poll() is not None:
                pytest.fail(f"The server ended with {process.returncode}:\n{log.read_text()}")
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            pytest.fail(f"The server ended with {process.returncode}:\n{log.read_text()}")
        try:
            with urlopen(f"{url}/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (URLError, TimeoutError, ConnectionError):
            pass
        time.sleep(0.1)
    pytest.fail(f"The server did not answer within 30 seconds:\n{log.read_text()}")


@pytest.fixture(scope="session")
def app(template_sqlite, tmp_path_factory):
    """A server on a fresh workspace with one user per role, shared by all browser tests."""
    folder = tmp_path_factory.mktemp("browser")
    shutil.copy(template_sqlite, folder / "ma.db")
    database = connect(f"sqlite:///{folder / 'ma.db'}")
    with database.writing() as session:
        create_workspace(
            session, SYSTEM, name="Test shop", timezone="Europe/Berlin", currency="EUR", at=clock.now()
        )
        for role in Role:
            auth.create_user(
                session,
                SYSTEM,
                username=role,
                name=f"{role.capitalize()} Example",
                role=role,
                password=PASSWORDS[role],
                at=clock.now(),
            )
    # Receivers of webhooks are on this machine, as everything here.
    url = f"sqlite:///{folder / 'ma.db'}"
    with serve(url, folder / "server.log", MA_WEBHOOK_ALLOW="127.0.0.1") as url:
        yield App(url, database, PASSWORDS)
    database.close()


@pytest.fixture(scope="session")
def base_url(app):
    """Where the browser's addresses begin: `page.goto("/customers")` works."""
    return app.url


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args, playwright):
    """An installed Chromium or Chrome, else Playwright's own; skipped loudly where there is none."""
    installed = chromium.installed()
    if not installed and not Path(playwright.chromium.executable_path).exists():
        message = "BROWSER TESTS NOT RUN: no Chromium could be found or had. Install chromium."
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        warnings.warn(pytest.PytestWarning(message), stacklevel=1)
        pytest.skip(message)
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    chosen = {"executable_path": installed} if installed else {}
    return {**browser_type_launch_args, **chosen, "args": arguments}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    """The window that screens are designed for."""
    return {**browser_context_args, "viewport": {"width": 1440, "height": 900}, "locale": "en-GB"}


@pytest.fixture(autouse=True)
def nothing_from_elsewhere(context):
    """Fails a test whose pages asked another host for anything."""
    foreign = []

    def note(request):
        if urlsplit(request.url).hostname not in (None, "127.0.0.1"):
            foreign.append(request.url)

    context.on("request", note)
    yield
    assert foreign == []


@pytest.fixture(autouse=True)
def watched(context):
    """Lets `settled` know what was asked for and not drawn yet."""
    context.add_init_script(WATCH)


@pytest.fixture(scope="session")
def settled():
    """`settled(page)` waits until the screen has finished drawing."""
    return settle


@pytest.fixture
def signed_in(app, settled):
    """`signed_in(page, "marketer", "/customers")` opens a screen as somebody of that role."""

    def open_as(page, role, path="/"):
        page.context.add_cookies([app.cookie(role)])
        page.goto(app.url + path)
        page.get_by_test_id("stSidebar").get_by_text("Sign out").wait_for(state="attached", timeout=30_000)
        return settled(page)

    return open_as


@pytest.fixture
def sign_in(app):
    """`sign_in(page, "marketer")` fills in the sign-in form that the page shows and sends it."""

    def fill(page, username, password=None):
        page.get_by_label("User name").fill(username)
        page.get_by_label("Password", exact=True).fill(password or app.passwords[username])
        page.get_by_role("button", name="Sign in").click()

    return fill

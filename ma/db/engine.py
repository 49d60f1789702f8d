"""The database: one engine, sessions that read, sessions that write."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.orm import Session

from ma.errors import NotReady
from ma.models import SCHEMA

# How long a writer waits for another one before it says so.
BUSY_MS = 5000
# On PostgreSQL a guarded UPDATE must see what a rival has just committed.
_WRITER = {"sqlite": {}, "postgresql": {"isolation_level": "READ COMMITTED"}}


@dataclass(frozen=True)
class Database:
    """Where everything is kept.

    `reading()` sees one instant; `writing()` commits at its end or not at all.
    """

    engine: Engine

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for selects only; whatever it did is rolled back."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session in one transaction: committed when the block ends, rolled back if it raises."""
        writer = self.engine.execution_options(ma_writes=True, **_WRITER[self.engine.dialect.name])
        with Session(writer, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def connect(url: str) -> Database:
    """The database behind a SQLAlchemy URL; nothing is opened yet.

    Raises NotReady for anything but SQLite or PostgreSQL.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return Database(_sqlite(parsed))
    if parsed.get_backend_name() == "postgresql":
        return Database(_postgresql(parsed))
    raise NotReady(
        f"The database '{parsed.drivername}' is not supported. Set MA_DATABASE_URL to sqlite:///… or postgresql://…"
    )


def _sqlite(url) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    # Parameters stay out of error messages: they hold names and addresses.
    translate = {"schema_translate_map": {SCHEMA: None}}
    engine = create_engine(url, execution_options=translate, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def configure(connection, _record):
        # The driver's own transaction handling begins too late; the begin event below does it.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout={BUSY_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-65536",
            "temp_store=MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection):
        # A deferred transaction that reads and then writes fails at once when another wrote meanwhile.
        writes = connection.get_execution_options().get("ma_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url) -> Engine:
    options = f"-c lock_timeout={BUSY_MS} -c timezone=UTC"
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"options": options},
        # A reader sees one instant in all its statements, as on SQLite.
        isolation_level="REPEATABLE READ",
    )

"""The database: one engine, sessions that read, sessions that write."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from ma.errors import NotReady
from ma.models import SCHEMAS

# How long a writer waits for another one before it says so.
BUSY_MS = 5000
# In KiB, below zero as SQLite wants it. A writer's holds the pages that it changed. A reader's is also the
# size of the pieces in which SQLite sorts: those of 4 MB stay within the processor's cache (what two million
# customers bought in 90 days: 250 ms instead of 500), and whatever else it reads the system has in memory.
WRITER_CACHE, READER_CACHE = -65_536, -4_096
BUSY = "Somebody else is saving right now. Nothing of yours was changed; try again in a moment."
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
    """The database behind a SQLAlchemy URL; nothing is opened or created yet.

    Raises NotReady for anything but SQLite or PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Without the cause: it can hold the password.
        raise NotReady(
            "This is not the address of a database. Set MA_DATABASE_URL to sqlite:///… or postgresql://…"
        ) from None
    if parsed.get_backend_name() == "sqlite":
        return Database(_sqlite(parsed))
    if parsed.get_backend_name() == "postgresql":
        return Database(_postgresql(parsed))
    raise NotReady(
        f"The database '{parsed.drivername}' is not supported. Set MA_DATABASE_URL to sqlite:///… or postgresql://…"
    )


def is_busy(error: SQLAlchemyError) -> bool:
    """Whether the database refused because another writer holds it."""
    text = str(getattr(error, "orig", "")).lower()
    return "database is locked" in text or "lock timeout" in text


def trouble(error: SQLAlchemyError) -> str | None:
    """What to tell people about a database that cannot be used now; None where the fault is the program's."""
    if is_busy(error):
        return BUSY
    # What is no database at all comes as a plain DatabaseError.
    if isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError:
        return "The database cannot be reached or read. Check MA_DATABASE_URL and that it is running."
    return None


def forbidden(error: SQLAlchemyError) -> str | None:
    """What to tell people about a login of PostgreSQL that may not do this; None for any other error."""
    if getattr(getattr(error, "orig", None), "sqlstate", None) != "42501":
        return None
    return (
        "The login in MA_DATABASE_URL may not do this. Use that of the app, or the owner's for init, roles "
        "and move."
    )


def _sqlite(url) -> Engine:
    # Parameters stay out of error messages: they hold names and addresses.
    translate = {"schema_translate_map": dict.fromkeys(SCHEMAS)}
    engine = create_engine(url, execution_options=translate, hide_parameters=True)

    @event.listens_for(engine, "do_connect")
    def create(_dialect, _record, _arguments, _options):
        # It holds personal data: only its owner may read it. SQLite gives -wal and -shm the same mode.
        # A file that exists must not be opened here: closing it would drop the locks of this process.
        # Whatever else is wrong with the path, SQLite says next.
        if url.database and url.database != ":memory:" and not url.database.startswith("file:"):
            with suppress(OSError):
                Path(url.database).parent.mkdir(parents=True, exist_ok=True)
                Path(url.database).touch(mode=0o600, exist_ok=False)

    @event.listens_for(engine, "connect")
    def configure(connection, _record):
        # The driver's own transaction handling begins too late; the begin event below does it.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout={BUSY_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            # Not temp_store=MEMORY: then a sort allocates each row by itself, which takes twice as long.
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection):
        # A deferred transaction that reads and then writes fails at once when another wrote meanwhile.
        writes = connection.get_execution_options().get("ma_writes")
        connection.exec_driver_sql(f"PRAGMA cache_size={WRITER_CACHE if writes else READER_CACHE}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url) -> Engine:
    # Whom an event or campaign rule chooses is a table in memory that every customer is looked up in. With
    # the usual 4 MB PostgreSQL would go through its rows again for each customer from some 250,000 on.
    options = f"-c lock_timeout={BUSY_MS} -c timezone=UTC -c work_mem=64MB"
    # Compiling a query for the machine takes longer than most of the queries here do.
    options += " -c jit=off"
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"options": options},
        # A reader sees one instant in all its statements, as on SQLite.
        isolation_level="REPEATABLE READ",
    )

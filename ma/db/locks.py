"""One at a time, whatever the number of processes: a lock that ends with whoever holds it."""

import os
import tempfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from ma.db.engine import Database

_of_this_process: dict[str, threading.Lock] = {}
_making = threading.Lock()


@contextmanager
def alone(database: Database, name: str) -> Iterator[bool]:
    """Whether nobody else, in any process, is in a block of this name on this database now.

    Never waits. Unlike a lease it needs no time to run out: a process that is killed lets go at once, and one
    that is paused keeps it. On SQLite it is a lock of a file beside the database, on PostgreSQL an advisory
    lock; neither keeps anybody from writing.
    """
    with _lock_of(f"{database.engine.url} {name}") as mine:
        if not mine:
            yield False
        elif database.engine.dialect.name == "sqlite":
            with _file(database, name) as held:
                yield held
        else:
            with _advisory(database, name) as held:
                yield held


@contextmanager
def _lock_of(key: str) -> Iterator[bool]:
    with _making:
        lock = _of_this_process.setdefault(key, threading.Lock())
    mine = lock.acquire(blocking=False)
    try:
        yield mine
    finally:
        if mine:
            lock.release()


@contextmanager
def _file(database: Database, name: str) -> Iterator[bool]:
    import fcntl

    # Opened anew each time: the lock belongs to the open file, and goes when it is closed, by whatever.
    handle = os.open(_path(database, name), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        except BlockingIOError:
            held = False
        yield held
    finally:
        os.close(handle)


def _path(database: Database, name: str) -> Path:
    where = database.engine.url.database
    if not where or where == ":memory:" or where.startswith("file:"):
        return Path(tempfile.gettempdir()) / f"ma-{os.getpid()}-{name}.lock"
    return Path(f"{where}-{name}.lock")


@contextmanager
def _advisory(database: Database, name: str) -> Iterator[bool]:
    key = {"key": zlib.crc32(f"ma {name}".encode())}
    # A connection of its own, out of the way of the block's transactions.
    with database.engine.connect() as connection:
        held = connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), key).scalar()
        yield bool(held)

"""A copy of a SQLite workspace while it is in use, and the way back. PostgreSQL has pg_dump for that."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from secrets import token_hex

from sqlalchemy import URL, delete, inspect, update

from ma import clock
from ma.db import migrate, secret
from ma.db.engine import Database, connect
from ma.errors import Conflict, FileProblem, NotFound, NotReady
from ma.models import SignInTicket, UserSession, Webhook

# What SQLite keeps beside a database.
_BESIDE = ("", "-wal", "-shm", "-journal")
_POSTGRESQL = (
    "A backup of PostgreSQL is made by pg_dump, and brought back by pg_restore: docs/operations.md says how."
)


def back_up(database: Database, to: Path) -> list[Path]:
    """Write the database as it is at one instant into a new file, and its secret beside it; what was written.

    Whoever works meanwhile is not held up. The file is there whole or not at all, and only its owner may
    read it. Raises NotReady, Conflict, FileProblem.
    """
    source = _file(database.engine.url)
    migrate.require_current(database)
    key = secret.file_of(source.parent)
    kept = _key_beside(to)
    for path in (to, kept):
        if path.exists():
            raise Conflict(f"{path} is there already. Choose another name: no backup is written over.")
    draft = _draft(to)
    try:
        with closing(sqlite3.connect(source)) as reader, closing(sqlite3.connect(draft)) as writer:
            # All pages in one step: in several, each change meanwhile would begin it anew.
            reader.backup(writer)
            _require_sound(writer, source)
        if key.exists():
            # First: whoever finds the backup finds its secret.
            _copy(key, kept)
        _keep(draft, to)
    finally:
        for end in _BESIDE:
            draft.with_name(draft.name + end).unlink(missing_ok=True)
    return [to, kept] if key.exists() else [to]


def restore(backup: Path, url: URL) -> int:
    """Put a backup, and its secret, where no database is now; how many webhooks it disabled.

    What may have been ended since the backup is not begun again: nobody is signed in, no webhook is told.
    Raises NotFound, Conflict, FileProblem, NotReady.
    """
    target = _file(url)
    if not backup.is_file():
        raise NotFound(f"There is no file {backup}.")
    for end in _BESIDE:
        if (there := target.with_name(target.name + end)).exists():
            raise Conflict(
                f"{there} is there already. Stop the app and move {target.name}, {target.name}-wal and "
                f"{target.name}-shm to another folder first."
            )
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft(target)
    try:
        _copy(backup, draft)
        with closing(sqlite3.connect(draft)) as copy:
            _require_sound(copy, backup)
        _require_readable(draft)
        disabled = _end_access(draft)
        key, kept = secret.file_of(target.parent), _key_beside(backup)
        if kept.exists() and not key.exists():
            key.parent.mkdir(mode=0o700, exist_ok=True)
            _copy(kept, key)
        elif kept.exists() and key.read_bytes().strip() != kept.read_bytes().strip():
            raise Conflict(f"{key} is another workspace's secret. Move it away first.")
        _keep(draft, target)
    finally:
        for end in _BESIDE:
            draft.with_name(draft.name + end).unlink(missing_ok=True)
    return disabled


def _file(url: URL) -> Path:
    if url.get_backend_name() != "sqlite":
        raise NotReady(_POSTGRESQL)
    if not url.database or url.database == ":memory:":
        raise NotReady("This database is in memory only: there is no file. Set MA_DATABASE_URL.")
    return Path(url.database).resolve()


def _key_beside(backup: Path) -> Path:
    return backup.with_name(backup.name + ".key")


def _draft(path: Path) -> Path:
    """An empty file beside a path that only its owner may read."""
    draft = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        draft.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        raise FileProblem(f"Nothing can be written to {path.parent}.") from error
    return draft


def _copy(source: Path, target: Path) -> None:
    target.touch(mode=0o600)
    shutil.copyfile(source, target)


def _keep(draft: Path, path: Path) -> None:
    """Give a finished draft its name, once it is safely on the disk."""
    handle = os.open(draft, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
    try:
        # Unlike a rename, it writes over nothing.
        os.link(draft, path)
    except FileExistsError as error:
        raise Conflict(f"{path} is there already.") from error
    except OSError:
        # Some disks, such as memory sticks, know one name for a file.
        draft.rename(path)


def _require_sound(connection: sqlite3.Connection, path: Path) -> None:
    try:
        found = connection.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise FileProblem(f"{path} is no database, or is damaged.") from error
    if found != "ok":
        raise FileProblem(f"{path} is damaged. Restore an older backup.")


def _require_readable(path: Path) -> None:
    database = connect(f"sqlite:///{path}")
    try:
        found = migrate.revision(database)
    finally:
        database.close()
    if found is None:
        raise FileProblem("The file is a database, but not one of this program.")
    if found > migrate.head():
        raise NotReady(f"The backup was written by a newer version ({found}). Upgrade this program.")


def _end_access(path: Path) -> int:
    """End every session and disable every webhook of a copy; how many webhooks."""
    database, disabled = connect(f"sqlite:///{path}"), 0
    try:
        with database.engine.begin() as connection:
            # A backup of an older version lacks some of them.
            there = set(inspect(connection).get_table_names())
            for table in (UserSession.__table__, SignInTicket.__table__):
                if table.name in there:
                    connection.execute(delete(table))
            hook = Webhook.__table__
            if hook.name in there:
                ended = {"disabled_at": clock.now(), "disabled_why": "restored"}
                live = update(hook).where(hook.c.disabled_at.is_(None)).values(**ended)
                disabled = connection.execute(live).rowcount
    finally:
        database.close()
    return disabled

"""Backups made while somebody writes: brought back they are one instant of it, whole."""

import os
import shutil
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, make_url, select, text, update

from ma.db import backup, migrate, moving, secret
from ma.db.engine import connect
from ma.errors import Conflict, FileProblem, NotFound, NotReady
from ma.models import SignInTicket, UserSession, Webhook
from tests.db import any_rows

# What a restore changes.
ACCESS = ("user_session", "sign_in_ticket", "webhook")


class Writing:
    """Somebody who writes a pair of rows in one transaction after the other, while the block runs."""

    def __init__(self, database):
        self._database, self._stop, self.pairs = database, threading.Event(), 0
        self._thread = threading.Thread(target=self._write)

    def _write(self):
        category, rep = tables(self._database)
        while not self._stop.is_set():
            name = {"name": f"pair {self.pairs}"}
            with self._database.writing() as session:
                session.execute(
                    text(f"INSERT INTO {category} (name, name_folded) VALUES (:name, :name)"), name
                )
                session.execute(text(f"INSERT INTO {rep} (name, active) VALUES (:name, true)"), name)
            self.pairs += 1

    def __enter__(self):
        self._thread.start()
        while self.pairs < 3:
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def tables(database):
    """Where the halves of a pair go: two modules."""
    sqlite = database.engine.dialect.name == "sqlite"
    return ("category", "sales_rep") if sqlite else ("ma.category", "sales.sales_rep")


def pairs(database):
    """How many halves of each kind are there."""
    with database.reading() as session:
        return tuple(
            session.scalar(text(f"SELECT count(*) FROM {table} WHERE name LIKE 'pair%'"))
            for table in tables(database)
        )


def without_pairs(database):
    """The figures of everything else."""
    with database.writing() as session:
        for table in tables(database):
            session.execute(text(f"DELETE FROM {table} WHERE name LIKE 'pair%'"))
    return figures(database)


def figures(database):
    with database.reading() as session:
        return {table.name: moving.figures(session.connection(), table) for table in moving.tables()}


@pytest.fixture
def used(sqlite_url):
    """A database with rows in every table, and its secret."""
    database = connect(sqlite_url)
    any_rows.fill(database)
    with database.reading() as session:
        secret.key(session, "x")
    yield database
    database.close()


def url(path):
    return make_url(f"sqlite:///{path}")


def test_a_backup_made_while_somebody_writes_comes_back_whole(used, tmp_path):
    (tmp_path / "kept").mkdir()
    with Writing(used) as writing:
        before = writing.pairs
        written = backup.back_up(used, tmp_path / "kept" / "monday.db")
        # Nobody was held up: they went on meanwhile, and after it.
        after = writing.pairs
        while writing.pairs < after + 2:
            time.sleep(0.01)
    assert [path.name for path in written] == ["monday.db", "monday.db.key"]
    assert [path.stat().st_mode & 0o777 for path in written] == [0o600, 0o600]
    backup.restore(written[0], url(tmp_path / "new" / "ma.db"))
    back = connect(f"sqlite:///{tmp_path / 'new' / 'ma.db'}")
    tags, categories = pairs(back)
    assert tags == categories
    assert before <= tags <= after + 1
    with used.reading() as old, back.reading() as new:
        assert secret.key(new, "x") == secret.key(old, "x")
    assert (tmp_path / "new" / "secrets" / "workspace.key").stat().st_mode & 0o777 == 0o600
    back.close()


def test_what_comes_back_is_what_was_there(used, tmp_path):
    backup.back_up(used, tmp_path / "kept.db")
    with used.writing() as session:
        session.execute(text("DELETE FROM note"))
    backup.restore(tmp_path / "kept.db", url(tmp_path / "new.db"))
    back = connect(f"sqlite:///{tmp_path / 'new.db'}")
    found = figures(back)
    assert found["note"].rows == any_rows.ROWS
    changed = {"note", *ACCESS}
    assert {name: f for name, f in found.items() if name not in changed} == {
        name: f for name, f in figures(used).items() if name not in changed
    }
    migrate.require_current(back)
    with back.writing() as session:
        session.execute(text("INSERT INTO customer_search (customer_search) VALUES ('integrity-check')"))
    back.close()


def access(database):
    """Sessions, tickets, and why each webhook is disabled."""
    with database.reading() as session:
        counts = [
            session.scalar(select(func.count()).select_from(model)) for model in (UserSession, SignInTicket)
        ]
        return (*counts, session.execute(select(Webhook.disabled_why).order_by(Webhook.id)).scalars().all())


def test_what_was_ended_since_the_backup_does_not_begin_again(used, tmp_path):
    with used.writing() as session:
        session.execute(update(Webhook).values(disabled_at=None, disabled_why=None))
        by_hand = {"disabled_at": any_rows.LEAST, "disabled_why": "by hand"}
        session.execute(update(Webhook).where(Webhook.id == 1).values(**by_hand))
    backup.back_up(used, tmp_path / "kept.db")
    assert backup.restore(tmp_path / "kept.db", url(tmp_path / "new" / "ma.db")) == any_rows.ROWS - 1
    # Whole in one file: nothing of it lay beside.
    assert [path.name for path in (tmp_path / "new").glob("*ma.db*")] == ["ma.db"]
    back = connect(f"sqlite:///{tmp_path / 'new' / 'ma.db'}")
    assert access(back) == (0, 0, ["by hand"] + ["restored"] * (any_rows.ROWS - 1))
    back.close()
    assert access(used)[:2] == (any_rows.ROWS, any_rows.ROWS)


def test_a_backup_older_than_webhooks_and_sessions_comes_back_too(used, tmp_path):
    backup.back_up(used, tmp_path / "kept.db")
    with closing(sqlite3.connect(tmp_path / "kept.db")) as older:
        for name in ACCESS:
            older.execute(f"DROP TABLE {name}")
        older.commit()
    assert backup.restore(tmp_path / "kept.db", url(tmp_path / "new.db")) == 0


def test_nothing_is_ever_written_over(used, tmp_path):
    kept = tmp_path / "kept.db"
    backup.back_up(used, kept)
    before = kept.read_bytes()
    with pytest.raises(Conflict, match="there already"):
        backup.back_up(used, kept)
    assert kept.read_bytes() == before
    for end in ("", "-wal"):
        (tmp_path / f"busy.db{end}").write_bytes(b"x")
        with pytest.raises(Conflict, match="Stop the app and move"):
            backup.restore(kept, url(tmp_path / "busy.db"))
        (tmp_path / f"busy.db{end}").unlink()
    (tmp_path / "other" / "secrets").mkdir(parents=True)
    (tmp_path / "other" / "secrets" / "workspace.key").write_text("f" * 64, encoding="ascii")
    with pytest.raises(Conflict, match="another workspace's secret"):
        backup.restore(kept, url(tmp_path / "other" / "ma.db"))
    assert not (tmp_path / "other" / "ma.db").exists()
    # No half-finished file stays behind.
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]


def test_what_is_no_backup_is_refused_and_leaves_nothing(used, tmp_path):
    target = tmp_path / "new" / "ma.db"
    (tmp_path / "text.db").write_text("hello " * 1000, encoding="utf-8")
    sqlite3.connect(tmp_path / "other.db").close()
    backup.back_up(used, tmp_path / "kept.db")
    damaged = bytearray((tmp_path / "kept.db").read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 8192] = os.urandom(8192)
    (tmp_path / "damaged.db").write_bytes(damaged)
    shutil.copy(tmp_path / "kept.db", tmp_path / "newer.db")
    newer = sqlite3.connect(tmp_path / "newer.db")
    newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.commit()
    newer.close()
    for name, error, words in (
        ("missing.db", NotFound, "no file"),
        ("text.db", FileProblem, "no database"),
        ("other.db", FileProblem, "not one of this program"),
        ("damaged.db", FileProblem, "damaged"),
        ("newer.db", NotReady, "newer version"),
    ):
        with pytest.raises(error, match=words):
            backup.restore(tmp_path / name, url(target))
        assert not list(target.parent.glob("*ma.db*")), name


def test_on_postgresql_the_way_is_another(postgres_url, tmp_path):
    database = connect(postgres_url)
    with pytest.raises(NotReady, match="pg_dump"):
        backup.back_up(database, tmp_path / "kept.db")
    database.close()


def documented(name):
    """The line of docs/operations.md that begins with a program's name."""
    document = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
    words = document.read_text(encoding="utf-8").replace("\\\n", "")
    lines = [line.strip() for line in words.splitlines()]
    return next(line for line in lines if line.startswith(name + " "))


def test_postgresql_s_own_programs_bring_it_back_whole(used, postgres_server, postgres_url, tmp_path):
    database = connect(postgres_url)
    moving.move(used, database)
    target = f"restored_{time.time_ns()}"
    postgres_server.psql(f"CREATE DATABASE {target}")
    environment = {
        **os.environ,
        "PATH": f"{postgres_server.bin_path}:{os.environ['PATH']}",
        "OWNER_URL": postgres_url,
        "NEW_URL": postgres_server.get_uri(target),
    }
    with Writing(database) as writing:
        before = writing.pairs
        subprocess.run(documented("pg_dump"), shell=True, check=True, env=environment, cwd=tmp_path)
        after = writing.pairs
    subprocess.run(documented("pg_restore"), shell=True, check=True, env=environment, cwd=tmp_path)
    back = connect(postgres_server.get_uri(target))
    tags, categories = pairs(back)
    assert tags == categories
    assert before <= tags <= after + 1
    assert without_pairs(back) == without_pairs(database)
    migrate.require_current(back)
    with back.writing() as session:
        session.execute(update(Webhook).values(disabled_at=None, disabled_why=None))
    subprocess.run(documented("psql"), shell=True, check=True, env=environment, cwd=tmp_path)
    assert access(back) == (0, 0, ["restored"] * any_rows.ROWS)
    back.close()
    database.close()
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {target} WITH (FORCE)")

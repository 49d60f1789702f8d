"""A workspace moved from one database to another: every row of every table, or nothing at all."""

import shutil
import sqlite3

import pytest
from sqlalchemy import insert, select, text

from ma.db import engine as engines
from ma.db import moving, search, sequences
from ma.db.engine import BUSY, connect, trouble
from ma.errors import Conflict, NotReady
from ma.models import Customer
from tests.db import any_rows


def rows_of(database):
    """Every row of every table, as Python values."""
    with database.reading() as session:
        return {
            table.name: sorted(map(repr, session.execute(select(table)).all())) for table in moving.tables()
        }


@pytest.fixture(scope="module")
def filled(template_sqlite, tmp_path_factory):
    """The file of a database with rows in every table."""
    path = tmp_path_factory.mktemp("filled") / "ma.db"
    shutil.copy(template_sqlite, path)
    database = connect(f"sqlite:///{path}")
    any_rows.fill(database)
    database.close()
    return path


@pytest.fixture
def full(filled, tmp_path):
    """A database with rows in every table."""
    shutil.copy(filled, tmp_path / "full.db")
    database = connect(f"sqlite:///{tmp_path / 'full.db'}")
    yield database
    database.close()


@pytest.fixture
def postgres(postgres_url):
    """An empty database on PostgreSQL."""
    database = connect(postgres_url)
    yield database
    database.close()


@pytest.fixture
def empty_sqlite(sqlite_url):
    """An empty database on SQLite."""
    database = connect(sqlite_url)
    yield database
    database.close()


def test_every_table_has_rows_to_lose(full):
    assert {len(rows) for rows in rows_of(full).values()} == {any_rows.ROWS}
    assert len(rows_of(full)) > 50


def found(database, word):
    """Whom a search finds."""
    with database.reading() as session:
        return session.scalars(select(Customer.id).where(search.indexed(word))).all()


def test_there_and_back_in_small_lots_every_value_is_the_same(full, postgres, empty_sqlite, monkeypatch):
    with full.writing() as session:
        session.execute(text("UPDATE customer SET search_text = 'anna müller' WHERE id = 3"))
    monkeypatch.setattr(moving, "LOT", 2)
    # What is in memory at once, in either direction.
    real, lots = moving._lots, []
    monkeypatch.setattr(moving, "_lots", lambda *of: (lots.append(len(lot)) or lot for lot in real(*of)))
    before = rows_of(full)
    told = moving.move(full, postgres)
    assert {name: table.rows for name, table in told.items()} == dict.fromkeys(before, any_rows.ROWS)
    assert rows_of(postgres) == before
    moving.move(postgres, empty_sqlite)
    assert rows_of(empty_sqlite) == before
    assert (max(lots), sum(lots)) == (2, 2 * any_rows.ROWS * len(before))
    # Whoever was found by a word is found again, and so is whoever changes.
    assert [found(database, "müll") for database in (full, postgres, empty_sqlite)] == [[3]] * 3
    with empty_sqlite.writing() as session:
        session.execute(text("UPDATE customer SET search_text = 'bert' WHERE id = 4"))
    assert found(empty_sqlite, "bert") == [4]


def shape(database):
    """Indexes, triggers and constraints."""
    if database.engine.dialect.name == "sqlite":
        query = "SELECT type || name || coalesce(sql, '') FROM sqlite_master"
    else:
        query = (
            "SELECT indexdef FROM pg_indexes WHERE schemaname IN ('ma', 'sales', 'service') UNION ALL "
            "SELECT conrelid::regclass || conname || pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace::regnamespace::text IN ('ma', 'sales', 'service')"
        )
    with database.reading() as session:
        return sorted(session.scalars(text(query)))


def test_tables_are_as_before_and_the_next_ids_follow(database, full):
    before = shape(database)
    moving.move(full, database)
    assert shape(database) == before
    with database.writing() as session:
        person = any_rows.row(Customer.__table__, 8) | {"email": "eight@shop.test", "external_id": "eight"}
        person.pop("id")
        assert session.execute(insert(Customer).values(**person)).inserted_primary_key == (any_rows.ROWS + 1,)


def test_a_target_that_holds_data_is_refused_and_keeps_them(full, empty_sqlite):
    moving.move(full, empty_sqlite)
    before = rows_of(empty_sqlite)
    for target in (empty_sqlite, full):
        with pytest.raises(Conflict, match="holds data already"):
            moving.move(full, target)
    assert rows_of(empty_sqlite) == before == rows_of(full)


def test_a_source_without_a_workspace_is_refused(sqlite_url, postgres, tmp_path):
    source = connect(sqlite_url)
    with pytest.raises(Conflict, match="no workspace"):
        moving.move(source, postgres)
    source.close()
    nothing = connect(f"sqlite:///{tmp_path / 'nothing.db'}")
    with pytest.raises(NotReady, match="no tables"):
        moving.move(nothing, postgres)
    nothing.close()


@pytest.mark.parametrize(
    ("engine", "spoil"), [("sqlite", "lose"), ("postgresql", "shift"), ("sqlite", "change")]
)
def test_what_does_not_arrive_whole_is_not_kept(full, engine, spoil, request, monkeypatch):
    real = moving._lots

    def spoilt(connection, table):
        for lot in real(connection, table):
            if table.name == "purchase":
                place = list(table.columns.keys()).index("amount_minor" if spoil == "change" else "at")
                row = list(lot[-1])
                row[place] += 1
                lot = lot[:-1] if spoil == "lose" else [*lot[:-1], tuple(row)]
            yield lot

    monkeypatch.setattr(moving, "_lots", spoilt)
    target = request.getfixturevalue("postgres" if engine == "postgresql" else "empty_sqlite")
    with pytest.raises(Conflict, match="purchase did not arrive whole"):
        moving.move(full, target)
    assert not any(rows_of(target).values())


def test_what_the_target_cannot_keep_leaves_it_empty(full, postgres):
    with full.writing() as session:
        session.execute(text("UPDATE note SET text = 'a' || char(0) || 'b' WHERE id = 2"))
    with pytest.raises(Conflict, match=r"a row of note \(DataError|a row of note \(CharacterNotInRepertoire"):
        moving.move(full, postgres)
    assert not any(rows_of(postgres).values())


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_nobody_changes_the_source_meanwhile(full, postgres, empty_sqlite, engine, monkeypatch):
    if engine == "postgresql":
        moving.move(full, postgres)
    source = full if engine == "sqlite" else postgres
    told, real = [], moving._lots
    # A second writer, who does not wait for long.
    monkeypatch.setattr(engines, "BUSY_MS", 10)
    rival = connect(source.engine.url.render_as_string(hide_password=False))

    def write():
        with rival.writing() as session:
            session.execute(text(f"UPDATE {'' if engine == 'sqlite' else 'ma.'}note SET text = 'late'"))

    def lots(connection, table):
        if table.name == "note":
            with pytest.raises(Exception, match=r"locked|lock timeout") as refused:
                write()
            told.append(trouble(refused.value))
        yield from real(connection, table)

    monkeypatch.setattr(moving, "_lots", lots)
    moving.move(source, empty_sqlite)
    rival.close()
    assert told == [BUSY]
    assert rows_of(empty_sqlite) == rows_of(source)


def test_ids_that_were_given_and_are_gone_are_not_given_again(postgres):
    table = Customer.__table__
    with postgres.writing() as session:
        connection = session.connection()
        assert moving._last_id(connection, table, table.c.id) is None
        for _ in range(3):
            session.execute(text("SELECT nextval(pg_get_serial_sequence('ma.customer', 'id'))"))
        assert moving._last_id(connection, table, table.c.id) == 3


@pytest.mark.parametrize("engine", ["postgresql", "sqlite"])
def test_a_moved_workspace_does_not_give_the_ids_of_rows_that_are_gone(full, engine, request):
    with full.writing() as session:
        session.execute(text("UPDATE sqlite_sequence SET seq = 1000 WHERE name = 'customer'"))
    target = request.getfixturevalue("postgres" if engine == "postgresql" else "empty_sqlite")
    moving.move(full, target)
    with target.writing() as session:
        assert sequences.reserve(session, Customer.__table__, 1).tolist() == [1001]


@pytest.mark.parametrize("engine", ["postgresql", "sqlite"])
def test_rows_that_do_not_fit_together_are_not_moved(full, engine, request):
    with full.engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
    with full.writing() as session:
        session.execute(text("UPDATE purchase_line SET purchase_id = 99 WHERE purchase_id = 2"))
    target = request.getfixturevalue("postgres" if engine == "postgresql" else "empty_sqlite")
    with pytest.raises(Conflict, match="do not fit together"):
        moving.move(full, target)
    assert not any(rows_of(target).values())


def test_a_database_without_tables_gets_them_and_progress_ends_at_the_end(full, tmp_path):
    told, target = [], connect(f"sqlite:///{tmp_path / 'new' / 'ma.db'}")
    moving.move(full, target, progress=lambda share, words: told.append((share, words)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert told[-1] == (1.0, "done")
    assert rows_of(target) == rows_of(full)
    target.close()


def test_a_killed_move_leaves_the_target_empty(full, template_sqlite, tmp_path):
    # What a process leaves behind that dies before its commit: the file and the log that nobody finished.
    shutil.copy(template_sqlite, tmp_path / "target.db")
    target = connect(f"sqlite:///{tmp_path / 'target.db'}")

    def die(share, words):
        if share > 0.5:
            for name in ("target.db", "target.db-wal"):
                if (tmp_path / name).exists():
                    shutil.copy(tmp_path / name, tmp_path / name.replace("target", "left"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        moving.move(full, target, progress=die)
    target.close()
    left = sqlite3.connect(tmp_path / "left.db")
    assert [left.execute(f"SELECT count(*) FROM {t.name}").fetchone()[0] for t in moving.tables()] == [
        0
    ] * len(moving.tables())
    left.close()

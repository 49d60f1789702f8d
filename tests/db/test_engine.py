"""Where the data lies: who may read the file, and what is said about a database that cannot be used."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from ma.db.engine import BUSY, READER_CACHE, WRITER_CACHE, connect, trouble
from ma.errors import NotReady


def modes(folder):
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


def test_a_new_file_is_for_its_owner_only(tmp_path):
    database = connect(f"sqlite:///{tmp_path}/new/ma.db")
    assert not (tmp_path / "new").exists()
    with database.writing() as session:
        session.execute(text("CREATE TABLE person (name TEXT)"))
    assert modes(tmp_path / "new") == {"ma.db": 0o600, "ma.db-wal": 0o600, "ma.db-shm": 0o600}
    database.close()


def test_a_file_that_exists_keeps_what_its_owner_chose(tmp_path):
    (tmp_path / "ma.db").touch(mode=0o640)
    (tmp_path / "ma.db").chmod(0o640)
    database = connect(f"sqlite:///{tmp_path}/ma.db")
    with database.reading() as session:
        session.execute(text("SELECT 1"))
    database.close()
    assert modes(tmp_path)["ma.db"] == 0o640


def test_a_writer_has_a_cache_for_what_it_changes_and_a_reader_a_small_one(tmp_path):
    database = connect(f"sqlite:///{tmp_path}/ma.db")
    sizes = []
    # The pool hands out the same connection each time.
    for session in (database.reading, database.writing, database.reading):
        with session() as opened:
            sizes.append(opened.scalar(text("PRAGMA cache_size")))
    database.close()
    assert sizes == [READER_CACHE, WRITER_CACHE, READER_CACHE]


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/ma", "postgresql://localhost:port/ma", ""])
def test_an_address_of_no_database_is_refused_with_the_remedy(url):
    with pytest.raises(NotReady, match="MA_DATABASE_URL"):
        connect(url)


def failure(database, statement="SELECT 1"):
    with pytest.raises(SQLAlchemyError) as raised, database.writing() as session:
        session.execute(text(statement))
    database.close()
    return raised.value


def test_what_people_can_do_about_a_database_is_told(tmp_path):
    (tmp_path / "letter.db").write_text("Dear reader, " * 1000)
    away = "The database cannot be reached or read. Check MA_DATABASE_URL and that it is running."
    assert trouble(failure(connect(f"sqlite:///{tmp_path}/letter.db"))) == away
    assert trouble(failure(connect("sqlite:////proc/none/ma.db"))) == away
    assert trouble(failure(connect("postgresql://127.0.0.1:1/ma"))) == away


def test_another_writer_is_told_from_a_fault_of_ours(tmp_path, monkeypatch):
    monkeypatch.setattr("ma.db.engine.BUSY_MS", 50)
    first, second = connect(f"sqlite:///{tmp_path}/ma.db"), connect(f"sqlite:///{tmp_path}/ma.db")
    with first.writing() as session:
        session.execute(text("CREATE TABLE person (name TEXT NOT NULL)"))
        assert trouble(failure(second)) == BUSY
    error = failure(first, "INSERT INTO person VALUES (NULL)")
    assert isinstance(error, IntegrityError)
    assert trouble(error) is None

"""Many new rows at once: indexes that are built at the end are built faster than row by row."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Table, text
from sqlalchemy.orm import Session

from ma.db import search

# Fewer rows are not worth it, and neither are fewer than there are: every index is then built of all of them.
_MANY = 50_000


@contextmanager
def filling(session: Session, table: Table, rows: int) -> Iterator[None]:
    """Around the insertion of so many rows into one table, in one transaction; only insert inside.

    On SQLite nobody else can write meanwhile, and readers keep what they see: the indexes are dropped and
    built again at the end (a million customers: 22 s instead of 52). On PostgreSQL that would lock readers
    out; the words for the search wait in a list instead, in which it looks too, and are sorted in later
    (`search.settle`).
    """
    if rows < _MANY:
        yield
    elif session.get_bind().dialect.name == "postgresql":
        search.wait_to_settle(session)
        yield
    elif rows < (last := session.scalar(text(f'SELECT max(rowid) FROM "{table.name}"')) or 0):
        yield
    else:
        dropped = _drop_indexes(session, table)
        with search.left_out(session, table, last):
            yield
        for statement in dropped:
            session.connection().exec_driver_sql(statement)


def _drop_indexes(session: Session, table: Table) -> list[str]:
    """Drop the indexes that are no constraints; returns what creates them again."""
    mine = "FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = :name"
    found = session.execute(text(f"SELECT name, sql {mine}"), {"name": table.name}).all()
    for name, _ in found:
        session.connection().exec_driver_sql(f'DROP INDEX "{name}"')
    return [statement for _, statement in found]

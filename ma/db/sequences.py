"""Keys for rows that are written in bulk, where the program must know them beforehand."""

import numpy as np
from sqlalchemy import Connection, Table, column, func, select
from sqlalchemy import table as named
from sqlalchemy.orm import Session


def reserve(session: Session, table: Table, count: int) -> np.ndarray:
    """That many unused keys of a table, ascending; nobody else will get them.

    Needs a writing session. SQLite has one writer at a time, so the keys follow the last one, also where its
    row is gone: other modules may still know it. PostgreSQL takes them from the column's own sequence, which
    two imports can do at once.
    """
    if count == 0:
        return np.empty(0, dtype=np.int64)
    if session.connection().dialect.name == "sqlite":
        first = last_on_sqlite(session.connection(), table.name, "id") + 1
        return np.arange(first, first + count, dtype=np.int64)
    sequence = func.pg_get_serial_sequence(f"{table.schema}.{table.name}", "id")
    drawn = select(func.nextval(sequence).label("id")).select_from(func.generate_series(1, count)).cte()
    # Whoever draws at the same time leaves gaps. Between two gaps a number is always as far from its place.
    apart = (drawn.c.id - func.row_number().over(order_by=drawn.c.id)).label("apart")
    runs = select(drawn.c.id, apart).subquery()
    ends = (
        select(func.min(runs.c.id), func.max(runs.c.id)).group_by(runs.c.apart).order_by(func.min(runs.c.id))
    )
    return np.concatenate(
        [np.arange(first, last + 1, dtype=np.int64) for first, last in session.execute(ends)]
    )


def last_on_sqlite(connection: Connection, table: str, key: str) -> int:
    """The last key that SQLite gave in a table that counts on, otherwise the greatest; 0: none yet."""
    last = connection.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).scalar()
    greatest = connection.scalar(select(func.max(column(key))).select_from(named(table)))
    return max(last or 0, greatest or 0)

"""Many rows out of the database at once, and many rows beside it for one statement to work with."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Boolean, Column, Date, Float, Integer, MetaData, Select, Table, func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from ma.db import bulk
from ma.models import UtcTime

CHUNK = 50_000
# Values of one IN list: SQLite takes at most 32,766.
BATCH = 10_000
# From this share of all rows on, reading everything once is faster than looking the values up.
_MOST_LOOKED_UP = 0.1

_names = count(1)


def rows(session: Session, query: Select) -> pd.DataFrame:
    """The rows of a select: text and whole numbers that may be missing, days and instants as datetime64.

    Straight from the driver's tuples into Arrow: a million texts take their own bytes, not Python objects.
    """
    columns = list(query.selected_columns)
    result = session.connection().execute(query)
    parts: list[list[pa.Array]] = [[] for _ in columns]
    while batch := result.cursor.fetchmany(CHUNK):
        for part, values, column in zip(parts, zip(*batch, strict=True), columns, strict=True):
            part.append(_array(values, column.type))
    result.close()
    arrays = [
        pa.chunked_array(part) if part else pa.chunked_array([_array((), column.type)])
        for part, column in zip(parts, columns, strict=True)
    ]
    return pa.table(arrays, names=[c.name for c in columns]).to_pandas(types_mapper=_DTYPES.get)


def rows_with(session: Session, query: Select, column: ColumnElement, values: pd.Series) -> pd.DataFrame:
    """Those rows of a select whose `column`, one of its own, is among `values`, in no special order."""
    wanted = values.dropna().unique()
    if len(wanted) > BATCH and len(wanted) > _MOST_LOOKED_UP * _count(session, query):
        found = rows(session, query)
        return found[among(found[column.name], wanted)].reset_index(drop=True)
    wanted = wanted.tolist()
    lists = [wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH)] or [[]]
    parts = [rows(session, query.where(column.in_(part))) for part in lists]
    return pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]


def _count(session: Session, query: Select) -> int:
    return session.scalar(select(func.count()).select_from(query.subquery()))


def by_id(session: Session, query: Select, column: ColumnElement, ids: pd.Series) -> pd.DataFrame:
    """The same for whole-number keys that an index leads to, however many: dense ones as one range."""
    wanted = np.unique(ids.to_numpy(dtype="int64"))
    parts = []
    for start in range(0, len(wanted), BATCH):
        part = wanted[start : start + BATCH]
        if part[-1] - part[0] < 2 * len(part):
            found = rows(session, query.where(column.between(int(part[0]), int(part[-1]))))
            parts.append(found[found[column.name].isin(part)])
        else:
            parts.append(rows(session, query.where(column.in_(part.tolist()))))
    return pd.concat(parts, ignore_index=True) if parts else rows(session, query.where(column.in_([])))


def is_taken(error: Exception) -> bool:
    """Whether a bulk insert failed because somebody else has just written the same key.

    The driver says so itself, or through SQLAlchemy where an index is built after the rows (`filling`).
    """
    error = getattr(error, "orig", None) or error
    return isinstance(error, _driver_errors()) and "unique" in str(error).lower()


def _driver_errors() -> tuple[type[Exception], ...]:
    import sqlite3

    import psycopg

    return (sqlite3.IntegrityError, psycopg.errors.UniqueViolation)


def among(values: pd.Series, wanted) -> np.ndarray:
    """Which values are wanted. `isin` of texts makes a Python object of every one of them."""
    column, wanted = pa.array(values), pa.array(wanted)
    return np.asarray(pc.is_in(column, value_set=wanted.cast(column.type), skip_nulls=True))


def analyze(session: Session, *tables: Table) -> None:
    """Tell PostgreSQL's planner how much has just been written; without it joins of new rows take minutes."""
    if session.connection().dialect.name == "postgresql":
        for table in tables:
            session.connection().exec_driver_sql(f'ANALYZE "{table.schema}"."{table.name}"')


@contextmanager
def staged(session: Session, frame: pd.DataFrame, like: dict[str, ColumnElement]) -> Iterator[Table]:
    """A temporary table with the rows of a frame; `like` says which column has each one's type.

    The first column is its key. Needs a writing session; it is gone when the block ends.
    """
    schema = "temp" if session.connection().dialect.name == "sqlite" else "pg_temp"
    columns = [Column(name, like[name].type, primary_key=i == 0) for i, name in enumerate(frame.columns)]
    columns[0].autoincrement = False
    table = Table(f"staged_{next(_names)}", MetaData(), *columns, schema=schema, prefixes=["TEMPORARY"])
    connection = session.connection()
    table.create(connection)
    bulk.insert(session, table, frame)
    yield table
    # Only where the block went well: after an error the transaction takes no statement, and its end drops it.
    table.drop(connection)


def _array(values: tuple, column_type) -> pa.Array:
    if isinstance(column_type, UtcTime):
        # SQLite holds microseconds, PostgreSQL gives instants; both fit.
        if values and isinstance(next((v for v in values if v is not None), None), int):
            return pa.array(values, pa.int64()).cast(pa.timestamp("us", "UTC"))
        return pa.array(values, pa.timestamp("us", "UTC"))
    if isinstance(column_type, Date):
        if values and isinstance(next((v for v in values if v is not None), None), str):
            return pa.array(values, pa.string()).cast(pa.timestamp("us"))
        return pa.array(values, pa.date32()).cast(pa.timestamp("us"))
    if isinstance(column_type, Boolean):
        return pa.array([None if v is None else bool(v) for v in values], pa.bool_())
    if isinstance(column_type, Integer):
        return pa.array(values, pa.int64())
    if isinstance(column_type, Float):
        return pa.array(values, pa.float64())
    return pa.array(values, pa.large_string())


_DTYPES = {
    pa.large_string(): pd.StringDtype(na_value=float("nan")),
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}

"""Writing many rows at once, past the ORM."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder
from sqlalchemy import BigInteger, Boolean, Date, Float, Integer, Select, Table
from sqlalchemy.orm import Session

from ma.models import UtcTime

CHUNK = 100_000
_COPIED = 20_000
_ARROW = [(BigInteger, pa.int64()), (Integer, pa.int32()), (Float, pa.float64()), (Boolean, pa.bool_())]
_PLAIN_WORD = re.compile("[A-Za-z0-9_]{1,40}", re.ASCII)


def insert(session: Session, table: Table, frame: pd.DataFrame) -> int:
    """Insert a frame whose columns are named like the table's; returns the number of rows.

    Times are timezone-aware datetime64, dates are datetime64 or date objects, NA is NULL.
    Sent as driver executemany with integers on SQLite (4 s for a million outcomes, where Core took 16 s)
    and as binary COPY on PostgreSQL.
    """
    connection = session.connection()
    columns = list(frame.columns)
    for start in range(0, len(frame), CHUNK):
        part = frame.iloc[start : start + CHUNK]
        if connection.dialect.name == "sqlite":
            _executemany(connection, table, columns, part)
        else:
            _copy(connection, table, columns, part)
    return len(frame)


def numbers(session: Session, query: Select) -> np.ndarray:
    """The rows of a select of numbers only, as one float64 array: NULL is NaN, integers are exact below 2^53.

    Straight from the driver's tuples: through SQLAlchemy's rows a million people take three times as long.
    """
    result = session.connection().execute(query)
    parts = []
    while rows := result.cursor.fetchmany(CHUNK):
        parts.append(np.array(rows, dtype=np.float64))
    result.close()
    return np.concatenate(parts) if parts else np.empty((0, len(query.selected_columns)))


def _executemany(connection, table: Table, columns: list[str], frame: pd.DataFrame) -> None:
    # What is the same in all rows stands in the statement: of a new customer's columns that is half. The
    # first one never, since the rows must be counted by something.
    same = {columns[0]: None} | {c: _same_in_all(frame[c], table.c[c].type) for c in columns[1:]}
    lists = [_sqlite_values(frame[c], table.c[c].type) for c in columns if same[c] is None]
    marks = ", ".join(same[c] or "?" for c in columns)
    names = ", ".join(f'"{c}"' for c in columns)
    cursor = connection.connection.cursor()
    insert = f'INSERT INTO "{table.name}" ({names})'
    if _has_insert_trigger(cursor, table.name):
        # A trigger that fills a search index makes SQLite flush that index after every statement: a hundred
        # thousand customers took 30 s. As one statement, from a table beside, they take 8 s.
        cursor.execute(f'CREATE TEMP TABLE bulk_rows AS SELECT {names} FROM "{table.name}" WHERE 0')
        cursor.executemany(f"INSERT INTO temp.bulk_rows VALUES ({marks})", zip(*lists, strict=True))
        cursor.execute(f"{insert} SELECT * FROM temp.bulk_rows")
        cursor.execute("DROP TABLE temp.bulk_rows")
    else:
        cursor.executemany(f"{insert} VALUES ({marks})", zip(*lists, strict=True))
    cursor.close()


def _has_insert_trigger(cursor, name: str) -> bool:
    triggers = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?"
    return any("AFTER INSERT" in sql for (sql,) in cursor.execute(triggers, [name]).fetchall())


def _sqlite_values(series: pd.Series, column_type) -> list:
    missing = series.isna().to_numpy()
    if isinstance(column_type, UtcTime):
        values = _micros(series).tolist()
    elif isinstance(column_type, Date):
        values = pd.to_datetime(series).dt.strftime("%Y-%m-%d").tolist()
    else:
        values = series.tolist()
    if not missing.any():
        return values
    return [None if gone else value for value, gone in zip(values, missing, strict=True)]


def _same_in_all(series: pd.Series, column_type) -> str | None:
    """The SQL for the number, the plain word, or the NULL that all rows have; None where they differ."""
    first, last = series.iloc[0], series.iloc[-1]
    if pd.isna(first):
        return "NULL" if series.isna().all() else None
    if pd.isna(last) or first != last or series.hasnans:
        return None
    if isinstance(first, str):
        return f"'{first}'" if _PLAIN_WORD.fullmatch(first) and (series == first).all() else None
    values = _micros(series) if isinstance(column_type, UtcTime) else series.to_numpy()
    if values.dtype.kind not in "biu" or (values != values[0]).any():
        return None
    return str(int(values[0]))


def _micros(series: pd.Series) -> np.ndarray:
    return _as_utc(series).dt.as_unit("us").dt.tz_localize(None).to_numpy().astype(np.int64)


def _as_utc(series: pd.Series) -> pd.Series:
    if not isinstance(series.dtype, pd.DatetimeTZDtype):
        if not series.isna().all():
            raise ValueError(f"Column {series.name} needs times with a time zone.")
        return pd.to_datetime(series, utc=True)
    return series.dt.tz_convert("UTC")


def _copy(connection, table: Table, columns: list[str], frame: pd.DataFrame) -> None:
    """Send rows in the database's own binary form: as text, a million scores took three times as long."""
    rows = pa.table([_arrow(frame[c], table.c[c].type) for c in columns], names=columns)
    encoder = ArrowToPostgresBinaryEncoder(rows.schema)
    names = ", ".join(f'"{c}"' for c in columns)
    sql = f'COPY "{table.schema}"."{table.name}" ({names}) FROM STDIN WITH (FORMAT binary)'
    with connection.connection.driver_connection.cursor() as cursor, cursor.copy(sql) as copy:
        copy.write(encoder.write_header())
        # In parts: the server reads one while the next is written.
        for part in rows.to_batches(_COPIED):
            copy.write(encoder.write_batch(part))
        copy.write(encoder.finish())


def _arrow(series: pd.Series, column_type) -> pa.Array:
    """A column in the very type that the table has: the binary form converts nothing."""
    if isinstance(column_type, UtcTime):
        return pa.array(_as_utc(series).dt.as_unit("us")).cast(pa.timestamp("us"))
    if isinstance(column_type, Date):
        return pa.array(pd.to_datetime(series), type=pa.timestamp("us")).cast(pa.date32())
    kind = next((arrow for kind, arrow in _ARROW if isinstance(column_type, kind)), pa.string())
    return pa.Array.from_pandas(series).cast(kind)

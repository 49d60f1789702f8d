"""A whole workspace from one database to another: every table of all modules, with ids and what follows them.

Rows travel as SQLite stores them (instants as microseconds, days and JSON as text), some thousands at a time:
PostgreSQL says its own in that way, and takes them by COPY. Constraints between tables and the other indexes,
that of the search too, are made at the end, of everything at once.
"""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv
from sqlalchemy import JSON, Boolean, Column, Connection, Date, Float, Integer, Table, text
from sqlalchemy.exc import IntegrityError

from ma.db import migrate, search
from ma.db.engine import Database
from ma.db.sequences import last_on_sqlite
from ma.errors import Conflict
from ma.models import Base, SalesBase, ServiceBase, UtcTime

LOT = 10_000
# Sums are taken of millions and of what is left over: SQLite's whole numbers end at nine quintillions.
_MILLION = 1_000_000
# Sums of fractions depend on their order in the last digits.
_CLOSE = {"rel_tol": 1e-9, "abs_tol": 1e-9}
_UNFIT = (
    "Rows of the source do not fit together: the same key twice, or what a row belongs to is missing. "
    "The target was left empty."
)
Progress = Callable[[float, str], None]
Lots = Iterator[list[tuple]]
Came = Callable[[int], None]


@dataclass(frozen=True)
class Figures:
    """What is compared of a table: how many rows, and of each column how many values and their sum.

    Of texts it is the sum of their lengths.
    """

    rows: int
    filled: dict[str, int]
    sums: dict[str, int | float]

    def differ_from(self, other: "Figures") -> str | None:
        """Where the first difference is, in words."""
        if self.rows != other.rows:
            return f"{self.rows:,} rows here, {other.rows:,} there"
        for name, filled in self.filled.items():
            ours, theirs = self.sums[name], other.sums[name]
            same = ours == theirs or (isinstance(ours, float) and math.isclose(ours, theirs, **_CLOSE))
            if filled != other.filled[name] or not same:
                there = f"{other.filled[name]:,} values with the sum {theirs} there"
                return f"{name} has {filled:,} values with the sum {ours} here, {there}"
        return None


def tables() -> list[Table]:
    """Every table of all modules, parents first."""
    return [table for base in (Base, SalesBase, ServiceBase) for table in base.metadata.sorted_tables]


def move(source: Database, target: Database, *, progress: Progress = lambda *_: None) -> dict[str, Figures]:
    """Copy a workspace into an empty database; what was compared of each table, by its name.

    The target's tables are created or upgraded first. Then all or nothing, in one transaction: where a count
    or a sum differs at the end, the target stays empty. Nobody can change the source meanwhile. Raises
    NotReady, Conflict.
    """
    migrate.require_current(source)
    migrate.upgrade(target)
    with target.reading() as session:
        if full := [table.name for table in tables() if not _is_empty(session.connection(), table)]:
            raise Conflict(f"The target holds data already ({full[0]}). Move to a new database.")
    try:
        with _held(source) as giver, _unbound(target) as taker:
            before = {}
            for table in tables():
                progress(0.0, f"counting {table.name}")
                before[table.name] = figures(giver, table)
            if not before["workspace"].rows:
                raise Conflict("There is no workspace in the source. Nothing was moved.")
            _copy_all(giver, taker, before, progress)
    except IntegrityError as error:
        raise Conflict(_UNFIT) from error
    return before


def figures(connection: Connection, table: Table) -> Figures:
    """Count and add up a table's columns, each as SQLite stores it."""
    parts, columns = ["count(*)"], list(table.columns)
    for column in columns:
        stored = _stored(connection, column)
        parts.append(f"count({stored})")
        match _kind(column):
            case "text":
                parts += [f"sum(length({stored}))", "0"]
            case "fraction":
                parts += [f"sum({stored})", "0"]
            case _:
                parts += [f"sum({stored} / {_MILLION})", f"sum({stored} % {_MILLION})"]
    query = f"SELECT {', '.join(parts)} FROM {_named(connection, table)}"
    rows, *found = connection.execute(text(query)).one()
    filled, sums = {}, {}
    for column, values, great, small in zip(columns, found[::3], found[1::3], found[2::3], strict=True):
        filled[column.name] = values
        match _kind(column):
            case "text":
                sums[column.name] = int(great or 0)
            case "fraction":
                sums[column.name] = float(great or 0)
            case _:
                sums[column.name] = int(great or 0) * _MILLION + int(small or 0)
    return Figures(rows, filled, sums)


def _copy_all(giver: Connection, taker: Connection, before: dict[str, Figures], progress: Progress) -> None:
    total, done = sum(found.rows for found in before.values()) or 1, 0

    def came(rows: int) -> None:
        nonlocal done
        done += rows
        # The rest is for the indexes.
        progress(0.8 * done / total, f"copying {table.name}")

    with _bare(taker):
        for table in tables():
            try:
                _copy(giver, taker, table, came)
            except _driver_errors() as error:
                what = f"a row of {table.name} ({type(error).__name__})"
                raise Conflict(f"The target does not take {what}. It was left empty.") from error
            _go_on_counting(giver, taker, table)
        for table in tables():
            progress(0.8, f"comparing {table.name}")
            if words := before[table.name].differ_from(figures(taker, table)):
                raise Conflict(f"{table.name} did not arrive whole: {words}. The target was left empty.")
        progress(0.9, "making the indexes")
    progress(1.0, "done")


def _driver_errors() -> tuple[type[Exception], ...]:
    import sqlite3

    import psycopg

    return (sqlite3.Error, psycopg.Error)


def _copy(giver: Connection, taker: Connection, table: Table, came: Came) -> None:
    """Copy one table; `came` is told how many rows, lot by lot."""
    write = _inserted if taker.dialect.name == "sqlite" else _copied
    with closing(_lots(giver, table)) as lots:
        write(taker, table, lots, came)


def _lots(connection: Connection, table: Table) -> Lots:
    """A table's rows as SQLite stores them, some thousands at a time."""
    columns = ", ".join(_stored(connection, column) for column in table.columns)
    driver = connection.connection.driver_connection
    # On PostgreSQL a cursor with a name stays on the server: without, all rows would come at once.
    cursor = driver.cursor() if connection.dialect.name == "sqlite" else driver.cursor("moving")
    try:
        cursor.execute(f"SELECT {columns} FROM {_named(connection, table)}")
        while lot := cursor.fetchmany(LOT):
            yield lot
    finally:
        cursor.close()


def _inserted(connection: Connection, table: Table, lots: Lots, came: Came) -> None:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    marks = ", ".join("?" * len(table.columns))
    cursor = connection.connection.driver_connection.cursor()
    for lot in lots:
        cursor.executemany(f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})', lot)
        came(len(lot))
    cursor.close()


def _copied(connection: Connection, table: Table, lots: Lots, came: Came) -> None:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    options = pa.csv.WriteOptions(include_header=False, quoting_style="needed")
    statement = f"COPY {_named(connection, table)} ({names}) FROM STDIN WITH (FORMAT csv)"
    with connection.connection.driver_connection.cursor() as cursor, cursor.copy(statement) as copy:
        for lot in lots:
            buffer = io.BytesIO()
            pa.csv.write_csv(_arrow(table, lot), buffer, options)
            copy.write(buffer.getbuffer())
            came(len(lot))


def _arrow(table: Table, rows: Sequence[tuple]) -> pa.Table:
    types = {"text": pa.string(), "fraction": pa.float64(), "number": pa.int64(), "instant": pa.int64()}
    arrays = []
    for column, values in zip(table.columns, zip(*rows, strict=True), strict=True):
        kind = _kind(column)
        array = pa.array(values, types[kind])
        arrays.append(array.cast(pa.timestamp("us", "UTC")) if kind == "instant" else array)
    return pa.table(arrays, names=[column.name for column in table.columns])


def _kind(column: Column) -> str:
    if isinstance(column.type, UtcTime):
        return "instant"
    if isinstance(column.type, Float):
        return "fraction"
    return "number" if isinstance(column.type, Integer | Boolean) else "text"


def _stored(connection: Connection, column: Column) -> str:
    """A column as SQLite stores it."""
    name = f'"{column.name}"'
    if connection.dialect.name == "sqlite":
        # A number alone is a number there, too.
        return f"CAST({name} AS TEXT)" if isinstance(column.type, JSON) else name
    if isinstance(column.type, UtcTime):
        return f"(extract(epoch FROM {name}) * {_MILLION})::bigint"
    if isinstance(column.type, Date):
        return f"to_char({name}, 'YYYY-MM-DD')"
    if isinstance(column.type, JSON):
        return f"{name}::text"
    return f"{name}::int" if isinstance(column.type, Boolean) else name


def _named(connection: Connection, table: Table) -> str:
    return f'"{table.name}"' if connection.dialect.name == "sqlite" else f'"{table.schema}"."{table.name}"'


def _is_empty(connection: Connection, table: Table) -> bool:
    return connection.exec_driver_sql(f"SELECT 1 FROM {_named(connection, table)} LIMIT 1").first() is None


@contextmanager
def _held(source: Database) -> Iterator[Connection]:
    """The source at one instant, in which nobody can write until the end."""
    # A writer's transaction is what keeps others from writing on SQLite.
    holder = source.engine.execution_options(ma_writes=True)
    with holder.connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            named = ", ".join(_named(connection, table) for table in tables())
            connection.exec_driver_sql(f"LOCK TABLE {named} IN SHARE MODE")
        yield connection


@contextmanager
def _unbound(target: Database) -> Iterator[Connection]:
    """The target in one transaction; SQLite looks at keys between tables at its end."""
    writer = target.engine.execution_options(ma_writes=True)
    with writer.connect() as connection:
        driver = connection.connection.driver_connection
        sqlite = connection.dialect.name == "sqlite"
        if sqlite:
            driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
                if sqlite and driver.execute("PRAGMA foreign_key_check").fetchone():
                    raise Conflict(_UNFIT)
        finally:
            if sqlite:
                driver.execute("PRAGMA foreign_keys=ON")


@contextmanager
def _bare(connection: Connection) -> Iterator[None]:
    """The target's tables without constraints between them and without the other indexes, until the end."""
    if connection.dialect.name == "sqlite":
        dropped = _drop_on_sqlite(connection)
        yield
        search.rebuild(connection)
    else:
        dropped = _drop_on_postgresql(connection)
        yield
        connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '256MB'")
    for statement in dropped:
        connection.exec_driver_sql(statement)
    if connection.dialect.name == "postgresql":
        for table in tables():
            connection.exec_driver_sql(f"ANALYZE {_named(connection, table)}")


def _drop_on_sqlite(connection: Connection) -> list[str]:
    """Returns what creates it again."""
    kept = "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
    found = connection.exec_driver_sql(kept).all()
    for kind, name, _ in found:
        connection.exec_driver_sql(f'DROP {kind} "{name}"')
    return [statement for _, _, statement in found]


def _drop_on_postgresql(connection: Connection) -> list[str]:
    names = {"names": sorted({table.schema for table in tables()})}
    bonds = connection.execute(
        text(
            "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) "
            "FROM pg_constraint WHERE contype = 'f' AND connamespace::regnamespace::text = ANY(:names)"
        ),
        names,
    ).all()
    indexes = connection.execute(
        text(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index i "
            "JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace::regnamespace::text = ANY(:names) "
            "AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)"
        ),
        names,
    ).all()
    for table, name, _ in bonds:
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, _ in indexes:
        connection.exec_driver_sql(f"DROP INDEX {name}")
    # Constraints last: they look up the keys that they lead to.
    again = [f"ALTER TABLE {table} ADD CONSTRAINT {name} {words}" for table, name, words in bonds]
    return [statement for _, statement in indexes] + again


def _go_on_counting(giver: Connection, taker: Connection, table: Table) -> None:
    """Let the target give ids after the last one that the source gave, also where its row is gone."""
    key = table.autoincrement_column
    if key is None:
        return
    if taker.dialect.name == "sqlite":
        if table.dialect_options["sqlite"]["autoincrement"] and (last := _last_id(giver, table, key)):
            taker.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (table.name,))
            taker.exec_driver_sql("INSERT INTO sqlite_sequence VALUES (?, ?)", (table.name, last))
        return
    named = {"table": _named(taker, table), "key": key.name}
    sequence = taker.scalar(text("SELECT pg_get_serial_sequence(:table, :key)"), named)
    if sequence and (last := _last_id(giver, table, key)):
        taker.execute(text("SELECT setval(:sequence, :last)"), {"sequence": sequence, "last": last})


def _last_id(giver: Connection, table: Table, key: Column) -> int | None:
    """The last id that was ever given; None where there was none."""
    if giver.dialect.name == "sqlite":
        return last_on_sqlite(giver, table.name, key.name) or None
    greatest = giver.exec_driver_sql(f'SELECT max("{key.name}") FROM {_named(giver, table)}').scalar()
    found = text("SELECT pg_sequence_last_value(pg_get_serial_sequence(:table, :key)::regclass)")
    given = giver.scalar(found, {"table": _named(giver, table), "key": key.name})
    return max(filter(None, (greatest, given)), default=None)

"""Rows for every table there is, with the values that are hard to carry: for what must lose nothing."""

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import JSON, Boolean, Column, Date, Float, Integer, String, Table, insert

from ma.db import moving
from ma.models import UtcTime

ROWS = 7
TEXTS = ["", " ", '"', "a,b", "Ä\N{SNOWMAN}\U0001f600", "\\.", "NULL", "\\N", "two\nlines\r\n", "x\t'y'"]
LEAST = datetime(1900, 1, 1, 0, 0, 0, 1, tzinfo=UTC)


def fill(database) -> None:
    """Put some rows into every table; keys lead to rows that exist."""
    with database.writing() as session:
        for table in moving.tables():
            session.execute(insert(table), [row(table, number) for number in range(1, ROWS + 1)])


def row(table: Table, number: int) -> dict:
    """One row; nullable columns are empty in the first."""
    return {column.name: value(column, number) for column in table.columns}


def value(column: Column, number: int):
    """A value of a column's type, another one for each row."""
    key = column.foreign_keys or column.primary_key or column.name.endswith("_id")
    if key and isinstance(column.type, Integer | String):
        return str(number) if isinstance(column.type, String) else number
    if column.nullable and number == 1:
        return None
    if isinstance(column.type, UtcTime):
        return LEAST + number * timedelta(days=9_999, microseconds=7)
    if isinstance(column.type, Date):
        return date(1999, 12, 31) + timedelta(days=number * 1_000)
    if isinstance(column.type, Boolean):
        return number % 2 == 0
    if column.name == "holdout_share":
        return number / 10
    if isinstance(column.type, Float):
        return [0.1, 1 / 3, -1e-300, 1e300, 0.0, 12.5, -0.0][number % ROWS]
    if isinstance(column.type, Integer):
        return (-1) ** number * (2**31 - number)
    if isinstance(column.type, JSON):
        return [None, {}, [], {"ä": [1.5, None, True, "\n"]}, "text", 10**15, {"b": 1, "a": 2}][number % ROWS]
    # Unique columns need different ones.
    text = f"{number}{TEXTS[number % len(TEXTS)]}" if number > 1 or column.unique else ""
    return text[: column.type.length]

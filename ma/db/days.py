"""Calendar days of the workspace's time zone, in SQL, the same on every engine."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sqlalchemy import Integer, case, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement, FunctionElement

MICROS_PER_DAY = 86_400_000_000


class _DayNumber(FunctionElement):
    """Days since 1970-01-01 of an instant shifted by an offset in microseconds."""

    inherit_cache = True
    name = "day_number"
    type = Integer()


@compiles(_DayNumber, "sqlite")
def _sqlite_day(element, compiler, **kw):
    at, offset = element.clauses
    return f"(({compiler.process(at, **kw)} + {compiler.process(offset, **kw)}) / {MICROS_PER_DAY})"


@compiles(_DayNumber, "postgresql")
def _postgresql_day(element, compiler, **kw):
    at, offset = element.clauses
    # By way of the date: with EXTRACT(EPOCH …), which is numeric, five times as long.
    shifted = (
        f"({compiler.process(at, **kw)}) AT TIME ZONE 'UTC'"
        f" + ({compiler.process(offset, **kw)}) * INTERVAL '1 microsecond'"
    )
    return f"(CAST({shifted} AS DATE) - DATE '1970-01-01')"


def day_number(column: ColumnElement, *, timezone: str, start: datetime, end: datetime) -> ColumnElement:
    """The calendar day of `column` in a time zone, as days since 1970-01-01, for instants in [start, end).

    SQLite knows no time zones, so the zone's changes of offset in the period become a CASE.
    Instants must not be before 1970 (integer division would round towards zero).
    """
    changes = _offset_changes(timezone, start, end)
    micros = (
        case(
            *[(column < at, offset) for at, offset in changes[:-1]],
            else_=literal(changes[-1][1]),
        )
        if len(changes) > 1
        else literal(changes[0][1])
    )
    return _DayNumber(column, micros)


def _offset_changes(timezone: str, start: datetime, end: datetime) -> list[tuple[datetime, int]]:
    """[(until, offset in microseconds)]: the offsets in force in a period, each with the instant it ends."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    years = range(start.year, end.year + 1)
    changes = [change for year in years for change in _changes_of(timezone, year)]
    inside = [(at, before) for at, before in changes if start < at <= end]
    return [*inside, (end, _offset(ZoneInfo(timezone), end))]


@lru_cache(maxsize=1000)
def _changes_of(timezone: str, year: int) -> tuple[tuple[datetime, int], ...]:
    """When a zone's offset changes in a year, to the second, and the offset before."""
    zone, changes = ZoneInfo(timezone), []
    first = datetime(year, 1, 1, tzinfo=UTC)
    for day in range((date(year + 1, 1, 1) - first.date()).days):
        low, high = first + timedelta(days=day), first + timedelta(days=day + 1)
        before = _offset(zone, low)
        if _offset(zone, high) == before:
            continue
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) / 2
            low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
        changes.append((high.replace(microsecond=0), before))
    return tuple(changes)


def _offset(zone: ZoneInfo, moment: datetime) -> int:
    return moment.astimezone(zone).utcoffset() // timedelta(microseconds=1)

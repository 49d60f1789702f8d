"""An instant some days after another, in SQL, the same on every engine."""

from sqlalchemy import literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement, FunctionElement

from ma.db.days import MICROS_PER_DAY
from ma.models import UtcTime


class _Later(FunctionElement):
    """An instant and a number of days."""

    inherit_cache = True
    name = "later"
    type = UtcTime()


@compiles(_Later, "sqlite")
def _sqlite_later(element, compiler, **kw):
    at, days = element.clauses
    return f"({compiler.process(at, **kw)} + {compiler.process(days, **kw)} * {MICROS_PER_DAY})"


@compiles(_Later, "postgresql")
def _postgresql_later(element, compiler, **kw):
    at, days = element.clauses
    # Days of 24 hours, as elsewhere: an interval of "1 day" would follow the clock changes.
    return f"({compiler.process(at, **kw)} + {compiler.process(days, **kw)} * INTERVAL '24 hours')"


def later(column: ColumnElement, days: int | ColumnElement) -> ColumnElement:
    """The instants of `column`, so many times 24 hours later."""
    return _Later(column, literal(days) if isinstance(days, int) else days)

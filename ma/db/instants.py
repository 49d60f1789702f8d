"""Instants as whole numbers, in SQL, the same on every engine."""

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement, FunctionElement


class microseconds(FunctionElement):
    """Microseconds since 1970 of an instant, exactly, as `ma.clock.to_micros` counts them."""

    inherit_cache = True
    name = "microseconds"
    type = BigInteger()

    def __init__(self, column: ColumnElement):
        super().__init__(column)


@compiles(microseconds, "sqlite")
def _sqlite(element, compiler, **kw):
    # Instants are kept as such.
    return compiler.process(element.clauses, **kw)


@compiles(microseconds, "postgresql")
def _postgresql(element, compiler, **kw):
    # EXTRACT gives an exact number with all six digits.
    return f"CAST(EXTRACT(EPOCH FROM {compiler.process(element.clauses, **kw)}) * 1000000 AS BIGINT)"

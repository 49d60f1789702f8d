"""Hints to a database's planner that change nothing about the result."""

from sqlalchemy import Boolean, ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement


class unindexed(FunctionElement):
    """A column that SQLite's planner will not look up in an index.

    It takes any index it can and fetches the rows one by one: for a condition that half the customers fulfil
    that took 4.6 times as long as reading the table once (1.45 s against 0.31 s at a million). PostgreSQL
    weighs the two itself.
    """

    inherit_cache = True
    name = "unindexed"

    def __init__(self, column: ColumnElement):
        super().__init__(column)
        self.type = column.type


@compiles(unindexed, "sqlite")
def _sqlite(element, compiler, **kw):
    return f"+{compiler.process(element.clauses, **kw)}"


@compiles(unindexed)
def _others(element, compiler, **kw):
    return compiler.process(element.clauses, **kw)


class same_condition(FunctionElement):
    """One condition written in two ways: `looked_up` for PostgreSQL, `listed` for SQLite.

    Whether somebody opened anything: PostgreSQL joins the tables for EXISTS, in parallel (1.0 s against
    2.0 s with a list, five million outcomes); SQLite looks it up for each customer, slower than a list.
    """

    inherit_cache = True
    name = "same_condition"
    type = Boolean()

    def __init__(self, *, listed: ColumnElement, looked_up: ColumnElement):
        super().__init__(listed, looked_up)


@compiles(same_condition, "sqlite")
def _listed(element, compiler, **kw):
    return compiler.process(element.clauses.clauses[0], **kw)


@compiles(same_condition)
def _looked_up(element, compiler, **kw):
    return compiler.process(element.clauses.clauses[1], **kw)

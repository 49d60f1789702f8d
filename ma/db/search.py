"""The index over customers' words in SQL: full text on SQLite, a GIN index of vectors on PostgreSQL.

A search is words joined by "every" and "either"; each stands for all words that begin with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    FromClause,
    String,
    Table,
    and_,
    bindparam,
    column,
    join,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.expression import FunctionElement

from ma.models import SCHEMA, Customer
from ma.models.base import BigKey


@dataclass(frozen=True)
class Every:
    """All of these must be found. Without any, everybody is."""

    terms: tuple["Term", ...] = ()


@dataclass(frozen=True)
class Either:
    """At least one of these must be found."""

    terms: tuple["Term", ...]


# FTS5's own setting. Merging while a million customers are added takes a third of the time.
_MERGED = 4

# A str is the beginning of a word: letters, digits and marks only, folded (`ma.text.words`).
Term = str | Every | Either


def indexed(term: Term) -> ColumnElement:
    """Whether a customer has the words, looked up in the index. `term` must not be empty."""
    return Customer.id.in_(select(_having(term).c.id))


def customers_having(term: Term) -> FromClause:
    """The customer table, of which only those who have the words are read. `term` must not be empty.

    SQLite writes down what an IN selects before it reads the first row; a join ends where its LIMIT is.
    """
    found = _having(term)
    return join(found, Customer, Customer.id == found.c.id)


def _having(term: Term) -> FromClause:
    return _Having(
        Customer.__table__.c.search_text,
        bindparam(None, _spelled(term, '"{}"*', " AND ", " OR "), String),
        bindparam(None, _spelled(term, "'{}':*", " & ", " | "), String),
    ).table_valued(column("id", BigKey), name="having_words")


def scanned(term: Term) -> ColumnElement:
    """Whether a customer has the words, read from the row itself: for rows that are at hand anyway."""
    match term:
        case Every(()):
            return true()
        case Every(terms):
            return and_(*map(scanned, terms))
        case Either(terms):
            return or_(*map(scanned, terms))
        case _:
            return (literal(" ") + Customer.search_text).like(f"% {term}%")


def holds(term: Term, search_text: str) -> bool:
    """Whether the words are among those of one customer."""
    match term:
        case Every(terms):
            return all(holds(inner, search_text) for inner in terms)
        case Either(terms):
            return any(holds(inner, search_text) for inner in terms)
        case _:
            return f" {term}" in f" {search_text}"


@contextmanager
def left_out(session: Session, table: Table, last_id: int) -> Iterator[None]:
    """SQLite: the rows inserted (with ids above `last_id`) come into the index at the end, all at once."""
    connection = session.connection()
    if table is not Customer.__table__:
        yield
        return
    named = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = 'customer_search_add'"
    trigger = connection.exec_driver_sql(named).scalar_one()
    connection.exec_driver_sql("DROP TRIGGER customer_search_add")
    yield
    _merge_at_once(connection, 0)
    connection.exec_driver_sql(
        "INSERT INTO customer_search (rowid, search_text) SELECT id, search_text FROM customer WHERE id > ?",
        (last_id,),
    )
    _merge_at_once(connection, _MERGED)
    connection.exec_driver_sql(trigger)


def rebuild(connection) -> None:
    """SQLite: make the index anew, of the customers that there are."""
    connection.exec_driver_sql("INSERT INTO customer_search (customer_search) VALUES ('rebuild')")


def _merge_at_once(connection, parts: int) -> None:
    """SQLite: how many parts of the index are merged while it grows; 0 leaves that to the writers to come."""
    connection.exec_driver_sql(
        "INSERT INTO customer_search (customer_search, rank) VALUES ('automerge', ?)", (parts,)
    )


def wait_to_settle(session: Session) -> None:
    """PostgreSQL: what this transaction adds to the index waits in its list of what is new (`settle`)."""
    for setting, size in (("gin_pending_list_limit", "512MB"), ("work_mem", "256MB")):
        session.connection().exec_driver_sql(f"SET LOCAL {setting} = '{size}'")


def settle(session: Session) -> None:
    """PostgreSQL: sort what waits into the index: until then searches take longer."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '256MB'")
        connection.exec_driver_sql(f"SELECT gin_clean_pending_list('{SCHEMA}.ix_customer_search')")


def _spelled(term: Term, word: str, every: str, either: str) -> str:
    match term:
        case Every(terms) | Either(terms):
            joined = (every if isinstance(term, Every) else either).join(
                _spelled(inner, word, every, either) for inner in terms
            )
            return f"({joined})"
        case _:
            return word.format(term)


class _Having(FunctionElement):
    """The ids of those who have words: (their words, the search for SQLite, the search for PostgreSQL)"""

    inherit_cache = True
    name = "having_words"


@compiles(_Having, "sqlite")
def _sqlite(element, compiler, **kw):
    _, match, _ = element.clauses
    found = "SELECT rowid AS id FROM customer_search WHERE customer_search MATCH"
    return f"({found} {compiler.process(match)})"


@compiles(_Having, "postgresql")
def _postgresql(element, compiler, **kw):
    text, _, query = element.clauses
    table, name = compiler.preparer.format_table(text.table), compiler.preparer.quote(text.name)
    # Exactly as the index has it, or it is not used.
    words = f"array_to_tsvector(string_to_array({name}, ' '))"
    return f"(SELECT id FROM {table} WHERE {words} @@ CAST({compiler.process(query)} AS tsquery))"

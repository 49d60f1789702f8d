"""Empty PostgreSQL databases for tests: emptying one takes a tenth of the time of copying a new one."""

import time

import psycopg

# Everything a test may have changed but rows: relations, their columns and indexes, functions.
_SHAPE = """
SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (
  SELECT c.oid::regclass || c.relkind::text || coalesce(pg_get_indexdef(i.indexrelid), '')
         || (SELECT coalesce(string_agg(a.attname || a.atttypid || a.attnotnull || a.attisdropped, ','
             ORDER BY a.attnum), '') FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) AS line
  FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
  WHERE c.relnamespace::regnamespace::text !~ '^pg_|^information_schema$'
  UNION ALL SELECT p.oid::regprocedure || md5(p.prosrc) FROM pg_proc p
  WHERE p.pronamespace::regnamespace::text !~ '^pg_|^information_schema$'
  UNION ALL SELECT conrelid::regclass || pg_get_constraintdef(oid) FROM pg_constraint
  WHERE connamespace::regnamespace::text !~ '^pg_|^information_schema$'
) AS shape
"""
_TABLES = """
SELECT c.oid::regclass::text FROM pg_class c
WHERE c.relkind = 'r' AND c.relname <> 'alembic_version'
  AND c.relnamespace::regnamespace::text !~ '^pg_|^information_schema$'
"""
# Of tables that are empty again, too: the next test counts from 1.
_COUNTED = """
SELECT DISTINCT d.refobjid::regclass::text FROM pg_depend d JOIN pg_class s ON s.oid = d.objid
JOIN pg_sequences q ON q.schemaname = s.relnamespace::regnamespace::text AND q.sequencename = s.relname
WHERE s.relkind = 'S' AND d.deptype IN ('a', 'i') AND d.refclassid = 'pg_class'::regclass
  AND q.last_value IS NOT NULL
"""
_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class PostgresPool:
    """Databases that are lent to one test at a time, and emptied in between."""

    def __init__(self, server, template: str):
        self._server, self._template, self._free = server, template, []
        with self._connected(template) as connection:
            self._shape = connection.execute(_SHAPE).fetchone()
            self._tables = [name for (name,) in connection.execute(_TABLES)]

    def take(self) -> str:
        """The name of an empty database with the template's tables."""
        if self._free:
            return self._free.pop()
        name = f"test_{time.time_ns()}"
        self._server.psql(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        return name

    def give_back(self, name: str) -> None:
        """A test is done with it. One whose tables are not the template's any more is thrown away."""
        with self._connected(name) as connection:
            connection.execute(_OTHERS)
            kept = connection.execute(_SHAPE).fetchone() == self._shape
            if kept:
                self._empty(connection)
        if kept:
            self._free.append(name)
        else:
            self._server.psql(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, name: str) -> str:
        """The address of one of them."""
        return self._server.get_uri(name)

    def close(self) -> None:
        """Throw all of them away."""
        for name in self._free:
            self._server.psql(f"DROP DATABASE {name} WITH (FORCE)")

    def _connected(self, name: str) -> psycopg.Connection:
        return psycopg.connect(self.url(name), autocommit=True)

    def _empty(self, connection: psycopg.Connection) -> None:
        some = " UNION ALL ".join(
            f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for table in self._tables
        )
        used = {name for query in (some, _COUNTED) for (name,) in connection.execute(query)}
        if used:
            connection.execute(f"TRUNCATE {', '.join(sorted(used))} RESTART IDENTITY CASCADE")

"""A PostgreSQL database of a test's own whose roles must give their password; both are gone afterwards."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ma.db import roles


@contextmanager
def guarded(server, *, template: str, prefix: str) -> Iterator[str]:
    """The address of a new database, as its owner. Others of the same prefix must not be there now."""
    name = f"roles_{time.time_ns()}"
    server.psql(f"CREATE DATABASE {name} TEMPLATE {template}")
    hba = Path(server.pgdata) / "pg_hba.conf"
    before = hba.read_text(encoding="utf-8")
    rules = "".join(f"local all {prefix}{role} scram-sha-256\n" for role in roles.ROLES)
    hba.write_text(rules + before, encoding="utf-8")
    server.psql("SELECT pg_reload_conf()")
    try:
        yield server.get_uri(name)
    finally:
        hba.write_text(before, encoding="utf-8")
        server.psql("SELECT pg_reload_conf()")
        server.psql(f"DROP DATABASE {name} WITH (FORCE)")
        for role in roles.ROLES:
            server.psql(f"DROP ROLE IF EXISTS {prefix}{role}")

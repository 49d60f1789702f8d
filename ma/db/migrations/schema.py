"""Where the tables live: in a schema of their own, except on SQLite, which has none."""

from alembic import op

from ma.models import SCHEMA


def schema(name: str = SCHEMA) -> str | None:
    """The schema for op.create_table and foreign keys."""
    return None if op.get_bind().dialect.name == "sqlite" else name


def table(name: str) -> str:
    """A table's name for a foreign key, with its schema where there is one."""
    return name if schema() is None else f"{SCHEMA}.{name}"

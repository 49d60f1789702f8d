"""Bringing a database's tables to what this program needs, forward only."""

from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.exc import OperationalError

from ma.db.engine import Database
from ma.errors import NotReady
from ma.models import SCHEMA

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> bool:
    """Create or migrate all tables; True when this call created the database.

    All or nothing: a migration that is killed leaves the database as it was.
    Raises NotReady when the database cannot be reached or was written by a newer version.
    """
    before = revision(database)
    if before == head():
        return False
    if before and before not in _known():
        raise NotReady(f"The database was written by a newer version ({before}). Upgrade this program.")
    _require_owner(database)
    # Half a second that a start with nothing to migrate should not pay.
    from alembic import command

    config = _config()
    config.attributes["database"] = database
    command.upgrade(config, "head")
    return before is None


def _require_owner(database: Database) -> None:
    """Raises NotReady for a login that may use the tables and not change them."""
    if database.engine.dialect.name == "sqlite":
        return
    with database.engine.connect() as connection:
        may = "SELECT has_database_privilege(current_database(), 'CREATE')"
        if not connection.execute(text(may)).scalar():
            raise NotReady(
                "The tables are not those of this program, and this login may not change them. Run "
                "python -m ma init, then python -m ma roles, with the login of the database's owner."
            )


def revision(database: Database) -> str | None:
    """The version of a database's tables; None when it has none yet."""
    schema = None if database.engine.dialect.name == "sqlite" else SCHEMA
    try:
        with database.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version", schema=schema):
                return None
            name = "alembic_version" if schema is None else f"{schema}.alembic_version"
            return connection.execute(text(f"SELECT version_num FROM {name}")).scalar()
    except OperationalError as error:
        raise NotReady(
            "The database cannot be reached. Check MA_DATABASE_URL and that it is running."
        ) from error


def require_current(database: Database) -> None:
    """Raises NotReady with the remedy unless the tables are those of this program."""
    found = revision(database)
    if found != head():
        problem = "has no tables yet" if found is None else f"has the tables of version {found}, not {head()}"
        raise NotReady(f"The database {problem}. Run: python -m ma init")


def head() -> str:
    """The version of the tables this program needs."""
    return max(_known())


def _known() -> set[str]:
    # Versions are numbered file names (0001_first_tables.py): no need to load alembic at every start.
    return {path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py")}


def _config():
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config

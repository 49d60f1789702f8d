"""How migrations run: one transaction, on SQLite with foreign keys off until they are checked."""

from alembic import context
from sqlalchemy import text

from ma.models import SCHEMA, SCHEMAS, Base, CustomerScore, SalesBase, SegmentMember, ServiceBase

database = context.config.attributes["database"]
# The database has no constraints for their foreign keys.
UNBOUND = (SegmentMember.__tablename__, CustomerScore.__tablename__)


def _sqlite(connection):
    # With foreign keys on, rebuilding a table deletes its children (tried):
    # off before BEGIN, checked before COMMIT.
    driver = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        with connection.begin():
            _run(connection, version_table_schema=None, render_as_batch=True)
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise RuntimeError(
                    f"Migration left {len(broken)} rows without their parent; nothing was changed."
                )
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def _postgresql(connection):
    with connection.begin():
        for schema in SCHEMAS:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
        _run(connection, version_table_schema=SCHEMA, include_schemas=True)


def _run(connection, **options):
    def own(name, type_, _parents):
        return type_ != "schema" or name in SCHEMAS

    def compared(thing, name, kind, _reflected, _other):
        # The models do not know the search index, and do know keys that have no constraints.
        if kind == "foreign_key_constraint" and thing.parent.name in UNBOUND:
            return False
        return name != "ix_customer_search"

    context.configure(
        connection=connection,
        target_metadata=[Base.metadata, SalesBase.metadata, ServiceBase.metadata],
        include_name=own,
        include_object=compared,
        transactional_ddl=True,
        **options,
    )
    with context.begin_transaction():
        context.run_migrations()


with database.engine.execution_options(ma_writes=True).connect() as connection:
    _sqlite(connection) if connection.dialect.name == "sqlite" else _postgresql(connection)

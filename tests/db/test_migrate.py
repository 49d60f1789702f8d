"""Migrations bring an empty database to the models, on both engines."""

from alembic import command
from sqlalchemy import inspect

from ma.db import migrate
from ma.db.engine import connect
from ma.models import Base


def test_upgrade_says_whether_it_created_the_database(tmp_path):
    database = connect(f"sqlite:///{tmp_path / 'new.db'}")
    assert migrate.upgrade(database) is True
    assert migrate.upgrade(database) is False


def test_migrated_tables_have_the_columns_of_the_models(database):
    schema = None if database.engine.dialect.name == "sqlite" else "ma"
    inspector = inspect(database.engine)
    for table in Base.metadata.tables.values():
        columns = {c["name"] for c in inspector.get_columns(table.name, schema=schema)}
        assert columns == {c.name for c in table.columns}, table.name


def test_models_and_migrations_agree_in_every_detail(postgres_url):
    database = connect(postgres_url)
    config = migrate._config()
    config.attributes["database"] = database
    command.check(config)
    database.close()

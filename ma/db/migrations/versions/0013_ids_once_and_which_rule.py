"""Ids of own fields are given once, on SQLite too, and a refresh of a segment says which rule it used."""

import sqlalchemy as sa
from alembic import op

from ma.db.migrations.schema import schema, table
from ma.models.base import UtcTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade():
    if schema() is None:  # PostgreSQL gives an id once
        _count_on()
    op.add_column("segment_refresh", sa.Column("rule_number", sa.Integer(), nullable=True), schema=schema())
    # As it was inferred until now: the rule that was the newest at the instant of the refresh.
    op.execute(
        f"UPDATE {table('segment_refresh')} AS refresh SET rule_number = ("
        f"SELECT max(number) FROM {table('segment_version')} AS version "
        "WHERE version.segment_id = refresh.segment_id AND version.at <= refresh.as_of)"
    )


def _count_on():
    """The same table, whose ids count on. Renamed last: that leaves the foreign keys to it as they are."""
    op.create_table(
        "counting_attribute",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_folded", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attribute")),
        sa.UniqueConstraint("name_folded", name=op.f("uq_attribute_name_folded")),
        sqlite_autoincrement=True,
    )
    columns = "id, name, name_folded, kind, choices, created_by, created_at"
    op.execute(f"INSERT INTO counting_attribute ({columns}) SELECT {columns} FROM attribute")
    op.execute("DROP TABLE attribute")
    op.execute("ALTER TABLE counting_attribute RENAME TO attribute")
    # Old versions of rules may still name fields that are gone; the audit log knows those.
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'attribute'")
    op.execute(
        "INSERT INTO sqlite_sequence (name, seq) SELECT 'attribute', max(id) FROM ("
        "SELECT id FROM attribute "
        "UNION ALL SELECT CAST(object_id AS INTEGER) FROM audit WHERE noun = 'attribute' "
        "UNION ALL SELECT 0)"
    )

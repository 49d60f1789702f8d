"""Segments in full: versions of their rules, runs that refresh them all, and why a refresh failed."""

import sqlalchemy as sa
from alembic import op

from ma.db.migrations.schema import schema, table
from ma.models.base import UtcTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Indexes that hold all that rules on events ask for, so that no row is read: (table, before, now).
_WIDER = (
    ("purchase", ["customer_id", "at"], ["customer_id", "at", "kind", "amount_minor"]),
    ("purchase", ["at", "amount_minor"], ["at", "amount_minor", "kind", "customer_id"]),
    ("purchase_line", None, ["category_id", "purchase_id", "amount_minor"]),
    ("behaviour_event", ["customer_id", "at"], ["customer_id", "at", "kind"]),
)


def _index(table_name: str, columns: list[str]) -> str:
    return "_".join(["ix", table_name, *columns])


def upgrade():
    op.create_table(
        "refresh_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("as_of", UtcTime(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("beat_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("segments", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("cancelled_by", sa.String(length=100), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refresh_run")),
        schema=schema(),
    )
    op.create_table(
        "segment_version",
        sa.Column("segment_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rule", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("restored", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["segment_id"], [table("segment") + ".id"], name=op.f("fk_segment_version_segment_id_segment")
        ),
        sa.PrimaryKeyConstraint("segment_id", "number", name=op.f("pk_segment_version")),
        schema=schema(),
    )
    op.create_index(op.f("ix_consent_change_at"), "consent_change", ["at"], unique=False, schema=schema())
    op.create_index(
        op.f("ix_behaviour_event_kind"),
        "behaviour_event",
        ["kind"],
        unique=False,
        schema=schema(),
        sqlite_where=sa.text("kind <> 'visit'"),
        postgresql_where=sa.text("kind <> 'visit'"),
    )
    for table_name, old, new in _WIDER:
        if old:
            op.drop_index(op.f(_index(table_name, old)), table_name=table_name, schema=schema())
        op.create_index(op.f(_index(table_name, new)), table_name, new, unique=False, schema=schema())
    op.add_column("segment", sa.Column("refresh_error", sa.Text(), nullable=True), schema=schema())
    segment, version = table("segment"), table("segment_version")
    op.execute(
        f"INSERT INTO {version} (segment_id, number, rule, actor, at) "
        f"SELECT id, 1, rule, created_by, updated_at FROM {segment} WHERE NOT static"
    )

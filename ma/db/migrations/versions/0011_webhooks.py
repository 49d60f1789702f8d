"""Webhooks: whom to tell of events, and each telling."""

import sqlalchemy as sa
from alembic import op

from ma.db.migrations.schema import schema, table
from ma.models import UtcTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "webhook",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("previous_salt", sa.String(length=64), nullable=True),
        sa.Column("previous_until", UtcTime(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("disabled_at", UtcTime(), nullable=True),
        sa.Column("disabled_why", sa.String(length=40), nullable=True),
        sa.Column("delivered_at", UtcTime(), nullable=True),
        sa.Column("failing_since", UtcTime(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("paused_until", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
        schema=schema(),
    )
    op.create_table(
        "webhook_type",
        sa.Column("webhook_id", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        _of_a_webhook("webhook_type"),
        sa.PrimaryKeyConstraint("webhook_id", "type", name=op.f("pk_webhook_type")),
        schema=schema(),
    )
    _deliveries()
    op.create_table(
        "webhook_inbox",
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_webhook_inbox")),
        schema=schema(),
    )
    op.create_index(op.f("ix_webhook_inbox_at"), "webhook_inbox", ["at"], schema=schema())
    _dead_letters()


def _of_a_webhook(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["webhook_id"], [table("webhook") + ".id"], name=op.f(f"fk_{name}_webhook_id_webhook")
    )


def _event_columns() -> list[sa.Column]:
    return [
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("occurred_at", UtcTime(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
    ]


def _deliveries():
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("webhook_id", sa.Integer(), nullable=False),
        *_event_columns(),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("due_at", UtcTime(), nullable=False),
        sa.Column("try_until", UtcTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tried_at", UtcTime(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(length=200), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        _of_a_webhook("webhook_delivery"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
        sa.UniqueConstraint("webhook_id", "event_id", name=op.f("uq_webhook_delivery_webhook_id_event_id")),
        schema=schema(),
    )
    op.create_index(
        op.f("ix_webhook_delivery_created_at"), "webhook_delivery", ["created_at"], schema=schema()
    )
    _partial("ix_webhook_delivery_due", "webhook_delivery", ["webhook_id", "due_at"], "state = 'pending'")


def _dead_letters():
    op.create_table(
        "webhook_dead_letter",
        *_event_columns(),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failed_at", UtcTime(), nullable=False),
        sa.Column("retry_at", UtcTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_webhook_dead_letter")),
        schema=schema(),
    )
    _partial("ix_webhook_dead_letter_retry_at", "webhook_dead_letter", ["retry_at"], "retry_at IS NOT NULL")


def _partial(name: str, of: str, columns: list[str], where: str):
    condition = sa.text(where)
    op.create_index(name, of, columns, schema=schema(), sqlite_where=condition, postgresql_where=condition)

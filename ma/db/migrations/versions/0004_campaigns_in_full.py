"""Campaigns in full: variants, exclusions, quiet hours, budgets, forecasts, platforms' totals, and ads."""

import sqlalchemy as sa
from alembic import op

from ma.db.migrations.schema import schema, table
from ma.models.base import UtcTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade():
    _add("customer", sa.Column("consent_ads", sa.Boolean(), server_default=sa.false(), nullable=False))
    _add("outcome", sa.Column("band", sa.Integer(), nullable=True))
    for column in (
        sa.Column("effects", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("variants", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("timezone", sa.String(length=60), nullable=True),
        sa.Column("quiet_from", sa.Integer(), nullable=True),
        sa.Column("quiet_until", sa.Integer(), nullable=True),
        sa.Column("budget_minor", sa.BigInteger(), nullable=True),
        sa.Column("forecast", sa.JSON(), nullable=True),
        sa.Column("archived_at", UtcTime(), nullable=True),
    ):
        _add("campaign", column)
    op.create_table(
        "campaign_exclusion",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("segment_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            [table("campaign") + ".id"],
            name=op.f("fk_campaign_exclusion_campaign_id_campaign"),
        ),
        sa.ForeignKeyConstraint(
            ["segment_id"], [table("segment") + ".id"], name=op.f("fk_campaign_exclusion_segment_id_segment")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "segment_id", name=op.f("pk_campaign_exclusion")),
        schema=schema(),
    )
    op.create_index(
        op.f("ix_campaign_exclusion_segment_id"), "campaign_exclusion", ["segment_id"], schema=schema()
    )
    op.create_table(
        "campaign_aggregate",
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("external_id", sa.String(length=100), nullable=True),
        sa.Column("sent", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.Integer(), nullable=True)
            for name in (
                "bounced", "delivered", "opened", "clicked", "converted", "unsubscribed", "complained",
            )
        ),
        sa.Column("revenue_minor", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            [table("campaign") + ".id"],
            name=op.f("fk_campaign_aggregate_campaign_id_campaign"),
        ),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_campaign_aggregate")),
        sa.UniqueConstraint("external_id", name=op.f("uq_campaign_aggregate_external_id")),
        schema=schema(),
    )  # fmt: skip


def _add(name: str, column: sa.Column) -> None:
    op.add_column(name, column, schema=schema())

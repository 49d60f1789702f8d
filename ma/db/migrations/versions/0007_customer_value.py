"""Models of what customers are worth, and the score of each customer."""

import sqlalchemy as sa
from alembic import op

from ma.db.migrations.schema import schema
from ma.models import UtcTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "value_model",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("as_of", UtcTime(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("customers", sa.Integer(), nullable=False),
        sa.Column("repeat_customers", sa.Integer(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_value_model")),
        schema=schema(),
    )
    # On PostgreSQL no foreign key constraints: see ma.models.CustomerScore.
    keys = [
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_customer_score_customer_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["value_model.id"], name=op.f("fk_customer_score_model_id_value_model")
        ),
    ]
    op.create_table(
        "customer_score",
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("scored_at", UtcTime(), nullable=False),
        sa.Column("recency_score", sa.Integer(), nullable=True),
        sa.Column("frequency_score", sa.Integer(), nullable=True),
        sa.Column("monetary_score", sa.Integer(), nullable=True),
        sa.Column("rfm_segment", sa.String(length=40), nullable=True),
        sa.Column("churn_risk", sa.Float(), nullable=True),
        sa.Column("expected_orders", sa.Float(), nullable=True),
        sa.Column("order_chance", sa.Float(), nullable=True),
        sa.Column("expected_value_minor", sa.BigInteger(), nullable=True),
        sa.Column("next_channel", sa.String(length=20), nullable=True),
        sa.Column("next_offer", sa.String(length=100), nullable=True),
        sa.Column("next_profit_minor", sa.Float(), nullable=True),
        *(keys if schema() is None else []),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_customer_score")),
        schema=schema(),
    )

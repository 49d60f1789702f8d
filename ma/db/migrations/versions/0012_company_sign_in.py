"""Who people are at the company's identity provider, and which of its answers have been used."""

import sqlalchemy as sa
from alembic import op

from ma.db.migrations.schema import schema, table
from ma.models import UtcTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "user_identity",
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], [table("app_user") + ".id"], name=op.f("fk_user_identity_user_id_app_user")
        ),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_user_identity")),
        schema=schema(),
    )
    op.create_index(
        op.f("ix_user_identity_user_id"), "user_identity", ["user_id"], unique=False, schema=schema()
    )
    op.create_table(
        "used_id_token",
        sa.Column("nonce_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("nonce_hash", name=op.f("pk_used_id_token")),
        schema=schema(),
    )

"""A mark by which it is known whether outcomes of a campaign have changed since they were counted."""

import sqlalchemy as sa
from alembic import op

from ma.db.migrations.schema import schema

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("campaign", sa.Column("results_mark", sa.BigInteger(), nullable=True), schema=schema())

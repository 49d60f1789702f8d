"""On SQLite, too, no foreign key constraints on scores: see ma.models.CustomerScore."""

import re

import sqlalchemy as sa
from alembic import op

from ma.db.migrations.schema import schema

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_CONSTRAINT = re.compile(
    r",\s*CONSTRAINT fk_customer_score_\w+ FOREIGN KEY\([^)]*\) REFERENCES \w+ \([^)]*\)"
)


def upgrade():
    if schema() is not None:  # PostgreSQL never had them
        return
    made = sa.text("SELECT sql FROM sqlite_master WHERE name = 'customer_score'")
    statement = op.get_bind().scalar(made)
    op.execute("ALTER TABLE customer_score RENAME TO bound_score")
    op.execute(_CONSTRAINT.sub("", statement))
    op.execute("INSERT INTO customer_score SELECT * FROM bound_score")
    op.execute("DROP TABLE bound_score")

"""On PostgreSQL no foreign key constraints on the members of segments: see ma.models.SegmentMember."""

from alembic import op

from ma.db.migrations.schema import schema

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade():
    if schema() is None:  # SQLite would copy the table, and its foreign keys cost little
        return
    for name in ("customer_id_customer", "segment_id_segment"):
        op.drop_constraint(f"fk_segment_member_{name}", "segment_member", type_="foreignkey", schema=schema())

"""${message}"""

import sqlalchemy as sa
from alembic import op

from ma.db.migrations.schema import schema

revision = "${up_revision}"
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade():
    ${upgrades if upgrades else "pass"}

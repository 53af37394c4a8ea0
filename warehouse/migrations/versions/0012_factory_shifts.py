"""Each factory has its own named shifts; none means the usual ones."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("factories", sa.Column("shifts", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("factories", "shifts")

"""The landing log: its size, and what its ingesters need to know messages again."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Columns with defaults: neither database rewrites the table, which may be large.
    op.add_column("landing_batches", sa.Column("byte_count", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("landing_batches", sa.Column("ingester", sa.String(255), nullable=False, server_default=""))
    op.add_column("landing_batches", sa.Column("receipts", sa.LargeBinary(), nullable=True))
    op.execute("UPDATE landing_batches SET byte_count = length(payload)")
    op.drop_index(op.f("ix_landing_batches_landed_at"), "landing_batches")
    op.create_index("ix_landing_batches_landed_at_byte_count", "landing_batches", ["landed_at", "byte_count"])


def downgrade() -> None:
    op.drop_index("ix_landing_batches_landed_at_byte_count", "landing_batches")
    op.create_index(op.f("ix_landing_batches_landed_at"), "landing_batches", ["landed_at"])
    for name in ("receipts", "ingester", "byte_count"):
        op.drop_column("landing_batches", name)

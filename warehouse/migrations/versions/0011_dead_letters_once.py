"""Which delivery of the broker a dead letter came by, so that a message that is delivered again after a crash is recorded once."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dead_letters", sa.Column("ingester", sa.String(255), nullable=False, server_default=""))
    op.add_column("dead_letters", sa.Column("message_id", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_dead_letters_message_id"), "dead_letters", ["message_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_dead_letters_message_id"), "dead_letters")
    op.drop_column("dead_letters", "message_id")
    op.drop_column("dead_letters", "ingester")

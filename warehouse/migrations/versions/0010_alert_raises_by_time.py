"""The moments at which rules asked for alerts, found by time: for the quality of the alarms of a period, and to delete old ones."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_alert_raises_factory_id_raised_at"), "alert_raises", ["factory_id", "raised_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_alert_raises_factory_id_raised_at"), "alert_raises")

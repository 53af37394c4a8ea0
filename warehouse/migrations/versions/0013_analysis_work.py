"""Analyses: who works on one and is alive, who cancelled it, its files; and analyses that are ordered again and again."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

SYSTEM = "current_setting('factoryops.system', true) = 'on'"
MINE = "= NULLIF(current_setting('factoryops.factory_id', true), '')::integer"
TIME = sa.DateTime(timezone=True)
TABLE = "analytics_schedules"
JOBS = "analytics_jobs"


def upgrade() -> None:
    # Columns that may be empty, and an index instead of a constraint: neither database rewrites the table.
    for column in (
        sa.Column("run_id", sa.String(64), nullable=True),
        sa.Column("heartbeat_at", TIME, nullable=True),
        sa.Column("cancelled_by", sa.String(255), nullable=True),
        sa.Column("headline", sa.Text(), nullable=True),
        sa.Column("files", sa.JSON(), nullable=True),
        sa.Column("schedule_id", sa.String(36), nullable=True),
        sa.Column("due_at", TIME, nullable=True),
    ):
        op.add_column(JOBS, column)
    op.create_index(op.f(f"ix_{JOBS}_schedule_id_due_at"), JOBS, ["schedule_id", "due_at"], unique=True)
    op.create_table(
        TABLE,
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("job_type", sa.String(50), nullable=False),
        sa.Column("mode", sa.String(20), nullable=False),
        sa.Column("device_ids", sa.JSON(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=True),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("cron", sa.String(100), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("next_due_at", TIME, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f(f"fk_{TABLE}_owner_id_users")),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f(f"fk_{TABLE}_factory_id_factories"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
        sa.CheckConstraint(
            "job_type IN ('anomaly', 'failure_prediction', 'energy_forecast', 'ai_copilot')", name=op.f(f"ck_{TABLE}_job_type")
        ),
    )
    op.create_index(op.f(f"ix_{TABLE}_factory_id"), TABLE, ["factory_id"])
    op.create_index(op.f(f"ix_{TABLE}_is_active_next_due_at"), TABLE, ["is_active", "next_due_at"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY one_factory ON {TABLE} USING ({SYSTEM} OR factory_id {MINE}) WITH CHECK ({SYSTEM} OR factory_id {MINE})")


def downgrade() -> None:
    op.drop_table(TABLE)
    op.drop_index(op.f(f"ix_{JOBS}_schedule_id_due_at"), JOBS)
    for name in ("due_at", "schedule_id", "files", "headline", "cancelled_by", "heartbeat_at", "run_id"):
        op.drop_column(JOBS, name)

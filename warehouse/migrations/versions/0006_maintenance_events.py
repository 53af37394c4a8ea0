"""Work orders and failures of machines, and how much a machine weighs in its factory's health."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SYSTEM = "current_setting('factoryops.system', true) = 'on'"
MINE = "= NULLIF(current_setting('factoryops.factory_id', true), '')::integer"
TABLE = "maintenance_events"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    # A column with a default: neither database rewrites the table.
    op.add_column("devices", sa.Column("importance", sa.Double(), nullable=False, server_default="1"))
    op.create_table(
        TABLE,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(100), nullable=False),
        sa.Column("external_id", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("began_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("title", sa.String(255), nullable=True),
        sa.Column("reason", sa.String(255), nullable=True),
        sa.Column("cost", sa.Double(), nullable=True),
        sa.Column("imported_at", TIME, nullable=False),
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f(f"fk_{TABLE}_device_id_devices"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f(f"fk_{TABLE}_factory_id_factories"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
        sa.UniqueConstraint("factory_id", "source", "external_id", name=op.f(f"uq_{TABLE}_factory_id_source_external_id")),
        sa.CheckConstraint("kind IN ('failure', 'repair', 'planned', 'inspection')", name=op.f(f"ck_{TABLE}_kind")),
    )
    op.create_index(op.f(f"ix_{TABLE}_factory_id"), TABLE, ["factory_id"])
    op.create_index(op.f(f"ix_{TABLE}_device_id_began_at"), TABLE, ["device_id", "began_at"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY one_factory ON {TABLE} USING ({SYSTEM} OR factory_id {MINE}) WITH CHECK ({SYSTEM} OR factory_id {MINE})")


def downgrade() -> None:
    op.drop_table(TABLE)
    op.drop_column("devices", "importance")

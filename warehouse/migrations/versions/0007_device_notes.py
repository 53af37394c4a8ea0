"""What the ingester noticed of machines: times without a zone, parameters of two types, too many messages."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SYSTEM = "current_setting('factoryops.system', true) = 'on'"
MINE = "= NULLIF(current_setting('factoryops.factory_id', true), '')::integer"
TABLE = "device_notes"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("parameter_key", sa.String(100), nullable=False, server_default=""),
        sa.Column("detail", sa.String(500), nullable=False),
        sa.Column("count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("first_at", TIME, nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f(f"fk_{TABLE}_device_id_devices"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f(f"fk_{TABLE}_factory_id_factories"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
        sa.UniqueConstraint("device_id", "kind", "parameter_key", name=op.f(f"uq_{TABLE}_device_id_kind_parameter_key")),
    )
    op.create_index(op.f(f"ix_{TABLE}_factory_id"), TABLE, ["factory_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY one_factory ON {TABLE} USING ({SYSTEM} OR factory_id {MINE}) WITH CHECK ({SYSTEM} OR factory_id {MINE})")


def downgrade() -> None:
    op.drop_table(TABLE)

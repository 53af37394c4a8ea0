"""Keys of requests that must not start the same work twice."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SYSTEM = "current_setting('factoryops.system', true) = 'on'"
MINE = "= NULLIF(current_setting('factoryops.factory_id', true), '')::integer"
TABLE = "idempotency_keys"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("operation", sa.String(50), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("asked_sha256", sa.String(64), nullable=False),
        sa.Column("result", sa.String(100), nullable=True),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f(f"fk_{TABLE}_user_id_users"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f(f"fk_{TABLE}_factory_id_factories"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
        sa.UniqueConstraint("user_id", "operation", "key", name=op.f(f"uq_{TABLE}_user_id_operation_key")),
    )
    op.create_index(op.f(f"ix_{TABLE}_factory_id"), TABLE, ["factory_id"])
    op.create_index(op.f(f"ix_{TABLE}_begun_at"), TABLE, ["begun_at"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY one_factory ON {TABLE} USING ({SYSTEM} OR factory_id {MINE}) WITH CHECK ({SYSTEM} OR factory_id {MINE})")


def downgrade() -> None:
    op.drop_table(TABLE)

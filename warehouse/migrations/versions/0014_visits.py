"""What pages remember of a person from one visit to the next: what changed since is shown to them."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

SYSTEM = "current_setting('factoryops.system', true) = 'on'"
MINE = "= NULLIF(current_setting('factoryops.factory_id', true), '')::integer"
TABLE = "visits"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("before_at", TIME, nullable=True),
        sa.Column("wants_sound", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f(f"fk_{TABLE}_user_id_users"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f(f"fk_{TABLE}_factory_id_factories"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name=op.f(f"pk_{TABLE}")),
    )
    op.create_index(op.f(f"ix_{TABLE}_factory_id"), TABLE, ["factory_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY one_factory ON {TABLE} USING ({SYSTEM} OR factory_id {MINE}) WITH CHECK ({SYSTEM} OR factory_id {MINE})")


def downgrade() -> None:
    op.drop_table(TABLE)

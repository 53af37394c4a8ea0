"""Row-level security by factory on PostgreSQL: a second wall behind `warehouse.tenancy`. SQLite has no such thing."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OWNED = (
    "alerts", "analytics_jobs", "audit_events", "dead_letters", "device_parameters", "devices", "latest_values", "notifications",
    "reports", "rule_cooldowns", "rule_devices", "rules", "user_sessions", "users",
)  # fmt: skip
SYSTEM = "current_setting('factoryops.system', true) = 'on'"
MINE = "= NULLIF(current_setting('factoryops.factory_id', true), '')::integer"


def upgrade() -> None:
    """FORCE: the owner of the tables, which is the user that the product connects as, is bound as well (a superuser never is)."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, column in (*((table, "factory_id") for table in OWNED), ("factories", "id")):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY one_factory ON {table} USING ({SYSTEM} OR {column} {MINE}) WITH CHECK ({SYSTEM} OR {column} {MINE})")


def downgrade() -> None:
    """Takes the policies away again."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in (*OWNED, "factories"):
        op.execute(f"DROP POLICY one_factory ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")

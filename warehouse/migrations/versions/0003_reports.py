"""Reports: files, signatures, schedules, deliveries, and the ledger that the database itself keeps append-only."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

OWNED = ("report_files", "report_signatures", "report_schedules", "report_deliveries", "ledger_entries")
SYSTEM = "current_setting('factoryops.system', true) = 'on'"
MINE = "= NULLIF(current_setting('factoryops.factory_id', true), '')::integer"
TIME = sa.DateTime(timezone=True)
REPORT_COLUMNS: tuple[tuple[str, sa.types.TypeEngine[Any], str | None], ...] = (
    ("also", sa.JSON(), None), ("schedule_id", sa.Integer(), None), ("due_at", TIME, None), ("stage", sa.String(100), None),
    ("started_at", TIME, None), ("completed_at", TIME, None), ("snapshot_id", sa.BigInteger(), None), ("data_sha256", sa.String(64), None),
    ("run_label", sa.String(100), None), ("report_type", sa.String(30), "compliance"), ("language", sa.String(5), "en"),
    ("progress_percent", sa.Double(), "0"),
)  # fmt: skip


def _table(name: str, *columns: SchemaItem, big: bool = False) -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite") if big else sa.Integer()
    op.create_table(
        name,
        sa.Column("id", number, nullable=False),
        *columns,
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f(f"fk_{name}_factory_id_factories"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    op.create_index(op.f(f"ix_{name}_factory_id"), name, ["factory_id"])


def _report(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name=op.f(f"fk_{name}_report_id_reports"), ondelete="CASCADE")


def upgrade() -> None:
    _table(
        "report_schedules",
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("report_type", sa.String(30), nullable=False),
        sa.Column("device_ids", sa.JSON(), nullable=False),
        sa.Column("formats", sa.JSON(), nullable=False),
        sa.Column("recipients", sa.JSON(), nullable=False),
        sa.Column("cron", sa.String(100), nullable=False),
        sa.Column("period", sa.String(10), nullable=False),
        sa.Column("language", sa.String(5), nullable=False),
        sa.Column("delivery", sa.String(20), nullable=False),
        sa.Column("catches_up", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("next_due_at", TIME, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_report_schedules_owner_id_users")),
    )
    op.create_index(op.f("ix_report_schedules_is_active_next_due_at"), "report_schedules", ["is_active", "next_due_at"])
    with op.batch_alter_table("reports") as batch:
        for name, kind, default in REPORT_COLUMNS:
            batch.add_column(sa.Column(name, kind, nullable=default is None, server_default=default))
        batch.create_foreign_key(
            op.f("fk_reports_schedule_id_report_schedules"), "report_schedules", ["schedule_id"], ["id"], ondelete="SET NULL"
        )
        batch.create_unique_constraint(op.f("uq_reports_schedule_id_due_at"), ["schedule_id", "due_at"])
    with op.batch_alter_table("reports") as batch:
        for name, kind, default in REPORT_COLUMNS:
            if default is not None:
                batch.alter_column(name, existing_type=kind, existing_nullable=False, server_default=None)
    _table(
        "report_files",
        sa.Column("report_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("path", sa.String(500), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("replaced_at", TIME, nullable=True),
        _report("report_files"),
    )
    op.create_index(op.f("ix_report_files_report_id_kind"), "report_files", ["report_id", "kind"])
    op.create_index(op.f("ix_report_files_sha256"), "report_files", ["sha256"])
    _table(
        "report_signatures",
        sa.Column("report_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("role", sa.String(100), nullable=False),
        sa.Column("meaning", sa.String(20), nullable=False),
        sa.Column("comment", sa.String(500), nullable=True),
        sa.Column("signed_at", TIME, nullable=False),
        _report("report_signatures"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_report_signatures_user_id_users"), ondelete="SET NULL"),
        sa.UniqueConstraint("report_id", "meaning", name=op.f("uq_report_signatures_report_id_meaning")),
        sa.CheckConstraint("meaning IN ('reviewed', 'approved')", name=op.f("ck_report_signatures_meaning")),
    )
    _table(
        "report_deliveries",
        sa.Column("report_id", sa.String(36), nullable=False),
        sa.Column("recipient", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("with_attachment", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", TIME, nullable=False),
        sa.Column("last_error", sa.String(1000), nullable=True),
        sa.Column("sent_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        _report("report_deliveries"),
        sa.UniqueConstraint("report_id", "recipient", "kind", name=op.f("uq_report_deliveries_report_id_recipient_kind")),
        sa.CheckConstraint("status IN ('pending', 'sent', 'failed')", name=op.f("ck_report_deliveries_status")),
    )
    op.create_index(op.f("ix_report_deliveries_status_next_attempt_at"), "report_deliveries", ["status", "next_attempt_at"])
    _table(
        "ledger_entries",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("report_id", sa.String(36), nullable=False),
        sa.Column("happened_at", TIME, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.UniqueConstraint("factory_id", "sequence", name=op.f("uq_ledger_entries_factory_id_sequence")),
        big=True,
    )
    op.create_index(op.f("ix_ledger_entries_report_id"), "ledger_entries", ["report_id"])
    _append_only()


def _append_only() -> None:
    """A ledger that its own database refuses to change: a slip or a bug cannot; who can drop triggers is caught by the chain."""
    if op.get_bind().dialect.name != "postgresql":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER ledger_no_{verb.lower()} BEFORE {verb} ON ledger_entries "
                "BEGIN SELECT RAISE(ABORT, 'the ledger is only ever appended to'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the ledger is only ever appended to'; END $$"
    )
    op.execute(
        "CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE ON ledger_entries FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change()"
    )
    for table in OWNED:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY one_factory ON {table} USING ({SYSTEM} OR factory_id {MINE}) WITH CHECK ({SYSTEM} OR factory_id {MINE})")


def downgrade() -> None:
    is_postgres = op.get_bind().dialect.name == "postgresql"
    with op.batch_alter_table("reports") as batch:
        batch.drop_constraint(op.f("uq_reports_schedule_id_due_at"), type_="unique")
        batch.drop_constraint(op.f("fk_reports_schedule_id_report_schedules"), type_="foreignkey")
        for name, _kind, _default in REPORT_COLUMNS:
            batch.drop_column(name)
    for table in ("ledger_entries", "report_deliveries", "report_signatures", "report_files", "report_schedules"):
        op.drop_table(table)
    if is_postgres:
        op.execute("DROP FUNCTION refuse_ledger_change()")

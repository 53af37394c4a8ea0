"""Alerts with a history, repeats, silences, escalation; notifications of several kinds; preferences, chains, webhooks."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

OWNED = (
    "silences", "alert_raises", "alert_events", "notification_preferences", "escalation_chains", "escalation_steps", "webhooks",
)  # fmt: skip
SYSTEM = "current_setting('factoryops.system', true) = 'on'"
MINE = "= NULLIF(current_setting('factoryops.factory_id', true), '')::integer"
TIME = sa.DateTime(timezone=True)
SEVERITIES = "('critical', 'high', 'medium', 'low')"
Columns = tuple[tuple[str, sa.types.TypeEngine[Any], Any], ...]
ALERT_COLUMNS: Columns = (
    ("repeat_count", sa.Integer(), "0"), ("last_raised_at", TIME, None), ("cleared_at", TIME, None),
    ("is_resolved_automatically", sa.Boolean(), sa.false()), ("assigned_to", sa.Integer(), None), ("is_silenced", sa.Boolean(), sa.false()),
    ("silence_id", sa.Integer(), None), ("escalation_level", sa.Integer(), "0"), ("reminder_count", sa.Integer(), "0"),
    ("next_step_at", TIME, None),
)  # fmt: skip
NOTIFICATION_COLUMNS: Columns = (
    ("kind", sa.String(20), "alert"), ("user_id", sa.Integer(), None), ("webhook_id", sa.Integer(), None), ("body_html", sa.Text(), None),
    ("digest_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), None),
)  # fmt: skip
STATUSES = "('pending', 'sent', 'failed', 'skipped')"
MORE_STATUSES = "('pending', 'sent', 'failed', 'skipped', 'held', 'digested')"
KINDS = "('alert', 'escalation', 'reminder', 'all_clear', 'digest')"
EVENT_KINDS = (
    "('triggered', 'silenced', 'told', 'repeated', 'acknowledged', 'assigned', 'commented', 'escalated', 'reminded', 'cleared', 'resolved')"
)


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


def _link(table: str, column: str, other: str, on_delete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}"), ondelete=on_delete)


def _check(table: str, column: str, allowed: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN {allowed}", name=op.f(f"ck_{table}_{column}"))


def upgrade() -> None:
    _silences()
    _alerts()
    _alert_tables()
    _whom_to_tell()
    _notifications()
    if op.get_bind().dialect.name == "postgresql":
        for table in OWNED:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(
                f"CREATE POLICY one_factory ON {table} USING ({SYSTEM} OR factory_id {MINE}) WITH CHECK ({SYSTEM} OR factory_id {MINE})"
            )


def _silences() -> None:
    _table(
        "silences",
        sa.Column("device_id", sa.Integer(), nullable=True),
        sa.Column("rule_id", sa.Integer(), nullable=True),
        sa.Column("region", sa.String(255), nullable=True),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("starts_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.Column("schedule", sa.JSON(), nullable=True),
        sa.Column("created_by", sa.Integer(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        _link("silences", "device_id", "devices"),
        _link("silences", "rule_id", "rules"),
        _link("silences", "created_by", "users", "SET NULL"),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_silences_span")),
    )
    op.create_index(op.f("ix_silences_factory_id_ends_at"), "silences", ["factory_id", "ends_at"])


def _add(table: str, columns: Columns) -> None:
    """Columns with a value for the rows that exist; the models, not the database, give it to new ones."""
    with op.batch_alter_table(table) as batch:
        for name, kind, default in columns:
            batch.add_column(sa.Column(name, kind, nullable=default is None, server_default=default))
    with op.batch_alter_table(table) as batch:
        for name, kind, default in columns:
            if default is not None:
                batch.alter_column(name, existing_type=kind, existing_nullable=False, server_default=None)


def _alerts() -> None:
    _add("alerts", ALERT_COLUMNS)
    with op.batch_alter_table("alerts") as batch:
        batch.create_foreign_key(op.f("fk_alerts_assigned_to_users"), "users", ["assigned_to"], ["id"], ondelete="SET NULL")
        batch.create_foreign_key(op.f("fk_alerts_silence_id_silences"), "silences", ["silence_id"], ["id"], ondelete="SET NULL")
    op.create_index(op.f("ix_alerts_next_step_at"), "alerts", ["next_step_at"])
    op.create_index(op.f("ix_alerts_resolved_at_rule_id_device_id"), "alerts", ["resolved_at", "rule_id", "device_id"])


def _alert_tables() -> None:
    _table(
        "alert_raises",
        sa.Column("rule_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("raised_at", TIME, nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        _link("alert_raises", "rule_id", "rules"),
        _link("alert_raises", "device_id", "devices"),
        sa.UniqueConstraint("rule_id", "device_id", "raised_at", name=op.f("uq_alert_raises_rule_id_device_id_raised_at")),
        big=True,
    )
    op.execute(
        "INSERT INTO alert_raises (factory_id, rule_id, device_id, raised_at, recorded_at) "
        "SELECT factory_id, rule_id, device_id, triggered_at, created_at FROM alerts ORDER BY id"
    )
    _table(
        "alert_events",
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("happened_at", TIME, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("comment", sa.String(1000), nullable=True),
        sa.Column("details", sa.JSON(), nullable=True),
        _link("alert_events", "alert_id", "alerts"),
        _link("alert_events", "user_id", "users", "SET NULL"),
        _check("alert_events", "kind", EVENT_KINDS),
        big=True,
    )
    op.create_index(op.f("ix_alert_events_alert_id_happened_at"), "alert_events", ["alert_id", "happened_at"])
    columns = "INSERT INTO alert_events (factory_id, alert_id, kind, happened_at, user_id, comment) SELECT factory_id, id, "
    for kind, at, person, comment in (
        ("triggered", "triggered_at", "NULL", "NULL"),
        ("acknowledged", "acknowledged_at", "acknowledged_by", "NULL"),
        ("resolved", "resolved_at", "resolved_by", "resolution_comment"),
    ):
        op.execute(f"{columns} '{kind}', {at}, {person}, {comment} FROM alerts WHERE {at} IS NOT NULL ORDER BY id")


def _whom_to_tell() -> None:
    _table(
        "notification_preferences",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("least_severity", sa.String(20), nullable=False),
        sa.Column("hours", sa.JSON(), nullable=True),
        sa.Column("digest_up_to", sa.String(20), nullable=True),
        sa.Column("digest_every_minutes", sa.Integer(), nullable=False),
        sa.Column("wants_all_clear", sa.Boolean(), nullable=False),
        _link("notification_preferences", "user_id", "users"),
        sa.UniqueConstraint("user_id", "channel", name=op.f("uq_notification_preferences_user_id_channel")),
        _check("notification_preferences", "channel", "('email', 'whatsapp')"),
        _check("notification_preferences", "least_severity", SEVERITIES),
        _check("notification_preferences", "digest_up_to", "('high', 'medium', 'low')"),
    )
    _table(
        "escalation_chains",
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("rule_id", sa.Integer(), nullable=True),
        sa.Column("least_severity", sa.String(20), nullable=False),
        sa.Column("reminder_every_minutes", sa.Double(), nullable=True),
        sa.Column("most_reminders", sa.Integer(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        _link("escalation_chains", "rule_id", "rules"),
        _check("escalation_chains", "least_severity", SEVERITIES),
    )
    _table(
        "escalation_steps",
        sa.Column("chain_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("after_minutes", sa.Double(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        _link("escalation_steps", "chain_id", "escalation_chains"),
        _link("escalation_steps", "user_id", "users"),
        sa.UniqueConstraint("chain_id", "position", name=op.f("uq_escalation_steps_chain_id_position")),
    )
    _table(
        "webhooks",
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("url", sa.String(1000), nullable=False),
        sa.Column("secret", sa.String(100), nullable=False),
        sa.Column("least_severity", sa.String(20), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        _link("webhooks", "created_by", "users", "SET NULL"),
    )


def _notifications() -> None:
    _add("notifications", NOTIFICATION_COLUMNS)
    with op.batch_alter_table("notifications") as batch:
        batch.alter_column("alert_id", existing_type=sa.Integer(), nullable=True)
        batch.drop_constraint(op.f("ck_notifications_status"), type_="check")
        batch.create_check_constraint(op.f("ck_notifications_status"), f"status IN {MORE_STATUSES}")
        batch.create_check_constraint(op.f("ck_notifications_kind"), f"kind IN {KINDS}")
        batch.create_foreign_key(op.f("fk_notifications_user_id_users"), "users", ["user_id"], ["id"], ondelete="SET NULL")
        batch.create_foreign_key(op.f("fk_notifications_webhook_id_webhooks"), "webhooks", ["webhook_id"], ["id"], ondelete="CASCADE")
        batch.create_foreign_key(
            op.f("fk_notifications_digest_id_notifications"), "notifications", ["digest_id"], ["id"], ondelete="SET NULL"
        )
    op.create_index(op.f("ix_notifications_digest_id"), "notifications", ["digest_id"])
    op.create_index(op.f("ix_notifications_recipient_channel_sent_at"), "notifications", ["recipient", "channel", "sent_at"])


def downgrade() -> None:
    """Messages that the older schema cannot hold are deleted."""
    op.execute("DELETE FROM notifications WHERE alert_id IS NULL OR status IN ('held', 'digested')")
    for name in ("ix_notifications_digest_id", "ix_notifications_recipient_channel_sent_at"):
        op.drop_index(op.f(name), "notifications")
    with op.batch_alter_table("notifications") as batch:
        for name in ("ck_notifications_status", "ck_notifications_kind"):
            batch.drop_constraint(op.f(name), type_="check")
        batch.create_check_constraint(op.f("ck_notifications_status"), f"status IN {STATUSES}")
        for name in ("user_id_users", "webhook_id_webhooks", "digest_id_notifications"):
            batch.drop_constraint(op.f(f"fk_notifications_{name}"), type_="foreignkey")
        batch.alter_column("alert_id", existing_type=sa.Integer(), nullable=False)
        for name, _kind, _default in NOTIFICATION_COLUMNS:
            batch.drop_column(name)
    for name in ("ix_alerts_next_step_at", "ix_alerts_resolved_at_rule_id_device_id"):
        op.drop_index(op.f(name), "alerts")
    with op.batch_alter_table("alerts") as batch:
        for name in ("assigned_to_users", "silence_id_silences"):
            batch.drop_constraint(op.f(f"fk_alerts_{name}"), type_="foreignkey")
        for name, _kind, _default in ALERT_COLUMNS:
            batch.drop_column(name)
    for table in ("webhooks", "escalation_steps", "escalation_chains", "notification_preferences", "alert_events", "alert_raises"):
        op.drop_table(table)
    op.drop_table("silences")

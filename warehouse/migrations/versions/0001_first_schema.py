"""First schema: spec tables and the landing log."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consumer_cursors",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_consumer_cursors")),
    )
    op.create_table(
        "factories",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("slug", sa.String(length=100), nullable=False),
        sa.Column("timezone", sa.String(length=100), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_factories")),
        sa.UniqueConstraint("slug", name=op.f("uq_factories_slug")),
    )
    op.create_table(
        "installation_facts",
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_installation_facts")),
    )
    op.create_table(
        "landing_batches",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("landed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("message_count", sa.Integer(), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_landing_batches")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("landing_batches", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_landing_batches_landed_at"), ["landed_at"], unique=False)

    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("holder", sa.String(length=100), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("device_key", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("kind", sa.String(length=100), nullable=True),
        sa.Column("manufacturer", sa.String(length=255), nullable=True),
        sa.Column("model", sa.String(length=255), nullable=True),
        sa.Column("region", sa.String(length=255), nullable=True),
        sa.Column("api_key", sa.String(length=255), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f("fk_devices_factory_id_factories"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
        sa.UniqueConstraint("factory_id", "device_key", name=op.f("uq_devices_factory_id_device_key")),
    )
    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_devices_factory_id"), ["factory_id"], unique=False)

    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("whatsapp_number", sa.String(length=50), nullable=True),
        sa.Column("hashed_password", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("permissions", sa.JSON(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("invite_token", sa.String(length=255), nullable=True),
        sa.Column("invited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_login", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_logins", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("role IN ('super_admin', 'admin', 'viewer')", name=op.f("ck_users_role")),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f("fk_users_factory_id_factories"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("factory_id", "email", name=op.f("uq_users_factory_id_email")),
        sa.UniqueConstraint("invite_token", name=op.f("uq_users_invite_token")),
    )
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_users_factory_id"), ["factory_id"], unique=False)

    op.create_table(
        "analytics_jobs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("job_type", sa.String(length=50), nullable=False),
        sa.Column("mode", sa.String(length=20), nullable=False),
        sa.Column("device_ids", sa.JSON(), nullable=False),
        sa.Column("date_range_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("date_range_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("progress_percent", sa.Double(), nullable=False),
        sa.Column("stage", sa.String(length=100), nullable=True),
        sa.Column("parameters", sa.JSON(), nullable=True),
        sa.Column("result_url", sa.String(length=500), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "job_type IN ('anomaly', 'failure_prediction', 'energy_forecast', 'ai_copilot')", name=op.f("ck_analytics_jobs_job_type")
        ),
        sa.CheckConstraint("status IN ('pending', 'running', 'complete', 'failed')", name=op.f("ck_analytics_jobs_status")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_analytics_jobs_created_by_users")),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f("fk_analytics_jobs_factory_id_factories"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analytics_jobs")),
    )
    with op.batch_alter_table("analytics_jobs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_analytics_jobs_factory_id"), ["factory_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_analytics_jobs_factory_id_status"), ["factory_id", "status"], unique=False)

    op.create_table(
        "audit_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(length=100), nullable=False),
        sa.Column("target", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=True),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f("fk_audit_events_factory_id_factories"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_audit_events_user_id_users"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_events_factory_id"), ["factory_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_events_happened_at"), ["happened_at"], unique=False)

    op.create_table(
        "dead_letters",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("factory_id", sa.Integer(), nullable=True),
        sa.Column("device_id", sa.Integer(), nullable=True),
        sa.Column("device_key", sa.String(length=255), nullable=True),
        sa.Column("reason", sa.String(length=50), nullable=False),
        sa.Column("detail", sa.String(length=1000), nullable=False),
        sa.Column("topic", sa.String(length=1000), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("payload_size", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replayed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_dead_letters_device_id_devices"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f("fk_dead_letters_factory_id_factories"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
    )
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dead_letters_device_id"), ["device_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_dead_letters_factory_id"), ["factory_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_dead_letters_reason"), ["reason"], unique=False)
        batch_op.create_index(batch_op.f("ix_dead_letters_received_at"), ["received_at"], unique=False)

    op.create_table(
        "device_parameters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("parameter_key", sa.String(length=100), nullable=False),
        sa.Column("display_name", sa.String(length=255), nullable=True),
        sa.Column("unit", sa.String(length=50), nullable=True),
        sa.Column("data_type", sa.String(length=20), nullable=False),
        sa.Column("is_kpi_selected", sa.Boolean(), nullable=False),
        sa.Column("discovered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("data_type IN ('float', 'int', 'string')", name=op.f("ck_device_parameters_data_type")),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_device_parameters_device_id_devices"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["factory_id"], ["factories.id"], name=op.f("fk_device_parameters_factory_id_factories"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_parameters")),
        sa.UniqueConstraint("device_id", "parameter_key", name=op.f("uq_device_parameters_device_id_parameter_key")),
    )
    with op.batch_alter_table("device_parameters", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_device_parameters_factory_id"), ["factory_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_device_parameters_factory_id_device_id"), ["factory_id", "device_id"], unique=False)

    op.create_table(
        "latest_values",
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("parameter_key", sa.String(length=100), nullable=False),
        sa.Column("ts", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("text", sa.String(length=1000), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_latest_values_device_id_devices"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f("fk_latest_values_factory_id_factories"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("device_id", "parameter_key", name=op.f("pk_latest_values")),
    )
    with op.batch_alter_table("latest_values", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_latest_values_factory_id"), ["factory_id"], unique=False)

    op.create_table(
        "rules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("scope", sa.String(length=20), nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("cooldown_minutes", sa.Double(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("schedule_type", sa.String(length=20), nullable=False),
        sa.Column("schedule_config", sa.JSON(), nullable=True),
        sa.Column("severity", sa.String(length=20), nullable=False),
        sa.Column("notification_channels", sa.JSON(), nullable=True),
        sa.Column("created_by", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("schedule_type IN ('always', 'time_window', 'date_range')", name=op.f("ck_rules_schedule_type")),
        sa.CheckConstraint("scope IN ('device', 'global')", name=op.f("ck_rules_scope")),
        sa.CheckConstraint("severity IN ('critical', 'high', 'medium', 'low')", name=op.f("ck_rules_severity")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_rules_created_by_users"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f("fk_rules_factory_id_factories"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rules")),
    )
    with op.batch_alter_table("rules", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rules_factory_id"), ["factory_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_rules_factory_id_is_active"), ["factory_id", "is_active"], unique=False)

    op.create_table(
        "user_sessions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("user_agent", sa.String(length=400), nullable=True),
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f("fk_user_sessions_factory_id_factories"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_sessions_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_sessions")),
    )
    with op.batch_alter_table("user_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_user_sessions_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_user_sessions_factory_id"), ["factory_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_user_sessions_user_id"), ["user_id"], unique=False)

    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rule_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("triggered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Integer(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Integer(), nullable=True),
        sa.Column("resolution_comment", sa.String(length=1000), nullable=True),
        sa.Column("severity", sa.String(length=20), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("telemetry_snapshot", sa.JSON(), nullable=True),
        sa.Column("notification_sent", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("severity IN ('critical', 'high', 'medium', 'low')", name=op.f("ck_alerts_severity")),
        sa.ForeignKeyConstraint(["acknowledged_by"], ["users.id"], name=op.f("fk_alerts_acknowledged_by_users"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_alerts_device_id_devices"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f("fk_alerts_factory_id_factories"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["resolved_by"], ["users.id"], name=op.f("fk_alerts_resolved_by_users"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["rule_id"], ["rules.id"], name=op.f("fk_alerts_rule_id_rules"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("rule_id", "device_id", "triggered_at", name=op.f("uq_alerts_rule_id_device_id_triggered_at")),
    )
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alerts_factory_id"), ["factory_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_alerts_factory_id_device_id_triggered_at"), ["factory_id", "device_id", "triggered_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_alerts_factory_id_resolved_at"), ["factory_id", "resolved_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_alerts_factory_id_triggered_at"), ["factory_id", "triggered_at"], unique=False)

    op.create_table(
        "reports",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=True),
        sa.Column("device_ids", sa.JSON(), nullable=False),
        sa.Column("date_range_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("date_range_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("format", sa.String(length=20), nullable=False),
        sa.Column("include_analytics", sa.Boolean(), nullable=False),
        sa.Column("analytics_job_id", sa.String(length=36), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("file_url", sa.String(length=500), nullable=True),
        sa.Column("file_size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("format IN ('pdf', 'excel', 'json')", name=op.f("ck_reports_format")),
        sa.CheckConstraint("status IN ('pending', 'running', 'complete', 'failed')", name=op.f("ck_reports_status")),
        sa.ForeignKeyConstraint(
            ["analytics_job_id"], ["analytics_jobs.id"], name=op.f("fk_reports_analytics_job_id_analytics_jobs"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_reports_created_by_users")),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f("fk_reports_factory_id_factories"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reports")),
    )
    with op.batch_alter_table("reports", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_reports_factory_id"), ["factory_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_reports_factory_id_status"), ["factory_id", "status"], unique=False)

    op.create_table(
        "rule_cooldowns",
        sa.Column("rule_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("last_triggered", sa.DateTime(timezone=True), nullable=False),
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_rule_cooldowns_device_id_devices"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f("fk_rule_cooldowns_factory_id_factories"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["rule_id"], ["rules.id"], name=op.f("fk_rule_cooldowns_rule_id_rules"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("rule_id", "device_id", name=op.f("pk_rule_cooldowns")),
    )
    with op.batch_alter_table("rule_cooldowns", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rule_cooldowns_factory_id"), ["factory_id"], unique=False)

    op.create_table(
        "rule_devices",
        sa.Column("rule_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fk_rule_devices_device_id_devices"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f("fk_rule_devices_factory_id_factories"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["rule_id"], ["rules.id"], name=op.f("fk_rule_devices_rule_id_rules"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("rule_id", "device_id", name=op.f("pk_rule_devices")),
    )
    with op.batch_alter_table("rule_devices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rule_devices_factory_id"), ["factory_id"], unique=False)

    op.create_table(
        "notifications",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("recipient", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_error", sa.String(length=1000), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("factory_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("status IN ('pending', 'sent', 'failed', 'skipped')", name=op.f("ck_notifications_status")),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_notifications_alert_id_alerts"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["factory_id"], ["factories.id"], name=op.f("fk_notifications_factory_id_factories"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_notifications_idempotency_key")),
    )
    with op.batch_alter_table("notifications", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notifications_alert_id"), ["alert_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_notifications_factory_id"), ["factory_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_notifications_status_next_attempt_at"), ["status", "next_attempt_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("notifications", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notifications_status_next_attempt_at"))
        batch_op.drop_index(batch_op.f("ix_notifications_factory_id"))
        batch_op.drop_index(batch_op.f("ix_notifications_alert_id"))

    op.drop_table("notifications")
    with op.batch_alter_table("rule_devices", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rule_devices_factory_id"))

    op.drop_table("rule_devices")
    with op.batch_alter_table("rule_cooldowns", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rule_cooldowns_factory_id"))

    op.drop_table("rule_cooldowns")
    with op.batch_alter_table("reports", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_reports_factory_id_status"))
        batch_op.drop_index(batch_op.f("ix_reports_factory_id"))

    op.drop_table("reports")
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alerts_factory_id_triggered_at"))
        batch_op.drop_index(batch_op.f("ix_alerts_factory_id_resolved_at"))
        batch_op.drop_index(batch_op.f("ix_alerts_factory_id_device_id_triggered_at"))
        batch_op.drop_index(batch_op.f("ix_alerts_factory_id"))

    op.drop_table("alerts")
    with op.batch_alter_table("user_sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_user_sessions_user_id"))
        batch_op.drop_index(batch_op.f("ix_user_sessions_factory_id"))
        batch_op.drop_index(batch_op.f("ix_user_sessions_expires_at"))

    op.drop_table("user_sessions")
    with op.batch_alter_table("rules", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rules_factory_id_is_active"))
        batch_op.drop_index(batch_op.f("ix_rules_factory_id"))

    op.drop_table("rules")
    with op.batch_alter_table("latest_values", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_latest_values_factory_id"))

    op.drop_table("latest_values")
    with op.batch_alter_table("device_parameters", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_device_parameters_factory_id_device_id"))
        batch_op.drop_index(batch_op.f("ix_device_parameters_factory_id"))

    op.drop_table("device_parameters")
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_dead_letters_received_at"))
        batch_op.drop_index(batch_op.f("ix_dead_letters_reason"))
        batch_op.drop_index(batch_op.f("ix_dead_letters_factory_id"))
        batch_op.drop_index(batch_op.f("ix_dead_letters_device_id"))

    op.drop_table("dead_letters")
    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_events_happened_at"))
        batch_op.drop_index(batch_op.f("ix_audit_events_factory_id"))

    op.drop_table("audit_events")
    with op.batch_alter_table("analytics_jobs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_analytics_jobs_factory_id_status"))
        batch_op.drop_index(batch_op.f("ix_analytics_jobs_factory_id"))

    op.drop_table("analytics_jobs")
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_users_factory_id"))

    op.drop_table("users")
    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_devices_factory_id"))

    op.drop_table("devices")
    op.drop_table("leases")
    with op.batch_alter_table("landing_batches", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_landing_batches_landed_at"))

    op.drop_table("landing_batches")
    op.drop_table("installation_facts")
    op.drop_table("factories")
    op.drop_table("consumer_cursors")

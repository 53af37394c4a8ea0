"""Rules, what they raised, and what is still to be told to people."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.models.base import Base, BigId, OwnedByFactory, utc_now
from warehouse.terms import SEVERITIES

SCOPES = ("device", "global")
SCHEDULE_TYPES = ("always", "time_window", "date_range")
CHANNELS = ("email", "whatsapp")
NOTIFICATION_STATUSES = ("pending", "sent", "failed", "skipped", "held", "digested")
"""`skipped`: the channel is not set up in this installation; `last_error` says what is missing. `held`: waits until `next_attempt_at` to be
told together with others. `digested`: told in the message `digest_id`."""
NOTIFICATION_KINDS = ("alert", "escalation", "reminder", "all_clear", "digest")
EVENT_KINDS = (
    "triggered", "silenced", "told", "repeated", "acknowledged", "assigned", "commented", "escalated", "reminded", "cleared", "resolved",
)  # fmt: skip


class Rule(OwnedByFactory, Base):
    """When to raise an alert. `conditions` is the tree of `rules.parse`."""

    __tablename__ = "rules"
    __table_args__ = (
        Index(None, "factory_id", "is_active"),
        CheckConstraint(f"scope IN {SCOPES}", name="scope"),
        CheckConstraint(f"severity IN {SEVERITIES}", name="severity"),
        CheckConstraint(f"schedule_type IN {SCHEDULE_TYPES}", name="schedule_type"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(String(20), default="device")
    conditions: Mapped[dict[str, Any]]
    cooldown_minutes: Mapped[float] = mapped_column(default=15)
    is_active: Mapped[bool] = mapped_column(default=True)
    schedule_type: Mapped[str] = mapped_column(String(20), default="always")
    schedule_config: Mapped[dict[str, Any] | None]
    severity: Mapped[str] = mapped_column(String(20), default="medium")
    notification_channels: Mapped[dict[str, Any] | None]
    """Such as {"email": true, "whatsapp": false}."""
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class RuleDevice(OwnedByFactory, Base):
    """Which machines a rule with scope `device` watches."""

    __tablename__ = "rule_devices"

    rule_id: Mapped[int] = mapped_column(ForeignKey("rules.id", ondelete="CASCADE"), primary_key=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True)


class RuleCooldown(OwnedByFactory, Base):
    """When a rule last raised an alert on a machine, in device time."""

    __tablename__ = "rule_cooldowns"

    rule_id: Mapped[int] = mapped_column(ForeignKey("rules.id", ondelete="CASCADE"), primary_key=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True)
    last_triggered: Mapped[datetime]


class Alert(OwnedByFactory, Base):
    """A rule's condition was met on a machine. Active until resolved; meanwhile the same rule on the same machine only counts repeats."""

    __tablename__ = "alerts"
    __table_args__ = (
        # The same moment can raise the same alert only once, whoever evaluates it and however often.
        UniqueConstraint("rule_id", "device_id", "triggered_at"),
        Index(None, "factory_id", "device_id", "triggered_at"),
        Index(None, "factory_id", "triggered_at"),
        Index(None, "factory_id", "resolved_at"),
        Index(None, "resolved_at", "rule_id", "device_id"),
        CheckConstraint(f"severity IN {SEVERITIES}", name="severity"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    rule_id: Mapped[int] = mapped_column(ForeignKey("rules.id", ondelete="CASCADE"))
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"))
    triggered_at: Mapped[datetime]
    """Device time of the reading that met the condition."""
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    resolved_at: Mapped[datetime | None]
    """None: active."""
    resolved_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    resolution_comment: Mapped[str | None] = mapped_column(String(1000))
    severity: Mapped[str] = mapped_column(String(20))
    message: Mapped[str | None] = mapped_column(Text)
    telemetry_snapshot: Mapped[dict[str, Any] | None]
    notification_sent: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    repeat_count: Mapped[int] = mapped_column(default=0)
    """How often the rule met its condition again while the alert was active."""
    last_raised_at: Mapped[datetime | None]
    """Device time of the newest of these; None: none yet."""
    cleared_at: Mapped[datetime | None]
    """Device time since which the condition does not hold any more; None: it still holds, as far as we know."""
    is_resolved_automatically: Mapped[bool] = mapped_column(default=False)
    assigned_to: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    is_silenced: Mapped[bool] = mapped_column(default=False)
    """Raised while a silence held; nobody was told then."""
    silence_id: Mapped[int | None] = mapped_column(ForeignKey("silences.id", ondelete="SET NULL"))
    escalation_level: Mapped[int] = mapped_column(default=0)
    """How many steps of the escalation chain were told."""
    reminder_count: Mapped[int] = mapped_column(default=0)
    next_step_at: Mapped[datetime | None] = mapped_column(index=True)
    """When to escalate, to remind, or to look whether the silence is over; None: nothing is to come."""


class AlertRaise(OwnedByFactory, Base):
    """One moment at which a rule asked for an alert on a machine: the first makes an alert, the others are its repeats."""

    __tablename__ = "alert_raises"
    __table_args__ = (UniqueConstraint("rule_id", "device_id", "raised_at"), Index(None, "factory_id", "raised_at"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    rule_id: Mapped[int] = mapped_column(ForeignKey("rules.id", ondelete="CASCADE"))
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"))
    raised_at: Mapped[datetime]
    """Device time."""
    recorded_at: Mapped[datetime] = mapped_column(default=utc_now)


class AlertEvent(OwnedByFactory, Base):
    """One line of an alert's history: what changed, by whom, with which words. Only ever appended."""

    __tablename__ = "alert_events"
    __table_args__ = (Index(None, "alert_id", "happened_at"), CheckConstraint(f"kind IN {EVENT_KINDS}", name="kind"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))
    happened_at: Mapped[datetime]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """None: the system itself."""
    comment: Mapped[str | None] = mapped_column(String(1000))
    details: Mapped[dict[str, Any] | None]


class Silence(OwnedByFactory, Base):
    """A maintenance window: alerts that it covers are recorded, but nobody is told. Whatever of device, rule and region is None, is any."""

    __tablename__ = "silences"
    __table_args__ = (Index(None, "factory_id", "ends_at"), CheckConstraint("starts_at < ends_at", name="span"))

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    device_id: Mapped[int | None] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"))
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("rules.id", ondelete="CASCADE"))
    region: Mapped[str | None] = mapped_column(String(255))
    reason: Mapped[str] = mapped_column(String(500))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    schedule: Mapped[dict[str, Any] | None]
    """Holds only inside this window of `rules.parse` (time_window), in the factory's time zone; None: all the time from start to end."""
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Notification(OwnedByFactory, Base):
    """Outbox: one message to one person on one channel, written with the alert and sent later."""

    __tablename__ = "notifications"
    __table_args__ = (
        UniqueConstraint("idempotency_key"),
        Index(None, "status", "next_attempt_at"),
        Index(None, "recipient", "channel", "sent_at"),
        CheckConstraint(f"status IN {NOTIFICATION_STATUSES}", name="status"),
        CheckConstraint(f"kind IN {NOTIFICATION_KINDS}", name="kind"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    alert_id: Mapped[int | None] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), index=True)
    """None: it tells of several alerts."""
    channel: Mapped[str] = mapped_column(String(20))
    recipient: Mapped[str] = mapped_column(String(255))
    """A mail address or number; of a webhook its name."""
    subject: Mapped[str] = mapped_column(String(500))
    body: Mapped[str] = mapped_column(Text)
    idempotency_key: Mapped[str] = mapped_column(String(200))
    """alert, channel and recipient: writing the same message twice is impossible."""
    status: Mapped[str] = mapped_column(String(20), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=utc_now)
    last_error: Mapped[str | None] = mapped_column(String(1000))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    sent_at: Mapped[datetime | None]
    kind: Mapped[str] = mapped_column(String(20), default="alert")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    webhook_id: Mapped[int | None] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    body_html: Mapped[str | None] = mapped_column(Text)
    digest_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("notifications.id", ondelete="SET NULL"), index=True)

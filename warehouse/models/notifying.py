"""Whom to tell of alerts, how, and when somebody else."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.models.alerting import CHANNELS
from warehouse.models.base import Base, OwnedByFactory, utc_now
from warehouse.terms import SEVERITIES


class NotificationPreference(OwnedByFactory, Base):
    """How one person wants to hear on one channel. Without a row: at once, of everything, at any hour."""

    __tablename__ = "notification_preferences"
    __table_args__ = (
        UniqueConstraint("user_id", "channel"),
        CheckConstraint(f"channel IN {CHANNELS}", name="channel"),
        CheckConstraint(f"least_severity IN {SEVERITIES}", name="least_severity"),
        CheckConstraint(f"digest_up_to IN {SEVERITIES[1:]}", name="digest_up_to"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    channel: Mapped[str] = mapped_column(String(20))
    is_on: Mapped[bool] = mapped_column(default=True)
    least_severity: Mapped[str] = mapped_column(String(20), default="low")
    hours: Mapped[dict[str, Any] | None]
    """A window of `rules.parse` (time_window) in the factory's time zone; what comes outside waits for it, but for critical alerts."""
    digest_up_to: Mapped[str | None] = mapped_column(String(20))
    """Alerts up to this severity are told together; None: each at once."""
    digest_every_minutes: Mapped[int] = mapped_column(default=60)
    wants_all_clear: Mapped[bool] = mapped_column(default=True)


class EscalationChain(OwnedByFactory, Base):
    """Who is told next while nobody acknowledges an alert."""

    __tablename__ = "escalation_chains"
    __table_args__ = (CheckConstraint(f"least_severity IN {SEVERITIES}", name="least_severity"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("rules.id", ondelete="CASCADE"))
    """None: for every rule that has no chain of its own."""
    least_severity: Mapped[str] = mapped_column(String(20), default="high")
    reminder_every_minutes: Mapped[float | None]
    """After the last step everybody who was told is told again this often; None: never."""
    most_reminders: Mapped[int] = mapped_column(default=3)
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class EscalationStep(OwnedByFactory, Base):
    """One person of a chain, told `after_minutes` after the alert was raised, unless somebody has acknowledged it."""

    __tablename__ = "escalation_steps"
    __table_args__ = (UniqueConstraint("chain_id", "position"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    chain_id: Mapped[int] = mapped_column(ForeignKey("escalation_chains.id", ondelete="CASCADE"))
    position: Mapped[int]
    """From 1, in order of `after_minutes`."""
    after_minutes: Mapped[float]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))


class Webhook(OwnedByFactory, Base):
    """Another system that is told of alerts, by signed POST requests."""

    __tablename__ = "webhooks"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    url: Mapped[str] = mapped_column(String(1000))
    secret: Mapped[str] = mapped_column(String(100))
    """Signs the requests; the receiver has the same one."""
    least_severity: Mapped[str] = mapped_column(String(20), default="low")
    is_active: Mapped[bool] = mapped_column(default=True)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

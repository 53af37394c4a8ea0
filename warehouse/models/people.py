"""Factories, the people who work there, and their sign-ins."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.models.base import Base, BigId, OwnedByFactory, utc_now

ROLES = ("super_admin", "admin", "viewer")
PERMISSIONS = ("create_rules", "run_analytics", "generate_reports", "manage_users")


class Factory(Base):
    """A tenant: one physical plant."""

    __tablename__ = "factories"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    slug: Mapped[str] = mapped_column(String(100), unique=True)
    timezone: Mapped[str] = mapped_column(String(100), default="UTC")
    """IANA name; day boundaries, shifts and schedules follow it."""
    shifts: Mapped[list[dict[str, str]] | None] = mapped_column(JSON(none_as_null=True))
    """As `warehouse.shifts` writes them; None: the usual ones."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)


class User(OwnedByFactory, Base):
    """A person of one factory. The same e-mail may have an account in several factories."""

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("factory_id", "email"), CheckConstraint(f"role IN {ROLES}", name="role"))

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    email: Mapped[str] = mapped_column(String(255))
    """Stored in lower case."""
    name: Mapped[str | None] = mapped_column(String(255))
    whatsapp_number: Mapped[str | None] = mapped_column(String(50))
    hashed_password: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(20), default="admin")
    permissions: Mapped[dict[str, Any] | None]
    is_active: Mapped[bool] = mapped_column(default=True)
    invite_token: Mapped[str | None] = mapped_column(String(255), unique=True)
    """sha256 of the secret in the invitation's link, in hex; None once it was taken up or withdrawn."""
    invited_at: Mapped[datetime | None]
    last_login: Mapped[datetime | None]
    failed_logins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class UserSession(OwnedByFactory, Base):
    """One sign-in on one browser or client. The authority: a token without a live row here is worth nothing."""

    __tablename__ = "user_sessions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """sha256 of the secret that the browser holds, in hex: the database alone cannot be used to sign in."""
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    last_used_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]
    address: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(400))


class AuditEvent(OwnedByFactory, Base):
    """Who did what to what, when, with the state before and after. Only ever appended: triggers and rights forbid the rest.

    Rows come from `warehouse.access.audit.append`, which chains them.
    """

    __tablename__ = "audit_events"
    __table_args__ = (Index(None, "factory_id", "position", unique=True),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    position: Mapped[int] = mapped_column(BigId)
    """1, 2, 3 ... within the factory, without gaps."""
    hash: Mapped[str] = mapped_column(String(64))
    """sha256 over this event and the hash of the one before, in hex: `warehouse.access.chain`."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """None: the system itself."""
    action: Mapped[str] = mapped_column(String(100))
    """Noun and verb, such as `alert.resolve`."""
    target: Mapped[str] = mapped_column(String(255))
    """What it was done to, such as `alert:150`."""
    reason: Mapped[str | None] = mapped_column(String(1000))
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    address: Mapped[str | None] = mapped_column(String(64))
    happened_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)

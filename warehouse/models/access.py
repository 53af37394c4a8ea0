"""What opens and closes doors: one-time links, second factors, keys of programs, pauses after wrong passwords, heads of the audit trail."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.models.base import Base, BigId, OwnedByFactory, utc_now

ONE_TIME_PURPOSES = ("password_reset", "second_factor")


class OneTimeToken(OwnedByFactory, Base):
    """A secret that works once and not for long: a link to a new password, or the ticket between password and second factor."""

    __tablename__ = "one_time_tokens"
    __table_args__ = (CheckConstraint(f"purpose IN {ONE_TIME_PURPOSES}", name="purpose"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """sha256 of the secret, in hex."""
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    """Wrong codes that were given with it."""


class SecondFactor(OwnedByFactory, Base):
    """The authenticator app of a person (RFC 6238)."""

    __tablename__ = "second_factors"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)
    sealed_secret: Mapped[str] = mapped_column(String(255))
    """The shared secret, encrypted with a key that is not in the database."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    confirmed_at: Mapped[datetime | None]
    """None: the person has not shown yet that the app works; sign-in does not ask for it."""
    last_step: Mapped[int] = mapped_column(BigId, default=0)
    """Number of the newest 30 s step whose code was taken: no code works twice."""


class RecoveryCode(OwnedByFactory, Base):
    """A code that stands in for the app once, for the day the phone is gone."""

    __tablename__ = "recovery_codes"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64))
    """sha256 in hex: the codes are random and long enough."""
    used_at: Mapped[datetime | None]


class ApiKey(OwnedByFactory, Base):
    """A key with which a program works for the person who made it, with at most that person's rights."""

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    prefix: Mapped[str] = mapped_column(String(16))
    """How the key begins: to tell keys apart in lists."""
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """sha256 of the key, in hex."""
    scopes: Mapped[str] = mapped_column(String(255))
    """Names of `warehouse.access.api_keys.SCOPES` with spaces between."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AddressPause(Base):
    """Wrong passwords from one network address, whichever accounts they were for."""

    __tablename__ = "address_pauses"

    address: Mapped[str] = mapped_column(String(64), primary_key=True)
    failed_logins: Mapped[int] = mapped_column(default=0)
    last_failed_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    locked_until: Mapped[datetime | None]


class AuditHead(OwnedByFactory, Base):
    """The newest link of a factory's audit chain: without it, events cut off at the end would not be missed."""

    __tablename__ = "audit_heads"

    factory_id: Mapped[int] = mapped_column(ForeignKey("factories.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigId)
    hash: Mapped[str] = mapped_column(String(64))

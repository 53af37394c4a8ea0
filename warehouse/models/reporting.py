"""What surrounds a report: its files, who signed it, when it is due, to whom it was sent, and the ledger that proves it."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.models.base import Base, BigId, OwnedByFactory, utc_now

MEANINGS = ("reviewed", "approved")
DELIVERIES = ("pending", "sent", "failed")


class ReportFile(OwnedByFactory, Base):
    """One file of a report in the object store."""

    __tablename__ = "report_files"
    __table_args__ = (Index(None, "report_id", "kind"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    report_id: Mapped[str] = mapped_column(ForeignKey("reports.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))
    """pdf, excel, json, html, csv, parquet; notebook, inputs, preview are for ourselves."""
    name: Mapped[str] = mapped_column(String(255))
    """As it is called when somebody downloads it."""
    path: Mapped[str] = mapped_column(String(500))
    """Below the root of the object store."""
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    replaced_at: Mapped[datetime | None]
    """When a signature made a new rendering; the old file stays provable."""


class ReportSignature(OwnedByFactory, Base):
    """A person signed a report with a meaning, having given the password again."""

    __tablename__ = "report_signatures"
    __table_args__ = (
        UniqueConstraint("report_id", "meaning"),
        CheckConstraint(f"meaning IN {MEANINGS}", name="meaning"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    report_id: Mapped[str] = mapped_column(ForeignKey("reports.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(String(255))
    """As it was on the day of signing."""
    role: Mapped[str] = mapped_column(String(100))
    meaning: Mapped[str] = mapped_column(String(20))
    comment: Mapped[str | None] = mapped_column(String(500))
    signed_at: Mapped[datetime] = mapped_column(default=utc_now)


class ReportSchedule(OwnedByFactory, Base):
    """A report that is made again and again."""

    __tablename__ = "report_schedules"
    __table_args__ = (Index(None, "is_active", "next_due_at"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    report_type: Mapped[str] = mapped_column(String(30))
    device_ids: Mapped[list[int]]
    formats: Mapped[list[str]] = mapped_column(JSON)
    recipients: Mapped[list[str]] = mapped_column(JSON)
    cron: Mapped[str] = mapped_column(String(100))
    """Five fields, on the factory's clock."""
    period: Mapped[str] = mapped_column(String(10))
    """day, week or month: the last whole one before the report is due."""
    language: Mapped[str] = mapped_column(String(5), default="en")
    delivery: Mapped[str] = mapped_column(String(20), default="link")
    """link or attachment."""
    catches_up: Mapped[bool] = mapped_column(default=True)
    """Whether reports that came due while nothing ran are made afterwards."""
    is_active: Mapped[bool] = mapped_column(default=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    next_due_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class ReportDelivery(OwnedByFactory, Base):
    """One mail about a report to one person."""

    __tablename__ = "report_deliveries"
    __table_args__ = (
        UniqueConstraint("report_id", "recipient", "kind"),
        Index(None, "status", "next_attempt_at"),
        CheckConstraint(f"status IN {DELIVERIES}", name="status"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    report_id: Mapped[str] = mapped_column(ForeignKey("reports.id", ondelete="CASCADE"))
    recipient: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(20), default="report")
    """report, or failure: the owner is told that it could not be made."""
    with_attachment: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str] = mapped_column(String(20), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=utc_now)
    last_error: Mapped[str | None] = mapped_column(String(1000))
    sent_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class LedgerEntry(OwnedByFactory, Base):
    """A link of the factory's chain of proofs. Only ever appended; the database refuses anything else."""

    __tablename__ = "ledger_entries"
    __table_args__ = (UniqueConstraint("factory_id", "sequence"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    sequence: Mapped[int]
    """1, 2, 3, ... within the factory."""
    kind: Mapped[str] = mapped_column(String(30))
    """report.made, report.signed or report.expired."""
    report_id: Mapped[str] = mapped_column(String(36), index=True)
    happened_at: Mapped[datetime]
    content: Mapped[str] = mapped_column(Text)
    """Canonical JSON: digests of files, notebook, parameters, inputs, versions."""
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))

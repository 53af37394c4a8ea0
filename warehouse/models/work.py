"""Work that people order: analyses and reports."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from warehouse.models.base import Base, OwnedByFactory, utc_now

STATUSES = ("pending", "running", "complete", "failed")
JOB_TYPES = ("anomaly", "failure_prediction", "energy_forecast", "ai_copilot")
REPORT_FORMATS = ("pdf", "excel", "json")


class AnalyticsJob(OwnedByFactory, Base):
    """An analysis over some machines and a time range."""

    __tablename__ = "analytics_jobs"
    __table_args__ = (
        Index(None, "factory_id", "status"),
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        CheckConstraint(f"job_type IN {JOB_TYPES}", name="job_type"),
        Index(None, "schedule_id", "due_at", unique=True),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    created_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    job_type: Mapped[str] = mapped_column(String(50))
    mode: Mapped[str] = mapped_column(String(20), default="standard")
    device_ids: Mapped[list[int]]
    date_range_start: Mapped[datetime]
    date_range_end: Mapped[datetime]
    status: Mapped[str] = mapped_column(String(20), default="pending")
    progress_percent: Mapped[float] = mapped_column(default=0)
    stage: Mapped[str | None] = mapped_column(String(100))
    parameters: Mapped[dict[str, Any] | None]
    result_url: Mapped[str | None] = mapped_column(String(500))
    error_message: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    run_id: Mapped[str | None] = mapped_column(String(64))
    """Dagster's run that works on it."""
    heartbeat_at: Mapped[datetime | None]
    """When its run last gave a sign of life; one that has given none for a while is lost."""
    cancelled_by: Mapped[str | None] = mapped_column(String(255))
    """Name of who cancelled it; the run ends at its next step."""
    headline: Mapped[str | None] = mapped_column(Text)
    """Its result in one sentence."""
    files: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    """Name, size in bytes and SHA-256 of each file of its result."""
    schedule_id: Mapped[str | None] = mapped_column(String(36))
    due_at: Mapped[datetime | None]
    """Which occurrence of its schedule it is."""


class AnalysisSchedule(OwnedByFactory, Base):
    """An analysis that is ordered again and again, over the last `days` days before each occurrence."""

    __tablename__ = "analytics_schedules"
    __table_args__ = (Index(None, "is_active", "next_due_at"), CheckConstraint(f"job_type IN {JOB_TYPES}", name="job_type"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    job_type: Mapped[str] = mapped_column(String(50))
    mode: Mapped[str] = mapped_column(String(20), default="standard")
    device_ids: Mapped[list[int]]
    """Empty: all active machines at the time."""
    parameters: Mapped[dict[str, Any] | None]
    days: Mapped[int]
    cron: Mapped[str] = mapped_column(String(100))
    """Five fields, on the factory's clock."""
    is_active: Mapped[bool] = mapped_column(default=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    next_due_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Report(OwnedByFactory, Base):
    """A report over some machines and a period. `format` is the file that a download gives; `also` are further formats of the same run."""

    __tablename__ = "reports"
    __table_args__ = (
        Index(None, "factory_id", "status"),
        UniqueConstraint("schedule_id", "due_at"),
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        CheckConstraint(f"format IN {REPORT_FORMATS}", name="format"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    created_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str | None] = mapped_column(String(255))
    device_ids: Mapped[list[int]]
    date_range_start: Mapped[datetime]
    date_range_end: Mapped[datetime]
    format: Mapped[str] = mapped_column(String(20))
    include_analytics: Mapped[bool] = mapped_column(default=False)
    analytics_job_id: Mapped[str | None] = mapped_column(ForeignKey("analytics_jobs.id", ondelete="SET NULL"))
    status: Mapped[str] = mapped_column(String(20), default="pending")
    file_url: Mapped[str | None] = mapped_column(String(500))
    file_size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    error_message: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    report_type: Mapped[str] = mapped_column(String(30), default="compliance")
    also: Mapped[list[str] | None] = mapped_column(JSON)
    language: Mapped[str] = mapped_column(String(5), default="en")
    schedule_id: Mapped[int | None] = mapped_column(ForeignKey("report_schedules.id", ondelete="SET NULL"))
    due_at: Mapped[datetime | None]
    """Which occurrence of its schedule this report is."""
    progress_percent: Mapped[float] = mapped_column(default=0)
    stage: Mapped[str | None] = mapped_column(String(100))
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    snapshot_id: Mapped[int | None] = mapped_column(BigInteger)
    """State of the lake that it was made from; kept while the report is kept."""
    data_sha256: Mapped[str | None] = mapped_column(String(64))
    run_label: Mapped[str | None] = mapped_column(String(100))

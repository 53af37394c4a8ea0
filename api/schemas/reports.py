"""Reports as the API takes and gives them."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.common import MomentIn

Type = Literal["compliance", "weekly_equipment", "energy", "alarm_review"]
Format = Literal["pdf", "excel", "json"]
Kind = Literal["pdf", "excel", "json", "html", "csv", "parquet", "preview"]


class ReportIn(BaseModel):
    """What to make. The period is [date_range_start, date_range_end)."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str | None, Field(max_length=255)] = None
    device_ids: Annotated[list[int], Field(max_length=500)] = []
    """Empty: every active machine."""
    date_range_start: MomentIn
    date_range_end: MomentIn
    format: Format = "pdf"
    also: Annotated[list[Kind], Field(max_length=6)] = []
    """Further formats of the same run."""
    report_type: Type = "compliance"
    language: Literal["en", "de", "vi"] = "en"
    include_analytics: bool = False
    analytics_job_id: str | None = None


class FileOut(BaseModel):
    """One file of a report."""

    kind: str
    name: str
    size_bytes: int
    sha256: str


class DeliveryOut(BaseModel):
    """One mail about a scheduled report."""

    recipient: str
    kind: str
    """report, or failure: the schedule's owner is told."""
    status: str
    attempts: int
    last_error: str | None
    sent_at: datetime | None


class ScheduleOut(BaseModel):
    """A report that is made again and again."""

    id: int
    name: str
    report_type: str
    device_ids: list[int]
    formats: list[str]
    recipients: list[str]
    cron: str
    period: str
    language: str
    delivery: str
    catches_up: bool
    is_active: bool
    next_due_at: datetime


class ScheduleSwitch(BaseModel):
    """Pause or resume."""

    model_config = ConfigDict(extra="forbid")

    is_active: bool


class SignatureOut(BaseModel):
    """Who signed, with what meaning, when."""

    name: str
    role: str
    meaning: str
    comment: str | None
    signed_at: datetime


class ReportOut(BaseModel):
    """A report and how far it is."""

    id: str
    title: str | None
    report_type: str
    device_ids: list[int]
    date_range_start: datetime
    date_range_end: datetime
    format: str
    include_analytics: bool
    analytics_job_id: str | None
    status: str
    progress_percent: float
    stage: str | None
    run: str | None
    file_size_bytes: int | None
    error_message: str | None
    expires_at: datetime | None
    created_at: datetime
    completed_at: datetime | None
    files: list[FileOut] = []
    signatures: list[SignatureOut] = []
    deliveries: list[DeliveryOut] = []


class SignIn(BaseModel):
    """A person signs with the password again."""

    model_config = ConfigDict(extra="forbid")

    password: Annotated[str, Field(min_length=1, max_length=1024)]
    meaning: Literal["reviewed", "approved"]
    comment: Annotated[str, Field(max_length=500)] = ""


class VerificationOut(BaseModel):
    """What can be said about a file."""

    verdict: Literal["genuine", "altered", "unsigned", "unknown"]
    reason: str
    report_id: str | None
    file_name: str | None
    signer: str
    signed_at: datetime | None

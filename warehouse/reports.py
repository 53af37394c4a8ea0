"""Rows of reports: ordered, claimed by one worker, finished or failed, expired. Files and proofs hang on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import select, update

from warehouse import ledger
from warehouse.access import audit
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.models.devices import Device
from warehouse.models.people import User
from warehouse.models.reporting import ReportFile, ReportSignature
from warehouse.models.work import AnalyticsJob, Report
from warehouse.settings import Settings
from warehouse.tenancy import system_session, tenant_session

DOWNLOADS: Final = ("pdf", "excel", "json", "html", "csv", "parquet")
LONGEST_ERROR: Final = 500
STALE_AFTER: Final = timedelta(minutes=30)
"""A report that has been running for this long has lost its worker."""


@dataclass(frozen=True)
class NewReport:
    """What somebody asks for; checked by `order`."""

    start: datetime
    end: datetime
    formats: Sequence[str]
    """The first is what a download gives."""
    report_type: str = "compliance"
    title: str | None = None
    device_ids: Sequence[int] = ()
    language: str = "en"
    include_analytics: bool = False
    analytics_job_id: str | None = None
    schedule_id: int | None = None
    due_at: datetime | None = None


def order(db: Database, clock: Clock, factory_id: int, user_id: int, asked: NewReport) -> Report:
    """A pending report. Raises NotFoundError for machines or an analysis of another factory."""
    check_devices(db, factory_id, asked.device_ids)
    with tenant_session(db, factory_id, write=True) as session:
        if asked.analytics_job_id and session.get(AnalyticsJob, asked.analytics_job_id) is None:
            raise NotFoundError(f"there is no analysis {asked.analytics_job_id} in this factory", noun="job", key=asked.analytics_job_id)
        report = Report(
            id=str(uuid4()), created_by=user_id, title=asked.title, device_ids=list(asked.device_ids), date_range_start=asked.start,
            date_range_end=asked.end, format=next((f for f in asked.formats if f in {"pdf", "excel", "json"}), "pdf"),
            also=list(asked.formats), include_analytics=asked.include_analytics, analytics_job_id=asked.analytics_job_id,
            report_type=asked.report_type, language=asked.language, schedule_id=asked.schedule_id, due_at=asked.due_at,
            created_at=clock.now(),
        )  # fmt: skip
        session.add(report)
        session.flush()
        audit.append(session, "report.order", f"report:{report.id}", clock.now(), audit.Actor(factory_id, user_id))
    return report


def check_devices(db: Database, factory_id: int, device_ids: Sequence[int]) -> None:
    """Raises NotFoundError for the first machine that is not of this factory."""
    if not device_ids:
        return
    with tenant_session(db, factory_id) as session:
        known = set(session.scalars(select(Device.id).where(Device.id.in_(device_ids))))
    missing = sorted(set(device_ids) - known)
    if missing:
        raise NotFoundError(f"there is no machine {missing[0]} in this factory", noun="device", key=missing[0])


def find(db: Database, factory_id: int, report_id: str) -> Report:
    """One report. Raises NotFoundError, also for those of other factories."""
    with tenant_session(db, factory_id) as session:
        found = session.scalar(select(Report).where(Report.id == report_id))
    if found is None:
        raise NotFoundError(f"there is no report {report_id} in this factory", noun="report", key=report_id)
    return found


def latest(db: Database, factory_id: int, limit: int = 50, offset: int = 0) -> list[Report]:
    """Reports, newest first."""
    with tenant_session(db, factory_id) as session:
        return list(session.scalars(select(Report).order_by(Report.created_at.desc(), Report.id).limit(limit).offset(offset)))


def files(db: Database, factory_id: int, report_id: str) -> list[ReportFile]:
    """All files of a report, also replaced ones, newest first."""
    with tenant_session(db, factory_id) as session:
        return list(session.scalars(select(ReportFile).where(ReportFile.report_id == report_id).order_by(ReportFile.id.desc())))


def current_file(db: Database, factory_id: int, report_id: str, kind: str) -> ReportFile:
    """The newest file of that kind. Raises NotFoundError."""
    found = next((f for f in files(db, factory_id, report_id) if f.kind == kind and f.replaced_at is None), None)
    if found is None:
        raise NotFoundError(f"report {report_id} has no {kind} file", noun="report file", key=kind)
    return found


def signatures(db: Database, factory_id: int, report_id: str) -> list[ReportSignature]:
    """Who signed, in order of time."""
    with tenant_session(db, factory_id) as session:
        return list(session.scalars(select(ReportSignature).where(ReportSignature.report_id == report_id).order_by(ReportSignature.id)))


def person(db: Database, factory_id: int, user_id: int) -> User:
    """Somebody of the factory. Raises NotFoundError."""
    with tenant_session(db, factory_id) as session:
        found = session.get(User, user_id)
    if found is None:
        raise NotFoundError(f"there is no person {user_id} in this factory", noun="user", key=user_id)
    return found


def claim(db: Database, clock: Clock, report_id: str) -> Report | None:
    """Takes a pending report, or one whose worker was lost, for this worker; None when another has it or it is done.

    One statement decides, so of any number of workers exactly one gets it.
    """
    now = clock.now()
    with system_session(db, "claim a report", write=True) as session:
        is_free = (Report.status == "pending") | ((Report.status == "running") & (Report.started_at < now - STALE_AFTER))
        done = session.execute(
            update(Report)
            .where(Report.id == report_id, is_free)
            .values(status="running", started_at=now, progress_percent=0, stage="waiting", error_message=None)
        )
        if done.rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE's result has it
            return None
        return session.get(Report, report_id, populate_existing=True)


def note_progress(db: Database, factory_id: int, report_id: str, percent: float, stage: str) -> None:
    """How far a running report has come."""
    with tenant_session(db, factory_id, write=True) as session:
        report = session.get(Report, report_id)
        if report is not None and report.status == "running":
            report.progress_percent, report.stage = percent, stage


def fail(db: Database, clock: Clock, factory_id: int, report_id: str, message: str) -> None:
    """The report could not be made; `message` is for people."""
    with tenant_session(db, factory_id, write=True) as session:
        report = session.get(Report, report_id)
        if report is not None and report.status == "running":
            report.status, report.error_message, report.completed_at, report.stage = "failed", message[:LONGEST_ERROR], clock.now(), None


def retention(settings: Settings, report_type: str) -> timedelta:
    """How long the files of a type of report are kept."""
    days = settings.compliance_retention_days if report_type == "compliance" else settings.report_retention_days
    return timedelta(days=days)


def delete(db: Database, clock: Clock, factory_id: int, report_id: str, user_id: int) -> None:
    """Deletes a pending or failed report. Raises InvalidInputError for one that is running or complete, NotFoundError."""
    find(db, factory_id, report_id)
    with tenant_session(db, factory_id, write=True) as session:
        report = session.get_one(Report, report_id)
        if report.status not in {"pending", "failed"}:
            raise InvalidInputError(f"a {report.status} report cannot be deleted; it ends by itself when its time is over", path="status")
        session.delete(report)
        audit.append(session, "report.delete", f"report:{report_id}", clock.now(), audit.Actor(factory_id, user_id))


def pending(db: Database, older_than: datetime) -> list[tuple[str, int]]:
    """(id, factory) of reports that wait since before `older_than`, or that lost their worker, oldest first."""
    with system_session(db, "reports that wait") as session:
        is_waiting = (Report.status == "pending") & (Report.created_at <= older_than)
        is_lost = (Report.status == "running") & (Report.started_at < older_than - STALE_AFTER)
        found = session.execute(select(Report.id, Report.factory_id).where(is_waiting | is_lost).order_by(Report.created_at))
        return [(str(report_id), int(factory_id)) for report_id, factory_id in found]


def expired(db: Database, now: datetime) -> list[Report]:
    """Complete reports whose time is over and whose files are still there."""
    with system_session(db, "reports whose time is over") as session:
        return list(session.scalars(select(Report).where(Report.expires_at <= now, Report.file_url.is_not(None))))


def note_expiry(db: Database, clock: Clock, factory_id: int, report_id: str) -> None:
    """The files are gone; row, digests and ledger stay."""
    with tenant_session(db, factory_id, write=True) as session:
        report = session.get_one(Report, report_id)
        # Nothing needs its snapshot any more: maintenance may let it go.
        report.file_url, report.stage, report.snapshot_id = None, "expired", None
        ledger.append(session, factory_id, "report.expired", report_id, clock.now(), {"reason": "retention"})

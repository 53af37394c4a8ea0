"""Schedules of reports: each occurrence becomes one report exactly once, also after downtime."""

from datetime import datetime
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from assets.reporting.due import check_cron, next_due, occurrences, period_of
from assets.reporting.parameters import ScheduleOrder
from warehouse.access import audit
from warehouse.errors import NotFoundError
from warehouse.installation import Installation
from warehouse.models.people import Factory
from warehouse.models.reporting import ReportSchedule
from warehouse.models.work import Report
from warehouse.reports import check_devices
from warehouse.tenancy import system_session, tenant_session


def add_schedule(installation: Installation, factory_id: int, owner_id: int, asked: ScheduleOrder) -> ReportSchedule:
    """A new schedule. Raises InvalidInputError for a wrong cron expression, NotFoundError for machines of another factory."""
    cron, now = check_cron(asked.cron), installation.clock.now()
    check_devices(installation.db, factory_id, asked.device_ids)
    with tenant_session(installation.db, factory_id, write=True) as session:
        first = next_due(cron, session.scalars(select(Factory)).one().timezone, now)
        schedule = ReportSchedule(
            owner_id=owner_id, next_due_at=first, created_at=now,
            **{name: list(value) if isinstance(value, tuple) else value for name, value in asked},
        )  # fmt: skip
        session.add(schedule)
        session.flush()
        _note(session, "add", schedule, now, audit.Actor(factory_id, owner_id))
    return schedule


def schedules(installation: Installation, factory_id: int) -> list[ReportSchedule]:
    """The schedules of a factory."""
    with tenant_session(installation.db, factory_id) as session:
        return list(session.scalars(select(ReportSchedule).order_by(ReportSchedule.id)))


def find_schedule(installation: Installation, factory_id: int, schedule_id: int) -> ReportSchedule:
    """One schedule. Raises NotFoundError, also for those of other factories."""
    with tenant_session(installation.db, factory_id) as session:
        return _one(session, schedule_id)


def switch_schedule(installation: Installation, factory_id: int, schedule_id: int, user_id: int, *, is_active: bool) -> ReportSchedule:
    """Pauses a schedule, or lets it go on from now: what came due meanwhile is not made. Raises NotFoundError."""
    now = installation.clock.now()
    with tenant_session(installation.db, factory_id, write=True) as session:
        schedule = _one(session, schedule_id)
        if is_active and not schedule.is_active:
            schedule.next_due_at = next_due(schedule.cron, session.scalars(select(Factory)).one().timezone, now)
        schedule.is_active = is_active
        session.flush()
        _note(session, "resume" if is_active else "pause", schedule, now, audit.Actor(factory_id, user_id))
    return schedule


def remove_schedule(installation: Installation, factory_id: int, schedule_id: int, user_id: int) -> None:
    """Deletes a schedule; the reports it ordered stay. Raises NotFoundError."""
    with tenant_session(installation.db, factory_id, write=True) as session:
        schedule = _one(session, schedule_id)
        _note(session, "delete", schedule, installation.clock.now(), audit.Actor(factory_id, user_id))
        session.delete(schedule)


def _one(session: Session, schedule_id: int) -> ReportSchedule:
    found = session.scalar(select(ReportSchedule).where(ReportSchedule.id == schedule_id))
    if found is None:
        raise NotFoundError(f"there is no schedule {schedule_id} in this factory", noun="schedule", key=schedule_id)
    return found


def _note(session: Session, action: str, schedule: ReportSchedule, now: datetime, actor: audit.Actor) -> None:
    facts = {"name": schedule.name, "report_type": schedule.report_type, "cron": schedule.cron, "recipients": schedule.recipients}
    audit.append(session, f"report_schedule.{action}", f"report_schedule:{schedule.id}", now, actor, after=facts)


def create_due(installation: Installation) -> list[str]:
    """Orders a report for every occurrence that has come due; returns their ids.

    Order and next due moment are one transaction, and (schedule, occurrence) is unique: any number of callers make each once.
    """
    now = installation.clock.now()
    with system_session(installation.db, "schedules that are due") as session:
        due = session.execute(
            select(ReportSchedule.id, ReportSchedule.factory_id).where(ReportSchedule.is_active, ReportSchedule.next_due_at <= now)
        ).all()
    return [report_id for schedule_id, factory_id in due for report_id in _create(installation, factory_id, schedule_id, now)]


def _create(installation: Installation, factory_id: int, schedule_id: int, now: datetime) -> list[str]:
    with tenant_session(installation.db, factory_id, write=True) as session:
        schedule = session.scalars(select(ReportSchedule).where(ReportSchedule.id == schedule_id).with_for_update()).one()
        if schedule.next_due_at > now:
            return []
        zone = session.scalars(select(Factory)).one().timezone
        moments = occurrences(schedule.cron, zone, schedule.next_due_at, now, catches_up=schedule.catches_up)
        found = [_ordered(session, schedule, zone, moment, now) for moment in moments]
        schedule.next_due_at = next_due(schedule.cron, zone, now)
    return found


def _ordered(session: Session, schedule: ReportSchedule, zone: str, moment: datetime, now: datetime) -> str:
    start, end = period_of(schedule.period, zone, moment)
    report = Report(
        id=str(uuid4()), created_by=schedule.owner_id, title=schedule.name, device_ids=schedule.device_ids, date_range_start=start,
        date_range_end=end, format=next((f for f in schedule.formats if f in {"pdf", "excel", "json"}), "pdf"), also=schedule.formats,
        report_type=schedule.report_type, language=schedule.language, schedule_id=schedule.id, due_at=moment, created_at=now,
    )  # fmt: skip
    session.add(report)
    session.flush()
    return report.id

"""Analyses that a factory has made again and again, such as every week: each occurrence becomes one job exactly once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from assets.analytics.run import KINDS
from assets.reporting.due import check_cron, next_due
from warehouse.access.audit import Actor, append
from warehouse.errors import ConflictError, FactoryOpsError, InvalidInputError, NotFoundError
from warehouse.installation import Installation
from warehouse.jobs import NewJob, order_job
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.models.work import AnalysisSchedule
from warehouse.reports import check_devices
from warehouse.tenancy import system_session, tenant_session

MOST_SCHEDULES: Final = 50
MOST_DAYS: Final = 366
LONGEST_NAME: Final = 255


@dataclass(frozen=True)
class NewSchedule:
    """What is to be analysed when. No machines: all that are active at the time."""

    name: str
    job_type: str
    cron: str
    """Five fields, on the factory's clock."""
    days: int
    """How long before each occurrence the range begins."""
    device_ids: Sequence[int] = ()
    mode: str = "standard"
    parameters: dict[str, Any] | None = None


def add_schedule(installation: Installation, actor: Actor, asked: NewSchedule) -> AnalysisSchedule:
    """A new schedule. Raises InvalidInputError for what makes no sense, NotFoundError for machines of another factory, ConflictError."""
    if actor.user_id is None:
        raise InvalidInputError("somebody must own the schedule", path="owner_id")
    if asked.job_type not in KINDS:
        raise InvalidInputError(f"there is no analysis {asked.job_type!r}; there are {', '.join(KINDS)}", path="job_type")
    if not 1 <= asked.days <= MOST_DAYS:
        raise InvalidInputError(f"the range must be 1 to {MOST_DAYS} days, not {asked.days}", path="days")
    name, cron, now = asked.name.strip()[:LONGEST_NAME], check_cron(asked.cron), installation.clock.now()
    if not name:
        raise InvalidInputError("the schedule needs a name", path="name")
    check_devices(installation.db, actor.factory_id, asked.device_ids)
    with tenant_session(installation.db, actor.factory_id, write=True) as session:
        if len(session.scalars(select(AnalysisSchedule.id)).all()) >= MOST_SCHEDULES:
            raise ConflictError(f"there are {MOST_SCHEDULES} schedules already; delete one first")
        row = AnalysisSchedule(
            id=str(uuid4()), name=name, job_type=asked.job_type, mode=asked.mode, device_ids=sorted(set(asked.device_ids)),
            parameters=asked.parameters, days=asked.days, cron=cron, owner_id=actor.user_id,
            next_due_at=next_due(cron, session.scalars(select(Factory)).one().timezone, now), created_at=now,
        )  # fmt: skip
        session.add(row)
        session.flush()
        _note(session, "add", row, now, actor)
    return row


def schedules(installation: Installation, factory_id: int) -> list[AnalysisSchedule]:
    """The schedules of a factory, oldest first."""
    with tenant_session(installation.db, factory_id) as session:
        return list(session.scalars(select(AnalysisSchedule).order_by(AnalysisSchedule.created_at, AnalysisSchedule.id)))


def find_schedule(installation: Installation, factory_id: int, schedule_id: str) -> AnalysisSchedule:
    """One schedule. Raises NotFoundError, also for those of other factories."""
    with tenant_session(installation.db, factory_id) as session:
        return _one(session, schedule_id)


def switch_schedule(installation: Installation, actor: Actor, schedule_id: str, *, is_active: bool) -> AnalysisSchedule:
    """Pauses a schedule, or lets it go on from now: what came due meanwhile is not made. Raises NotFoundError."""
    now = installation.clock.now()
    with tenant_session(installation.db, actor.factory_id, write=True) as session:
        row = _one(session, schedule_id)
        if is_active and not row.is_active:
            row.next_due_at = next_due(row.cron, session.scalars(select(Factory)).one().timezone, now)
        row.is_active = is_active
        session.flush()
        _note(session, "resume" if is_active else "pause", row, now, actor)
    return row


def remove_schedule(installation: Installation, actor: Actor, schedule_id: str) -> None:
    """Deletes a schedule; the analyses it ordered stay. Raises NotFoundError."""
    with tenant_session(installation.db, actor.factory_id, write=True) as session:
        row = _one(session, schedule_id)
        _note(session, "delete", row, installation.clock.now(), actor)
        session.delete(row)


def order_due(installation: Installation) -> tuple[list[str], list[str]]:
    """Orders the newest occurrence of every schedule that has come due: ids of the jobs, and what could not be ordered, in words.

    After a downtime only the newest is made: an analysis of an old range would say nothing new. Two callers at once order it once,
    because (schedule, occurrence) is unique; whoever comes second finds the due moment moved.
    """
    now = installation.clock.now()
    with system_session(installation.db, "analyses that are due") as session:
        due = session.execute(
            select(AnalysisSchedule.id, AnalysisSchedule.factory_id).where(AnalysisSchedule.is_active, AnalysisSchedule.next_due_at <= now)
        ).all()
    ordered, refused = [], []
    for schedule_id, factory_id in due:
        taken = _take(installation, factory_id, schedule_id, now)
        if taken is None:
            continue
        row, device_ids = taken
        try:
            ordered.append(_order(installation, row, device_ids, now))
        except FactoryOpsError as problem:
            refused.append(f"{row.name}: {problem.message}")
    return ordered, refused


def _take(installation: Installation, factory_id: int, schedule_id: str, now: datetime) -> tuple[AnalysisSchedule, list[int]] | None:
    """The schedule with its due moment moved on, and its machines; None when another caller has taken the occurrence."""
    with tenant_session(installation.db, factory_id, write=True) as session:
        row = session.scalars(select(AnalysisSchedule).where(AnalysisSchedule.id == schedule_id).with_for_update()).one_or_none()
        if row is None or not row.is_active or row.next_due_at > now:
            return None
        row.next_due_at = next_due(row.cron, session.scalars(select(Factory)).one().timezone, now)
        active = set(session.scalars(select(Device.id).where(Device.is_active)))
        chosen = [device_id for device_id in row.device_ids if device_id in active] if row.device_ids else sorted(active)
        session.flush()
        session.expunge(row)
    return row, chosen


def _order(installation: Installation, row: AnalysisSchedule, device_ids: list[int], now: datetime) -> str:
    if not device_ids:
        raise InvalidInputError("none of its machines is active", path="device_ids")
    new = NewJob(
        row.job_type, row.mode, device_ids, now - timedelta(days=row.days), now, row.parameters, schedule_id=row.id, due_at=row.next_due_at
    )
    return order_job(installation.db, installation.clock, Actor(row.factory_id, row.owner_id), new).id


def _one(session: Session, schedule_id: str) -> AnalysisSchedule:
    found = session.scalar(select(AnalysisSchedule).where(AnalysisSchedule.id == schedule_id))
    if found is None:
        raise NotFoundError(f"there is no schedule {schedule_id} in this factory", noun="schedule", key=schedule_id)
    return found


def _note(session: Session, action: str, row: AnalysisSchedule, now: datetime, actor: Actor) -> None:
    facts = {"name": row.name, "job_type": row.job_type, "cron": row.cron, "days": row.days, "device_ids": row.device_ids}
    append(session, f"analysis_schedule.{action}", f"analysis_schedule:{row.id}", now, actor, after=facts)

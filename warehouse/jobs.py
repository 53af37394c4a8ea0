"""Rows of analyses that people order: ordered, followed, cancelled, deleted. `warehouse.job_runs` is their other side: who makes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from warehouse.access.audit import Actor, append
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import ConflictError, InvalidInputError, NotFoundError
from warehouse.models.devices import Device
from warehouse.models.work import AnalyticsJob
from warehouse.tenancy import tenant_session

DELETABLE: Final = ("pending", "failed")
UNFINISHED: Final = ("pending", "running")
MOST_UNFINISHED: Final = 50
"""Analyses of one factory that wait or run; what is more would only wait."""
CANCELLED: Final = "cancelled by {name}"


@dataclass(frozen=True)
class NewJob:
    """An analysis of some machines over [start, end)."""

    job_type: str
    mode: str
    device_ids: Sequence[int]
    start: datetime
    end: datetime
    parameters: dict[str, Any] | None = None
    schedule_id: str | None = None
    due_at: datetime | None = None


def order_job(db: Database, clock: Clock, actor: Actor, asked: NewJob) -> AnalyticsJob:
    """A pending analysis.

    Raises NotFoundError for machines of another factory, InvalidInputError for an empty or missing range, ConflictError while
    too many wait.
    """
    if actor.user_id is None:
        raise InvalidInputError("somebody must order the analysis", path="created_by")
    if asked.start >= asked.end:
        raise InvalidInputError("the range must end after it starts", path="date_range_end")
    device_ids, now = sorted(set(asked.device_ids)), clock.now()
    with tenant_session(db, actor.factory_id, write=True) as session:
        waiting = session.scalar(select(func.count(AnalyticsJob.id)).where(AnalyticsJob.status.in_(UNFINISHED))) or 0
        if waiting >= MOST_UNFINISHED:
            raise ConflictError(f"{waiting} analyses wait or run already; order this one when some are done, or cancel some")
        known = set(session.scalars(select(Device.id).where(Device.id.in_(device_ids))))
        for device_id in device_ids:
            if device_id not in known:
                raise NotFoundError(f"there is no machine {device_id} in this factory", noun="device", key=device_id)
        job = AnalyticsJob(
            id=str(uuid4()), factory_id=actor.factory_id, created_by=actor.user_id, job_type=asked.job_type, mode=asked.mode,
            device_ids=device_ids, date_range_start=asked.start, date_range_end=asked.end, parameters=asked.parameters, created_at=now,
            schedule_id=asked.schedule_id, due_at=asked.due_at,
        )  # fmt: skip
        session.add(job)
        session.flush()
        append(session, "analysis.order", f"analysis:{job.id}", now, actor, after={"job_type": asked.job_type, "device_ids": device_ids})
    return job


def list_jobs(
    db: Database, factory_id: int, *, status: str | None, job_type: str | None, limit: int, offset: int = 0
) -> tuple[list[AnalyticsJob], int]:
    """Analyses of a page, newest first, and how many there are in all."""
    wanted = [AnalyticsJob.status == status] if status else []
    if job_type:
        wanted.append(AnalyticsJob.job_type == job_type)
    with tenant_session(db, factory_id) as session:
        total = session.scalar(select(func.count(AnalyticsJob.id)).where(*wanted)) or 0
        order = select(AnalyticsJob).where(*wanted).order_by(AnalyticsJob.created_at.desc(), AnalyticsJob.id)
        return list(session.scalars(order.limit(limit).offset(offset))), total


def find_job(db: Database, factory_id: int, job_id: str) -> AnalyticsJob:
    """One analysis. Raises NotFoundError, also for those of other factories."""
    with tenant_session(db, factory_id) as session:
        return _found(session, job_id)


def cancel_job(db: Database, clock: Clock, actor: Actor, job_id: str, name: str) -> AnalyticsJob:
    """Cancels an analysis in the name of `name`: one that waits fails at once, one that runs at its next step.

    Raises NotFoundError, ConflictError for one that is over.
    """
    now = clock.now()
    with tenant_session(db, actor.factory_id, write=True) as session:
        job = session.scalar(select(AnalyticsJob).where(AnalyticsJob.id == job_id).with_for_update())
        if job is None:
            job = _found(session, job_id)
        if job.status not in UNFINISHED:
            raise ConflictError(f"the analysis is {job.status}: there is nothing to cancel")
        before = job.status
        if job.cancelled_by is None:
            job.cancelled_by, job.stage = name[:255], "being cancelled"
        if before == "pending":
            job.status, job.stage, job.completed_at, job.error_message = "failed", None, now, CANCELLED.format(name=job.cancelled_by)
        session.flush()
        append(session, "analysis.cancel", f"analysis:{job_id}", now, actor, before={"status": before})
    return job


def delete_job(db: Database, clock: Clock, actor: Actor, job_id: str) -> None:
    """Deletes an analysis that has not begun, or has failed. Raises NotFoundError, ConflictError for the others."""
    with tenant_session(db, actor.factory_id, write=True) as session:
        job = _found(session, job_id)
        if job.status not in DELETABLE:
            raise ConflictError(f"the analysis is {job.status}: only pending and failed ones can be deleted")
        session.delete(job)
        session.flush()
        append(session, "analysis.delete", f"analysis:{job_id}", clock.now(), actor, before={"status": job.status})


def _found(session: Session, job_id: str) -> AnalyticsJob:
    job = session.scalar(select(AnalyticsJob).where(AnalyticsJob.id == job_id))
    if job is None:
        raise NotFoundError(f"there is no analysis {job_id} in this factory", noun="analysis", key=job_id)
    return job

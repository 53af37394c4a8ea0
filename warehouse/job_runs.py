"""Analyses from the side of whoever makes them: claimed by one run, alive while it beats, then complete or failed.

    pending --claim--> running --complete--> complete
       |                  |----fail--------> failed       also: cancelled, lost
       '--cancel--> failed

Each step is one statement that names the state it leaves, so of any number of runs exactly one gets a job, and a run that was thought
dead cannot write over what was decided meanwhile.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.jobs import CANCELLED
from warehouse.models.work import AnalyticsJob
from warehouse.tenancy import system_session, tenant_session

LONGEST_ERROR: Final = 1000
LONGEST_STAGE: Final = 100
LOST_AFTER: Final = timedelta(seconds=90)
"""A run that gave no sign of life for so long is gone: it beats every few seconds."""
LOST: Final = "its run ended without a word (stopped, killed, or out of memory); order it again, with fewer machines if that repeats"
NEVER_BEGAN: Final = "it could not be started, several times; the runs of the job `analysis` in the Dagster UI say why"


@dataclass(frozen=True)
class Standing:
    """What a run learns when it gives a sign of life."""

    is_mine: bool
    """False once somebody else decided about the job: the run must stop and write nothing."""
    cancelled_by: str | None = None


def claim(db: Database, clock: Clock, job_id: str, run_id: str) -> AnalyticsJob | None:
    """Takes a pending analysis for this run; None when another has it or it is over."""
    now = clock.now()
    with system_session(db, "claim an analysis", write=True) as session:
        done = session.execute(
            update(AnalyticsJob)
            .where(AnalyticsJob.id == job_id, AnalyticsJob.status == "pending")
            .values(status="running", run_id=run_id, started_at=now, heartbeat_at=now, progress_percent=0, stage="starting")
        )
        if done.rowcount != 1:  # type: ignore[attr-defined]  # an UPDATE's result has it
            return None
        return session.get(AnalyticsJob, job_id, populate_existing=True)


def beat(db: Database, clock: Clock, job: AnalyticsJob, percent: float | None = None, stage: str | None = None) -> Standing:
    """A sign of life of the run that claimed `job`, with its progress (0-100) if there is any to tell."""
    with tenant_session(db, job.factory_id, write=True) as session:
        row = _mine(session, job)
        if row is None:
            return Standing(is_mine=False)
        row.heartbeat_at = clock.now()
        if percent is not None:
            row.progress_percent = min(max(percent, 0.0), 100.0)
        if stage is not None and row.cancelled_by is None:
            row.stage = stage[:LONGEST_STAGE]
        return Standing(is_mine=True, cancelled_by=row.cancelled_by)


def complete(db: Database, clock: Clock, job: AnalyticsJob, result_url: str, headline: str, files: list[dict[str, Any]]) -> bool:
    """The result is stored; False when somebody decided otherwise meanwhile."""
    with tenant_session(db, job.factory_id, write=True) as session:
        row = _mine(session, job)
        if row is None:
            return False
        if row.cancelled_by is not None:
            _end(row, clock, CANCELLED.format(name=row.cancelled_by))
            return False
        row.status, row.stage, row.progress_percent, row.error_message = "complete", None, 100.0, None
        row.result_url, row.headline, row.files, row.completed_at = result_url, headline, files, clock.now()
        return True


def fail(db: Database, clock: Clock, job: AnalyticsJob, message: str) -> bool:
    """It could not be made; `message` is for people. False when somebody decided otherwise meanwhile."""
    with tenant_session(db, job.factory_id, write=True) as session:
        row = _mine(session, job)
        if row is None:
            return False
        _end(row, clock, CANCELLED.format(name=row.cancelled_by) if row.cancelled_by else message)
        return True


def waiting(db: Database, older_than: datetime) -> list[str]:
    """Ids of analyses that wait since before `older_than`, oldest first."""
    with system_session(db, "analyses that wait") as session:
        pending = select(AnalyticsJob.id).where(AnalyticsJob.status == "pending", AnalyticsJob.created_at <= older_than)
        return [str(job_id) for job_id in session.scalars(pending.order_by(AnalyticsJob.created_at, AnalyticsJob.id))]


def give_up(db: Database, clock: Clock, job_id: str) -> bool:
    """Fails an analysis that was launched again and again and never began; False when it has begun after all."""
    with system_session(db, "give an analysis up", write=True) as session:
        row = session.scalar(select(AnalyticsJob).where(AnalyticsJob.id == job_id, AnalyticsJob.status == "pending").with_for_update())
        if row is None:
            return False
        _end(row, clock, NEVER_BEGAN)
        return True


def fail_lost(db: Database, clock: Clock) -> list[str]:
    """Fails the analyses whose run is gone, in words for people; returns their ids."""
    now = clock.now()
    alive = func.coalesce(AnalyticsJob.heartbeat_at, AnalyticsJob.started_at, AnalyticsJob.created_at)
    with system_session(db, "analyses whose run is gone", write=True) as session:
        lost = session.scalars(
            select(AnalyticsJob).where(AnalyticsJob.status == "running", alive < now - LOST_AFTER).with_for_update(skip_locked=True)
        ).all()
        for row in lost:
            _end(row, clock, CANCELLED.format(name=row.cancelled_by) if row.cancelled_by else LOST)
        return [row.id for row in lost]


def _mine(session: Session, job: AnalyticsJob) -> AnalyticsJob | None:
    found = select(AnalyticsJob).where(AnalyticsJob.id == job.id, AnalyticsJob.status == "running", AnalyticsJob.run_id == job.run_id)
    return session.scalar(found.with_for_update())


def _end(row: AnalyticsJob, clock: Clock, message: str) -> None:
    row.status, row.stage, row.error_message, row.completed_at = "failed", None, message[:LONGEST_ERROR], clock.now()

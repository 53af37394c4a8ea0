"""Analyses that people ordered."""

from sqlalchemy import select

from warehouse.db import Database
from warehouse.models.work import AnalyticsJob
from warehouse.tenancy import tenant_session


def finished_jobs(db: Database, factory_id: int, limit: int = 50) -> list[AnalyticsJob]:
    """Finished analyses, newest first."""
    with tenant_session(db, factory_id) as session:
        done = select(AnalyticsJob).where(AnalyticsJob.status == "complete")
        return list(session.scalars(done.order_by(AnalyticsJob.created_at.desc(), AnalyticsJob.id).limit(limit)))

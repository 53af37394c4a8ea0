"""Files of ordered analyses end; the rows with their sentence stay, and so do the rows in the lake that pages and alarms go by."""

from datetime import timedelta
from typing import Final

from sqlalchemy import select

from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.models.work import AnalyticsJob
from warehouse.objects import ObjectStore
from warehouse.settings import Settings
from warehouse.tenancy import system_session, tenant_session

EXPIRED: Final = "expired"
"""Stage of a complete analysis whose files are gone."""
MOST_AT_ONCE: Final = 5_000


def expire_results(db: Database, settings: Settings, clock: Clock) -> int:
    """Deletes the files of analyses that were complete ANALYSIS_RETENTION_DAYS ago; returns of how many. Safe to run again.

    The row is told last, so that what was interrupted is found again. Raises RetryableError while the file store is away.
    """
    ended_before = clock.now() - timedelta(days=settings.analysis_retention_days)
    with system_session(db, "analyses whose files have had their time") as session:
        old = select(AnalyticsJob).where(AnalyticsJob.completed_at < ended_before, AnalyticsJob.result_url.is_not(None))
        found = session.scalars(old.order_by(AnalyticsJob.completed_at, AnalyticsJob.id).limit(MOST_AT_ONCE)).all()
    store = ObjectStore(settings)
    for job in found:
        result = job.result_url or ""
        names = {result.rpartition("/")[2], *(str(file["name"]) for file in job.files or [])}
        for name in sorted(names):
            store.delete(f"{result.rpartition('/')[0]}/{name}")
        with tenant_session(db, job.factory_id, write=True) as session:
            row = session.get_one(AnalyticsJob, job.id)
            row.result_url, row.files, row.stage = None, None, EXPIRED
    return len(found)

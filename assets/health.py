"""The health scores by the hour."""

from datetime import timedelta

import dagster as dg

from warehouse.health_history import record_scores
from warehouse.installation import Installation


@dg.asset(
    group_name="health", kinds={"ducklake"},
    description="Score from 0 to 100 of each machine and factory, and what was taken off for what.",
    # Kept every hour: one that was left out is a warning, two are a fault.
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=3), warn_window=timedelta(minutes=90)),
)  # fmt: skip
def health_scores(installation: dg.ResourceParam[Installation]) -> dg.MaterializeResult:
    """The hour that runs; a second run in it replaces the first."""
    offline_after = timedelta(minutes=installation.settings.offline_after_minutes)
    rows = record_scores(installation.db, installation.lake, installation.clock.now(), offline_after)
    return dg.MaterializeResult(metadata={"dagster/row_count": rows})


health_job = dg.define_asset_job(
    "health", selection=[health_scores], executor_def=dg.in_process_executor, description="Keeps the health scores."
)
hourly_health = dg.ScheduleDefinition(
    name="hourly_health", job=health_job, cron_schedule="7 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour at 7 minutes past.",
)  # fmt: skip
defs = dg.Definitions(assets=[health_scores], jobs=[health_job], schedules=[hourly_health])

"""What runs by the clock."""

import dagster as dg

from pipelines.jobs import backup, maintenance

# Not on the hour: reports and other people's jobs start there.
MAINTENANCE_CRON = "17 * * * *"
BACKUP_CRON = "42 2 * * *"
SCHEDULES = [
    dg.ScheduleDefinition(
        name="hourly_maintenance",
        job=maintenance,
        cron_schedule=MAINTENANCE_CRON,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every hour at 17 minutes past.",
    ),
    dg.ScheduleDefinition(
        name="nightly_backup",
        job=backup,
        cron_schedule=BACKUP_CRON,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every night at 02:42 UTC, to BACKUP_URL.",
    ),
]

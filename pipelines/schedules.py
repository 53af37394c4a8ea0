"""What runs by the clock."""

import dagster as dg

from pipelines.jobs import maintenance

# Not on the hour: reports and other people's jobs start there.
MAINTENANCE_CRON = "17 * * * *"
SCHEDULES = [
    dg.ScheduleDefinition(
        name="hourly_maintenance",
        job=maintenance,
        cron_schedule=MAINTENANCE_CRON,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every hour at 17 minutes past.",
    )
]

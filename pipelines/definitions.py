"""All that Dagster knows of us. Nothing is defined here; each noun brings its own."""

import dagster as dg

from assets import analyses, anomalies, failures, figures, forecasts, health, imports, insights, reports, rollups
from pipelines.checks import CHECKS, checks_job, hourly_checks
from pipelines.jobs import JOBS
from pipelines.owners import looked_after
from pipelines.resources import RESOURCES
from pipelines.schedules import SCHEDULES
from pipelines.sensors import SENSORS

defs = looked_after(
    dg.Definitions.merge(
        health.defs,
        figures.defs,
        rollups.defs,
        imports.defs,
        reports.defs,
        analyses.defs,
        anomalies.defs,
        failures.defs,
        forecasts.defs,
        insights.defs,
        dg.Definitions(
            jobs=[*JOBS, checks_job], schedules=[*SCHEDULES, hourly_checks], sensors=SENSORS, asset_checks=CHECKS, resources=RESOURCES
        ),
    )
)

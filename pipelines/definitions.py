"""All that Dagster knows of us. Nothing is defined here; each noun brings its own."""

import dagster as dg

from assets import health, imports, reports, rollups
from pipelines.checks import CHECKS
from pipelines.jobs import JOBS
from pipelines.resources import RESOURCES
from pipelines.schedules import SCHEDULES
from pipelines.sensors import SENSORS

defs = dg.Definitions.merge(
    health.defs,
    rollups.defs,
    imports.defs,
    reports.defs,
    dg.Definitions(jobs=JOBS, schedules=SCHEDULES, sensors=SENSORS, asset_checks=CHECKS, resources=RESOURCES),
)

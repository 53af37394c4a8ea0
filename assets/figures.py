"""Key figures a machine and day: energy and cost, availability, effectiveness.

Every hour yesterday, today, and the days that late or replayed readings touched; more days on demand.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import dagster as dg

from warehouse.day_figures import record_availability, record_energy, record_oee
from warehouse.db import Database
from warehouse.installation import Installation
from warehouse.lake import Lake

FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=3), warn_window=timedelta(minutes=90))
"""They are made every hour: one that was left out is a warning, two are a fault."""
ROLLUPS = ["rollup_1m", "rollup_5m", "rollup_1h"]


class DaysConfig(dg.Config):
    """How far back whatever was touched, counted in days of the factory, today included."""

    days: int = 2


Record = Callable[[Database, Lake, datetime, int], int]


def figures_of_days(name: str, record: Record, description: str) -> dg.AssetsDefinition:
    """The asset of one table of figures, replaced day by day: twice is the same as once."""

    @dg.asset(
        name=name, group_name="figures", kinds={"ducklake", "polars"}, deps=ROLLUPS, freshness_policy=FRESH, description=description
    )  # fmt: skip
    def figures(config: DaysConfig, installation: dg.ResourceParam[Installation]) -> dg.MaterializeResult:
        rows = record(installation.db, installation.lake, installation.clock.now(), config.days)
        return dg.MaterializeResult(metadata={"dagster/row_count": rows, "days": config.days})

    return figures


FIGURES = [
    figures_of_days("energy_days", record_energy, "kWh, of that idle, cost by the tariff and CO2e of each machine and day of the factory."),
    figures_of_days("availability_days", record_availability, "Seconds in each state, stops and failures of each machine and day."),
    figures_of_days("oee_days", record_oee, "Availability x performance x quality of each machine that counts parts, and day."),
]
figures_job = dg.define_asset_job(
    "figures", selection=FIGURES, executor_def=dg.in_process_executor, description="Energy, availability and effectiveness by day."
)
hourly_figures = dg.ScheduleDefinition(
    name="hourly_figures", job=figures_job, cron_schedule="12 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour at 12 minutes past, when the hour before has been rolled up.",
)  # fmt: skip
defs = dg.Definitions(assets=FIGURES, jobs=[figures_job], schedules=[hourly_figures])

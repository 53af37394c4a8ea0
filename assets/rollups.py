"""Rollups of readings: minutes, five minutes, hours and days, a partition a factory and day.

    loads mark hours --sensor, once a minute--> run of `rollup` when a marked hour has ended --> warehouse.rollups.roll_up

The assets can also be materialised partition by partition, by hand or as a backfill: the same windows, replaced again.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from warehouse.errors import LakeBusyError
from warehouse.factories import factory_zones
from warehouse.installation import Installation
from warehouse.rollups import all_marks, is_due, local_day_end, replace_window, roll_up, squeeze_marks
from warehouse.tables import ROLLUP_LEVELS

FACTORIES = dg.DynamicPartitionsDefinition(name="factories")
DAYS = dg.DailyPartitionsDefinition(start_date="2020-01-01", end_offset=1)
PARTITIONS = dg.MultiPartitionsDefinition({"day": DAYS, "factory": FACTORIES})
MOST_EVENTS = 20
"""A backlog of weeks is one run, not a thousand entries in the event log."""
POOL = "rollups"
FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=4), warn_window=timedelta(hours=2))
"""Hours are rolled up when they end; a plant that sends nothing for hours is worth a look as well."""
_NAMES = {"1m": "minute", "5m": "five minutes", "1h": "hour", "1d": "day of the factory"}


@dg.multi_asset(
    name="rollups_of_a_day",
    specs=[
        dg.AssetSpec(
            f"rollup_{level}",
            partitions_def=PARTITIONS,
            group_name="rollups",
            kinds={"ducklake", "polars"},
            freshness_policy=FRESH,
            description=f"Count, least, greatest, sum, first, last and time integral of each parameter a {_NAMES[level]}.",
        )
        for level in ROLLUP_LEVELS
    ],
    can_subset=True,
    pool=POOL,
)
def rollups_of_a_day(context: dg.AssetExecutionContext, installation: dg.ResourceParam[Installation]) -> Iterator[dg.MaterializeResult]:
    """Every level of one factory's day, replaced from the readings: twice is the same as once."""
    keys = context.partition_key.keys_by_dimension
    zones = {slug: (factory_id, zone) for factory_id, (slug, zone) in factory_zones(installation.db).items()}
    factory_id, zone = zones[keys["factory"]]
    for level in ROLLUP_LEVELS:
        key = dg.AssetKey(f"rollup_{level}")
        if key in context.selected_asset_keys:
            start, end = day_window(date.fromisoformat(keys["day"]), zone if level == "1d" else "UTC")
            rows = replace_window(installation.lake, level, start, end, factory_id, zone)
            yield dg.MaterializeResult(asset_key=key, metadata={"dagster/partition_row_count": rows})


def day_window(day: date, timezone: str) -> tuple[datetime, datetime]:
    """Begin and end (UTC) of a day in a time zone; pure."""
    begin = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone)).astimezone(UTC)
    return begin, local_day_end(begin, timezone)


@dg.op(out=dg.Out(dg.Nothing), pool=POOL, description="Mends the rollups of every marked hour and day that has ended.")
def roll_up_marked(context: dg.OpExecutionContext, installation: dg.ResourceParam[Installation]) -> None:
    """Tells the assets which of their partitions were made anew."""
    zones = factory_zones(installation.db)
    done = roll_up(installation.lake, installation.clock.now(), {factory_id: zone for factory_id, (_, zone) in zones.items()})
    context.add_output_metadata({"hours": done.hours, "days": done.days, "rows": done.rows, "marks_waiting": done.waiting})
    for factory_id, day in done.partitions[-MOST_EVENTS:]:
        if factory_id in zones:
            partition = dg.MultiPartitionKey({"day": str(day), "factory": zones[factory_id][0]})
            for level in ROLLUP_LEVELS:
                context.log_event(dg.AssetMaterialization(asset_key=f"rollup_{level}", partition=partition))


@dg.job(executor_def=dg.in_process_executor, description="Brings rollups up to date with the readings.")
def rollup() -> None:
    """One step."""
    roll_up_marked()


@dg.sensor(
    # By name: by object Dagster makes the sensor anew, with a warning.
    job_name="rollup",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts the rollup when an hour for which readings came has ended; late and replayed readings mark old hours again.",
)
def rollup_sensor(context: dg.SensorEvaluationContext, installation: dg.ResourceParam[Installation]) -> dg.SensorResult | dg.SkipReason:
    """What is marked, and has it ended?"""
    known = context.instance.get_dynamic_partitions("factories")
    slugs = [slug for slug, _ in factory_zones(installation.db).values() if slug not in known]
    added = [FACTORIES.build_add_request(slugs)] if slugs else []
    try:
        squeeze_marks(installation.lake)
        marks = all_marks(installation.lake)
    except LakeBusyError as away:
        return dg.SkipReason(away.message)
    if not is_due(marks, installation.clock.now()):
        return dg.SensorResult(skip_reason=f"{marks.rows.height} marks, all of what is still running", dynamic_partitions_requests=added)
    running = context.instance.get_runs_count(dg.RunsFilter(job_name=rollup.name, statuses=UNFINISHED))
    if running:
        return dg.SensorResult(skip_reason="a rollup is at work", dynamic_partitions_requests=added)
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=str(marks.seen))], dynamic_partitions_requests=added)


UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
ROLLUPS = [rollups_of_a_day]
defs = dg.Definitions(assets=ROLLUPS, jobs=[rollup], sensors=[rollup_sensor])

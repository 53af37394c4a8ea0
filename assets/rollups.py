"""Rollups of readings: minutes and hours, a partition a day (UTC), for all factories at once.

readings of a day (or of the hours that changed) --> warehouse.rollups.replace_window --> rollup_1m, rollup_1h
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from warehouse.errors import LakeBusyError
from warehouse.installation import Installation
from warehouse.rollups import by_day, replace_window, touched_hours, windows

DAYS = dg.DailyPartitionsDefinition(start_date="2020-01-01", end_offset=1)
"""Today is a partition as well: it is what people look at."""
MOST_DAYS_BY_HOUR = 3
"""When more days changed, as after a month of history was brought in, hours are computed for all of them and minutes for the last ones."""
OVERLAP = timedelta(minutes=2)
"""Readings may reach the lake a little out of the order of their arrival; computing a window again changes nothing."""
LEVELS = ("1m", "1h")


class ChangedHours(dg.Config):
    """Which hours of the partition to compute."""

    hours: list[str] = []  # noqa: RUF012  # pydantic copies defaults
    """ISO 8601 with offset; empty means the whole partition."""


@dataclass(frozen=True)
class Request:
    """A run to ask for: whole days from `first` to `last`, or some hours of one day."""

    first: date
    last: date
    hours: tuple[datetime, ...] = ()
    levels: tuple[str, ...] = LEVELS


def requests_for(hours: Iterable[datetime]) -> list[Request]:
    """The runs that bring rollups up to date when these hours (UTC) changed."""
    by_day: dict[date, list[datetime]] = defaultdict(list)
    for hour in hours:
        by_day[hour.date()].append(hour)
    days = sorted(by_day)
    if len(days) > MOST_DAYS_BY_HOUR:
        # Minutes of a month are more rows than its readings.
        return [Request(days[0], days[-1], levels=("1h",)), *(Request(day, day, levels=("1m",)) for day in days[-2:])]
    return [Request(day, day, tuple(by_day[day])) for day in days]


def _rollup_asset(level: str) -> dg.AssetsDefinition:
    @dg.asset(
        name=f"rollup_{level}",
        partitions_def=DAYS,
        group_name="rollups",
        kinds={"ducklake"},
        description=f"Count, least, greatest, mean, sum, first and last of each parameter a {'minute' if level == '1m' else 'hour'}.",
    )
    def rollup(
        context: dg.AssetExecutionContext, config: ChangedHours, installation: dg.ResourceParam[Installation]
    ) -> dg.MaterializeResult:
        whole = context.partition_time_window
        chosen = windows(map(datetime.fromisoformat, config.hours)) or by_day(whole.start.astimezone(UTC), whole.end.astimezone(UTC))
        rows = sum(replace_window(installation.lake, level, start, end) for start, end in chosen)
        return dg.MaterializeResult(metadata={"dagster/partition_row_count": rows, "windows": len(chosen), "whole_days": not config.hours})

    return rollup


ROLLUPS = [_rollup_asset(level) for level in LEVELS]
rollup_job = dg.define_asset_job(
    "rollup", selection=dg.AssetSelection.assets(*ROLLUPS), executor_def=dg.in_process_executor,
    description="Computes rollups of the days or hours that were asked for.",
)  # fmt: skip


@dg.sensor(
    job=rollup_job,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for the rollups of every hour for which readings reached the lake, late ones too. Cursor: the newest arrival seen.",
)
def rollup_sensor(context: dg.SensorEvaluationContext, installation: dg.ResourceParam[Installation]) -> dg.SensorResult | dg.SkipReason:
    """What arrived since the last look?"""
    seen = datetime.fromisoformat(context.cursor) if context.cursor else datetime(1970, 1, 1, tzinfo=UTC)
    try:
        hours, newest = touched_hours(installation.lake, seen - OVERLAP if context.cursor else seen)
    except LakeBusyError as away:
        return dg.SkipReason(away.message)
    if newest is None or newest <= seen:
        return dg.SkipReason("nothing new in the lake")
    return dg.SensorResult(run_requests=[_run_request(asked, newest) for asked in requests_for(hours)], cursor=newest.isoformat())


def _run_request(asked: Request, newest: datetime) -> dg.RunRequest:
    # The same arrival never asks twice, also when a tick's cursor could not be saved.
    key = f"{asked.first}:{'+'.join(asked.levels)}:{newest.isoformat()}"
    chosen = [asset for level, asset in zip(LEVELS, ROLLUPS, strict=True) if level in asked.levels]
    selection = [asset.key for asset in chosen]
    config = {"config": {"hours": [hour.isoformat() for hour in asked.hours]}}
    run_config = {"ops": {asset.key.to_python_identifier(): config for asset in chosen}}
    if asked.first == asked.last:
        return dg.RunRequest(run_key=key, partition_key=str(asked.first), run_config=run_config, asset_selection=selection)
    days = {"dagster/asset_partition_range_start": str(asked.first), "dagster/asset_partition_range_end": str(asked.last)}
    return dg.RunRequest(run_key=key, tags=days, run_config=run_config, asset_selection=selection)


defs = dg.Definitions(assets=ROLLUPS, jobs=[rollup_job], sensors=[rollup_sensor])

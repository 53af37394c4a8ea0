"""The baseline of a parameter: mean and standard deviation of the same hour of the week over the weeks before, from the 5 minute rollups.

now: Tuesday 14:20, 4 weeks      the 48 five-minute means of the last four Tuesdays between 14:00 and 15:00, on the factory's clock
"""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import polars as pl
import structlog
from sqlalchemy import select

from rules.measures import Baseline
from rules.schedule import moment_of
from warehouse.db import Database
from warehouse.errors import FactoryOpsError
from warehouse.lake import Lake, LakeReader
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.tenancy import system_session

LEAST_SAMPLES: Final = 12
"""Five-minute means: less than an hour of history is no baseline, but unknown."""
HOUR_US: Final = 3_600_000_000
AGAIN_AFTER_S: Final = 60.0
"""How soon a lake that was away is asked again."""
MOST_REMEMBERED: Final = 100_000
BASELINES: Final = pl.Schema({"device_id": pl.Int32(), "hour": pl.Int64(), "mean": pl.Float64(), "stddev": pl.Float64()})
log = structlog.get_logger()


def baselines(reader: LakeReader, zone: str, parameter: str, weeks: int, first_us: int, last_us: int) -> pl.DataFrame:
    """BASELINES of every machine for each hour (microseconds since 1970 UTC) from that of `first_us` to that of `last_us`.

    Hours without enough history are left out. Raises LakeBusyError.
    """
    hours = range(first_us - first_us % HOUR_US, last_us + 1, HOUR_US)
    rollups = reader.query(
        "SELECT device_id, bucket, mean FROM rollup_5m WHERE parameter = $parameter AND bucket >= $since AND bucket < $until",
        {
            "parameter": parameter,
            "since": moment_of(hours[0]) - timedelta(weeks=weeks, hours=2),
            "until": moment_of(hours[-1]) - timedelta(days=6),
        },
    )
    return usual_hours(rollups, list(hours), zone, weeks)


def usual_hours(rollups: pl.DataFrame, hours: list[int], zone: str, weeks: int) -> pl.DataFrame:
    """BASELINES of hours (microseconds) from five-minute means (device_id, bucket, mean). Pure."""
    local = pl.col("bucket").dt.convert_time_zone(zone).dt.replace_time_zone(None).dt.truncate("1h").alias("local")
    mean = pl.col("mean")
    each = rollups.select("device_id", local, mean).drop_nulls().group_by("device_id", "local")
    sums = each.agg(mean.len().alias("n"), mean.sum().alias("sum"), (mean * mean).sum().alias("squares"))
    at = pl.Series("hour", hours, pl.Int64)
    wanted = pl.DataFrame({"hour": at, "utc": at.cast(pl.Datetime("us", "UTC"))}).select(
        "hour", pl.col("utc").dt.convert_time_zone(zone).dt.replace_time_zone(None).dt.truncate("1h").alias("local")
    )
    past = pl.concat([wanted.with_columns(pl.col("local") - timedelta(weeks=week)) for week in range(1, weeks + 1)])
    totals = past.join(sums, on="local").group_by("device_id", "hour").agg(pl.col("n", "sum", "squares").sum())
    average = pl.col("sum") / pl.col("n")
    variance = (pl.col("squares") / pl.col("n") - average * average).clip(lower_bound=0)
    known = totals.filter(pl.col("n") >= LEAST_SAMPLES)
    device_id = pl.col("device_id").cast(pl.Int32)
    return known.select(device_id, "hour", average.alias("mean"), variance.sqrt().alias("stddev")).sort("device_id", "hour")


class LiveBaselines:
    """Baselines for the evaluator: one question to the lake for each factory, parameter and hour."""

    def __init__(self, db: Database, open_lake: Callable[[], Lake]) -> None:
        self._db, self._open_lake = db, open_lake
        self._lake: Lake | None = None
        self._known: dict[tuple[int, str, int, int], dict[int, Baseline]] = {}
        """By factory, parameter, weeks and hour."""
        self._places: dict[int, tuple[int, str]] = {}
        """Factory and time zone of each device."""
        self._away_until = 0.0
        self._guard = threading.Lock()

    def __call__(self, device_id: int, parameter: str, weeks: int, at_us: int) -> Baseline | None:
        """The baseline for the hour of `at_us`; None when there is too little history or the lake is away."""
        with self._guard:
            place = self._place(device_id)
            if place is None:
                return None
            hour = at_us - at_us % HOUR_US
            found = self._known.get((place[0], parameter, weeks, hour))
            if found is None:
                found = self._ask(place, parameter, weeks, hour)
            return found.get(device_id)

    def _ask(self, place: tuple[int, str], parameter: str, weeks: int, hour: int) -> dict[int, Baseline]:
        if time.monotonic() < self._away_until:
            return {}
        try:
            if self._lake is None:
                self._lake = self._open_lake()
            frame = baselines(self._lake.reader(place[0]), place[1], parameter, weeks, hour, hour)
        except FactoryOpsError as away:
            log.warning("baselines_unknown", factory_id=place[0], parameter=parameter, reason=away.message)
            self._away_until = time.monotonic() + AGAIN_AFTER_S
            return {}
        if len(self._known) > MOST_REMEMBERED:
            self._known.clear()
        found = {device_id: (mean, stddev) for device_id, _, mean, stddev in frame.rows()}
        self._known[place[0], parameter, weeks, hour] = found
        return found

    def _place(self, device_id: int) -> tuple[int, str] | None:
        if device_id not in self._places:
            question = select(Device.id, Device.factory_id, Factory.timezone).join(Factory, Factory.id == Device.factory_id)
            with system_session(self._db, "where devices stand, for baselines") as session:
                self._places = {found: (factory_id, zone) for found, factory_id, zone in session.execute(question)}
        return self._places.get(device_id)

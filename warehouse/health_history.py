"""The health scores over time: one row a machine and one a factory an hour, so that people see a trend."""

import json
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from warehouse.db import Database
from warehouse.factories import factory_zones
from warehouse.health import DEVICE_POINTS, factory_health
from warehouse.lake import Lake
from warehouse.queries.devices import device_list
from warehouse.readings import UTC_TIME
from warehouse.tables import LAKE

SCORES: Final = pl.Schema(
    {"factory_id": pl.Int32(), "device_id": pl.Int32(), "ts": UTC_TIME, "score": pl.Float64(), "deductions": pl.String()}
)
TREND: Final = pl.Schema({"ts": UTC_TIME, "score": pl.Float64(), "deductions": pl.String()})


def record_scores(db: Database, lake: Lake, now: datetime, offline_after: timedelta) -> int:
    """Writes the scores of all factories for the hour of `now`, in one transaction; again in the same hour replaces them.

    A machine that is silent has no score, because nobody knows. Returns how many rows. Raises LakeBusyError.
    """
    hour = now.replace(minute=0, second=0, microsecond=0)
    rows = [row for factory_id in factory_zones(db) for row in _scores(db, factory_id, now, hour, offline_after)]
    frame = pl.DataFrame(rows, schema=SCORES, orient="row")
    with lake.writer() as cursor:
        cursor.execute(f"DELETE FROM {LAKE}.health_scores WHERE ts = ?", [hour])  # noqa: S608  # a constant
        cursor.register("scores", frame.to_arrow())
        cursor.execute(f"INSERT INTO {LAKE}.health_scores SELECT * FROM scores")  # noqa: S608  # a constant
        cursor.unregister("scores")
    return frame.height


def _scores(
    db: Database, factory_id: int, now: datetime, hour: datetime, offline_after: timedelta
) -> list[tuple[int, int | None, datetime, float, str]]:
    devices = device_list(db, factory_id, now, offline_after)
    if not devices:
        return []
    whole = factory_health((device.alerts, device.is_offline, device.importance) for device in devices)
    rows: list[tuple[int, int | None, datetime, float, str]] = [(factory_id, None, hour, whole.score, json.dumps(whole.deductions))]
    for device in devices:
        if device.health is not None:
            lost = {level: DEVICE_POINTS[level] * number for level, number in device.alerts.items() if number}
            rows.append((factory_id, device.id, hour, float(device.health), json.dumps(lost)))
    return rows


def health_trend(lake: Lake, factory_id: int, start: datetime, end: datetime, device_id: int | None = None) -> pl.DataFrame:
    """TREND of a machine, or of the factory without one, in [start, end), by the hour. Raises LakeBusyError."""
    found = lake.reader(factory_id).query(
        "SELECT ts, score, deductions FROM health_scores WHERE ts >= $start AND ts < $end "
        "AND device_id IS NOT DISTINCT FROM $device ORDER BY ts",
        {"start": start, "end": end, "device": device_id},
    )
    return found.cast(TREND)

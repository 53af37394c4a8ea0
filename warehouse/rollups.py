"""Rollups: summaries of readings a bucket, computed from raw and replaced window by window."""

from datetime import datetime

from warehouse.errors import InvalidInputError
from warehouse.lake import Lake
from warehouse.tables import LAKE, ROLLUP_LEVELS, TELEMETRY


def replace_window(lake: Lake, level: str, start: datetime, end: datetime) -> int:
    """Computes the buckets of `level` ("1m", "1h") in [start, end) anew, for all factories, in one transaction; returns their number.

    The window must begin and end on bucket borders (UTC). Running it twice changes nothing; a reader sees the old window or the new.
    """
    if level not in ROLLUP_LEVELS or start >= end:
        message = f"no rollup window {level} {start.isoformat()} to {end.isoformat()}; levels are {', '.join(ROLLUP_LEVELS)}"
        raise InvalidInputError(message, path="level")
    table = f"{LAKE}.rollup_{level}"
    with lake.writer() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE bucket >= ? AND bucket < ?", [start, end])
        done = cursor.execute(
            f"""
            INSERT INTO {table}
            SELECT factory_id, device_id, parameter, time_bucket(INTERVAL '{ROLLUP_LEVELS[level]}', ts, TIMESTAMPTZ 'epoch') AS bucket,
                   count(*), min(value), max(value), avg(value), sum(value), arg_min(value, ts), arg_max(value, ts)
            FROM {LAKE}.{TELEMETRY} WHERE ts >= ? AND ts < ? AND value IS NOT NULL
            GROUP BY ALL ORDER BY factory_id, device_id, parameter, bucket
            """,
            [start, end],
        ).fetchall()
    return int(done[0][0])

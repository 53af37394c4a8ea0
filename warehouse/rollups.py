"""Rollups: summaries of readings a bucket, computed from raw and replaced window by window."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

import polars as pl

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


def touched_hours(lake: Lake, received_after: datetime) -> tuple[list[datetime], datetime | None]:
    """The hours (UTC) of device time for which readings arrived later than `received_after`, and when the newest of them arrived.

    Late readings show as old hours. Cheap: files whose readings all arrived before are not opened. `None` when nothing arrived.
    """
    with lake.cursor() as cursor:
        rows = cursor.execute(
            f"SELECT time_bucket(INTERVAL '1 hour', ts, TIMESTAMPTZ 'epoch') AS hour, max(received_at) "
            f"FROM {LAKE}.{TELEMETRY} WHERE received_at > ? GROUP BY hour ORDER BY hour",
            [received_after],
        ).pl()
    if not rows.height:
        return [], None
    utc = rows.select(pl.all().dt.convert_time_zone("UTC"))
    newest = utc.to_series(1).max()
    assert isinstance(newest, datetime)  # noqa: S101  # the maximum of a datetime column that is not empty
    return utc.to_series(0).to_list(), newest


def windows(hours: Iterable[datetime]) -> list[tuple[datetime, datetime]]:
    """Joins hours to windows [start, end): neighbours become one, so that each is replaced in one transaction."""
    found: list[tuple[datetime, datetime]] = []
    for hour in sorted(set(hours)):
        start = found.pop()[0] if found and found[-1][1] == hour else hour
        found.append((start, hour + timedelta(hours=1)))
    return found


def by_day(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Cuts a window at UTC midnights: one transaction a day, so that the loader never waits long for the lake's lock."""
    cuts = [start]
    while cuts[-1] < end:
        midnight = cuts[-1].replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        cuts.append(min(midnight, end))
    return list(pairwise(cuts))


def missing_readings(lake: Lake, level: str, start: datetime, end: datetime) -> int:
    """How many numeric readings of [start, end) the rollup of `level` does not count; negative when it counts too many."""
    with lake.cursor() as cursor:
        found = cursor.execute(
            f"SELECT (SELECT count(value) FROM {LAKE}.{TELEMETRY} WHERE ts >= $start AND ts < $end) - "
            f"(SELECT coalesce(sum(count), 0) FROM {LAKE}.rollup_{level} WHERE bucket >= $start AND bucket < $end)",
            {"start": start, "end": end},
        ).fetchall()
    return int(found[0][0])

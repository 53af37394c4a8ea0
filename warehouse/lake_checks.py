"""What should be true of the readings in the lake: no reading twice, clocks that agree, no machine gone silent unnoticed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from warehouse.lake import Lake
from warehouse.tables import LAKE, TELEMETRY

AHEAD: Final = timedelta(minutes=2)
"""A machine whose readings arrive this long before they were made has a wrong clock."""


@dataclass(frozen=True)
class ReadingFacts:
    """Counts over a range of device time."""

    readings: int
    repeated: int
    """Readings whose (machine, parameter, time) is there more than once."""
    ahead_of_time: int
    machines_ahead: int
    machines: int


def reading_facts(lake: Lake, start: datetime, end: datetime) -> ReadingFacts:
    """Facts about all readings in [start, end). Raises LakeBusyError."""
    with lake.cursor() as cursor:
        found = cursor.execute(
            f"WITH r AS (SELECT device_id, parameter, ts, delay_ms FROM {LAKE}.{TELEMETRY} WHERE ts >= ? AND ts < ?) "  # noqa: S608  # constants
            "SELECT count(*), count(*) - count(DISTINCT (device_id, parameter, ts)), count(*) FILTER (delay_ms < ?), "
            "count(DISTINCT device_id) FILTER (delay_ms < ?), count(DISTINCT device_id) FROM r",
            [start, end, *([-int(AHEAD.total_seconds() * 1000)] * 2)],
        ).fetchall()
    return ReadingFacts(*(int(number) for number in found[0]))


@dataclass(frozen=True)
class CountFacts:
    """Readings of a range beside those of the same range a day before."""

    readings: int
    day_before: int
    silent_machines: tuple[int, ...]
    """Ids of machines that sent within the day before the range's end, and nothing in the range."""
    machines: int


def count_facts(lake: Lake, start: datetime, end: datetime) -> CountFacts:
    """Facts about the readings in [start, end) of all factories. Raises LakeBusyError."""
    day = timedelta(days=1)
    with lake.cursor() as cursor:
        found = cursor.execute(
            f"SELECT device_id, count(*) FILTER (ts >= $start AND ts < $end), count(*) FILTER (ts < $before_end), "  # noqa: S608  # constants
            f"count(*) FILTER (ts >= $day_before) FROM {LAKE}.{TELEMETRY} WHERE ts >= $before_start AND ts < $end GROUP BY device_id",
            {"start": start, "end": end, "before_start": start - day, "before_end": end - day, "day_before": end - day},
        ).fetchall()
    silent = tuple(sorted(int(device) for device, now, _, lately in found if lately and not now))
    heard = sum(1 for *_, lately in found if lately)
    return CountFacts(sum(int(row[1]) for row in found), sum(int(row[2]) for row in found), silent, heard)


def wrong_hours(lake: Lake, level: str, start: datetime, end: datetime) -> int:
    """How many (machine, parameter, hour) of [start, end) the rollup of `level` counts or sums otherwise than the readings do."""
    with lake.cursor() as cursor:
        found = cursor.execute(
            "WITH raw AS (SELECT factory_id, device_id, parameter, time_bucket(INTERVAL '1 hour', ts) AS hour, count(*) AS n, "  # noqa: S608  # constants
            "sum(value) AS total, min(value) AS least, max(value) AS most "
            f"FROM {LAKE}.{TELEMETRY} WHERE value IS NOT NULL AND ts >= $start AND ts < $end GROUP BY ALL), "
            "rolled AS (SELECT factory_id, device_id, parameter, time_bucket(INTERVAL '1 hour', bucket) AS hour, sum(count) AS n, "
            f"sum(sum) AS total, min(min) AS least, max(max) AS most FROM {LAKE}.rollup_{level} "
            "WHERE bucket >= $start AND bucket < $end AND count > 0 GROUP BY ALL) "
            "SELECT count(*) FROM raw r FULL JOIN rolled o USING (factory_id, device_id, parameter, hour) "
            "WHERE r.n IS DISTINCT FROM o.n OR r.least IS DISTINCT FROM o.least OR r.most IS DISTINCT FROM o.most "
            "OR abs(r.total - o.total) > 1e-9 * greatest(1, abs(r.total))",
            {"start": start, "end": end},
        ).fetchall()
    return int(found[0][0])

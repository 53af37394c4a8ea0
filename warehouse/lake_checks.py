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

"""What is usual for a machine: the band that most of its readings lie in."""

from dataclasses import dataclass
from datetime import datetime

from warehouse.lake import Lake


@dataclass(frozen=True)
class UsualRange:
    """Where a parameter lies most of the time, in its own unit."""

    least: float
    low: float
    """5th percentile."""
    high: float
    """95th percentile."""
    greatest: float


def usual_ranges(lake: Lake, factory_id: int, device_id: int, start: datetime, end: datetime) -> dict[str, UsualRange]:
    """The usual range of each numeric parameter of one machine from its readings in [start, end). Raises LakeBusyError."""
    found = lake.reader(factory_id).query(
        """
        SELECT parameter, min(value) AS least, approx_quantile(value, 0.05) AS low, approx_quantile(value, 0.95) AS high,
               max(value) AS greatest
        FROM telemetry WHERE device_id = $device_id AND ts >= $start AND ts < $end AND value IS NOT NULL GROUP BY parameter
        """,
        {"device_id": device_id, "start": start, "end": end},
    )
    return {row["parameter"]: UsualRange(row["least"], row["low"], row["high"], row["greatest"]) for row in found.iter_rows(named=True)}

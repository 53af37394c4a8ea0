"""Power and energy of a factory from its `power` parameters, which are in watts.

Energy is the integral of power over device time by the trapezoidal rule, machine by machine; between two readings more than
`LONGEST_GAP` apart nothing is counted, because nobody knows. A machine of kind `Energy meter` measures what others draw already
and is left out of sums.
"""

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from warehouse.lake import Lake
from warehouse.readings import UTC_TIME

POWER: Final = "power"
METER_KIND: Final = "Energy meter"
LONGEST_GAP: Final = timedelta(minutes=5)


def energy_kwh(lake: Lake, factory_id: int, start: datetime, end: datetime) -> dict[int, float]:
    """Energy in kWh of each machine in [start, end), by device id; machines without power readings are missing."""
    found = lake.reader(factory_id).query(
        """
        WITH step AS (
            SELECT device_id, value, lag(value) OVER w AS before, epoch(ts) - epoch(lag(ts) OVER w) AS seconds
            FROM telemetry WHERE parameter = $power AND ts >= $start AND ts < $end AND value IS NOT NULL
            WINDOW w AS (PARTITION BY device_id ORDER BY ts)
        )
        SELECT device_id, sum((value + before) / 2 * seconds) / 3.6e6 AS kwh FROM step WHERE seconds <= $longest_gap_s GROUP BY device_id
        """,
        {"power": POWER, "start": start, "end": end, "longest_gap_s": LONGEST_GAP.total_seconds()},
    )
    return dict(zip(found["device_id"].to_list(), found["kwh"].to_list(), strict=True))


def power_by_device(lake: Lake, factory_id: int, start: datetime, end: datetime, interval: timedelta) -> pl.DataFrame:
    """Mean power of each machine a bucket: columns device_id, bucket (UTC), power_w; sorted; buckets without readings are missing."""
    found = lake.reader(factory_id).query(
        """
        SELECT device_id, time_bucket(to_seconds($interval_s), ts, TIMESTAMPTZ 'epoch') AS bucket, avg(value) AS power_w
        FROM telemetry WHERE parameter = $power AND ts >= $start AND ts < $end AND value IS NOT NULL
        GROUP BY ALL ORDER BY device_id, bucket
        """,
        {"power": POWER, "start": start, "end": end, "interval_s": interval.total_seconds()},
    )
    return found.cast({"bucket": UTC_TIME, "device_id": pl.Int32})


def typical_power_w(lake: Lake, factory_id: int, start: datetime, end: datetime) -> dict[int, float]:
    """What each machine draws while it works: the 90th percentile of its power in the range, in watts, by device id."""
    found = lake.reader(factory_id).query(
        "SELECT device_id, approx_quantile(value, 0.9) AS power_w FROM telemetry "
        "WHERE parameter = $power AND ts >= $start AND ts < $end AND value IS NOT NULL GROUP BY device_id",
        {"power": POWER, "start": start, "end": end},
    )
    return dict(zip(found["device_id"].to_list(), found["power_w"].to_list(), strict=True))

"""What machines said before: buckets of readings from the lake, with gaps left as gaps."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from warehouse.errors import InvalidInputError
from warehouse.lake import Lake
from warehouse.readings import UTC_TIME

INTERVALS: Final = {"1m": timedelta(minutes=1), "5m": timedelta(minutes=5), "1h": timedelta(hours=1), "1d": timedelta(days=1)}
"""Intervals of the REST API."""
_STEPS_S: Final = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 4 * 3600, 86400)
HISTORY: Final = pl.Schema(
    {"device_id": pl.Int32(), "parameter": pl.String(), "bucket": UTC_TIME, "mean": pl.Float64(), "min": pl.Float64(),
     "max": pl.Float64(), "count": pl.Int64()}
)  # fmt: skip
"""Columns of `history`: `bucket` is the start of the interval, UTC; the values are in the parameter's own unit."""


def interval_for(start: datetime, end: datetime, most_points: int) -> timedelta:
    """The finest round interval that needs at most `most_points` buckets for the range."""
    needed_s = (end - start).total_seconds() / max(most_points, 1)
    return timedelta(seconds=next((step for step in _STEPS_S if step >= needed_s), _STEPS_S[-1]))


def history(
    lake: Lake,
    factory_id: int,
    device_ids: Sequence[int],
    parameters: Sequence[str],
    start: datetime,
    end: datetime,
    *,
    interval: timedelta,
) -> pl.DataFrame:
    """Mean, least, greatest and number of readings a bucket: a HISTORY frame sorted by device, parameter and bucket.

    [start, end) in device time; buckets are aligned to the epoch in UTC; a bucket without readings has no row. Text readings
    have no mean and are left out. Raises InvalidInputError for an empty range, LakeBusyError while the lake is away.
    """
    if start >= end or interval <= timedelta(0):
        message = f"the range must end after it starts: {start.isoformat()} to {end.isoformat()}"
        raise InvalidInputError(message, path="end")
    found = lake.reader(factory_id).query(
        """
        SELECT device_id, parameter, time_bucket(to_seconds($interval_s), ts, TIMESTAMPTZ 'epoch') AS bucket,
               avg(value) AS mean, min(value) AS min, max(value) AS max, count(*) AS count
        FROM telemetry
        WHERE device_id IN (SELECT unnest($device_ids)) AND parameter IN (SELECT unnest($parameters))
          AND ts >= $start AND ts < $end AND value IS NOT NULL
        GROUP BY ALL ORDER BY device_id, parameter, bucket
        """,
        {
            "interval_s": interval.total_seconds(),
            "device_ids": list(device_ids),
            "parameters": list(parameters),
            "start": start,
            "end": end,
        },
    )
    return found.cast(HISTORY)


def with_gaps(frame: pl.DataFrame, interval: timedelta, *, missing_buckets: int = 3) -> pl.DataFrame:
    """The frame with a row of nulls after each gap of more than `missing_buckets` intervals, so that a chart breaks its line there."""
    key = ["device_id", "parameter"]
    following = pl.col("bucket").shift(-1).over(key)
    gaps = frame.filter(following - pl.col("bucket") > interval * missing_buckets).select(
        *key, (pl.col("bucket") + interval).alias("bucket"), *(pl.lit(None, dtype=HISTORY[c]).alias(c) for c in ("mean", "min", "max")),
        pl.lit(0, dtype=pl.Int64).alias("count"),
    )  # fmt: skip
    return pl.concat([frame, gaps]).sort(*key, "bucket")

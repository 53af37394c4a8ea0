"""What machines said before: buckets of readings from the lake, with gaps left as gaps."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from warehouse.errors import InvalidInputError
from warehouse.lake import Lake
from warehouse.queries.summaries import summaries
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
    only: Collection[str] = (),
) -> pl.DataFrame:
    """Mean, least, greatest and number of readings a bucket: a HISTORY frame sorted by device, parameter and bucket.

    [start, end) in device time; buckets are aligned to the epoch in UTC; a bucket without readings has no row. Text readings
    have no mean and are left out. With `only` other figures may be null. Comes from the coarsest rollup that fits, and from
    readings where none stands.
    Raises InvalidInputError for an empty range, LakeBusyError while the lake is away.
    """
    if start >= end or interval <= timedelta(0):
        message = f"the range must end after it starts: {start.isoformat()} to {end.isoformat()}"
        raise InvalidInputError(message, path="end")
    found = summaries(
        lake, factory_id, start, end, interval, device_ids=device_ids, parameters=parameters, only=only or ("mean", "min", "max", "count")
    )
    return found.select("device_id", "parameter", "bucket", "mean", "min", "max", "count").cast(HISTORY)


def with_gaps(frame: pl.DataFrame, interval: timedelta, *, missing_buckets: int = 3) -> pl.DataFrame:
    """The frame with a row of nulls after each gap of more than `missing_buckets` intervals, so that a chart breaks its line there."""
    key = ["device_id", "parameter"]
    following = pl.col("bucket").shift(-1).over(key)
    gaps = frame.filter(following - pl.col("bucket") > interval * missing_buckets).select(
        *key, (pl.col("bucket") + interval).alias("bucket"), *(pl.lit(None, dtype=HISTORY[c]).alias(c) for c in ("mean", "min", "max")),
        pl.lit(0, dtype=pl.Int64).alias("count"),
    )  # fmt: skip
    return pl.concat([frame, gaps]).sort(*key, "bucket")


def spikes_kept(frame: pl.DataFrame, most_points: int) -> pl.DataFrame:
    """At most `most_points` points a series that look like all of them: columns device_id, parameter, ts, value, sorted; pure.

    Min-max: time is cut into `most_points / 2` equal pieces, and each keeps its least and its greatest value where they happened, so
    that no spike is lost. `frame`: the same columns, in any order.
    """
    key = ["device_id", "parameter"]
    ordered = frame.select(*key, "ts", "value").sort(*key, "ts")
    if not ordered.height or ordered.group_by(key).len()["len"].max() <= most_points:  # type: ignore[operator]  # a count
        return ordered
    since = (pl.col("ts") - pl.col("ts").min()).dt.total_microseconds()
    span = (pl.col("ts").max() - pl.col("ts").min()).dt.total_microseconds() + 1
    pieces = max(most_points // 2, 1)
    cut = ordered.with_columns(piece=(since * pieces // span).over(key))
    extremes = [
        cut.group_by(*key, "piece", maintain_order=True).agg(pl.col("ts", "value").get(pick).name.keep())
        for pick in (pl.col("value").arg_min(), pl.col("value").arg_max())
    ]
    return pl.concat(extremes).select(ordered.columns).unique(maintain_order=True).sort(*key, "ts")


def trace(
    lake: Lake, factory_id: int, device_ids: Sequence[int], parameters: Sequence[str], start: datetime, end: datetime, *, most_points: int
) -> pl.DataFrame:
    """What a chart of `most_points` points a series draws: device_id, parameter, ts, value; see `spikes_kept`.

    Short ranges come from the readings, long ones from the least and greatest of rollup buckets, put at the bucket's beginning.
    """
    interval = interval_for(start, end, most_points // 2)
    if interval < timedelta(minutes=1):
        found = lake.reader(factory_id).query(
            "SELECT device_id, parameter, ts, value FROM telemetry WHERE device_id IN (SELECT unnest($devices)) "
            "AND parameter IN (SELECT unnest($parameters)) AND ts >= $start AND ts < $end AND value IS NOT NULL",
            {"devices": list(device_ids), "parameters": list(parameters), "start": start, "end": end},
        )
        return spikes_kept(found.cast({"ts": UTC_TIME, "device_id": pl.Int32}), most_points)
    buckets = history(lake, factory_id, device_ids, parameters, start, end, interval=interval)
    points = [
        buckets.select("device_id", "parameter", pl.col("bucket").alias("ts"), pl.col(side).alias("value")) for side in ("min", "max")
    ]
    return pl.concat(points).unique().sort("device_id", "parameter", "ts")

"""Summaries of readings a bucket, and of finer summaries: pure functions on Polars frames.

    readings  x---x---x--x------------------x---x        value held or joined by a line, at most 5 min
    covered   |===|===|==|=====|            |===|        each reading counts until the next one, in the bucket it began in

The time integral (`integral`, unit x seconds) is the area under the line between readings at most 5 min apart; a reading that is followed
by a longer silence counts with its own value for 5 min. `integral / covered_s` is the time-weighted mean, and the integral of power in W
over 3.6e6 is energy in kWh: both add up over buckets and levels.

Polars and not SQL, because it was measured: a day of 7.6 million readings into minutes takes 1.2 s of CPU after 1.9 s for reading them in
order; DuckDB's window functions took 21.7 s.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from warehouse.marks import LONGEST_HOLD
from warehouse.readings import UTC_TIME

SERIES: Final = ["factory_id", "device_id", "parameter"]
SUMMARIES: Final = pl.Schema(
    {"factory_id": pl.Int32(), "device_id": pl.Int32(), "parameter": pl.String(), "bucket": UTC_TIME, "count": pl.Int64(),
     "min": pl.Float64(), "max": pl.Float64(), "sum": pl.Float64(), "first": pl.Float64(), "last": pl.Float64(),
     "covered_s": pl.Float64(), "integral": pl.Float64()}
)  # fmt: skip
"""Columns of every rollup table, in their order."""
STEPS: Final = {"1m": timedelta(minutes=1), "5m": timedelta(minutes=5), "1h": timedelta(hours=1)}
"""Lengths of the levels that are cut in UTC."""


def summarised(readings: pl.DataFrame, step: timedelta) -> pl.DataFrame:
    """SUMMARIES of readings (SERIES, ts, value without nulls), sorted by series and time, in buckets aligned to the epoch.

    The last reading of each series counts for 5 min: give what follows the buckets of interest as well, and drop its buckets.
    """
    hold_s = LONGEST_HOLD.total_seconds()
    follows = pl.all_horizontal(pl.col(name) == pl.col(name).shift(-1) for name in SERIES).fill_null(value=False)
    gap_s = (pl.col("ts").shift(-1) - pl.col("ts")).dt.total_microseconds() / 1e6
    joined = follows & (gap_s <= hold_s)
    return (
        readings.lazy()
        .with_columns(
            seconds=pl.when(joined).then(gap_s).otherwise(hold_s),
            level=pl.when(joined).then((pl.col("value") + pl.col("value").shift(-1)) / 2).otherwise("value"),
            bucket=pl.col("ts").dt.truncate(step),
        )
        .group_by(*SERIES, "bucket", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("count"),
            pl.col("value").min().alias("min"),
            pl.col("value").max().alias("max"),
            pl.col("value").sum().alias("sum"),
            pl.col("value").first().alias("first"),
            pl.col("value").last().alias("last"),
            pl.col("seconds").sum().alias("covered_s"),
            (pl.col("level") * pl.col("seconds")).sum().alias("integral"),
        )
        .select(SUMMARIES.names())
        .cast(SUMMARIES)
        .collect()
    )


def combined(summaries: pl.DataFrame, bucket: pl.Expr) -> pl.DataFrame:
    """SUMMARIES of coarser buckets (`bucket`: an expression over the old one) from finer ones, sorted."""
    return (
        summaries.lazy()
        .sort(*SERIES, "bucket")
        .with_columns(bucket.alias("bucket"))
        .group_by(*SERIES, "bucket", maintain_order=True)
        .agg(
            pl.col("count").sum(),
            pl.col("min").min(),
            pl.col("max").max(),
            pl.col("sum").sum(),
            pl.col("first").first(),
            pl.col("last").last(),
            pl.col("covered_s").sum(),
            pl.col("integral").sum(),
        )
        .select(SUMMARIES.names())
        .cast(SUMMARIES)
        .collect()
    )


def coarser(summaries: pl.DataFrame, step: timedelta) -> pl.DataFrame:
    """SUMMARIES in longer buckets aligned to the epoch in UTC."""
    return combined(summaries, pl.col("bucket").dt.truncate(step))


def by_local_day(summaries: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """SUMMARIES of days in a time zone: `bucket` is the day's beginning there, in UTC; days may have 23 or 25 hours."""
    return combined(summaries, pl.col("bucket").dt.convert_time_zone(timezone).dt.truncate("1d").dt.convert_time_zone("UTC"))

"""What machines did when: running, idle, off, fault or unknown, a quarter of an hour at a time, and how much energy they drew."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from warehouse.health import IDLE_BELOW, OFF_BELOW
from warehouse.power_units import in_watts
from warehouse.readings import UTC_TIME
from warehouse.terms import LONGEST_GAP, POWER

if TYPE_CHECKING:
    # Only to name it: what is pure here must not load DuckDB.
    from warehouse.lake import LakeReader

SLOT: Final = timedelta(minutes=15)
NO_FACTORS: Final[Mapping[int, float]] = {}
"""All machines measure power in W."""
STATES: Final = ("running", "idle", "off", "fault", "nodata")
SLOTS: Final = pl.Schema(
    {"device_id": pl.Int32(), "bucket": UTC_TIME, "readings": pl.Int64(), "power_w": pl.Float64(), "kwh": pl.Float64()}
)
STATE_GRID: Final = pl.Schema({"device_id": pl.Int32(), "bucket": UTC_TIME, "state": pl.String(), "kwh": pl.Float64()})
FAULTS: Final = pl.Schema({"device_id": pl.Int32(), "begin": UTC_TIME, "end": UTC_TIME})


def slots(
    reader: "LakeReader", device_ids: Sequence[int], start: datetime, end: datetime, watts: Mapping[int, float] = NO_FACTORS
) -> pl.DataFrame:
    """Readings, mean power and energy of each machine a slot: SLOTS in [start, end), sorted; slots without readings are missing.

    Energy is the integral of power by the trapezoidal rule, as in `warehouse.queries.energy`; a step counts where it ends. It is null
    for a machine without power readings. `watts`: see `warehouse.power_units`.
    """
    found = reader.query(
        """
        WITH heard AS (
            SELECT device_id, time_bucket(to_seconds($slot_s), ts, TIMESTAMPTZ 'epoch') AS bucket, count(*) AS readings
            FROM telemetry WHERE device_id IN (SELECT unnest($devices)) AND ts >= $start AND ts < $end GROUP BY ALL
        ), step AS (
            SELECT device_id, ts, value, lag(value) OVER w AS before, epoch(ts) - epoch(lag(ts) OVER w) AS seconds
            FROM telemetry WHERE parameter = $power AND device_id IN (SELECT unnest($devices)) AND ts >= $start AND ts < $end
              AND value IS NOT NULL
            WINDOW w AS (PARTITION BY device_id ORDER BY ts)
        ), power AS (
            SELECT device_id, time_bucket(to_seconds($slot_s), ts, TIMESTAMPTZ 'epoch') AS bucket, avg(value) AS power_w,
                   sum(CASE WHEN seconds <= $longest_gap_s THEN (value + before) / 2 * seconds ELSE 0 END) / 3.6e6 AS kwh
            FROM step GROUP BY ALL
        )
        SELECT device_id, bucket, readings, power_w, kwh FROM heard LEFT JOIN power USING (device_id, bucket) ORDER BY device_id, bucket
        """,
        {
            "slot_s": SLOT.total_seconds(),
            "devices": list(device_ids),
            "power": POWER,
            "start": start,
            "end": end,
            "longest_gap_s": LONGEST_GAP.total_seconds(),
        },
    )
    return in_watts(found.select(SLOTS.names()).cast(SLOTS), watts, "power_w", "kwh")


def state_grid(
    found: pl.DataFrame, device_ids: Sequence[int], start: datetime, end: datetime, faults: pl.DataFrame, typical_w: Mapping[int, float]
) -> pl.DataFrame:
    """STATE_GRID: one row a machine and slot of [start, end), also for those without data; pure.

    `faults`: FAULTS, the times that a critical alert stood. `typical_w`: what a machine draws while it works. The words mean what
    `warehouse.health.device_state` says: no readings, no data; a critical alert, fault; then power against the typical power.
    """
    times = pl.datetime_range(start, end, SLOT, closed="left", eager=True, time_zone="UTC").cast(UTC_TIME).alias("bucket")
    devices = pl.DataFrame({"device_id": pl.Series(list(device_ids), dtype=pl.Int32)})
    typical = pl.DataFrame(
        {"device_id": list(typical_w.keys()), "typical_w": list(typical_w.values())},
        schema={"device_id": pl.Int32, "typical_w": pl.Float64},
    )
    grid = devices.join(pl.DataFrame({"bucket": times}), how="cross").join(
        found, on=["device_id", "bucket"], how="left", maintain_order="left"
    )
    grid = grid.join(typical, on="device_id", how="left", maintain_order="left")
    broken = _slots_of_faults(faults, start).with_columns(is_fault=pl.lit(value=True))
    grid = grid.join(broken, on=["device_id", "bucket"], how="left", maintain_order="left")
    share = pl.col("power_w") / pl.col("typical_w")
    state = (
        pl.when(pl.col("readings").is_null())
        .then(pl.lit("nodata"))
        .when(pl.col("is_fault").is_not_null())
        .then(pl.lit("fault"))
        .when(pl.col("power_w").is_null() | (pl.col("typical_w").fill_null(0) <= 0))
        .then(pl.lit("running"))
        .when(share < OFF_BELOW)
        .then(pl.lit("off"))
        .when(share < IDLE_BELOW)
        .then(pl.lit("idle"))
        .otherwise(pl.lit("running"))
    )
    return grid.with_columns(state=state).select(STATE_GRID.names()).cast(STATE_GRID).sort("device_id", "bucket")


def _slots_of_faults(faults: pl.DataFrame, start: datetime) -> pl.DataFrame:
    """The slots that a fault touches, each once."""
    if not faults.height:
        return pl.DataFrame(schema={"device_id": pl.Int32, "bucket": UTC_TIME})
    step = f"{int(SLOT.total_seconds())}s"
    ranges = faults.with_columns(first=pl.max_horizontal(pl.col("begin"), pl.lit(start)).dt.truncate(step)).filter(
        pl.col("end") > pl.col("first")
    )
    return (
        ranges.with_columns(bucket=pl.datetime_ranges("first", "end", interval=step, closed="left"))
        .explode("bucket", empty_as_null=False)
        .select("device_id", "bucket")
        .unique()
        .cast({"bucket": UTC_TIME})
    )


def typical_power(found: pl.DataFrame) -> dict[int, float]:
    """What each machine draws while it works: the 90th percentile of its mean power a slot, in watts, by device id; pure."""
    ranked = found.drop_nulls("power_w").group_by("device_id").agg(pl.col("power_w").quantile(0.9, "nearest"))
    return dict(ranked.sort("device_id").iter_rows())

"""How complete and how punctual readings are: gaps of each machine, and delays between a machine's clock and ours."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from warehouse.readings import UTC_TIME

if TYPE_CHECKING:
    # Only to name it: what is pure here must not load DuckDB.
    from warehouse.lake import LakeReader

GAPS: Final = pl.Schema({"device_id": pl.Int32(), "begin": UTC_TIME, "end": UTC_TIME})
DELAYS: Final = pl.Schema(
    {"device_id": pl.Int32(), "readings": pl.Int64(), "least_s": pl.Float64(), "median_s": pl.Float64(), "most_s": pl.Float64(),
     **{f"within_{limit}": pl.Int64() for limit in ("10s", "1m", "5m", "1h", "6h")}}
)  # fmt: skip
DELAY_LIMITS_S: Final = {"10s": 10, "1m": 60, "5m": 300, "1h": 3600, "6h": 6 * 3600}
"""Limits of the punctuality classes, in seconds between device time and arrival."""


def gaps(reader: "LakeReader", device_ids: Sequence[int], start: datetime, end: datetime, longer_than: timedelta) -> pl.DataFrame:
    """GAPS: when each machine was not heard for more than `longer_than` within [start, end), sorted by machine and time.

    The time before a machine's first reading and after its last counts as well; a machine that was never heard has one gap of all.
    """
    found = reader.query(
        """
        WITH heard AS (
            SELECT DISTINCT device_id, ts FROM telemetry
            WHERE device_id IN (SELECT unnest($devices)) AND ts >= $start AND ts < $end
            UNION ALL SELECT unnest($devices)::INTEGER, $start::TIMESTAMPTZ
            UNION ALL SELECT unnest($devices)::INTEGER, $end::TIMESTAMPTZ
        ), step AS (SELECT device_id, lag(ts) OVER (PARTITION BY device_id ORDER BY ts) AS begin, ts AS "end" FROM heard)
        SELECT device_id, begin, "end" FROM step WHERE epoch("end") - epoch(begin) > $longer_than_s ORDER BY device_id, begin
        """,
        {"devices": list(device_ids), "start": start, "end": end, "longer_than_s": longer_than.total_seconds()},
    )
    return found.cast(GAPS)


def delays(reader: "LakeReader", device_ids: Sequence[int], start: datetime, end: datetime) -> pl.DataFrame:
    """DELAYS of each machine in [start, end): how long after device time its readings arrived, to a tenth of a second.

    `most_s` is the 99th percentile; a negative delay means that the machine's clock is ahead of ours.
    """
    found = reader.query(
        """
        SELECT device_id, floor((epoch(received_at) - epoch(ts)) * 10)::BIGINT AS tenths, count(*) AS readings
        FROM telemetry WHERE device_id IN (SELECT unnest($devices)) AND ts >= $start AND ts < $end GROUP BY ALL ORDER BY device_id, tenths
        """,
        {"devices": list(device_ids), "start": start, "end": end},
    )
    return summed_delays(found)


def summed_delays(tenths: pl.DataFrame) -> pl.DataFrame:
    """DELAYS from how many readings (`readings`) of each machine came how many tenths of a second late (`tenths`, sorted); pure."""
    seconds, number = pl.col("tenths") / 10, pl.col("readings")
    passed = number.cum_sum() / number.sum()
    classes = {f"within_{name}": number.filter(pl.col("tenths") < limit * 10).sum() for name, limit in DELAY_LIMITS_S.items()}
    found = tenths.group_by("device_id", maintain_order=True).agg(
        number.sum(),
        seconds.min().alias("least_s"),
        seconds.filter(passed >= 0.5).min().alias("median_s"),
        seconds.filter(passed >= 0.99).min().alias("most_s"),
        **classes,
    )
    return found.select(DELAYS.names()).cast(DELAYS)


def coverage(gap_rows: pl.DataFrame, device_ids: Sequence[int], start: datetime, end: datetime) -> pl.DataFrame:
    """The share of [start, end) in which each machine was heard: columns device_id, missing_s, coverage (0 to 1); pure."""
    whole_s = (end - start).total_seconds()
    missing = gap_rows.group_by("device_id").agg(missing_s=(pl.col("end") - pl.col("begin")).dt.total_seconds().sum().cast(pl.Float64))
    devices = pl.DataFrame({"device_id": pl.Series(list(device_ids), dtype=pl.Int32)})
    return devices.join(missing, on="device_id", how="left", maintain_order="left").with_columns(
        pl.col("missing_s").fill_null(0.0)
    ).with_columns(coverage=1 - pl.col("missing_s") / whole_s)  # fmt: skip

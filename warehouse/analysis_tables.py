"""Writing what analyses found into the lake: again replaces, so twice is once and a reader sees the old or the new.

| table | newer rows replace |
|---|---|
| `anomalies`, `anomaly_scores` | all of the same machines in the same window: of each moment there is one opinion, the newest |
| `failure_risks`, `energy_forecasts` | those of the same job: what was expected when is kept, readers take the newest |
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import duckdb
import polars as pl

from warehouse.errors import InvalidInputError
from warehouse.lake import Lake
from warehouse.readings import UTC_TIME
from warehouse.tables import LAKE, SHAPES

BY_WINDOW: Final = ("anomalies", "anomaly_scores")
BY_JOB: Final = ("failure_risks", "energy_forecasts")
ANALYSIS_TABLES: Final = (*BY_WINDOW, *BY_JOB)
_TYPES: Final[dict[str, Any]] = {"INTEGER": pl.Int32(), "TIMESTAMPTZ": UTC_TIME, "DOUBLE": pl.Float64(), "VARCHAR": pl.String()}


def schema_of(table: str) -> pl.Schema:
    """Columns of one of ANALYSIS_TABLES as Polars types, `factory_id` first."""
    return pl.Schema({name: _TYPES[kind] for name, kind in SHAPES[table].columns.items()})


def replace_window(
    lake: Lake, factory_id: int, table: str, device_ids: Collection[int], window: tuple[datetime, datetime], rows: pl.DataFrame
) -> int:
    """Replaces what `table` (of BY_WINDOW) holds of these machines with a beginning in the window [start, end).

    Returns how many rows there are now.
    `rows` need no `factory_id`. Raises InvalidInputError for rows beside the window or the machines, LakeBusyError.
    """
    start, end = window
    moment, frame = SHAPES[table].time, _prepared(factory_id, table, rows)
    outside = frame.filter(~pl.col(moment).is_between(start, end, closed="left") | ~pl.col("device_id").is_in(list(device_ids)))
    if outside.height:
        raise InvalidInputError(f"{outside.height} rows of {table} are not of these machines and this window", path=table)
    with lake.writer() as cursor:
        cursor.execute(
            f"DELETE FROM {LAKE}.{table} WHERE factory_id = $factory AND {moment} >= $start AND {moment} < $end "
            "AND device_id IN (SELECT unnest($devices))",
            {"factory": factory_id, "start": start, "end": end, "devices": sorted(device_ids)},
        )
        _insert(cursor, table, frame)
    return frame.height


def replace_job(lake: Lake, factory_id: int, table: str, job_id: str, rows: pl.DataFrame) -> int:
    """Replaces what `table` holds of this job; returns how many rows there are now. `rows` need neither `factory_id` nor `job_id`.

    Raises InvalidInputError without a job, LakeBusyError.
    """
    if not job_id or "job_id" not in SHAPES[table].columns:
        raise InvalidInputError(f"rows of {table} can be replaced by job only with a job", path="job_id")
    frame = _prepared(factory_id, table, rows.with_columns(job_id=pl.lit(job_id)))
    with lake.writer() as cursor:
        cursor.execute(f"DELETE FROM {LAKE}.{table} WHERE factory_id = ? AND job_id = ?", [factory_id, job_id])
        _insert(cursor, table, frame)
    return frame.height


def _prepared(factory_id: int, table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """With the table's columns in their order; what may be empty and is not given is empty."""
    schema = schema_of(table)
    if unknown := set(rows.columns) - set(schema):
        raise InvalidInputError(f"{table} has no columns {sorted(unknown)}", path=table)
    missing = [pl.lit(None).cast(kind).alias(name) for name, kind in schema.items() if name not in rows.columns]
    full = rows.with_columns(missing).with_columns(factory_id=pl.lit(factory_id, pl.Int32))
    return full.select(schema.names()).cast(schema)


def _insert(cursor: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame) -> None:
    if frame.height:
        cursor.register("found", frame.to_arrow())
        cursor.execute(f"INSERT INTO {LAKE}.{table} SELECT * FROM found")
        cursor.unregister("found")

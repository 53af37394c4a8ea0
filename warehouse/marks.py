"""Marks: what no longer equals the readings, written with every load and taken away by whoever mends it.

    load      --one lake transaction--> readings + loader cursor + marks (factory, hour)
    rollup    --one lake transaction--> buckets of those hours replaced + marks of their days - the marks that it had seen
    figures   --one lake transaction--> a day of the figures replaced - the marks that they had seen

Rows of a table have growing numbers (`rowid`) in the order of the commits, so "the marks that it had seen" is a number: marks of loads
that came meanwhile have greater ones and stay.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import duckdb
import polars as pl

from warehouse.readings import UTC_TIME
from warehouse.tables import LAKE, TOUCHED

HOUR: Final = timedelta(hours=1)
LONGEST_HOLD: Final = timedelta(minutes=5)
"""How long a reading counts at most when no other follows; so a new reading may change the hour of one that came this long before."""
HOURS: Final = "hour"
DAYS: Final = "day"
FIGURES: Final = ("energy_days", "availability_days", "oee_days")
"""Tables of figures a machine and day (`warehouse.day_figures`): the level of a mark on one of their days is the table's name."""
MARKS: Final = pl.Schema({"factory_id": pl.Int32(), "level": pl.String(), "bucket": UTC_TIME})


@dataclass(frozen=True)
class Marks:
    """The marks at one moment."""

    rows: pl.DataFrame
    """MARKS, each once, sorted."""
    seen: int
    """The greatest row number among them; -1 for none."""
    stored: int
    """How many rows hold them: every load adds its own."""


def marks_of(readings: pl.DataFrame) -> pl.DataFrame:
    """The marks (MARKS) of READINGS: the hours (UTC) whose rollups they change; pure."""
    moments = readings.select("factory_id", pl.col("ts").dt.truncate("1h"))
    earlier = readings.select("factory_id", (pl.col("ts") - LONGEST_HOLD).dt.truncate("1h"))
    hours = pl.concat([moments.unique(), earlier.unique()]).unique().sort("factory_id", "ts")
    return hours.select("factory_id", pl.lit(HOURS).alias("level"), pl.col("ts").alias("bucket"))


def marks_of_days(factory_id: int, days: Iterable[datetime]) -> pl.DataFrame:
    """The marks (MARKS) that rolled-up hours leave on their days (beginnings, UTC): the rollup of the day, and its figures; pure."""
    rows = [(factory_id, level, day) for day in days for level in (DAYS, *FIGURES)]
    return pl.DataFrame(rows, schema=MARKS, orient="row")


def read_marks(cursor: duckdb.DuckDBPyConnection) -> Marks:
    """All marks of all factories."""
    found = cursor.execute(
        f"SELECT factory_id, level, bucket, max(rowid) AS seen, count(*) AS stored FROM {LAKE}.{TOUCHED} GROUP BY ALL "
        "ORDER BY factory_id, level, bucket"
    ).pl()
    rows = found.select(MARKS.names()).cast(MARKS)
    if not found.height:
        return Marks(rows, -1, 0)
    return Marks(rows, int(found["seen"].max()), int(found["stored"].sum()))  # type: ignore[arg-type]  # columns of integers


def take_marks(cursor: duckdb.DuckDBPyConnection, rows: pl.DataFrame, seen: int) -> None:
    """Deletes these marks (MARKS) as far as they had been seen, in the caller's transaction."""
    cursor.register("taken", rows.select(MARKS.names()).to_arrow())
    cursor.execute(
        f"DELETE FROM {LAKE}.{TOUCHED} WHERE rowid <= ? AND (factory_id, level, bucket) IN (SELECT (factory_id, level, bucket) FROM taken)",
        [seen],
    )
    cursor.unregister("taken")


def add_marks(cursor: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> None:
    """Adds marks (MARKS) in the caller's transaction."""
    if rows.height:
        cursor.register("marks", rows.select(MARKS.names()).cast(MARKS).to_arrow())
        cursor.execute(f"INSERT INTO {LAKE}.{TOUCHED} SELECT * FROM marks")
        cursor.unregister("marks")

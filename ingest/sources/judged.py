"""Which carried rows are readings of one factory, and why the others are not: the rules of live messages, for files."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb
import polars as pl

from ingest import reasons
from ingest.payloads import LONGEST_TEXT, is_parameter
from ingest.sources.history import NOT_A_ROW
from warehouse.readings import READINGS, UTC_TIME
from warehouse.scratch import literal

AHEAD: Final = timedelta(minutes=5)
MOST_REPORTED: Final = 100_000
WINDOW_ROWS: Final = 600_000
"""One lake transaction takes about this many readings, so that the loader never waits long."""
EXPLAINED: Final = {
    **reasons.REASONS,
    NOT_A_ROW: "The line has not the columns of the first one, or is no line protocol, or not UTF-8.",
    reasons.BAD_TIMESTAMP: "The time is neither ISO 8601 nor a number since 1970; another form needs --time-format.",
    reasons.TOO_OLD: "The time is older than raw readings are kept: they would be deleted again. Raise RAW_RETENTION_DAYS first.",
    reasons.NOT_A_NUMBER: "The value is no finite number, while other values of this parameter are numbers.",
    reasons.NULL_VALUE: "The row has no value.",
    reasons.UNKNOWN_DEVICE: "The factory has no machine with this key. Register it and run the same file again.",
}


@dataclass(frozen=True)
class Limits:
    """What readings may be."""

    oldest: datetime
    newest: datetime


class JudgedFile:
    """The carried rows of one file, judged. Lives as long as the connection and the files."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        files: Sequence[Path],
        devices: Mapping[str, int],
        texts: Collection[tuple[int, str]],
        limits: Limits,
    ) -> None:
        """`devices`: id by key. `texts`: (device id, parameter) of those that are known to be texts."""
        self._connection = connection
        carried = f"read_parquet([{', '.join(literal(str(path)) for path in files)}])"
        found = connection.execute(f"SELECT parameter, count(value) > 0 AS is_numeric FROM {carried} GROUP BY parameter").pl()
        fit = [name is not None and is_parameter(name) for name in found["parameter"].to_list()]
        keys = {"device": list(devices), "device_id": list(devices.values())}
        connection.register("devices", pl.DataFrame(keys, schema={"device": pl.String, "device_id": pl.Int32}).to_arrow())
        connection.register("parameters", found.with_columns(is_fit=pl.Series(fit, dtype=pl.Boolean)).to_arrow())
        known = pl.DataFrame(list(texts), schema={"device_id": pl.Int32, "parameter": pl.String}, orient="row").with_columns(is_text=True)
        connection.register("texts", known.to_arrow())
        connection.execute(_view(carried, limits))

    def rejected(self) -> dict[str, int]:
        """How many rows were refused, by reason; most frequent first."""
        return dict(
            self._connection.execute(
                "SELECT reason, count(*) FROM judged WHERE reason IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
            ).fetchall()
        )

    def unknown_devices(self) -> dict[str, int]:
        """Machines that the factory has not, with the number of their rows."""
        statement = "SELECT coalesce(device, ''), count(*) FROM judged WHERE reason = ? GROUP BY 1 ORDER BY 2 DESC, 1"
        return dict(self._connection.execute(statement, [reasons.UNKNOWN_DEVICE]).fetchall())

    def write_report(self, path: Path, *, is_csv: bool) -> int:
        """The refused rows as CSV with reason and explanation, at most 100,000; returns how many stand there."""
        rows = self._connection.execute(
            "SELECT line, device, parameter, CAST(ts AS VARCHAR) AS ts, coalesce(text, CAST(value AS VARCHAR)) AS value, raw, reason "
            f"FROM judged WHERE reason IS NOT NULL ORDER BY line LIMIT {MOST_REPORTED}"
        ).pl()
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = true_lines(rows["line"], rows.filter(pl.col("reason") == NOT_A_ROW)["line"]) if is_csv else rows["line"]
        rows = rows.with_columns(pl.when(pl.col("reason") == NOT_A_ROW).then(pl.col("line")).otherwise(lines).alias("line")).sort("line")
        rows.with_columns(explanation=pl.col("reason").replace(EXPLAINED)).write_csv(path)
        return rows.height

    def windows(self) -> list[tuple[datetime, datetime, int]]:
        """Ranges of device time with their number of rows, of a day at most and about WINDOW_ROWS; hours are not cut."""
        hours = self._connection.execute(
            "SELECT date_trunc('hour', ts) AS hour, count(*) AS rows FROM judged WHERE reason IS NULL GROUP BY 1 ORDER BY 1"
        ).pl()
        return packed(hours.select(pl.col("hour").cast(UTC_TIME), "rows").rows())

    def readings(self, factory_id: int, start: datetime, end: datetime, received_at: datetime) -> pl.DataFrame:
        """READINGS of a window in the order of the file, repeats included."""
        found = self._connection.execute(
            "SELECT device_id, parameter, ts, value, CASE WHEN value IS NULL THEN text END AS text FROM judged "
            "WHERE reason IS NULL AND ts >= ? AND ts < ? ORDER BY line",
            [start, end],
        ).pl()
        return found.with_columns(factory_id=pl.lit(factory_id), received_at=pl.lit(received_at)).select(READINGS.names()).cast(READINGS)


def true_lines(lines: pl.Series, skipped: pl.Series) -> pl.Series:
    """Lines of a file from numbers that do not count `skipped` lines of it; pure."""
    before = (skipped.sort() - pl.int_range(skipped.len(), eager=True)).alias("before")
    return lines + before.search_sorted(lines, side="right").cast(pl.Int64)


def packed(hours: Sequence[tuple[datetime, int]], most_rows: int = WINDOW_ROWS) -> list[tuple[datetime, datetime, int]]:
    """Joins (hour, rows) of one UTC day while together they have at most `most_rows`; pure."""
    found: list[tuple[datetime, datetime, int]] = []
    for hour, rows in hours:
        joins = bool(found) and found[-1][0].date() == hour.date() and found[-1][2] + rows <= most_rows
        start, _, before = found.pop() if joins else (hour, hour, 0)
        found.append((start, hour + timedelta(hours=1), before + rows))
    return found


def _view(carried: str, limits: Limits) -> str:
    """First what is wrong with the row, then with its machine and parameter, then with its value and time."""
    oldest, newest = (f"TIMESTAMPTZ {literal(moment.isoformat())}" for moment in (limits.oldest, limits.newest))
    return f"""
        CREATE TEMP VIEW judged AS SELECT c.*, d.device_id, CASE
            WHEN problem IS NOT NULL THEN problem
            WHEN ts IS NULL THEN '{reasons.BAD_TIMESTAMP}'
            WHEN d.device_id IS NULL THEN '{reasons.UNKNOWN_DEVICE}'
            WHEN NOT coalesce(is_fit, false) THEN '{reasons.BAD_PARAMETER}'
            WHEN value IS NULL AND text IS NULL THEN '{reasons.NULL_VALUE}'
            WHEN value IS NOT NULL AND NOT isfinite(value) THEN '{reasons.NOT_A_NUMBER}'
            WHEN value IS NULL AND is_numeric AND is_text IS NULL THEN '{reasons.NOT_A_NUMBER}'
            WHEN value IS NULL AND (length(text) > {LONGEST_TEXT} OR contains(text, chr(0))) THEN '{reasons.BAD_TEXT}'
            WHEN ts > {newest} THEN '{reasons.CLOCK}'
            WHEN ts < {oldest} THEN '{reasons.TOO_OLD}'
        END AS reason
        FROM {carried} c LEFT JOIN devices d USING (device) LEFT JOIN parameters p USING (parameter)
        LEFT JOIN texts t ON t.device_id = d.device_id AND t.parameter = c.parameter
    """

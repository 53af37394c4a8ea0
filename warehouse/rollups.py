"""Rollups: summaries of readings a bucket, mended where readings came, replaced window by window.

    marked hours --readings in order--> 1m --> 5m --> 1h      one lake transaction an hour or run of hours: rows + marks
                                          5m --> 1d           when the factory's day has ended

What is still running (this hour, today) is not rolled up: queries take it, like every marked hour, from the readings or the finer level.
Killed anywhere, either the old rows with their marks are there or the new ones without.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from warehouse.errors import InvalidInputError
from warehouse.lake import Lake
from warehouse.marks import DAYS, HOUR, HOURS, LONGEST_HOLD, MARKS, Marks, add_marks, marks_of_days, read_marks, take_marks
from warehouse.readings import UTC_TIME
from warehouse.summaries import SERIES, STEPS, SUMMARIES, by_local_day, coarser, combined, summarised
from warehouse.tables import KEPT_FROM, LAKE, RAW, ROLLUP_LEVELS, TELEMETRY

SETTLES_AFTER: Final = timedelta(seconds=90)
"""An hour is rolled up this long after its end: what is on its way then has arrived."""
LONGEST_WINDOW: Final = timedelta(days=1)
"""One transaction holds at most this much, so that the loader never waits long and memory stays bounded."""
SQUEEZE_AT: Final = 500
_INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Rolled:
    """What one pass did."""

    hours: int
    days: int
    rows: int
    waiting: int
    """Marks that are left: of what is still running."""
    partitions: tuple[tuple[int, date], ...] = ()
    """Factories and UTC days of the hours."""


def roll_up(lake: Lake, now: datetime, timezones: Mapping[int, str]) -> Rolled:
    """Mends the rollups of every marked hour and day that has ended, all factories; what is mended loses its mark.

    `timezones`: IANA names by factory id; UTC where one is missing. Raises LakeBusyError; calling again goes on.
    """
    with lake.cursor() as cursor:
        marks = read_marks(cursor)
    settled = now - SETTLES_AFTER
    hours = marks.rows.filter(pl.col("level") == HOURS, pl.col("bucket") + HOUR <= settled)
    rows = 0
    for factory_id, start, end in _windows_by_factory(hours):
        rows += _replace_hours(lake, factory_id, start, end, timezones.get(factory_id, "UTC"), marks.seen)
    with lake.cursor() as cursor:
        marks = read_marks(cursor)
    done_days = 0
    for factory_id, day in marks.rows.filter(pl.col("level") == DAYS).select("factory_id", "bucket").iter_rows():
        if local_day_end(day, timezones.get(factory_id, "UTC")) <= settled:
            rows += _replace_day(lake, factory_id, day, timezones.get(factory_id, "UTC"), marks.seen)
            done_days += 1
    touched = hours.select("factory_id", pl.col("bucket").dt.date()).unique().sort("bucket", "factory_id")
    waiting = marks.rows.filter(pl.col("level").is_in([HOURS, DAYS])).height - done_days
    return Rolled(hours.height, done_days, rows, waiting, tuple(touched.rows()))


def is_due(marks: Marks, now: datetime) -> bool:
    """Whether a marked hour or day has ended; a day may still be running elsewhere, then the pass finds nothing to do; pure."""
    ended = pl.when(pl.col("level") == HOURS).then(pl.col("bucket") + HOUR).otherwise(pl.col("bucket") + timedelta(hours=25))
    of_rollups = marks.rows.filter(pl.col("level").is_in([HOURS, DAYS]))
    return bool(of_rollups.select((ended <= now - SETTLES_AFTER).any()).item())


def all_marks(lake: Lake) -> Marks:
    """The marks of all factories."""
    with lake.cursor() as cursor:
        return read_marks(cursor)


def squeeze_marks(lake: Lake, at: int = SQUEEZE_AT) -> int:
    """Keeps each mark once when more than `at` rows hold them: the running hour gets one a load. Returns how many rows went."""
    marks = all_marks(lake)
    if marks.stored <= max(at, marks.rows.height):
        return 0
    with lake.writer() as cursor:
        take_marks(cursor, marks.rows, marks.seen)
        add_marks(cursor, marks.rows)
    return marks.stored - marks.rows.height


def mark_window(lake: Lake, start: datetime, end: datetime, factory_ids: Iterable[int]) -> None:
    """Marks every hour that [start, end) touches, so that the next pass makes its rollups anew: a backfill by hand."""
    hours = pl.datetime_range(start.astimezone(UTC), end.astimezone(UTC), "1h", closed="left", eager=True).dt.truncate("1h").cast(UTC_TIME)
    factories = pl.DataFrame({"factory_id": pl.Series(list(factory_ids), dtype=pl.Int32)})
    rows = factories.join(pl.DataFrame({"bucket": hours}), how="cross").with_columns(level=pl.lit(HOURS)).select(MARKS.names())
    with lake.writer() as cursor:
        add_marks(cursor, rows)


def replace_window(lake: Lake, level: str, start: datetime, end: datetime, factory_id: int | None = None, timezone: str = "UTC") -> int:
    """Computes the buckets of `level` in [start, end) anew from the readings, in one transaction; returns their number.

    The window must begin and end on bucket borders (UTC; for 1d midnights of `timezone`). Running it twice changes nothing; a reader
    sees the old window or the new. Marks stay. Without `factory_id` all factories.
    """
    if level not in ROLLUP_LEVELS or start >= end:
        message = f"no rollup window {level} {start.isoformat()} to {end.isoformat()}; levels are {', '.join(ROLLUP_LEVELS)}"
        raise InvalidInputError(message, path="level")
    with lake.cursor() as cursor:
        minutes = _minutes(cursor, factory_id, start, end)
    rows = by_local_day(minutes, timezone) if level == "1d" else minutes if level == "1m" else coarser(minutes, STEPS[level])
    with lake.writer() as cursor:
        _put(cursor, level, rows, factory_id, start, end)
    return rows.height


def missing_readings(lake: Lake, level: str, start: datetime, end: datetime) -> int:
    """How many numeric readings of [start, end) the rollup of `level` does not count; negative when it counts too many."""
    with lake.cursor() as cursor:
        found = cursor.execute(
            f"SELECT (SELECT count(value) FROM {LAKE}.{TELEMETRY} WHERE ts >= $start AND ts < $end) - "
            f"(SELECT coalesce(sum(count), 0) FROM {LAKE}.rollup_{level} WHERE bucket >= $start AND bucket < $end)",
            {"start": start, "end": end},
        ).fetchall()
    return int(found[0][0])


def windows(hours: Iterable[datetime]) -> list[tuple[datetime, datetime]]:
    """Joins hours to windows [start, end) of at most a day: neighbours become one, so that each is replaced in one transaction; pure."""
    found: list[tuple[datetime, datetime]] = []
    for hour in sorted(set(hours)):
        joins = bool(found) and found[-1][1] == hour and hour - found[-1][0] < LONGEST_WINDOW
        start = found.pop()[0] if joins else hour
        found.append((start, hour + HOUR))
    return found


def by_day(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Cuts a window at UTC midnights: one transaction a day, so that the loader never waits long for the lake's lock; pure."""
    cuts = [start]
    while cuts[-1] < end:
        midnight = cuts[-1].replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        cuts.append(min(midnight, end))
    return list(pairwise(cuts))


def local_day_end(begin: datetime, timezone: str) -> datetime:
    """The end (UTC) of the day that begins at `begin` in a time zone; pure."""
    local = begin.astimezone(ZoneInfo(timezone))
    return (local.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)


def local_day_begin(moment: datetime, timezone: str) -> datetime:
    """The beginning (UTC) of the day in a time zone that `moment` falls into; pure."""
    return moment.astimezone(ZoneInfo(timezone)).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def _windows_by_factory(hours: pl.DataFrame) -> list[tuple[int, datetime, datetime]]:
    found = []
    for (factory_id,), rows in hours.group_by("factory_id", maintain_order=True):
        found += [(int(str(factory_id)), start, end) for start, end in windows(rows["bucket"].to_list())]
    return found


def _replace_hours(lake: Lake, factory_id: int, start: datetime, end: datetime, timezone: str, seen: int) -> int:
    """Mends the 1m, 5m and 1h buckets of whole hours and marks their days. Computes before it takes the write lock."""
    with lake.cursor() as cursor:
        raw_from = kept_from(cursor, factory_id)
        if raw_from is not None and start < raw_from < end:
            parts = ((start, raw_from), (raw_from, end))
            return sum(_replace_hours(lake, factory_id, begin, until, timezone, seen) for begin, until in parts)
        minutes = _minutes(cursor, factory_id, start, end)
    only_late = raw_from is not None and start < raw_from
    five = coarser(minutes, STEPS["5m"])
    levels = {"1m": minutes, "5m": five, "1h": coarser(five, STEPS["1h"])}
    hours = pl.datetime_range(start, end, "1h", closed="left", eager=True).cast(UTC_TIME).alias("bucket")
    marks = pl.DataFrame({"bucket": hours}).select(pl.lit(factory_id, pl.Int32).alias("factory_id"), pl.lit(HOURS).alias("level"), "bucket")
    # Where clocks are half an hour off an hour of UTC may belong to two days.
    days = sorted({local_day_begin(moment, timezone) for hour in hours.to_list() for moment in (hour, hour + HOUR - _INSTANT)})
    with lake.writer() as cursor:
        for level, rows in levels.items():
            whole = _added_to_stored(cursor, level, rows, factory_id, start, end) if only_late else rows
            _put(cursor, level, whole, factory_id, start, end)
        if only_late:
            # The other readings of these hours have expired: what came late is counted once, and goes the same way.
            cursor.execute(f"DELETE FROM {LAKE}.{TELEMETRY} WHERE factory_id = ? AND ts >= ? AND ts < ?", [factory_id, start, end])
        take_marks(cursor, marks, seen)
        add_marks(cursor, marks_of_days(factory_id, days))
    return sum(rows.height for rows in levels.values())


def _replace_day(lake: Lake, factory_id: int, day: datetime, timezone: str, seen: int) -> int:
    end = local_day_end(day, timezone)
    with lake.cursor() as cursor:
        five = cursor.execute(
            f"SELECT * FROM {LAKE}.rollup_5m WHERE factory_id = ? AND bucket >= ? AND bucket < ?", [factory_id, day, end]
        ).pl()
    rows = by_local_day(five.cast(SUMMARIES), timezone)
    with lake.writer() as cursor:
        _put(cursor, "1d", rows, factory_id, day, end)
        take_marks(cursor, pl.DataFrame([(factory_id, DAYS, day)], schema=MARKS, orient="row"), seen)
    return rows.height


def kept_from(cursor: duckdb.DuckDBPyConnection, factory_id: int, level: str = RAW) -> datetime | None:
    """From when on all readings, or all rollups of a level, of a factory are kept; None when none have expired."""
    found = cursor.execute(
        f"SELECT max(kept_from) FROM {LAKE}.{KEPT_FROM} WHERE factory_id = ? AND level = ?", [factory_id, level]
    ).pl().item()  # fmt: skip
    return found.astimezone(UTC) if isinstance(found, datetime) else None


def _minutes(cursor: duckdb.DuckDBPyConnection, factory_id: int | None, start: datetime, end: datetime) -> pl.DataFrame:
    """SUMMARIES a minute of [start, end). Reads on behind the end: the last readings count until the next ones."""
    readings = cursor.execute(
        f"SELECT factory_id, device_id, parameter, ts, value FROM {LAKE}.{TELEMETRY} WHERE ts >= $start AND ts < $end "
        "AND value IS NOT NULL AND ($factory IS NULL OR factory_id = $factory) ORDER BY factory_id, device_id, parameter, ts",
        {"start": start, "end": end + LONGEST_HOLD, "factory": factory_id},
    ).pl()
    ordered = readings.cast({"factory_id": pl.Int32, "device_id": pl.Int32, "ts": UTC_TIME})
    return summarised(ordered, STEPS["1m"]).filter(pl.col("bucket") < end)


def _added_to_stored(
    cursor: duckdb.DuckDBPyConnection, level: str, rows: pl.DataFrame, factory_id: int, start: datetime, end: datetime
) -> pl.DataFrame:
    stored = cursor.execute(
        f"SELECT * FROM {LAKE}.rollup_{level} WHERE factory_id = ? AND bucket >= ? AND bucket < ?", [factory_id, start, end]
    ).pl()
    return combined(pl.concat([stored.cast(SUMMARIES), rows]), pl.col("bucket"))


def _put(cursor: duckdb.DuckDBPyConnection, level: str, rows: pl.DataFrame, factory_id: int | None, start: datetime, end: datetime) -> None:
    """Replaces the buckets of [start, end) in the caller's transaction."""
    cursor.execute(
        f"DELETE FROM {LAKE}.rollup_{level} WHERE bucket >= $start AND bucket < $end AND ($factory IS NULL OR factory_id = $factory)",
        {"start": start, "end": end, "factory": factory_id},
    )
    if rows.height:
        cursor.register("summaries", rows.sort(*SERIES, "bucket").to_arrow())
        cursor.execute(f"INSERT INTO {LAKE}.rollup_{level} SELECT * FROM summaries")
        cursor.unregister("summaries")

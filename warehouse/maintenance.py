"""Keeping the lake small and fast: retention, compaction, snapshot expiry, orphans. Safe to kill and to run again.

Each step is one snapshot of its own, or a deletion of files that nothing names: killed in between, the next run does the rest.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import duckdb
import structlog

from warehouse.lake import Lake
from warehouse.marks import HOURS, read_marks
from warehouse.retention import DEFAULT_DAYS, Retention
from warehouse.tables import KEPT_FROM, LAKE, LOADER_PROGRESS, RAW, ROLLUP_LEVELS, SHAPES, TELEMETRY

KEEP_SNAPSHOTS_FOR: Final = timedelta(hours=24)
KEEP_OLD_FILES_FOR: Final = timedelta(hours=24)
ORPHANS_AFTER: Final = timedelta(days=2)
"""A file that no snapshot names may belong to a load that is at work; after this long it does not."""
MANY_FILES: Final = 60
"""So many loads that wrote a file of their own are merged at once: no day has 200 files, whatever comes within an hour."""
SMALL_BYTES: Final = 4_000_000
"""Files from this size on wait for the hourly compaction: merging them again each minute would write a day's data many times over."""
REWRITE_FROM: Final = 0.1
"""Files of which this share of rows is deleted are written anew without them."""
log = structlog.get_logger()


@dataclass(frozen=True)
class Maintained:
    """What one maintenance run did."""

    files_before: int
    files_after: int
    rows_expired: int
    snapshots_expired: int
    orphans: int = 0


def live_files(lake: Lake, table: str = TELEMETRY) -> int:
    """How many data files the newest snapshot of a table has."""
    with lake.cursor() as cursor:
        return int(cursor.execute("SELECT count(*) FROM ducklake_list_files(?, ?)", [LAKE, table]).fetchall()[0][0])


def live_bytes(lake: Lake, table: str = TELEMETRY) -> int:
    """How many bytes the data files of the newest snapshot of a table have."""
    with lake.cursor() as cursor:
        found = cursor.execute("SELECT sum(data_file_size_bytes) FROM ducklake_list_files(?, ?)", [LAKE, table]).fetchall()
    return int(found[0][0] or 0)


def files_a_day(lake: Lake, table: str = TELEMETRY) -> int:
    """How many data files the day that has most of them has in the newest snapshot."""
    with lake.cursor() as cursor:
        found = cursor.execute(
            "SELECT coalesce(max(files), 0) FROM "
            "(SELECT count(*) AS files FROM ducklake_list_files(?, ?) GROUP BY parse_dirpath(data_file))",
            [LAKE, table],
        ).fetchall()
    return int(found[0][0])


def merge_small_files(lake: Lake) -> None:
    """Merges neighbouring files of readings below SMALL_BYTES, sorted: what the loader does between two compactions."""
    with lake.maintenance() as cursor:
        cursor.execute(f"CALL ducklake_merge_adjacent_files('{LAKE}', '{TELEMETRY}', max_file_size => {SMALL_BYTES})")


def compact(lake: Lake) -> None:
    """Writes rows that wait in the catalog to files, rewrites files with many deleted rows, merges neighbouring small files.

    Merged files are sorted as their table says. One table at a time, so that the loader gets its turn in between.
    """
    for table, shape in SHAPES.items():
        if not shape.time:
            continue
        with lake.maintenance() as cursor:
            cursor.execute(f"CALL ducklake_flush_inlined_data('{LAKE}', table_name => '{table}')")
        with lake.maintenance() as cursor:
            cursor.execute(f"CALL ducklake_rewrite_data_files('{LAKE}', '{table}', delete_threshold => {REWRITE_FROM})")
        with lake.maintenance() as cursor:
            cursor.execute(f"CALL ducklake_merge_adjacent_files('{LAKE}', '{table}')")


def expire_readings(lake: Lake, older_than: datetime, factory_ids: Collection[int] | None = None) -> int:
    """Deletes raw readings with a device time before `older_than`, rounded down to the hour; returns how many.

    Readings of hours whose rollups do not stand stay until they do: a rollup is all that is left of them afterwards.
    """
    cut = older_than.replace(minute=0, second=0, microsecond=0)
    with lake.writer() as cursor:
        marked = read_marks(cursor).rows
        present = cursor.execute(f"SELECT DISTINCT factory_id FROM {LAKE}.{TELEMETRY} WHERE ts < ?", [cut]).fetchall()
        gone = 0
        for (factory_id,) in present:
            if factory_ids is not None and factory_id not in factory_ids:
                continue
            hours = [b for f, level, b in marked.iter_rows() if f == factory_id and level == HOURS and b < cut]
            until = min([cut, *hours])
            found = cursor.execute(f"DELETE FROM {LAKE}.{TELEMETRY} WHERE factory_id = ? AND ts < ?", [factory_id, until]).fetchall()
            gone += int(found[0][0])
            _note_kept_from(cursor, factory_id, RAW, until)
        # Only the newest position of each shard counts.
        cursor.execute(
            f"DELETE FROM {LAKE}.{LOADER_PROGRESS} WHERE position < "
            f"(SELECT max(p.position) FROM {LAKE}.{LOADER_PROGRESS} p WHERE p.shard = {LOADER_PROGRESS}.shard)"
        )
    return gone


def expire_rollups(lake: Lake, level: str, older_than: datetime, factory_id: int) -> int:
    """Deletes rollups of one level of one factory from before `older_than`; returns how many."""
    with lake.writer() as cursor:
        found = cursor.execute(
            f"DELETE FROM {LAKE}.rollup_{level} WHERE factory_id = ? AND bucket < ?", [factory_id, older_than]
        ).fetchall()
        gone = int(found[0][0])
        if gone:
            _note_kept_from(cursor, factory_id, level, older_than)
    return gone


def expire_scores(lake: Lake, older_than: datetime, factory_id: int) -> int:
    """Deletes anomaly scores of one factory from before `older_than`; returns how many. The anomalies themselves stay."""
    with lake.writer() as cursor:
        found = cursor.execute(f"DELETE FROM {LAKE}.anomaly_scores WHERE factory_id = ? AND ts < ?", [factory_id, older_than]).fetchall()
    return int(found[0][0])


def expire(lake: Lake, now: datetime, kept: Retention) -> int:
    """Deletes what is older than it must be kept, by factory and level; returns how many rows."""
    with lake.cursor() as cursor:
        factories = [row[0] for row in cursor.execute(f"SELECT DISTINCT factory_id FROM {LAKE}.rollup_1h").fetchall()]
        factories += [row[0] for row in cursor.execute(f"SELECT DISTINCT factory_id FROM {LAKE}.{TELEMETRY}").fetchall()]
    rows = 0
    for factory_id in sorted(set(factories)):
        raw = kept.keep(factory_id, RAW)
        rows += expire_readings(lake, now - raw, [factory_id]) if raw is not None else 0
        for level in ROLLUP_LEVELS:
            keep = kept.keep(factory_id, level)
            rows += expire_rollups(lake, level, now - keep, factory_id) if keep is not None else 0
        # Scores come by the minute, so they are kept as long as what else does.
        by_minute = kept.keep(factory_id, "1m")
        rows += expire_scores(lake, now - by_minute, factory_id) if by_minute is not None else 0
    return rows


def expire_snapshots(lake: Lake, older_than: datetime, pinned: Collection[int] = ()) -> int:
    """Expires snapshots from before `older_than` except the newest and the `pinned`, then deletes files that no snapshot needs.

    By explicit versions: with `older_than` DuckLake 1.5.5 was measured to take younger snapshots as well.
    """
    with lake.maintenance() as cursor:
        rows = cursor.execute(f"SELECT snapshot_id, snapshot_time FROM ducklake_snapshots('{LAKE}') ORDER BY snapshot_id").fetchall()
        versions = [int(number) for number, moment in rows[:-1] if moment < older_than and number not in pinned]
        if versions:
            cursor.execute(f"CALL ducklake_expire_snapshots('{LAKE}', versions => {versions})")
        cursor.execute(f"CALL ducklake_cleanup_old_files('{LAKE}', older_than => ?)", [older_than])
    return len(versions)


def delete_orphans(lake: Lake, older_than: datetime) -> int:
    """Deletes files that no snapshot ever named, such as those of a load that was killed; returns how many."""
    with lake.maintenance() as cursor:
        found = cursor.execute(f"CALL ducklake_delete_orphaned_files('{LAKE}', older_than => ?)", [older_than]).fetchall()
    return len(found)


def maintain(
    lake: Lake,
    now: datetime,
    raw_retention: timedelta,
    pinned_snapshots: Collection[int] = (),
    kept: Retention | None = None,
) -> Maintained:
    """One whole run: retention, compaction, snapshot expiry, orphans. `kept` says more than `raw_retention` and goes before it."""
    before = live_files(lake)
    rows = expire(lake, now, kept or Retention({**DEFAULT_DAYS, "raw": raw_retention.days}))
    compact(lake)
    snapshots = expire_snapshots(lake, now - KEEP_SNAPSHOTS_FOR, pinned_snapshots)
    orphans = delete_orphans(lake, now - ORPHANS_AFTER)
    done = Maintained(before, live_files(lake), rows, snapshots, orphans)
    log.info("lake_maintained", files_before=before, files_after=done.files_after, rows_expired=rows, snapshots_expired=snapshots)
    return done


def _note_kept_from(cursor: duckdb.DuckDBPyConnection, factory_id: int, level: str, moment: datetime) -> None:
    table = f"{LAKE}.{KEPT_FROM}"
    cursor.execute(f"DELETE FROM {table} WHERE factory_id = ? AND level = ?", [factory_id, level])
    cursor.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", [factory_id, level, moment])

"""Keeping the lake small and fast: compaction, retention, snapshot expiry. Run by the maintenance job, safe to run again."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from warehouse.lake import Lake
from warehouse.tables import LAKE, LOADER_PROGRESS, TELEMETRY

KEEP_SNAPSHOTS_FOR: Final = timedelta(hours=24)
KEEP_OLD_FILES_FOR: Final = timedelta(hours=24)
log = structlog.get_logger()


@dataclass(frozen=True)
class Maintained:
    """What one maintenance run did."""

    files_before: int
    files_after: int
    rows_expired: int
    snapshots_expired: int


def live_files(lake: Lake, table: str = TELEMETRY) -> int:
    """How many data files the newest snapshot of a table has."""
    with lake.cursor() as cursor:
        return int(cursor.execute("SELECT count(*) FROM ducklake_list_files(?, ?)", [LAKE, table]).fetchall()[0][0])


def compact(lake: Lake) -> None:
    """Writes rows that wait in the catalog to files, then merges neighbouring small files; each step is one snapshot of its own."""
    with lake.maintenance() as cursor:
        cursor.execute(f"CALL ducklake_flush_inlined_data('{LAKE}', table_name => '{TELEMETRY}')")
    with lake.maintenance() as cursor:
        cursor.execute(f"CALL ducklake_merge_adjacent_files('{LAKE}')")


def expire_readings(lake: Lake, older_than: datetime) -> int:
    """Deletes raw readings with a device time before `older_than`; returns how many."""
    with lake.writer() as cursor:
        found = cursor.execute(f"DELETE FROM {LAKE}.{TELEMETRY} WHERE ts < ?", [older_than]).fetchall()
        # Only the newest position of each shard counts.
        cursor.execute(
            f"DELETE FROM {LAKE}.{LOADER_PROGRESS} WHERE position < "
            f"(SELECT max(p.position) FROM {LAKE}.{LOADER_PROGRESS} p WHERE p.shard = {LOADER_PROGRESS}.shard)"
        )
    return int(found[0][0])


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


def maintain(lake: Lake, now: datetime, raw_retention: timedelta, pinned_snapshots: Collection[int] = ()) -> Maintained:
    """One whole run: retention, compaction, snapshot expiry."""
    before = live_files(lake)
    rows = expire_readings(lake, now - raw_retention)
    compact(lake)
    snapshots = expire_snapshots(lake, now - KEEP_SNAPSHOTS_FOR, pinned_snapshots)
    done = Maintained(before, live_files(lake), rows, snapshots)
    log.info("lake_maintained", files_before=before, files_after=done.files_after, rows_expired=rows, snapshots_expired=snapshots)
    return done

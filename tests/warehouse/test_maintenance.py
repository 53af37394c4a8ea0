"""Maintenance makes the lake smaller and loses nothing that should be kept."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.warehouse.frames import START, at, readings, series
from warehouse import maintenance, retention, rollups
from warehouse.db import Database
from warehouse.lake import Lake
from warehouse.settings import Settings


def _rows(lake: Lake) -> int:
    return int(lake.reader(1).query("SELECT count(*) FROM telemetry").item())


def _newest_snapshot_time(lake: Lake) -> object:
    with lake.cursor() as cursor:
        return cursor.execute("SELECT max(snapshot_time) FROM ducklake_snapshots('lake')").fetchall()[0][0]


def test_compaction_merges_small_files_and_keeps_every_row(lake: Lake) -> None:
    for number in range(6):
        lake.append(series(1, "power", [1.0] * 300, step_s=1, start_s=number * 300), ("main", number))
    assert maintenance.live_files(lake) == 6
    maintenance.compact(lake)
    assert maintenance.live_files(lake) == 1
    assert (_rows(lake), lake.loader_position("main")) == (1800, 5)


def test_compaction_writes_out_rows_that_wait_in_the_catalog(lake: Lake) -> None:
    lake.append(readings((1, "power", 0, 1.0)))
    assert maintenance.live_files(lake) == 0
    maintenance.compact(lake)
    assert (maintenance.live_files(lake), _rows(lake)) == (1, 1)


def test_readings_past_their_retention_go_by_whole_hours_and_the_loaders_cursor_stays(lake: Lake) -> None:
    lake.append(readings((1, "power", 0, 1.0), (1, "power", 3700, 1.0)), ("main", 1))
    lake.append(readings((1, "power", 7300, 1.0)), ("main", 2))
    rollups.roll_up(lake, at(86_400 * 3), {})
    assert maintenance.expire_readings(lake, at(5000)) == 1
    assert (_rows(lake), lake.loader_position("main")) == (2, 2)


def test_readings_that_no_rollup_holds_yet_are_kept(lake: Lake) -> None:
    lake.append(readings((1, "power", 0, 1.0)))
    assert maintenance.expire_readings(lake, at(86_400)) == 0
    rollups.roll_up(lake, at(86_400 * 3), {})
    assert maintenance.expire_readings(lake, at(86_400)) == 1
    assert lake.reader(1).query("SELECT sum(count) FROM rollup_1h").item() == 1


def test_a_reading_that_comes_after_its_hour_has_expired_is_added_once(lake: Lake) -> None:
    lake.append(series(1, "power", [1.0, 2.0, 3.0]))
    rollups.roll_up(lake, at(86_400 * 3), {})
    maintenance.expire_readings(lake, at(86_400))
    lake.append(readings((1, "power", 30, 9.0)), ("main", 1))
    for _ in range(2):
        rollups.roll_up(lake, at(86_400 * 3), {})
    for level in ("1m", "1h", "1d"):
        assert lake.reader(1).query(f"SELECT sum(count), sum(sum), max(max) FROM rollup_{level}").rows() == [(4, 15.0, 9.0)]
    assert _rows(lake) == 0


def test_each_factory_and_level_has_its_own_retention(lake: Lake, one_database: Database) -> None:
    retention.set_retention(one_database, 1, "raw", 1)
    retention.set_retention(one_database, 1, "1m", 2)
    kept = retention.retention(one_database, 30)
    for factory_id in (1, 2):
        lake.append(series(factory_id, "power", [1.0] * 120, factory_id=factory_id), (f"shard{factory_id}", 1))
    rollups.roll_up(lake, at(86_400 * 3), {})
    maintenance.expire(lake, at(86_400 * 4), kept)
    left = {f: [lake.reader(f).query(f"SELECT count(*) FROM {t}").item() for t in ("telemetry", "rollup_1m", "rollup_1h")] for f in (1, 2)}
    assert left == {1: [0, 0, 2], 2: [120, 120, 2]}


def test_merged_files_are_sorted(lake: Lake) -> None:
    for number, device_id in enumerate((3, 1, 2)):
        lake.append(series(device_id, "power", [1.0] * 300, step_s=1), ("main", number))
    maintenance.compact(lake)
    with lake.cursor() as cursor:
        (path,) = cursor.execute("SELECT data_file FROM ducklake_list_files('lake', 'telemetry')").fetchall()[0][:1]
        order = cursor.execute(f"SELECT device_id FROM read_parquet('{path}')").pl()["device_id"].to_list()
    assert order == sorted(order)


@pytest.mark.embedded
def test_files_of_a_load_that_was_killed_are_deleted_when_they_are_old(lake: Lake, settings: Settings) -> None:
    lake.append(series(1, "power", [1.0] * 300, step_s=1))
    orphan = Path(settings.lake_files) / "main" / "telemetry" / "orphan.parquet"
    with lake.cursor() as cursor:
        cursor.execute(f"COPY (SELECT 1 AS a) TO '{orphan}'")
    assert maintenance.delete_orphans(lake, START) == 0
    assert orphan.exists()
    assert maintenance.delete_orphans(lake, _newest_snapshot_time(lake) + timedelta(days=1)) == 1  # type: ignore[operator]
    assert (orphan.exists(), _rows(lake)) == (False, 300)


def test_expiry_takes_old_snapshots_but_never_the_newest_or_a_pinned_one(lake: Lake) -> None:
    for number in range(4):
        lake.append(series(1, "power", [1.0] * 300, start_s=number * 20_000))
        if number == 1:
            pinned = lake.snapshot_id()
    later = _newest_snapshot_time(lake) + timedelta(seconds=1)  # type: ignore[operator]
    assert maintenance.expire_snapshots(lake, later, pinned=[pinned]) > 0
    with lake.cursor() as cursor:
        left = {row[0] for row in cursor.execute("SELECT snapshot_id FROM ducklake_snapshots('lake')").fetchall()}
        assert left == {pinned, lake.snapshot_id()}
        assert cursor.execute(f"SELECT count(*) FROM lake.telemetry AT (VERSION => {pinned})").fetchall() == [(600,)]
    assert _rows(lake) == 1200


def test_young_snapshots_are_left_alone(lake: Lake) -> None:
    lake.append(readings((1, "power", 0, 1.0)))
    assert maintenance.expire_snapshots(lake, START) == 0


@pytest.mark.embedded
def test_files_that_no_snapshot_needs_are_deleted(lake: Lake, settings: Settings) -> None:
    for number in range(4):
        lake.append(series(1, "power", [1.0] * 300, step_s=1, start_s=number * 300))
    maintenance.compact(lake)
    later = _newest_snapshot_time(lake) + timedelta(days=1)  # type: ignore[operator]
    maintenance.expire_snapshots(lake, later)
    assert len(list(Path(settings.lake_files).rglob("*.parquet"))) == 1
    assert _rows(lake) == 1200


def test_a_whole_run_says_what_it_did(lake: Lake) -> None:
    for number in range(3):
        lake.append(series(1, "power", [1.0] * 300, step_s=12, start_s=number * 3600), ("main", number))
    rollups.roll_up(lake, at(86_400 * 3), {})
    done = maintenance.maintain(lake, at(3600) + timedelta(days=30), timedelta(days=30))
    assert (done.files_before, done.rows_expired) == (3, 300)
    assert done.files_after <= 2
    assert _rows(lake) == 600
    assert maintenance.live_bytes(lake) > 0

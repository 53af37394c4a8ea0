"""Maintenance makes the lake smaller and loses nothing that should be kept."""

from datetime import timedelta
from pathlib import Path

from tests.warehouse.frames import START, at, readings, series
from warehouse import maintenance
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


def test_readings_past_their_retention_go_and_the_loaders_cursor_stays(lake: Lake) -> None:
    lake.append(readings((1, "power", 0, 1.0), (1, "power", 100, 1.0)), ("main", 1))
    lake.append(readings((1, "power", 200, 1.0)), ("main", 2))
    assert maintenance.expire_readings(lake, at(100)) == 1
    assert (_rows(lake), lake.loader_position("main")) == (2, 2)


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
        lake.append(series(1, "power", [1.0] * 300, step_s=1, start_s=number * 300))
    done = maintenance.maintain(lake, at(450) + timedelta(days=30), timedelta(days=30))
    assert (done.files_before, done.rows_expired) == (3, 450)
    assert done.files_after <= 2
    assert _rows(lake) == 450

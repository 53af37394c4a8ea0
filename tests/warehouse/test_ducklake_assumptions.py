"""What we believe of DuckLake 1.5.5. When an upgrade breaks one of these, `warehouse.lake` has to be thought over, not the test."""

from pathlib import Path

import duckdb
import pytest

from tests.warehouse.frames import readings, series
from warehouse.extensions import EXTENSIONS_AS_INSTALLED, extension_file
from warehouse.lake import Lake
from warehouse.settings import Settings


def test_extension_wheels_match_the_pinned_duckdb() -> None:
    assert duckdb.__version__ == "1.5.5"
    for name in ("ducklake", "sqlite_scanner", "postgres_scanner", "httpfs"):
        assert extension_file(name).parent.name == f"v{duckdb.__version__}"


def test_an_extension_is_never_fetched_by_itself() -> None:
    connection = duckdb.connect(config=EXTENSIONS_AS_INSTALLED)
    with pytest.raises(duckdb.Error, match="spatial"):
        connection.execute("LOAD spatial")


def test_loader_progress_is_kept_in_the_catalog_and_makes_no_files(lake: Lake) -> None:
    for position in range(1, 20):
        lake.append(readings((1, "power", position, 1.0)), ("main", position))
    with lake.cursor() as cursor:
        assert cursor.execute("SELECT count(*) FROM ducklake_list_files('lake', 'loader_progress')").fetchall() == [(0,)]
        assert cursor.execute("SELECT count(*) FROM ducklake_list_files('lake', 'telemetry')").fetchall() == [(0,)]
    assert lake.loader_position("main") == 19


@pytest.mark.embedded
def test_larger_loads_go_to_files_by_day(lake: Lake, settings: Settings) -> None:
    lake.append(series(1, "power", [1.0] * 500, step_s=600))
    folders = {path.parent.relative_to(settings.lake_files).as_posix() for path in Path(settings.lake_files).rglob("*.parquet")}
    assert "main/telemetry/year=2026/month=1/day=5" in folders
    assert len(folders) == 4


def test_rows_in_the_catalog_and_in_files_are_read_together(lake: Lake) -> None:
    lake.append(series(1, "power", [1.0] * 500))
    lake.append(series(1, "power", [2.0] * 5, start_s=500 * 60))
    assert lake.reader(1).query("SELECT count(*) AS n, sum(value) AS s FROM telemetry").rows() == [(505, 510.0)]


def test_a_rolled_back_insert_leaves_no_row(lake: Lake) -> None:
    with pytest.raises(RuntimeError), lake.writer() as cursor:
        cursor.execute("INSERT INTO lake.loader_progress VALUES ('main', 7)")
        raise RuntimeError
    assert lake.loader_position("main") == 0


def test_a_reader_keeps_its_snapshot_while_a_writer_commits(lake: Lake) -> None:
    lake.append(readings((1, "power", 0, 1.0)))
    with lake.cursor() as cursor:
        cursor.execute("BEGIN")
        before = cursor.execute("SELECT count(*) FROM lake.telemetry").fetchall()
        lake.append(readings((1, "power", 1, 1.0)))
        assert cursor.execute("SELECT count(*) FROM lake.telemetry").fetchall() == before
        cursor.execute("COMMIT")


def test_an_old_snapshot_can_be_read_again(lake: Lake) -> None:
    lake.append(readings((1, "power", 0, 1.0)))
    pinned = lake.snapshot_id()
    lake.append(readings((1, "power", 1, 1.0)))
    with lake.cursor() as cursor:
        assert cursor.execute(f"SELECT count(*) FROM lake.telemetry AT (VERSION => {pinned})").fetchall() == [(1,)]


def test_filters_on_time_skip_the_files_of_other_days(lake: Lake) -> None:
    lake.append(series(1, "power", [1.0] * 2000, step_s=600))
    with lake.cursor() as cursor:
        plan = cursor.execute(
            "EXPLAIN ANALYZE SELECT count(value) FROM lake.telemetry WHERE ts >= TIMESTAMPTZ '2026-01-10' AND ts < TIMESTAMPTZ '2026-01-11'"
        ).fetchall()[0][1]
    assert "Total Files Read: 1" in plan

"""A list of files is used only while it is the whole table; answers are those of DuckLake."""

from contextlib import closing
from datetime import timedelta

import pytest

from tests.warehouse.frames import START, at, series
from warehouse import maintenance, rollups
from warehouse.lake import Lake
from warehouse.manifest import manifest
from warehouse.queries.history import history
from warehouse.settings import Settings

HOUR = timedelta(hours=1)
LATER = START + timedelta(days=5)


@pytest.fixture
def rolled(lake: Lake) -> Lake:
    lake.append(series(1, "power", [float(i % 50) for i in range(3000)]), ("main", 1))
    rollups.roll_up(lake, LATER, {})
    maintenance.compact(lake)
    return lake


def through_ducklake(lake: Lake) -> list[tuple[object, ...]]:
    return lake.reader(1).query("SELECT bucket, count, min, max FROM rollup_1m ORDER BY bucket").rows()


def through_files(lake: Lake) -> list[tuple[object, ...]]:
    source = manifest(lake, "rollup_1m").source(START, LATER)  # type: ignore[union-attr]  # the test needs one
    assert source
    reader = lake.reader(1).with_sources({"rollup_1m": source})
    return reader.query("SELECT bucket, count, min, max FROM rollup_1m ORDER BY bucket").rows()


def test_files_hold_what_ducklake_says(rolled: Lake) -> None:
    assert through_files(rolled) == through_ducklake(rolled)
    assert len(through_files(rolled)) == 3000


def test_files_that_were_merged_are_read_together_with_those_that_were_not(rolled: Lake) -> None:
    found = manifest(rolled, "rollup_1m")
    assert found is not None
    with rolled.cursor() as cursor:
        columns = [cursor.execute("SELECT list(name) FROM parquet_schema(?)", [path]).fetchall()[0][0] for path, *_ in found.files]
    merged = ["_ducklake_internal_snapshot_id" in names for names in columns]
    assert set(merged) == {False, True}
    assert merged == sorted(merged), "the first file says which columns all must have"


def test_a_reader_stays_in_its_factory(rolled: Lake) -> None:
    source = manifest(rolled, "rollup_1m").source(START, LATER)  # type: ignore[union-attr]  # as above
    assert rolled.reader(2).with_sources({"rollup_1m": source or ""}).query("SELECT * FROM rollup_1m").is_empty()


def test_rows_that_wait_in_the_catalog_are_not_forgotten(rolled: Lake) -> None:
    rolled.append(series(1, "power", [1.0] * 5, start_s=400_000), ("main", 2))
    rollups.roll_up(rolled, START + timedelta(days=9), {})
    assert manifest(rolled, "rollup_1m") is None


@pytest.mark.parametrize("hours", [0.1, 12], ids=["a few rows", "many rows"])
def test_deleted_rows_do_not_come_back(rolled: Lake, hours: float) -> None:
    with rolled.writer() as cursor:
        cursor.execute("DELETE FROM lake.rollup_1m WHERE bucket < ?", [at(hours * 3600)])
    assert manifest(rolled, "rollup_1m") is None
    maintenance.compact(rolled)
    found = manifest(rolled, "rollup_1m")
    assert found is None or through_files(rolled) == through_ducklake(rolled)


def test_files_of_other_times_are_left_out(rolled: Lake) -> None:
    found = manifest(rolled, "rollup_1m")
    assert found is not None
    assert len(found.files) == 3
    assert (found.source(START, at(600)) or "").count(".parquet") == 1
    assert found.source(START - timedelta(days=9), START - timedelta(days=8)) is None


def test_an_empty_table_has_none(lake: Lake) -> None:
    assert manifest(lake, "rollup_1m") is None


def test_history_is_the_same_after_every_kind_of_change(rolled: Lake, settings: Settings) -> None:
    def ask(lake: Lake) -> list[tuple[object, ...]]:
        return history(lake, 1, [1], ["power"], START, at(500_000), interval=HOUR).rows()

    first = ask(rolled)
    rolled.append(series(1, "power", [7.0] * 3, start_s=30), ("main", 2))
    with closing(Lake(settings)) as other:
        rollups.roll_up(other, LATER, {})
        expected = ask(other)
        maintenance.compact(other)
        assert ask(other) == expected != first

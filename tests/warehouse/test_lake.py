"""The lake: nothing is half written, nothing is lost when it is away, no reader leaves its factory."""

import pickle
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from tests.helpers import REPOSITORY
from tests.warehouse.frames import START, at, readings, series
from warehouse.errors import LakeBusyError, TenancyError
from warehouse.lake import Lake
from warehouse.readings import KEY
from warehouse.settings import Settings


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def any_lake(request: pytest.FixtureRequest) -> Lake:
    """The lake with its catalog in SQLite and in PostgreSQL."""
    return request.getfixturevalue("lake" if request.param == "sqlite" else "postgresql_lake")  # type: ignore[no-any-return]


def test_readings_and_the_loaders_cursor_are_written_together(any_lake: Lake) -> None:
    any_lake.append(series(1, "power", [1.0] * 300), ("main", 5))
    assert any_lake.loader_position("main") == 5
    assert any_lake.loader_position("other") == 0
    assert any_lake.reader(1).query("SELECT count(*) FROM telemetry").item() == 300


def test_moments_come_back_in_utc(any_lake: Lake) -> None:
    any_lake.append(readings((1, "power", 0.123456, 1.0)))
    frame = any_lake.reader(1).query("SELECT ts FROM telemetry")
    assert frame.schema["ts"] == pl.Datetime("us", "UTC")
    assert frame.item() == START + timedelta(microseconds=123456)


def test_a_reader_sees_its_own_factory_only(any_lake: Lake) -> None:
    any_lake.append(readings((1, "power", 0, 1.0), factory_id=1))
    any_lake.append(readings((2, "power", 0, 2.0), factory_id=2))
    assert any_lake.reader(1).query("SELECT value FROM telemetry").to_series().to_list() == [1.0]
    assert any_lake.reader(2).query("SELECT value FROM telemetry").to_series().to_list() == [2.0]
    assert any_lake.reader(3).query("SELECT value FROM telemetry").height == 0


def test_the_factory_column_does_not_exist_for_a_reader(any_lake: Lake) -> None:
    assert "factory_id" not in any_lake.reader(1).query("SELECT * FROM telemetry").columns


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM lake.telemetry", "SELECT * FROM LAKE.telemetry", "SELECT * FROM __ducklake_metadata_lake.ducklake_table"]
)
def test_a_reader_cannot_name_the_lake_itself(lake: Lake, sql: str) -> None:
    with pytest.raises(TenancyError):
        lake.reader(1).query(sql)


def test_existing_keys_are_those_that_the_lake_holds(any_lake: Lake) -> None:
    any_lake.append(series(1, "power", [1.0] * 300))
    asked = readings((1, "power", 0, 0.0), (1, "power", 30, 0.0), (2, "power", 0, 0.0), (1, "voltage", 0, 0.0))
    assert any_lake.existing_keys(asked).rows() == [(1, "power", START)]


def test_recent_keys_are_those_after_each_devices_bound(any_lake: Lake) -> None:
    any_lake.append(readings((1, "power", 0, 1.0), (1, "power", 60, 1.0), (2, "power", 0, 1.0), (3, "power", 60, 1.0)))
    asked = pl.DataFrame({"device_id": [1, 2], "complete_from": [at(30), at(0)]})
    assert any_lake.recent_keys(asked).sort(KEY).rows() == [(1, "power", at(60)), (2, "power", at(0))]


def test_text_readings_are_kept_beside_numbers(any_lake: Lake) -> None:
    frame = readings((1, "program", 0, 0.0)).with_columns(value=pl.lit(None, dtype=pl.Float64), text=pl.lit("O1234"))
    any_lake.append(frame)
    assert any_lake.reader(1).query("SELECT value, text FROM telemetry").rows() == [(None, "O1234")]


@pytest.mark.embedded
def test_a_lake_that_was_moved_away_takes_nothing_and_comes_back_whole(lake: Lake, settings: Settings) -> None:
    lake.append(series(1, "power", [1.0] * 300), ("main", 1))
    folder, away = settings.home / "lake", settings.home / "elsewhere"
    folder.rename(away)
    for _ in range(2):
        with pytest.raises(LakeBusyError):
            lake.append(series(1, "power", [1.0] * 300, start_s=1e5), ("main", 2))
    assert not folder.exists(), "a write must not make the folder anew: it would be in the way of the real one"
    away.rename(folder)
    lake.append(series(1, "power", [1.0] * 300, start_s=1e5), ("main", 2))
    assert lake.loader_position("main") == 2
    assert lake.reader(1).query("SELECT count(*) FROM telemetry").item() == 600


@pytest.mark.embedded
def test_a_lake_that_is_away_at_the_start_is_not_replaced_by_an_empty_one(lake: Lake, settings: Settings) -> None:
    lake.append(readings((1, "power", 0, 1.0)))
    lake.close()
    (settings.home / "lake").rename(settings.home / "elsewhere")
    with pytest.raises(LakeBusyError, match="put it back"):
        Lake(settings).loader_position("main")


WRITER = """
import pickle
import sys
from tests.warehouse.frames import series
from warehouse.lake import Lake
lake = Lake(pickle.loads(bytes.fromhex(sys.argv[1])))
for number in range(15):
    lake.append(series(int(sys.argv[2]), "power", [1.0] * 250, start_s=number * 20_000))
"""


@pytest.mark.slow
def test_two_processes_write_at_once_and_nothing_is_lost(settings: Settings) -> None:
    Lake(settings).append(readings((9, "power", 0, 1.0)))
    # Not multiprocessing: its children run the parent's main module again, which a Streamlit test may have replaced.
    told = pickle.dumps(settings).hex()
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, told, device_id], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
        for device_id in ("1", "2")
    ]
    reader, counts = Lake(settings).reader(1), []
    while any(writer.poll() is None for writer in writers):
        counts.append(reader.query("SELECT count(*) FROM telemetry").item())
    for writer in writers:
        assert (writer.returncode, writer.communicate()[1]) == (0, "")
    assert reader.query("SELECT count(*) FROM telemetry").item() == 2 * 15 * 250 + 1
    assert counts == sorted(counts)


@pytest.mark.embedded
def test_an_installation_in_another_folder_has_its_own_lake(lake: Lake, settings: Settings, tmp_path: Path) -> None:
    lake.append(readings((1, "power", 0, 1.0)))
    other = Lake(settings.model_copy(update={"factoryops_home": tmp_path / "other"}))
    assert other.reader(1).query("SELECT count(*) FROM telemetry").item() == 0
    other.close()


def test_a_read_under_which_the_lake_is_closed_says_that_it_is_away(lake: Lake) -> None:
    with pytest.raises(LakeBusyError), lake.cursor() as cursor:
        lake.close()
        raise duckdb.InvalidInputException("No open result set")
    with lake.cursor() as cursor:
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]

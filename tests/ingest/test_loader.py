"""Each landed reading gets into the lake once, in whatever order it lands, however often, and whatever dies meanwhile."""

import threading
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from ingest.loader import SHARD, Loader, LoaderProcess, run_loader
from tests.helpers import wait_until
from tests.ingest.conftest import Plant, add_devices
from tests.warehouse.frames import START, readings, series
from warehouse import heartbeat, landing, latest
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.errors import LakeBusyError, LeaseLostError
from warehouse.lake import Lake
from warehouse.maintenance import files_a_day
from warehouse.tenancy import system_session

pytestmark = pytest.mark.slow  # a lake of its own for each test
Row = tuple[int, str, float, float]


class Landed:
    """Lands readings as the ingester does, and tells what the lake holds."""

    def __init__(self, plant: Plant, lake: Lake) -> None:
        self.plant, self.lake = plant, lake
        self.clock = ManualClock(START)

    def land(self, *rows: Row) -> None:
        frame = readings(*rows, factory_id=1)
        with system_session(self.plant.db, "land in a test", write=True) as session:
            landing.append(session, frame, len(rows), self.clock.now())
            latest.move_forward(session, latest.newest(frame))

    def loader(self, chunk_rows: int = 300_000) -> Loader:
        return Loader(self.plant.db, self.lake, self.clock, chunk_rows=chunk_rows)

    def values(self) -> list[float]:
        return self.lake.reader(1).query("SELECT value FROM telemetry ORDER BY value")["value"].to_list()


@pytest.fixture
def landed(plant: Plant, lake: Lake) -> Landed:
    return Landed(plant, lake)


def load_all(loader: Loader) -> None:
    while loader.step():
        pass


def test_what_landed_is_in_the_lake(landed: Landed) -> None:
    landed.land((1, "power", 0, 1.0), (2, "power", 0, 2.0))
    landed.land((1, "power", 1, 3.0))
    loader = landed.loader()
    load_all(loader)
    assert landed.values() == [1.0, 2.0, 3.0]
    assert landed.lake.loader_position(SHARD) == loader.position == 2


def test_nothing_new_writes_nothing(landed: Landed) -> None:
    landed.land((1, "power", 0, 1.0))
    loader = landed.loader()
    load_all(loader)
    before = landed.lake.snapshot_id()
    load_all(loader)
    assert landed.lake.snapshot_id() == before


def test_a_reading_that_landed_twice_is_there_once(landed: Landed) -> None:
    loader = landed.loader()
    for _ in range(2):
        landed.land((1, "power", 0, 1.0), (1, "power", 1, 2.0))
        load_all(loader)
    assert landed.values() == [1.0, 2.0]


def test_a_repeat_is_known_after_a_restart(landed: Landed) -> None:
    landed.land((1, "power", 0, 1.0), (1, "power", 1, 2.0))
    load_all(landed.loader())
    landed.land((1, "power", 1, 2.0), (1, "power", 2, 3.0))
    load_all(landed.loader())
    assert landed.values() == [1.0, 2.0, 3.0]


def test_a_late_reading_is_taken_and_its_repeat_is_not(landed: Landed) -> None:
    loader = landed.loader()
    landed.land((1, "power", 7200, 1.0))
    load_all(loader)
    for _ in range(2):
        landed.land((1, "power", 0, 2.0), (1, "power", 5, 3.0))
        load_all(loader)
        load_all(landed.loader())
    assert landed.values() == [1.0, 2.0, 3.0]


def test_a_late_reading_after_a_restart_is_taken_and_its_repeat_is_not(landed: Landed) -> None:
    landed.land((1, "power", 0, 1.0), (1, "power", 20_000, 2.0))
    load_all(landed.loader())
    landed.land((1, "power", 0, 1.0), (1, "power", 1, 3.0), (1, "power", 20_000, 2.0))
    load_all(landed.loader())
    assert landed.values() == [1.0, 2.0, 3.0]


def test_a_long_backlog_is_loaded_in_chunks(landed: Landed) -> None:
    for number in range(60):
        landed.land(*((1, "power", number * 10 + i, float(number * 10 + i)) for i in range(10)))
    loader = landed.loader(chunk_rows=100)
    assert loader.step()
    assert 100 <= len(landed.values()) < 600
    load_all(loader)
    assert landed.values() == [float(n) for n in range(600)]


def test_files_of_many_loads_are_merged_in_between(landed: Landed) -> None:
    loader = landed.loader()
    for number in range(4):
        landed.land(*((1, "power", float(number * 250 + i), 1.0) for i in range(250)))
        load_all(loader)
        landed.land((1, "power", 10_000.0 + number, 1.0))
        load_all(loader)
        loader.merge_when_many(most=3)
    assert loader.files_written == 1, "the fourth; what waits in the catalog is no file"
    assert files_a_day(landed.lake) == 2
    assert len(landed.values()) == 4 * 251


def test_readings_of_a_deleted_device_do_not_stop_the_loader(landed: Landed) -> None:
    frame = readings((99, "power", 0, 1.0), (99, "power", 0, 1.0))
    with system_session(landed.plant.db, "land in a test", write=True) as session:
        landing.append(session, frame, 1, START)
    load_all(landed.loader())
    assert landed.values() == [1.0]


def test_history_that_was_written_past_the_log_is_not_repeated(landed: Landed) -> None:
    """The demo and the backfill write to the lake directly."""
    frame = series(1, "power", [float(n) for n in range(100)], step_s=1)
    landed.lake.append(frame)
    with system_session(landed.plant.db, "newest values in a test", write=True) as session:
        latest.move_forward(session, latest.newest(frame))
    landed.land((1, "power", 99, 99.0), (1, "power", 50, 50.0), (1, "power", 100, 100.0))
    load_all(landed.loader())
    assert landed.values() == [float(n) for n in range(101)]


def test_of_two_loaders_the_second_writes_nothing(landed: Landed) -> None:
    first, second = landed.loader(), landed.loader()
    landed.land((1, "power", 0, 1.0))
    load_all(first)
    load_all(second)
    landed.land((1, "power", 1, 2.0))
    load_all(first)
    landed.land((1, "power", 2, 3.0))
    with pytest.raises(LeaseLostError):
        second.step()
    load_all(second)
    assert landed.values() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("happened", [True, False])
def test_a_commit_of_which_nobody_knows_whether_it_happened(landed: Landed, monkeypatch: pytest.MonkeyPatch, happened: bool) -> None:
    loader = landed.loader()
    landed.land((1, "power", 0, 1.0))
    load_all(loader)
    real = landed.lake.append

    def unsure(fresh: pl.DataFrame, **cursor: object) -> None:
        if happened:
            real(fresh, **cursor)  # type: ignore[arg-type]
        raise LakeBusyError("the connection broke")

    landed.land((1, "power", 0, 1.0), (1, "power", 1, 2.0))
    monkeypatch.setattr(landed.lake, "append", unsure)
    with pytest.raises(LakeBusyError):
        loader.step()
    monkeypatch.undo()
    landed.land((1, "power", 1, 2.0), (1, "power", 2, 3.0))
    load_all(loader)
    assert landed.values() == [1.0, 2.0, 3.0]


def test_with_both_storages_in_postgresql(postgresql_database: Database, postgresql_lake: Lake, plant: Plant) -> None:
    add_devices(postgresql_database, "M01")
    landed = Landed(Plant(plant.settings, postgresql_database, {"M01": 1}), postgresql_lake)
    for _ in range(2):
        landed.land((1, "power", 7200, 1.0), (1, "speed", 7200, 2.0))
        landed.land((1, "power", 0, 3.0))
        load_all(landed.loader())
    assert landed.values() == [1.0, 2.0, 3.0]


def run(plant: Plant) -> tuple[threading.Thread, threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=run_loader, args=(plant.settings, stop))
    thread.start()
    return thread, stop


def test_the_process_loads_by_itself_and_stops_at_once(landed: Landed) -> None:
    thread, stop = run(landed.plant)
    landed.land((1, "power", 0, 1.0))
    wait_until(lambda: landed.values() == [1.0])
    wait_until(lambda: [beat.name for beat in heartbeat.heartbeats(landed.plant.db)] == ["loader"])
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert heartbeat.heartbeats(landed.plant.db) == []


def test_a_second_process_waits_and_takes_over(landed: Landed) -> None:
    first, stop_first = run(landed.plant)
    landed.land((1, "power", 0, 1.0))
    wait_until(lambda: landed.values() == [1.0])
    second, stop_second = run(landed.plant)
    stop_first.set()
    first.join(5)
    landed.land((1, "power", 1, 2.0))
    wait_until(lambda: landed.values() == [1.0, 2.0])
    stop_second.set()
    second.join(5)


def test_the_landing_log_is_trimmed_behind_all_who_read_it_only(landed: Landed, plant: Plant) -> None:
    process = LoaderProcess(plant.settings, landed.clock)
    for second in range(4):
        landed.land((1, "power", second, float(second)))
        landed.clock.advance(timedelta(minutes=10))
    load_all(process._loader)
    landed.clock.advance(timedelta(minutes=plant.settings.landing_keep_minutes))

    def kept() -> list[int]:
        process._trim_at = 0.0
        process._trim_when_due()
        with system_session(plant.db, "read in a test") as session:
            return [batch.position for batch in landing.read_after(session, 0)]

    assert kept() == [1, 2, 3, 4]  # the evaluator has not come by yet
    with system_session(plant.db, "evaluate in a test", write=True) as session:
        landing.move_cursor(session, "evaluator", 0, 3)
    assert kept() == [4]
    process._db.dispose()
    process._lake.close()


def test_young_batches_are_kept(landed: Landed, plant: Plant) -> None:
    process = LoaderProcess(plant.settings, landed.clock)
    landed.land((1, "power", 0, 1.0))
    load_all(process._loader)
    with system_session(plant.db, "evaluate in a test", write=True) as session:
        landing.move_cursor(session, "evaluator", 0, 1)
    process._trim_when_due()
    with system_session(plant.db, "read in a test") as session:
        assert landing.head(session) == 1
        assert len(landing.read_after(session, 0)) == 1
    process._db.dispose()
    process._lake.close()


def test_while_the_lake_is_away_nothing_is_lost(landed: Landed, plant: Plant) -> None:
    loader = landed.loader()
    landed.land((1, "power", 0, 1.0))
    load_all(loader)
    folder = plant.settings.catalog_path.parent
    away = folder.with_name("moved")
    folder.rename(away)
    landed.land((1, "power", 1, 2.0))
    for _ in range(2):
        with pytest.raises(LakeBusyError):
            loader.step()
    assert not Path(folder).exists()
    away.rename(folder)
    load_all(loader)
    assert landed.values() == [1.0, 2.0]

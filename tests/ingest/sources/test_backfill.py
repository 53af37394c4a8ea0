"""A history file becomes readings like those of machines: once, with its marks, and next to a loader that is at work."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from ingest import reasons
from ingest.loader import Loader
from ingest.sources.backfill import BackfillResult, backfill
from ingest.sources.history import NOT_A_ROW, HistoryFile
from ingest.sources.judged import packed, true_lines
from tests.warehouse.frames import START, at, readings
from warehouse import landing, latest
from warehouse.clock import ManualClock
from warehouse.errors import BackfilledError
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.progress import BACKFILL
from warehouse.retention import set_retention
from warehouse.rollups import all_marks
from warehouse.tenancy import system_session

pytestmark = pytest.mark.slow
HEADER = "ts,device,temp,state\n"


def run(plant: Installation, path: Path, text: str, **options: object) -> BackfillResult:
    path.write_text(text)
    return backfill(plant, 1, HistoryFile(path), **options)  # type: ignore[arg-type]


def stored(plant: Installation, factory_id: int = 1) -> list[tuple[object, ...]]:
    return plant.lake.reader(factory_id).query("SELECT device_id, parameter, ts, value, text FROM telemetry ORDER BY ALL").rows()


def lines(count: int, device: str = "M1", start_s: int = -7200) -> str:
    return "".join(f"{at(start_s + i).isoformat()},{device},{i},running\n" for i in range(count))


def test_twice_is_the_same_as_once(plant: Installation, tmp_path: Path) -> None:
    text = HEADER + lines(50) + lines(3)
    first = run(plant, tmp_path / "h.csv", text)
    assert (first.rows, first.added, first.repeated, first.present, first.rejected) == (106, 100, 6, 0, {})
    before = stored(plant)
    again = run(plant, tmp_path / "h.csv", text)
    assert (again.added, again.repeated, again.present) == (0, 6, 100)
    assert stored(plant) == before
    assert len(before) == 100


def test_the_hours_are_marked_and_live_values_and_parameters_follow(plant: Installation, tmp_path: Path) -> None:
    run(plant, tmp_path / "h.csv", HEADER + lines(2))
    hours = {row["bucket"] for row in all_marks(plant.lake).rows.iter_rows(named=True)}
    assert hours == {START - timedelta(hours=3), START - timedelta(hours=2)}
    with system_session(plant.db, "test") as session:
        values = session.connection().exec_driver_sql("SELECT parameter_key, value, text FROM latest_values ORDER BY 1").fetchall()
        types = session.connection().exec_driver_sql("SELECT parameter_key, data_type FROM device_parameters ORDER BY 1").fetchall()
    assert [tuple(row) for row in values] == [("state", None, "running"), ("temp", 1.0, None)]
    assert [row[0] for row in types] == ["state", "temp"]
    assert types[0][1] == "string"


def test_a_dry_run_tells_the_same_and_writes_nothing(plant: Installation, tmp_path: Path) -> None:
    plant.lake.append(readings((1, "temp", -7200, 0.0)))
    told = run(plant, tmp_path / "h.csv", HEADER + lines(5) + "nope,M1,1,\n", dry_run=True)
    assert (told.added, told.present, told.rejected) == (9, 1, {reasons.BAD_TIMESTAMP: 1})
    assert len(stored(plant)) == 1
    done = run(plant, tmp_path / "h.csv", HEADER + lines(5) + "nope,M1,1,\n")
    assert (done.added, done.present, done.rejected) == (told.added, told.present, told.rejected)


def test_every_refused_row_is_reported_with_line_and_reason(plant: Installation, tmp_path: Path) -> None:
    rows = {
        2: (f"{at(-60).isoformat()},M1,1,", ""),
        3: ("1,2", NOT_A_ROW),
        4: ("never,M1,1,", reasons.BAD_TIMESTAMP),
        5: (f"{at(-60).isoformat()},S1,1,", reasons.UNKNOWN_DEVICE),
        6: (f"{at(-50).isoformat()},M1,hot,", reasons.NOT_A_NUMBER),
        7: (f"{at(-40).isoformat()},M1,nan,", reasons.NOT_A_NUMBER),
        8: (f"{at(400).isoformat()},M1,1,", reasons.CLOCK),
        9: ("2025-01-01T00:00:00Z,M1,1,", reasons.TOO_OLD),
        10: (f"{at(-60).isoformat()},M1,,{'x' * 1001}", reasons.BAD_TEXT),
    }
    text = HEADER + "".join(f"{line}\n" for line, _ in rows.values())
    done = run(plant, tmp_path / "h.csv", text, report=tmp_path / "r.csv")
    told = pl.read_csv(tmp_path / "r.csv")
    assert dict(told.select("line", "reason").iter_rows()) == {number: reason for number, (_, reason) in rows.items() if reason}
    assert all(told["explanation"].str.len_chars() > 20)
    assert (done.added, sum(done.rejected.values()), done.unknown_devices) == (1, 8, {"S1": 1})


def test_a_narrow_file_refuses_rows_without_value_or_parameter(plant: Installation, tmp_path: Path) -> None:
    done = run(plant, tmp_path / "h.csv", f"ts,device,parameter,value\n{START.isoformat()},M1,temp,\n{START.isoformat()},M1,,5\n")
    assert done.rejected == {reasons.BAD_PARAMETER: 1, reasons.NULL_VALUE: 1}


def test_readings_that_would_expire_are_refused_so_that_rollups_never_count_them_twice(plant: Installation, tmp_path: Path) -> None:
    text = f"{HEADER}{(START - timedelta(days=40)).isoformat()},M1,1,\n"
    assert run(plant, tmp_path / "h.csv", text).rejected == {reasons.TOO_OLD: 1}
    set_retention(plant.db, 1, "raw", 60)
    assert run(plant, tmp_path / "h.csv", text).added == 1


def land(plant: Installation, frame: pl.DataFrame) -> None:
    with system_session(plant.db, "test", write=True) as session:
        landing.append(session, frame, frame.height, plant.clock.now())
        latest.move_forward(session, latest.newest(frame))


def test_a_loader_at_work_sees_what_a_file_brought(plant: Installation, tmp_path: Path, manual_clock: ManualClock) -> None:
    loader = Loader(plant.db, plant.lake, manual_clock)
    land(plant, readings((1, "temp", -100, 1.0)))
    loader.step()
    run(plant, tmp_path / "h.csv", HEADER + f"{at(-90).isoformat()},M1,2,\n{at(-80).isoformat()},M1,3,\n")
    # The machine sends again what the file held already: newer than all that the loader had seen.
    land(plant, readings((1, "temp", -90, 2.0), (1, "temp", -80, 3.0), (1, "temp", -70, 4.0)))
    while loader.step():
        pass
    assert [row[3] for row in stored(plant)] == [1.0, 2.0, 3.0, 4.0]


def test_what_looked_at_the_lake_before_a_file_came_cannot_write(lake: Lake) -> None:
    lake.append(readings((1, "temp", 0, 1.0)), (BACKFILL, 1))
    with pytest.raises(BackfilledError):
        lake.append(readings((1, "temp", 1, 1.0)), ("main", 5), after=0, backfills=0)
    lake.append(readings((1, "temp", 1, 1.0)), ("main", 5), after=0, backfills=1)
    assert lake.loader_position("main") == 5


def test_a_foreign_factorys_machine_gets_nothing(plant: Installation, tmp_path: Path) -> None:
    done = run(plant, tmp_path / "h.csv", HEADER + lines(3, device="S1"))
    assert (done.added, done.rejected) == (0, {reasons.UNKNOWN_DEVICE: 6})
    assert stored(plant, 2) == []


def test_nothing_of_a_run_stays_behind(plant: Installation, tmp_path: Path) -> None:
    run(plant, tmp_path / "h.csv", HEADER + lines(3))
    assert list((plant.settings.home / "tmp").iterdir()) == []


def test_windows_keep_within_a_day_and_about_the_size() -> None:
    hours = [(START + timedelta(hours=number), 10) for number in range(20)]
    found = packed(hours, 35)
    assert all(rows <= 35 and (end - start) <= timedelta(hours=3) for start, end, rows in found)
    assert sum(rows for _, _, rows in found) == 200
    assert all(start.date() == (end - timedelta(microseconds=1)).date() for start, end, _ in found)


def test_lines_are_counted_with_those_that_are_none() -> None:
    assert true_lines(pl.Series([2, 3, 4, 5]), pl.Series([5, 3])).to_list() == [2, 4, 6, 7]

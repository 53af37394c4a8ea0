"""kill -9 at random moments of rollup, compaction and expiry: nothing is lost, no window is half replaced, and the next run repairs."""

import multiprocessing
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.helpers import wait_until
from tests.warehouse.frames import START, at, series
from tests.warehouse.victims import kill_during
from warehouse import maintenance, rollups
from warehouse.lake import Lake
from warehouse.marks import FIGURES
from warehouse.settings import Settings

pytestmark = pytest.mark.slow
LATER = START + timedelta(days=5)
LEVELS = ("1m", "5m", "1h", "1d")
EVERYTHING = "SELECT device_id, parameter, ts, value FROM telemetry ORDER BY ALL"


def _roll(settings: Settings) -> None:
    rollups.roll_up(Lake(settings), LATER, {})


def _compact(settings: Settings) -> None:
    maintenance.compact(Lake(settings))


def _expire(settings: Settings) -> None:
    lake = Lake(settings)
    maintenance.expire_readings(lake, LATER - timedelta(days=4))
    maintenance.expire_snapshots(lake, LATER + timedelta(days=1))
    maintenance.delete_orphans(lake, LATER + timedelta(days=1))


@contextmanager
def opened(settings: Settings) -> Iterator[Lake]:
    """Opened anew: what another process did must be seen without anything remembered."""
    with closing(Lake(settings)) as lake:
        yield lake


def fill(settings: Settings, loads: int = 8) -> pl.DataFrame:
    """A day and a half of three machines in many small files; returns all readings."""
    with opened(settings) as lake:
        for number in range(loads):
            lake.append(series(number % 3, "power", [float(i) for i in range(480)], step_s=30, start_s=number * 14_400), ("main", number))
        return lake.reader(1).query(EVERYTHING)


def wrong(lake: Lake) -> dict[str, int]:
    """By level, readings that rollups do not count."""
    found = {level: rollups.missing_readings(lake, level, START - timedelta(hours=8), at(400_000)) for level in LEVELS}
    return {level: missing for level, missing in found.items() if missing}


def test_a_rollup_that_is_killed_again_and_again_ends_complete(settings: Settings, tmp_path: Path) -> None:
    written = fill(settings)
    for _ in range(2):
        kill_during(_roll, settings, flag=tmp_path / "begun", within_s=0.7)
        with opened(settings) as lake, lake.cursor() as cursor:
            # Levels of a window are written together: what one holds, the others hold.
            counts = {cursor.execute(f"SELECT coalesce(sum(count), 0) FROM lake.rollup_{level}").fetchall()[0][0] for level in LEVELS[:3]}
            assert len(counts) == 1
    with opened(settings) as lake:
        rollups.roll_up(lake, LATER, {})
        assert wrong(lake) == {}
        assert set(rollups.all_marks(lake).rows["level"]) == set(FIGURES), "what is left waits for the figures of days"
        assert lake.reader(1).query(EVERYTHING).equals(written)


def test_a_compaction_that_is_killed_again_and_again_loses_nothing(settings: Settings, tmp_path: Path) -> None:
    written = fill(settings)
    for _ in range(2):
        kill_during(_compact, settings, flag=tmp_path / "begun", within_s=0.7)
        with opened(settings) as lake:
            assert lake.reader(1).query(EVERYTHING).equals(written)
    with opened(settings) as lake:
        maintenance.compact(lake)
        days = written.select(pl.col("ts").dt.date().n_unique()).item()
        assert maintenance.live_files(lake) == days
        assert lake.reader(1).query(EVERYTHING).equals(written)


def test_an_expiry_that_is_killed_again_and_again_takes_only_what_is_old(settings: Settings, tmp_path: Path) -> None:
    written = fill(settings)
    cut = LATER - timedelta(days=4)
    kept = written.filter(pl.col("ts") >= cut)
    assert 0 < kept.height < written.height
    with opened(settings) as lake:
        rollups.roll_up(lake, LATER, {})
    for _ in range(2):
        kill_during(_expire, settings, flag=tmp_path / "begun", within_s=0.7)
        with opened(settings) as lake:
            assert lake.reader(1).query(EVERYTHING).filter(pl.col("ts") >= cut).equals(kept)
    _expire(settings)
    with opened(settings) as lake:
        assert lake.reader(1).query(EVERYTHING).equals(kept)
        counted = lake.reader(1).query("SELECT sum(count)::BIGINT AS n FROM rollup_1m").item()
        assert counted == written.height, "the rollups are all that is left of what has expired"
        assert lake.snapshot_id() > 0


def _roll_up_and_down(settings: Settings, end: Path) -> None:
    """Replaces the same windows again and again, with other readings each time."""
    with closing(Lake(settings)) as lake:
        number = 0
        while not end.exists():
            number += 1
            lake.append(pl.concat([series(device, "power", [1.0], start_s=3600 * hour + number) for device in (1, 2) for hour in range(6)]))
            rollups.roll_up(lake, LATER, {})


def test_a_reader_never_sees_a_half_replaced_window(settings: Settings, tmp_path: Path) -> None:
    """Six hours of two machines are one window: each replacement adds twelve readings at once, in each level."""
    end = tmp_path / "end"
    with opened(settings) as lake:
        lake.append(series(1, "power", [1.0]))
        worker = multiprocessing.get_context("spawn").Process(target=_roll_up_and_down, args=(settings, end))
        worker.start()
        question = " UNION ALL ".join(
            f"SELECT '{level}' AS level, coalesce(sum(count), 0)::BIGINT AS n FROM rollup_{level}" for level in LEVELS[:3]
        )
        seen: list[set[int]] = []

        def looked() -> bool:
            seen.append(set(lake.reader(1).query(question)["n"].to_list()))
            return len({number for numbers in seen for number in numbers}) > 2

        try:
            wait_until(looked, timeout_s=90, message="two replacements were seen")
        finally:
            end.touch()
            worker.join()
        assert all(len(numbers) == 1 for numbers in seen), "all levels of a window stand or fall together"
        assert all(number == 0 or (number - 1) % 12 == 0 for numbers in seen for number in numbers)

"""Facts about readings that checks are made of."""

from datetime import timedelta

import polars as pl

from tests.warehouse.frames import START, at, readings, series
from warehouse.lake import Lake
from warehouse.lake_checks import count_facts, reading_facts, wrong_hours
from warehouse.rollups import roll_up


def test_repeats_and_wrong_clocks_are_counted(lake: Lake) -> None:
    lake.append(readings((1, "power", 0, 1.0), (2, "power", 0, 1.0)))
    lake.append(pl.concat([readings((1, "power", 0, 2.0)), readings((3, "power", 600, 1.0), received_s=0)]), ("main", 1))
    found = reading_facts(lake, START, at(3600))
    assert (found.readings, found.repeated) == (4, 1)
    assert (found.machines, found.machines_ahead, found.ahead_of_time) == (3, 1, 1)


def test_counts_beside_the_day_before_and_machines_that_fell_silent(lake: Lake) -> None:
    lake.append(series(1, "power", [1.0] * 10, start_s=-86_400))
    lake.append(series(1, "power", [1.0] * 4))
    lake.append(series(2, "power", [1.0] * 3, start_s=-7200))
    found = count_facts(lake, START, START + timedelta(hours=1))
    assert (found.readings, found.day_before, found.silent_machines, found.machines) == (4, 10, (2,), 2)


def test_a_rollup_that_differs_from_the_readings_is_found(lake: Lake) -> None:
    lake.append(series(1, "power", [1.0, 2.0, 3.0]))
    end = START + timedelta(hours=1)
    assert [wrong_hours(lake, level, START, end) for level in ("1m", "1h")] == [1, 1], "nothing is rolled up yet"
    roll_up(lake, START + timedelta(hours=2), {})
    assert [wrong_hours(lake, level, START, end) for level in ("1m", "5m", "1h")] == [0, 0, 0]
    with lake.writer() as cursor:
        cursor.execute("UPDATE lake.rollup_1h SET sum = sum + 1")
    assert [wrong_hours(lake, level, START, end) for level in ("1m", "1h")] == [0, 1]

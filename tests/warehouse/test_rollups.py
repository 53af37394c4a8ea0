"""Rollups equal the raw readings that they sum up, however often they are made."""

import pytest

from tests.warehouse.frames import START, at, readings, series
from warehouse.errors import InvalidInputError
from warehouse.lake import Lake
from warehouse.rollups import replace_window


def test_a_bucket_holds_what_raw_readings_give(lake: Lake) -> None:
    lake.append(series(1, "power", [4.0, 1.0, 7.0, 2.0], step_s=900))
    assert replace_window(lake, "1h", START, at(3600)) == 1
    columns = "device_id, parameter, bucket, count, min, max, mean, sum, first, last"
    assert lake.reader(1).query(f"SELECT {columns} FROM rollup_1h").rows() == [(1, "power", START, 4, 1.0, 7.0, 3.5, 14.0, 4.0, 2.0)]


def test_making_a_window_twice_changes_nothing(lake: Lake) -> None:
    lake.append(series(1, "power", [1.0] * 120))
    assert replace_window(lake, "1h", START, at(7200)) == replace_window(lake, "1h", START, at(7200)) == 2
    assert lake.reader(1).query("SELECT count(*), sum(count) FROM rollup_1h").rows() == [(2, 120)]


def test_late_readings_are_in_after_the_window_is_made_again(lake: Lake) -> None:
    lake.append(readings((1, "power", 0, 1.0)))
    replace_window(lake, "1m", START, at(60))
    lake.append(readings((1, "power", 30, 3.0)))
    replace_window(lake, "1m", START, at(60))
    assert lake.reader(1).query("SELECT mean, count FROM rollup_1m").rows() == [(2.0, 2)]


def test_other_windows_stay_as_they_are(lake: Lake) -> None:
    lake.append(series(1, "power", [1.0] * 120))
    replace_window(lake, "1h", START, at(7200))
    replace_window(lake, "1h", at(3600), at(7200))
    assert lake.reader(1).query("SELECT count(*) FROM rollup_1h").item() == 2


def test_factories_are_rolled_up_apart(lake: Lake) -> None:
    lake.append(readings((1, "power", 0, 1.0), factory_id=1))
    lake.append(readings((2, "power", 0, 5.0), factory_id=2))
    replace_window(lake, "1h", START, at(3600))
    assert lake.reader(2).query("SELECT mean FROM rollup_1h").item() == 5.0


@pytest.mark.parametrize(("level", "end"), [("2h", at(7200)), ("1h", START)])
def test_a_wrong_level_or_window_is_refused(lake: Lake, level: str, end: object) -> None:
    with pytest.raises(InvalidInputError):
        replace_window(lake, level, START, end)  # type: ignore[arg-type]

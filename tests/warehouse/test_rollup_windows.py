"""Which windows of rollups to compute anew, and whether they are complete."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.warehouse.frames import START, at, readings
from warehouse.lake import Lake
from warehouse.readings import epoch
from warehouse.rollups import by_day, missing_readings, replace_window, touched_hours, windows

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("hours", "joined"),
    [
        ([], []),
        ([0], [(0, 1)]),
        ([0, 1, 2], [(0, 3)]),
        ([5, 0, 1, 1], [(0, 2), (5, 6)]),
    ],
)
def test_neighbouring_hours_become_one_window(hours: list[int], joined: list[tuple[int, int]]) -> None:
    assert windows(START + HOUR * hour for hour in hours) == [(START + HOUR * first, START + HOUR * last) for first, last in joined]


def test_a_window_is_cut_at_midnights() -> None:
    day = datetime(2026, 1, 5, tzinfo=UTC)
    assert by_day(day, day + timedelta(days=2)) == [(day, day + timedelta(days=1)), (day + timedelta(days=1), day + timedelta(days=2))]
    assert by_day(day + HOUR, day + HOUR * 2) == [(day + HOUR, day + HOUR * 2)]


def test_hours_for_which_something_arrived(lake: Lake) -> None:
    assert touched_hours(lake, epoch()) == ([], None)
    lake.append(readings((1, "power", 0, 1.0), (1, "power", 7200, 1.0)))
    hours, newest = touched_hours(lake, epoch())
    assert hours == [START, START + HOUR * 2]
    assert newest is not None
    assert touched_hours(lake, newest) == ([], None)


def test_readings_that_a_rollup_does_not_count_are_found(lake: Lake) -> None:
    lake.append(readings((1, "power", 0, 1.0), (1, "power", 60, 1.0)))
    assert missing_readings(lake, "1h", START, START + HOUR) == 2
    replace_window(lake, "1h", START, START + HOUR)
    assert missing_readings(lake, "1h", START, START + HOUR) == 0
    lake.append(readings((1, "power", 120, 1.0)))
    assert missing_readings(lake, "1h", at(0), at(3600)) == 1

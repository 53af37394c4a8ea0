"""Where a range is answered from; hours are numbered from 08:00."""

from datetime import timedelta

import pytest

from tests.warehouse.frames import START, at
from warehouse.queries.plan import plan

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
FAR = START + timedelta(days=9)


def hours(*ranges: tuple[float, float]) -> tuple[tuple[object, object], ...]:
    return tuple((at(begin * 3600), at(end * 3600)) for begin, end in ranges)


@pytest.mark.parametrize(
    ("begin", "end", "open_hours", "rollup", "raw"),
    [
        (0, 5, [], [(0, 5)], []),
        (0.5, 4.5, [], [(1, 4)], [(0.5, 1), (4, 4.5)]),
        (0, 5, [2], [(0, 2), (3, 5)], [(2, 3)]),
        (0, 5, [0, 4, 9], [(1, 4)], [(0, 1), (4, 5)]),
        (0.2, 0.9, [], [], [(0.2, 0.9)]),
        (0, 20, [1, 3, 5, 7, 9, 11, 13], [(0, 1), (14, 20)], [(1, 14)]),
    ],
    ids=["whole hours", "ends between hours", "a marked hour", "marked ends", "within an hour", "many holes become one"],
)
def test_hours_come_from_rollups_where_they_stand(begin: float, end: float, open_hours: list[int], rollup: object, raw: object) -> None:
    found = plan(at(begin * 3600), at(end * 3600), HOUR, [START + HOUR * h for h in open_hours], FAR)
    assert (found.rollup, found.raw) == (hours(*rollup), hours(*raw))  # type: ignore[misc]


def test_the_running_hour_comes_from_readings() -> None:
    found = plan(START, at(3 * 3600), HOUR, [], START + HOUR * 2)
    assert (found.rollup, found.raw) == (hours((0, 2)), hours((2, 3)))


@pytest.mark.parametrize(
    ("interval", "level"), [(MINUTE, "1m"), (MINUTE * 10, "5m"), (MINUTE * 7, "1m"), (HOUR * 4, "1h"), (timedelta(seconds=30), "")]
)
def test_the_coarsest_level_that_divides_the_interval_is_taken(interval: timedelta, level: str) -> None:
    assert plan(START, START + HOUR * 48, interval, [], FAR).level == level

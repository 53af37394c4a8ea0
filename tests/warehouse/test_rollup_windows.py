"""Which windows of rollups to compute anew, and whether they are complete."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from tests.warehouse.frames import START, at, readings, series
from warehouse.lake import Lake
from warehouse.rollups import all_marks, by_day, is_due, local_day_end, missing_readings, replace_window, roll_up, squeeze_marks, windows

HOUR = timedelta(hours=1)
LATER = START + timedelta(days=3)


def marked_hours(lake: Lake) -> list[datetime]:
    """Of hours and days that rollups wait for."""
    return all_marks(lake).rows.filter(pl.col("level").is_in(["hour", "day"]))["bucket"].to_list()


@pytest.mark.parametrize(
    ("hours", "joined"),
    [([], []), ([0], [(0, 1)]), ([0, 1, 2], [(0, 3)]), ([5, 0, 1, 1], [(0, 2), (5, 6)]), (range(30), [(0, 24), (24, 30)])],
)
def test_neighbouring_hours_become_one_window_of_at_most_a_day(hours: list[int], joined: list[tuple[int, int]]) -> None:
    assert windows(START + HOUR * hour for hour in hours) == [(START + HOUR * first, START + HOUR * last) for first, last in joined]


def test_a_window_is_cut_at_midnights() -> None:
    day = datetime(2026, 1, 5, tzinfo=UTC)
    assert by_day(day, day + timedelta(days=2)) == [(day, day + timedelta(days=1)), (day + timedelta(days=1), day + timedelta(days=2))]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_a_day_in_a_time_zone_has_its_own_length(day: str, hours: int) -> None:
    begin = datetime.fromisoformat(f"{day}T00:00:00+00:00") - timedelta(hours=2 if day in {"2026-06-01", "2026-10-25"} else 1)
    assert local_day_end(begin, "Europe/Berlin") - begin == HOUR * hours


def test_a_load_marks_the_hours_that_it_changes(lake: Lake) -> None:
    lake.append(readings((1, "power", 600, 1.0)))
    lake.append(readings((1, "power", 7200, 1.0)))
    assert marked_hours(lake) == [START, START + HOUR, START + HOUR * 2], "a reading soon after the hour changes the hour before as well"


def test_a_pass_takes_the_marks_of_what_has_ended(lake: Lake) -> None:
    lake.append(readings((1, "power", 600, 1.0), (1, "power", 4200, 1.0)))
    during_the_second_hour = at(5000)
    assert is_due(all_marks(lake), during_the_second_hour)
    roll_up(lake, during_the_second_hour, {})
    assert marked_hours(lake) == [datetime(2026, 1, 5, tzinfo=UTC), START + HOUR], "the day and the hour that still run"
    assert not is_due(all_marks(lake), during_the_second_hour)
    assert lake.reader(1).query("SELECT count(*) FROM rollup_1h").item() == 1
    roll_up(lake, LATER, {})
    assert marked_hours(lake) == []
    assert lake.reader(1).query("SELECT sum(count) FROM rollup_1d").item() == 2


def test_a_late_reading_opens_its_hour_and_day_again_and_no_other(lake: Lake) -> None:
    lake.append(series(1, "power", [1.0] * 400, step_s=60))
    roll_up(lake, LATER, {})
    lake.append(readings((1, "power", 7230, 9.0)), ("main", 1))
    done = roll_up(lake, LATER, {})
    assert (done.hours, done.days) == (2, 1)
    assert missing_readings(lake, "1m", START, at(86400)) == missing_readings(lake, "1h", START, at(86400)) == 0
    assert lake.reader(1).query("SELECT sum(count), max(max) FROM rollup_1d").rows() == [(401, 9.0)]


def test_marks_of_a_load_that_comes_during_a_pass_stay(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.append(readings((1, "power", 600, 1.0)))
    from warehouse import rollups

    compute = rollups._minutes

    def load_in_between(*arguments: object) -> object:
        found = compute(*arguments)  # type: ignore[arg-type]
        monkeypatch.undo()
        lake.append(readings((1, "power", 660, 3.0)), ("main", 1))
        return found

    monkeypatch.setattr(rollups, "_minutes", load_in_between)
    roll_up(lake, LATER, {})
    assert START in marked_hours(lake)
    roll_up(lake, LATER, {})
    assert lake.reader(1).query("SELECT count FROM rollup_1h").item() == 2


def test_marks_are_squeezed_to_one_a_bucket(lake: Lake) -> None:
    for position in range(6):
        lake.append(readings((1, "power", 600 + position, 1.0)), ("main", position))
    assert squeeze_marks(lake, at=5) == 5
    assert (all_marks(lake).stored, marked_hours(lake)) == (1, [START])


def test_days_are_those_of_the_factory(lake: Lake) -> None:
    lake.append(readings((1, "power", 0, 1.0), (1, "power", 10 * 3600, 5.0)))
    roll_up(lake, LATER, {1: "Asia/Ho_Chi_Minh"})
    assert lake.reader(1).query("SELECT bucket, count FROM rollup_1d ORDER BY bucket").rows() == [
        (datetime(2026, 1, 4, 17, tzinfo=UTC), 1),
        (datetime(2026, 1, 5, 17, tzinfo=UTC), 1),
    ]


def test_an_hour_of_utc_that_lies_on_two_days_opens_both(lake: Lake) -> None:
    zone = "Asia/Kolkata"
    for minute in (10, 50):
        lake.append(readings((1, "power", (10 * 60 + minute) * 60, 1.0)), ("main", minute))
        roll_up(lake, LATER, {1: zone})
    assert lake.reader(1).query("SELECT bucket, count FROM rollup_1d ORDER BY bucket").rows() == [
        (datetime(2026, 1, 4, 18, 30, tzinfo=UTC), 1),
        (datetime(2026, 1, 5, 18, 30, tzinfo=UTC), 1),
    ]


def test_readings_that_a_rollup_does_not_count_are_found(lake: Lake) -> None:
    lake.append(readings((1, "power", 0, 1.0), (1, "power", 60, 1.0)))
    assert missing_readings(lake, "1h", START, START + HOUR) == 2
    replace_window(lake, "1h", START, START + HOUR)
    assert missing_readings(lake, "1h", START, START + HOUR) == 0
    lake.append(readings((1, "power", 120, 1.0)))
    assert missing_readings(lake, "1h", at(0), at(3600)) == 1

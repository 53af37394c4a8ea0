"""Energy on the wall clock of a factory: days, slots, changes of the clock, like days."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from assets.models.energy.days import HOLIDAY, Calendar, Days, days_of, in_utc, like_days

HOUR = timedelta(hours=1)


def readings(begin: datetime, count: int, step: timedelta = HOUR) -> pl.DataFrame:
    moments = [begin + step * at for at in range(count)]
    return pl.DataFrame({"ts": moments, "kwh": np.arange(count, dtype=float)}).cast({"ts": pl.Datetime("us", "UTC")})


def test_slots_are_those_of_the_wall_clock() -> None:
    days = days_of(readings(datetime(2026, 1, 5, 17, tzinfo=UTC), 24), "Asia/Ho_Chi_Minh", HOUR)
    assert days.first == date(2026, 1, 6)
    np.testing.assert_array_equal(days.kwh[0], np.arange(24.0))


def test_what_was_not_measured_is_not_a_number() -> None:
    rows = readings(datetime(2026, 1, 5, tzinfo=UTC), 30).filter(pl.col("kwh") != 3)
    days = days_of(rows, "UTC", HOUR)
    assert np.isnan(days.kwh[0, 3])
    assert np.isnan(days.kwh[1, 6:]).all()
    assert np.isfinite(days.kwh).sum() == 29


def test_the_hour_that_the_clocks_skip_is_missing_and_the_one_they_repeat_is_a_mean() -> None:
    spring = days_of(readings(datetime(2026, 3, 28, 23, tzinfo=UTC), 23), "Europe/Berlin", HOUR)
    assert np.isnan(spring.kwh[0, 2])
    assert np.isfinite(spring.kwh[0]).sum() == 23
    autumn = days_of(readings(datetime(2026, 10, 24, 22, tzinfo=UTC), 25), "Europe/Berlin", HOUR)
    assert autumn.kwh[0, 2] == 2.5
    assert autumn.kwh[0, 23] == 24.0


def test_a_forecast_has_a_value_for_every_interval_of_utc() -> None:
    matrix = np.arange(48.0).reshape(2, 24)
    start = datetime(2026, 10, 24, 22, tzinfo=UTC)
    moments, values = in_utc(date(2026, 10, 25), matrix, "Europe/Berlin", start, start + timedelta(hours=26))
    assert len(moments) == 26
    assert values[:5].tolist() == [0.0, 1.0, 2.0, 2.0, 3.0]
    assert values[-1] == 24.0


def test_like_days_skip_holidays_and_holidays_are_like_sundays() -> None:
    days = Days(date(2026, 1, 5), np.ones((35, 4)))
    calendar = Calendar(frozenset({date(2026, 1, 19), date(2026, 2, 9)}))
    assert calendar.kind(date(2026, 1, 19)) == HOLIDAY
    mondays = like_days(days, calendar, date(2026, 2, 16), 3)
    assert [days.dates[at] for at in mondays] == [date(2026, 2, 2), date(2026, 1, 26), date(2026, 1, 12)]
    free = like_days(days, calendar, date(2026, 2, 9), 4)
    assert [days.dates[at] for at in free] == [date(2026, 1, 19), date(2026, 2, 8), date(2026, 2, 1), date(2026, 1, 25)]


def test_days_that_were_hardly_measured_are_like_nothing() -> None:
    kwh = np.ones((21, 4))
    kwh[14, :3] = np.nan
    found = like_days(Days(date(2026, 1, 5), kwh), Calendar(), date(2026, 1, 26), 6)
    assert found == [7, 0]

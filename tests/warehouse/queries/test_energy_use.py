"""Energy by shift, period and tariff against figures worked out by hand."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from tests.warehouse.frames import START
from warehouse.db import Database
from warehouse.errors import InvalidInputError
from warehouse.queries.energy_use import Band, Comparison, Tariff, by_group, by_shift, carbon_kg, cost, periods
from warehouse.readings import UTC_TIME
from warehouse.shifts import FactoryClock, parse_shifts
from warehouse.tariffs import set_tariff, tariff_of

BERLIN, SAIGON = "Europe/Berlin", "Asia/Ho_Chi_Minh"
HOURS = {"device_id": pl.Int32, "bucket": UTC_TIME, "kwh": pl.Float64}
NIGHT = Tariff("EUR", 0.30, (Band("night", 0.20, begin_hour=0, end_hour=6), Band("weekend", 0.25, weekdays=(5, 6))), 0.4)


def day_of_hours(begin: datetime, count: int = 24, kwh: float = 1.0, device_id: int = 1) -> pl.DataFrame:
    return pl.DataFrame([(device_id, begin + timedelta(hours=i), kwh) for i in range(count)], schema=HOURS, orient="row")


def test_a_night_shift_belongs_to_the_day_on_which_it_began() -> None:
    """Monday 2026-01-05 06:00 to Tuesday 06:00 in Vietnam is one production day of three shifts."""
    found = by_shift(day_of_hours(datetime(2026, 1, 4, 23, tzinfo=UTC)), FactoryClock(SAIGON))
    assert found.rows() == [(date(2026, 1, 5), name, 8.0) for name in ("early", "late", "night")]


def test_the_hour_that_summer_time_repeats_is_counted_twice() -> None:
    found = by_shift(day_of_hours(datetime(2026, 10, 24, 20, tzinfo=UTC), 9), FactoryClock(BERLIN))
    assert found.rows() == [(date(2026, 10, 24), "night", 9.0)]


def test_an_hour_that_a_shift_cuts_is_shared_out_and_gaps_are_told() -> None:
    """06:30-15:00 day, 15:00-23:30 evening; 23:30-06:30 nobody works, counted to the day on which each quarter lies."""
    shifts = parse_shifts(
        [{"name": "evening", "start_time": "15:00", "end_time": "23:30"}, {"name": "day", "start_time": "06:30", "end_time": "15:00"}]
    )
    found = by_shift(day_of_hours(datetime(2026, 1, 5, tzinfo=UTC)), FactoryClock("UTC", shifts))
    monday = date(2026, 1, 5)
    assert found.rows() == [(monday, "day", 8.5), (monday, "evening", 8.5), (monday, "", 7.0)]


def test_shifts_in_a_zone_of_half_hours_are_exact() -> None:
    """06:00 in India is 00:30 UTC, in the middle of an hour of readings."""
    found = by_shift(day_of_hours(datetime(2026, 1, 5, tzinfo=UTC), 1), FactoryClock("Asia/Kolkata"))
    assert found.rows() == [(date(2026, 1, 4), "night", 0.5), (date(2026, 1, 5), "early", 0.5)]


def test_a_tariff_has_a_price_for_every_hour() -> None:
    monday = day_of_hours(datetime(2026, 1, 5, tzinfo=UTC))
    assert cost(monday, NIGHT, "UTC") == {"night": pytest.approx(1.2), "otherwise": pytest.approx(5.4)}
    saturday = day_of_hours(datetime(2026, 1, 10, tzinfo=UTC))
    assert cost(saturday, NIGHT, "UTC") == {"night": pytest.approx(1.2), "weekend": pytest.approx(4.5)}, "the first band that fits counts"
    assert carbon_kg(monday, NIGHT) == pytest.approx(9.6)


def test_energy_by_region_leaves_out_what_is_in_none() -> None:
    hours = pl.concat([day_of_hours(START, 2), day_of_hours(START, 3, device_id=2), day_of_hours(START, 9, device_id=3)])
    assert by_group(hours, {1: "Hall A", 2: "Hall A"}) == {"Hall A": 5.0}


def test_periods_begin_in_the_factorys_time_and_compare_like_with_like() -> None:
    now = datetime(2026, 1, 7, 3, tzinfo=UTC)  # Wednesday 10:00 in Vietnam
    found = periods(now, SAIGON)
    at = {name: (begin.astimezone(UTC), end.astimezone(UTC)) for name, (begin, end) in found.items()}
    assert at["today"] == (datetime(2026, 1, 6, 17, tzinfo=UTC), now)
    assert at["before_today"] == (datetime(2026, 1, 5, 17, tzinfo=UTC), now - timedelta(days=1))
    assert at["week"] == (datetime(2026, 1, 4, 17, tzinfo=UTC), now)
    assert at["before_week"] == (datetime(2025, 12, 28, 17, tzinfo=UTC), now - timedelta(days=7))
    assert at["month"][0] == datetime(2025, 12, 31, 17, tzinfo=UTC)
    assert at["before_month"] == (datetime(2025, 11, 30, 17, tzinfo=UTC), datetime(2025, 12, 7, 3, tzinfo=UTC))


def test_a_change_needs_something_before() -> None:
    assert Comparison(110, 100).change == pytest.approx(0.1)
    assert Comparison(110, 0).change is None


def test_a_tariff_is_kept_a_factory(database: Database) -> None:
    assert tariff_of(database, 1) is None
    set_tariff(database, 1, NIGHT)
    assert tariff_of(database, 1) == NIGHT
    assert tariff_of(database, 2) is None
    with pytest.raises(InvalidInputError, match="weekdays"):
        set_tariff(database, 1, Tariff("EUR", 0.3, (Band("x", 0.1, weekdays=(7,)),)))

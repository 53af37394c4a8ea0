"""A forecast is chosen by what it did on earlier weeks, its intervals hold what they promise, and it never looks ahead."""

from datetime import date, timedelta

import numpy as np
import pytest

from assets.models import judging
from assets.models.energy import forecast as forecasting
from assets.models.energy import lagged
from assets.models.energy.days import Calendar, Days
from assets.models.energy.forecast import BLEND, NAIVE, Remembered, best_pair, candidates, forecast
from assets.models.energy.plain import seasonal_naive, week_median
from assets.models.energy.prophet_model import prophet

FIRST = date(2026, 1, 5)
HOLIDAY = date(2026, 3, 2)


def plant(weeks: int, slots: int = 24, seed: int = 0, noise: float = 0.1) -> Days:
    """Works from 6 to 22 on five days a week, not on holidays; one week in five it stops for a day."""
    rng = np.random.default_rng(seed)
    kwh = np.full((7 * weeks, slots), 1.0)
    for at in range(len(kwh)):
        day = FIRST + timedelta(days=at)
        if day.weekday() < 5 and day != HOLIDAY and rng.random() > 0.04:
            kwh[at, slots // 4 : slots * 22 // 24] = 10.0
    return Days(FIRST, kwh * rng.normal(1, noise, kwh.shape))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasting, "ORIGINS", 3)
    monkeypatch.setattr(lagged, "ROUNDS", 25)
    monkeypatch.setattr(lagged, "MOST_ROWS", 4_000)


def test_the_plain_ones_are_what_they_say() -> None:
    days = plant(8)
    ahead = FIRST + timedelta(weeks=8)
    np.testing.assert_array_equal(seasonal_naive(days, Calendar(), ahead, 7), days.kwh[-7:])
    np.testing.assert_array_equal(week_median(days, Calendar(), ahead, 1)[0], np.median(days.kwh[14::7], axis=0))


def test_a_holiday_is_not_taken_for_a_workday() -> None:
    days = plant(8)
    assert week_median(days, Calendar(frozenset({HOLIDAY})), HOLIDAY, 1)[0].max() < 2
    assert week_median(days, Calendar(), HOLIDAY, 1)[0].max() > 8


def test_the_best_on_earlier_weeks_is_chosen_and_beats_last_week() -> None:
    days = plant(14)
    first = FIRST + timedelta(weeks=13)
    found = forecast([days.until(first)], Calendar(), first, 7, prophet_for=[])[0]
    assert {NAIVE, "week_median", "ridge", "boosting", BLEND} <= set(found.errors)
    assert found.errors[found.model] == min(found.errors.values()) < found.errors[NAIVE]
    truth = days.between(first, 7)
    assert judging.wape(truth, found.kwh) < judging.wape(truth, seasonal_naive(days.until(first), Calendar(), first, 7))
    assert found.origins == 3


def test_intervals_cover_what_they_promise() -> None:
    weeks = 6
    days = plant(20, seed=3)
    inside: dict[int, list[float]] = {80: [], 95: []}
    remembered: Remembered = {}
    for number in range(20 - weeks, 20):
        first = FIRST + timedelta(weeks=number)
        found = forecast([days.until(first)], Calendar(), first, 7, prophet_for=[], remembered=remembered)[0]
        for level, covered in inside.items():
            covered.append(judging.coverage(days.between(first, 7), found.low[level], found.high[level]))
    assert np.mean(inside[80]) == pytest.approx(0.8, abs=0.1)
    assert np.mean(inside[95]) == pytest.approx(0.95, abs=0.05)


def test_what_comes_later_changes_nothing() -> None:
    first = FIRST + timedelta(weeks=10)
    days = plant(12)
    other = Days(days.first, days.kwh.copy())
    other.kwh[70:] = 1e6
    before, after = (forecast([each], Calendar(), first, 7, prophet_for=[])[0] for each in (days, other))
    np.testing.assert_array_equal(before.kwh, after.kwh)
    np.testing.assert_array_equal(before.high[80], after.high[80])


def test_two_weeks_of_history_give_a_median_with_wide_intervals() -> None:
    days = plant(2)
    found = forecast([days], Calendar(), FIRST + timedelta(weeks=2), 3, prophet_for=[])[0]
    assert (found.model, found.errors, found.origins) == ("week_median", {}, 0)
    assert (found.low[95] <= found.low[80]).all()
    assert (found.high[80] > found.kwh).all()


def test_gaps_are_bridged() -> None:
    days = plant(10)
    days.kwh[30:45] = np.nan
    days.kwh[60, 5:20] = np.nan
    found = forecast([days], Calendar(), FIRST + timedelta(weeks=10), 7, prophet_for=[])[0]
    assert np.isfinite(found.kwh).all()
    assert np.isfinite(found.low[80]).all()


def test_a_machine_that_never_ran_is_forecast_as_nothing() -> None:
    found = forecast([Days(FIRST, np.zeros((70, 24)))], Calendar(), FIRST + timedelta(weeks=10), 7, prophet_for=[])[0]
    assert np.abs(found.kwh).max() < 1e-6


def test_series_are_scaled_to_teach_each_other() -> None:
    small, large = plant(10), plant(10)
    large = Days(large.first, large.kwh * 2.0**13)
    found = candidates([small, large], Calendar(), FIRST + timedelta(weeks=10), 7, [])
    np.testing.assert_allclose(found[0]["boosting"] * 2.0**13, found[1]["boosting"], rtol=1e-6)


def test_a_blend_is_of_the_two_best() -> None:
    rng = np.random.default_rng(0)
    truth = [rng.random((7, 24)) for _ in range(3)]
    said = [
        {name: each + rng.normal(0, error, each.shape) for name, error in (("bad", 1.0), ("good", 0.01), ("fair", 0.1))} for each in truth
    ]
    assert best_pair(said, truth, ["bad", "good", "fair"]) == {"good": 0.5, "fair": 0.5}
    assert best_pair(said, truth, ["bad"]) == {"bad": 1.0}


def test_prophet_knows_shifts_and_holidays() -> None:
    days = plant(8)
    earlier = date(2026, 1, 21)
    days.kwh[(earlier - FIRST).days] = 1.0
    calendar = Calendar(frozenset({earlier, date(2026, 3, 4)}))
    found = prophet(days, calendar, date(2026, 3, 2), 3)
    assert found is not None
    assert found[1, 12] == pytest.approx(10, rel=0.25)
    assert found[1, 2] < 3
    assert found[2, 12] < 6

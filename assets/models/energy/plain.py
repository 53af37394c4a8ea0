"""Forecasts that need no learning: the same time last week, and medians of the same times over weeks. Pure."""

from datetime import date, timedelta
from typing import Final

import numpy as np

from assets.models.energy.days import Calendar, Days, Floats, like_days

WEEKS: Final = 6
SHORTEST_MEDIAN: Final = 2


def seasonal_naive(days: Days, calendar: Calendar, first: date, number: int) -> Floats:  # noqa: ARG001  # all forecasts are asked alike
    """What was measured at the same time of the last same weekday; the bar that everything else must pass."""
    no_holidays = Calendar()
    return _rows(days, no_holidays, first, number, 1)


def week_median(days: Days, calendar: Calendar, first: date, number: int, weeks: int = WEEKS) -> Floats:
    """The median of the same time on the last days of the same kind: one odd week does not show."""
    return _rows(days, calendar, first, number, weeks)


def levelled_median(days: Days, calendar: Calendar, first: date, number: int) -> Floats:
    """The median of weeks, scaled half-way to the level of the last week against the weeks before it."""
    base = week_median(days, calendar, first, number)
    last = days.between(first - timedelta(days=7), 7)
    expected = week_median(days.until(first - timedelta(days=7)), calendar, first - timedelta(days=7), 7)
    both = np.isfinite(last) & np.isfinite(expected)
    before = float(expected[both].sum()) if both.any() else 0.0
    ratio = float(last[both].sum()) / before if before > 0 else 1.0
    return base * np.sqrt(np.clip(ratio, 0.25, 4.0))


def spread(days: Days, calendar: Calendar, first: date, number: int) -> Floats:
    """How far the same times lie apart: mean absolute distance from their median over WEEKS, smoothed over an hour and never 0, in kWh."""
    found = np.empty((number, days.slots))
    for at in range(number):
        rows = days.kwh[like_days(days, calendar, first + timedelta(days=at), WEEKS)]
        found[at] = np.nanmean(np.abs(rows - np.nanmedian(rows, axis=0)), axis=0) if _has_all(rows) else np.nan
    typical = float(np.nanmean(np.abs(days.kwh[-7 * WEEKS :]))) if np.isfinite(days.kwh[-7 * WEEKS :]).any() else 1.0
    filled = np.where(np.isfinite(found), found, typical / 2)
    width = max(1, days.slots // 24)
    kernel = np.ones(2 * width + 1) / (2 * width + 1)
    wrapped = np.concatenate([filled[:, -width:], filled, filled[:, :width]], axis=1)
    smooth = np.stack([np.convolve(row, kernel, mode="valid") for row in wrapped])
    return smooth + 0.02 * typical + 1e-9


def _rows(days: Days, calendar: Calendar, first: date, number: int, weeks: int) -> Floats:
    """Medians of like days; where nothing like it was measured, of all days at that time."""
    found = np.empty((number, days.slots))
    recent = days.kwh[-7 * WEEKS :]
    usual = _median(recent) if len(recent) else np.zeros(days.slots)
    usual = np.where(np.isfinite(usual), usual, np.nanmean(recent) if np.isfinite(recent).any() else 0.0)
    for at in range(number):
        rows = days.kwh[like_days(days, calendar, first + timedelta(days=at), weeks)]
        middle = _median(rows) if len(rows) else np.full(days.slots, np.nan)
        found[at] = np.where(np.isfinite(middle), middle, usual)
    return found


def _median(rows: Floats) -> Floats:
    """Along days; NaN where a slot was never measured."""
    empty = ~np.isfinite(rows).any(axis=0)
    filled = np.where(empty, 0.0, rows)
    return np.where(empty, np.nan, np.nanmedian(filled, axis=0))


def _has_all(rows: Floats) -> bool:
    return len(rows) >= SHORTEST_MEDIAN and bool(np.isfinite(rows).any(axis=0).all())

"""Prophet (Taylor and Letham 2018) with the factory's holidays and shifts as regressors, by the hour. Pure.

Its costs are bounded: hours (spread over their slots afterwards) instead of quarters of an hour, ten weeks, no sampling of intervals of
its own (ours are measured).
"""

import logging
import warnings
from datetime import date, datetime, time, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # its types are a package of their own, for this one module

from assets.models.energy.days import HOLIDAY, Calendar, Days, Floats
from assets.models.energy.plain import week_median

WEEKS: Final = 10
LEAST_HOURS: Final = 14 * 24


def prophet(days: Days, calendar: Calendar, first: date, number: int) -> Floats | None:
    """kWh of each slot of `number` days from `first`; None with less than two weeks of hours."""
    # Here and not above: it takes a second and a half, and not everybody who chooses models needs it.
    # It says on import that plotly is not there, and Stan tells of each fit: neither is for anybody.
    for name, level in (("prophet.plot", logging.CRITICAL), ("prophet", logging.WARNING), ("cmdstanpy", logging.WARNING)):
        logging.getLogger(name).setLevel(level)
    from prophet import Prophet  # noqa: PLC0415 - only where it is used

    recent = days.between(first - timedelta(weeks=WEEKS), 7 * WEEKS)
    hours = _by_hour(recent)
    known = np.isfinite(hours)
    if int(known.sum()) < LEAST_HOURS:
        return None
    frame = _frame(first - timedelta(weeks=WEEKS), 7 * WEEKS, calendar)
    frame["y"] = hours.ravel()
    model = Prophet(
        growth="flat", yearly_seasonality=False, daily_seasonality=False, weekly_seasonality=10, uncertainty_samples=0,
        seasonality_prior_scale=5.0,
    )  # fmt: skip
    model.add_seasonality("workday", period=1, fourier_order=8, condition_name="is_workday")
    model.add_seasonality("day_off", period=1, fourier_order=4, condition_name="is_day_off")
    regressors = [name for name in frame.columns if name.startswith(("shift", "holiday"))]
    for name in regressors:
        if frame.loc[known.ravel(), name].nunique() > 1:
            model.add_regressor(name, standardize=False)
    with warnings.catch_warnings():
        # Prophet calls pandas in ways that pandas is going to end; theirs to mend.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        model.fit(frame[known.ravel()])
        ahead = model.predict(_frame(first, number, calendar))["yhat"].to_numpy().reshape(number, 24)
    return _over_slots(np.maximum(ahead, min(0.0, float(np.nanmin(hours)))), days, calendar, first)


def _by_hour(kwh: Floats) -> Floats:
    """Sums of the slots of each hour; NaN where one is missing. Shape (days, 24)."""
    return kwh.reshape(len(kwh), 24, -1).sum(axis=2)


def _frame(first: date, number: int, calendar: Calendar) -> Any:
    begin = datetime.combine(first, time())
    stamps = pd.date_range(begin, periods=24 * number, freq="h")
    kinds = np.repeat([calendar.kind(first + timedelta(days=at)) for at in range(number)], 24)
    is_off = (kinds >= 5).astype(float)
    shift = np.searchsorted(np.array(sorted(calendar.shift_hours)), stamps.hour.to_numpy(), side="right")
    frame = pd.DataFrame(
        {"ds": stamps, "is_workday": is_off == 0, "is_day_off": is_off == 1, "holiday_today": (kinds == HOLIDAY).astype(float)}
    )
    # One shift is left out: the trend's level stands for it.
    for each in range(1, len(calendar.shift_hours)):
        frame[f"shift_{each}"] = ((shift == each) & (is_off == 0)).astype(float)
    return frame


def _over_slots(hours: Floats, days: Days, calendar: Calendar, first: date) -> Floats:
    """Shares of each hour's slots as in the median of the last weeks; even where that is 0."""
    slots = days.slots // 24
    if slots == 1:
        return hours
    shape = week_median(days, calendar, first, len(hours)).reshape(len(hours), 24, slots)
    total = shape.sum(axis=2, keepdims=True)
    share = np.where(total > 0, shape / np.where(total > 0, total, 1.0), 1.0 / slots)
    return (hours[:, :, None] * share).reshape(len(hours), days.slots)

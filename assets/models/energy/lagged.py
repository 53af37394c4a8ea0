"""Forecasts that learn from like days: a ridge regression and gradient boosting on absolute errors, one model for all series at once. Pure.

Each series is divided by its own mean, so that a pump and a press can teach each other. A row is one slot of one day to come, as it was
seen from a day before: what the last like days were at that time, how the last days were in all, and what the calendar says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from assets.models.energy.days import HOLIDAY, Calendar, Days, Floats, like_days

LIKE: Final = 6
LEAST_DAYS: Final = 14
"""Of history before a day that is learned from."""
LOOKS_BACK: Final = 180
"""Days that are learned from at most."""
MOST_ROWS: Final = 60_000
ROUNDS: Final = 120
Fitted = Any


@dataclass(frozen=True)
class Scaled:
    """A series in units of its own mean."""

    days: Days
    scale: float
    daily: Floats
    """Mean of each day, NaN where under half was measured."""


def scaled(days: Days) -> Scaled:
    """Divides by the mean of what was measured; a series of nothing stays as it is."""
    recent = days.kwh[-LOOKS_BACK:]
    scale = float(np.nanmean(np.abs(recent))) if np.isfinite(recent).any() else 1.0
    scale = scale if scale > 0 else 1.0
    own = days.kwh / scale
    known = np.isfinite(own).mean(axis=1) >= 0.5
    daily = np.full(len(own), np.nan)
    daily[known] = np.nanmean(own[known], axis=1)
    return Scaled(Days(days.first, own), scale, daily)


def rows_of(series: Scaled, calendar: Calendar, origin: date, target: date) -> Floats | None:
    """Features of each slot of `target` as they were known when `origin` began, shape (slots, features); None with too little before."""
    known = series.days.until(origin)
    like = like_days(known, calendar, target, LIKE)
    if len(like) < 2:
        return None
    at = known.kwh[like]
    usual = np.nan_to_num(np.nanmedian(np.where(np.isfinite(at).any(axis=0), at, 0.0), axis=0), nan=0.0)
    padded = np.stack([np.where(np.isfinite(at[j]), at[j], usual) if j < len(like) else usual for j in range(LIKE)])
    daily = series.daily[: len(known.kwh)]
    slots = series.days.slots
    angle = 2 * np.pi * np.arange(slots) / slots
    kind = calendar.kind(target)
    flags = [float(calendar.kind(target + timedelta(days=step)) == HOLIDAY) for step in (-1, 0, 1)]
    single = [
        *(_mean(daily[like[:number]]) for number in (1, 2, 4)),
        *(_mean(daily[-number:]) for number in (1, 3, 7, 28)),
        float((target - origin).days), float(kind == 5), float(kind in {6, HOLIDAY}), *flags,
    ]  # fmt: skip
    columns = [
        *padded, np.median(padded[:2], axis=0), np.median(padded[:4], axis=0), usual, _smooth(padded[0]), _smooth(usual),
        padded.min(axis=0), padded.max(axis=0), np.arange(slots) / slots, np.sin(angle), np.cos(angle), np.full(slots, float(kind)),
        _shift(calendar, slots),
    ]  # fmt: skip
    return np.column_stack([*columns, *(np.full(slots, value) for value in single)])


def training(series: Sequence[Scaled], calendar: Calendar, horizon: int, seed: int) -> tuple[Floats, Floats]:
    """Features and measured values (in units of each series' mean), MOST_ROWS at most, seen up to `horizon` days before."""
    rng = np.random.default_rng(seed)
    offered = [
        (number, at)
        for number, each in enumerate(series)
        for at in range(max(LEAST_DAYS, len(each.days.kwh) - LOOKS_BACK), len(each.days.kwh))
    ]
    per_day = max((each.days.slots for each in series), default=1)
    seen_from = max(1, min(4, MOST_ROWS // max(1, per_day * len(offered))))
    wanted = min(len(offered), MOST_ROWS // (per_day * seen_from))
    chosen = rng.choice(len(offered), wanted, replace=False) if wanted < len(offered) else np.arange(len(offered))
    features, values = [], []
    for number, at in (offered[index] for index in np.sort(chosen)):
        own = series[number]
        target = own.days.first + timedelta(days=at)
        for ahead in rng.choice(horizon, min(seen_from, horizon), replace=False):
            found = rows_of(own, calendar, target - timedelta(days=int(ahead)), target)
            if found is not None:
                features.append(found)
                values.append(own.days.kwh[at])
    if not features:
        return np.empty((0, 1)), np.empty(0)
    x, y = np.concatenate(features), np.concatenate(values)
    known = np.isfinite(y) & np.isfinite(x).all(axis=1)
    return x[known], y[known]


def fit_ridge(features: Floats, values: Floats) -> Fitted:
    """Linear in all features."""
    return Ridge(alpha=10.0).fit(features, values)


def fit_boosting(features: Floats, values: Floats, seed: int = 0) -> Fitted:
    """Gradient boosting for the median, which is what an absolute error asks for."""
    return HistGradientBoostingRegressor(
        loss="absolute_error", max_iter=ROUNDS, learning_rate=0.06, max_leaf_nodes=31, min_samples_leaf=60, max_features=0.5,
        random_state=seed, early_stopping=False,
    ).fit(features, values)  # fmt: skip


def predict(fitted: Fitted, series: Scaled, calendar: Calendar, first: date, number: int) -> Floats | None:
    """kWh of each slot of `number` days from `first`, never below 0 where the series never was; None with too little history."""
    rows = [rows_of(series, calendar, first, first + timedelta(days=at)) for at in range(number)]
    if any(each is None for each in rows):
        return None
    stacked = np.nan_to_num(np.concatenate([each for each in rows if each is not None]), nan=0.0)
    found = np.asarray(fitted.predict(stacked)).reshape(number, -1) * series.scale
    lowest = float(np.nanmin(series.days.kwh)) * series.scale
    return np.maximum(found, min(0.0, lowest))


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else 1.0


def _smooth(row: Floats) -> Floats:
    wide = np.concatenate([row[-2:], row, row[:2]])
    return np.convolve(wide, np.full(5, 0.2), mode="valid")


def _shift(calendar: Calendar, slots: int) -> Floats:
    hours = np.arange(slots) * 24 / slots
    return np.searchsorted(np.array(sorted(calendar.shift_hours)), hours, side="right").astype(float)

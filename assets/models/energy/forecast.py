"""The forecast of some series: every candidate tried on the last weeks, the best one taken, intervals as wide as its errors were. Pure.

    backtest   |----- history -----|-- week --|            origin 4 weeks ago: all candidates forecast, errors are kept
               |---------- history ------|-- week --|      3 weeks ago
               ...
    forecast   |------------------- history ----------|== horizon ==|   by the candidate with the least absolute error

Intervals are conformal (Lei et al. 2018): the quantiles of the chosen candidate's own backtest errors, in units of how far the same times
of different weeks lie apart, so that a quiet night gets a narrow band and a busy noon a wide one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np

from assets.models.energy import lagged
from assets.models.energy.days import Calendar, Days, Floats
from assets.models.energy.plain import levelled_median, seasonal_naive, spread, week_median
from assets.models.energy.prophet_model import prophet
from assets.models.judging import coverage, wape

ORIGINS: Final = 6
LEAST_DAYS: Final = 14
BLEND: Final = "blend"
NAIVE: Final = "seasonal_naive"
LEVELS: Final = (80, 95)
PLAIN: Final[dict[str, Callable[[Days, Calendar, date, int], Floats]]] = {
    NAIVE: seasonal_naive, "week_median": week_median, "levelled_median": levelled_median,
}  # fmt: skip
Says = Callable[[float, str], None]
Remembered = dict[date, list[dict[str, Floats]]]
"""By the day from which was forecast: of each series what every candidate said."""


@dataclass(frozen=True)
class Forecast:
    """Of one series. Matrices have the shape (days, slots), in kWh."""

    first: date
    model: str
    kwh: Floats
    low: Mapping[int, Floats]
    """By level in percent."""
    high: Mapping[int, Floats]
    errors: Mapping[str, float]
    """WAPE of each candidate in the backtest."""
    covered: Mapping[int, float]
    """Share of the backtest's values inside, each origin judged with the errors of the others."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Of the candidates in a blend."""
    origins: int = 0


def forecast(
    series: Sequence[Days],
    calendar: Calendar,
    first: date,
    number: int,
    *,
    prophet_for: Collection[int] | None = None,
    say: Says | None = None,
    remembered: Remembered | None = None,
) -> list[Forecast]:
    """`number` days from `first` for each series. `prophet_for`: positions of the series for which Prophet is tried; None means all.

    `remembered` is filled with what candidates said from each day on, and asked before they are: for a caller that goes week by week.
    """
    tries = range(len(series)) if prophet_for is None else prophet_for
    origins = _origins(series, first)
    memory: Remembered = {} if remembered is None else remembered
    for at, origin in enumerate([*origins, first]):
        if say:
            say(at / (len(origins) + 1), f"backtest from {origin}" if origin != first else "forecast")
        if origin not in memory:
            memory[origin] = candidates(series, calendar, origin, number, tries)
    past, ahead = [memory[origin] for origin in origins], memory[first]
    found = []
    for position, each in enumerate(series):
        actual = [each.between(origin, number) for origin in origins]
        # What lies after the forecast's own beginning is not known.
        for at, origin in enumerate(origins):
            actual[at][max(0, (first - origin).days) :] = np.nan
        scales = [spread(each.until(origin), calendar, origin, number) for origin in origins]
        found.append(
            _chosen(first, ahead[position], spread(each.until(first), calendar, first, number), [p[position] for p in past], actual, scales)
        )
    return found


def candidates(
    series: Sequence[Days], calendar: Calendar, first: date, number: int, prophet_for: Collection[int]
) -> list[dict[str, Floats]]:
    """Every candidate's forecast of every series, from what was known when `first` began; those that need more history are missing."""
    known = [each.until(first) for each in series]
    found = [{name: make(each, calendar, first, number) for name, make in PLAIN.items()} for each in known]
    units = [lagged.scaled(each) for each in known]
    features, values = lagged.training(units, calendar, number, seed=first.toordinal())
    if len(values):
        for name, fitted in (("ridge", lagged.fit_ridge(features, values)), ("boosting", lagged.fit_boosting(features, values))):
            for position, each in enumerate(units):
                said = lagged.predict(fitted, each, calendar, first, number)
                if said is not None:
                    found[position][name] = said
    for position in prophet_for:
        said = prophet(known[position], calendar, first, number)
        if said is not None:
            found[position]["prophet"] = said
    return found


def _origins(series: Sequence[Days], first: date) -> list[date]:
    """Beginnings of the last weeks that have at least LEAST_DAYS of history before them in the longest series, oldest first."""
    oldest = min((each.first for each in series), default=first)
    offered = [first - timedelta(weeks=number) for number in range(ORIGINS, 0, -1)]
    return [origin for origin in offered if (origin - oldest).days >= LEAST_DAYS]


def _chosen(
    first: date, ahead: dict[str, Floats], scale: Floats, past: list[dict[str, Floats]], actual: list[Floats], scales: list[Floats]
) -> Forecast:
    names = [name for name in ahead if past and all(name in each for each in past)]
    if not names or not any(np.isfinite(each).any() for each in actual):
        kwh = ahead["week_median"]
        low, high = zip(*(_band(kwh, scale, np.array([]), level) for level in LEVELS), strict=True)
        return Forecast(first, "week_median", kwh, dict(zip(LEVELS, low, strict=True)), dict(zip(LEVELS, high, strict=True)), {}, {})
    said = {name: [each[name] for each in past] for name in names}
    errors = {name: wape(np.concatenate(actual), np.concatenate(rows)) for name, rows in said.items()}
    said[BLEND] = [_mixed(each, best_pair(_others(past, at), _others(actual, at), names)) for at, each in enumerate(past)]
    errors[BLEND] = wape(np.concatenate(actual), np.concatenate(said[BLEND]))
    model = min(errors, key=lambda name: (errors[name], name))
    weights = best_pair(past, actual, names) if model == BLEND else {}
    kwh = _mixed(ahead, weights) if model == BLEND else ahead[model]
    ratios = [((a - f) / s)[np.isfinite(a)] for a, f, s in zip(actual, said[model], scales, strict=True)]
    low, high = zip(*(_band(kwh, scale, np.concatenate(ratios), level) for level in LEVELS), strict=True)
    covered = {level: _covered(actual, said[model], scales, ratios, level) for level in LEVELS}
    return Forecast(
        first, model, kwh, dict(zip(LEVELS, low, strict=True)), dict(zip(LEVELS, high, strict=True)), errors, covered, weights, len(past)
    )


def best_pair(past: Sequence[Mapping[str, Floats]], actual: Sequence[Floats], names: Sequence[str]) -> dict[str, float]:
    """Weights of the two candidates with the least error: a half each. Fitted weights were measured to do worse on the week after."""
    errors = {name: wape(np.concatenate(actual), np.concatenate([each[name] for each in past])) for name in names} if past else {}
    ranked = sorted(names, key=lambda name: (errors.get(name, 0.0), names.index(name)))[:2]
    return {name: 1.0 / len(ranked) for name in ranked}


def _mixed(said: Mapping[str, Floats], weights: Mapping[str, float]) -> Floats:
    return np.sum([weight * said[name] for name, weight in weights.items()], axis=0)


def _others(each: list, at: int) -> list:
    return each[:at] + each[at + 1 :]


def _band(kwh: Floats, scale: Floats, ratios: Floats, level: int) -> tuple[Floats, Floats]:
    """Lower and upper end; without errors to learn from, two and three spreads."""
    low, high = _ends(ratios, level)
    lowest = min(0.0, float(kwh.min()))
    return np.maximum(kwh + low * scale, lowest), np.maximum(kwh + high * scale, lowest)


def _ends(ratios: Floats, level: int) -> tuple[float, float]:
    if len(ratios) < 20:
        wide = 2.0 if level == LEVELS[0] else 3.5
        return -wide, wide
    tail = (1 - level / 100) / 2
    return float(np.quantile(ratios, tail)), float(np.quantile(ratios, 1 - tail))


def _covered(actual: list[Floats], said: list[Floats], scales: list[Floats], ratios: list[Floats], level: int) -> float:
    inside, total = 0.0, 0
    for at, truth in enumerate(actual):
        rest = _others(ratios, at)
        low, high = _band(said[at], scales[at], np.concatenate(rest) if rest else np.array([]), level)
        known = int(np.isfinite(truth).sum())
        if known:
            inside, total = inside + coverage(truth, low, high) * known, total + known
    return inside / total if total else float("nan")

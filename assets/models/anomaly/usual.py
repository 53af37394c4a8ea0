"""What one machine usually does: centre and spread in each regime, by hour of the day, and each parameter given all others.

The parameters of a machine move together: at a higher load vibration, current and heat are higher. With the precision matrix P (inverse of
the correlation matrix) of healthy deviations z, what is expected of one parameter given the others is z_j - (P z)_j / P_jj, so that the
residual (P z)_j / P_jj is a deviation that the load does not explain.

Series that wander slowly correlate by chance: 400 seconds in which two temperatures rose say nothing about them. Each parameter's
correlations are therefore drawn towards zero by what its number of independent observations is worth.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from assets.models.anomaly.constants import Constants
from assets.models.anomaly.grid import Flags, Floats, Ints
from assets.models.anomaly.regimes import NAMES
from assets.models.anomaly.smoothing import backward_mean

HOURS: Final = 24
LEAST_DAYS: Final = 7
"""A pattern of the day is learned from at least so many days."""
DAYS_OF_DOUBT: Final = 3
"""A pattern seen on so many days is believed half."""
_CLIP: Final = 0.005
LEAST_SPREAD: Final = 0.05
"""Of a parameter's spread over all its regimes: switched off it may stand still to the last digit, and is still no finer instrument."""
FARTHEST: Final = 30.0
"""Spreads. What is farther off is broken or wrong, and explains nothing about the other parameters."""


@dataclass(frozen=True)
class Usual:
    """Of p parameters. Deviations are in units of `scales`."""

    centers: Floats
    """Shape (3, p) by regime; NaN for a regime that is not known well enough."""
    scales: Floats
    """Shape (3, p); never zero."""
    season: Floats
    """Usual deviation by hour of the day (UTC), shape (24, p)."""
    weights: Floats
    """Shape (p, p) with a zero diagonal: expected deviations are `deviations @ weights.T`."""
    correlation: Floats
    """Of healthy deviations, drawn towards none; shape (p, p)."""


def deviations(usual: Usual, values: Floats, regime: Ints, times_s: Ints) -> Floats:
    """How far each value is from the centre of its regime and hour, in spreads; NaN where one is not known; pure."""
    row = np.clip(regime, 0, len(NAMES) - 1)
    found: Floats = (values - usual.centers[row]) / usual.scales[row] - usual.season[hour_of(times_s)]
    found[regime < 0] = np.nan
    return found


def residuals(usual: Usual, deviation: Floats) -> Floats:
    """What of each deviation the other parameters do not explain; NaN where it is not known itself; pure."""
    found: Floats = deviation - _explained(usual, deviation)
    return found


def completed(usual: Usual, deviation: Floats) -> Floats:
    """The deviations with what is expected in place of what is not known, given what is; none where nothing is known; pure."""
    found, missing = deviation.copy(), ~np.isfinite(deviation)
    gaps = np.flatnonzero(missing.any(axis=1))
    patterns, which = np.unique(missing[gaps], axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        rows, known = gaps[which.ravel() == number], ~pattern
        among = usual.correlation[np.ix_(known, known)]
        lead = np.linalg.solve(among, usual.correlation[np.ix_(known, pattern)]) if known.any() else np.zeros((0, int(pattern.sum())))
        found[np.ix_(rows, pattern)] = deviation[np.ix_(rows, known)] @ lead
    return found


def expected(usual: Usual, deviation: Floats, regime: Ints, times_s: Ints) -> Floats:
    """What each parameter should have been given the others, in its own unit; pure."""
    explained = _explained(usual, deviation) + usual.season[hour_of(times_s)]
    row = np.clip(regime, 0, len(NAMES) - 1)
    found: Floats = usual.centers[row] + usual.scales[row] * explained
    found[regime < 0] = np.nan
    return found


def _explained(usual: Usual, deviation: Floats) -> Floats:
    found: Floats = np.clip(completed(usual, deviation), -FARTHEST, FARTHEST) @ usual.weights.T
    return found


def hour_of(times_s: Ints) -> Ints:
    """Hour of the day in UTC."""
    return (times_s // 3600) % HOURS


def learn_usual(values: Floats, regime: Ints, times_s: Ints, healthy: Flags, constants: Constants) -> Usual:
    """From the healthy rows of a training window, shape (rows, p); pure. Needs a regime with enough rows, or everything is NaN."""
    centers, scales = _centers(values, regime, healthy, constants.least_rows_a_regime)
    count = values.shape[1]
    plain = Usual(centers, scales, np.zeros((HOURS, count)), np.zeros((count, count)), np.eye(count))
    deviation = deviations(plain, values, regime, times_s)
    deviation[~healthy] = np.nan
    season = _season(deviation, times_s)
    deviation = deviation - season[hour_of(times_s)]
    correlation = _correlation(deviation, constants)
    precision = np.linalg.inv(correlation)
    weights = -precision / np.diag(precision)[:, None]
    np.fill_diagonal(weights, 0.0)
    return Usual(centers, scales, season, weights, correlation)


def _centers(values: Floats, regime: Ints, healthy: Flags, least_rows: int) -> tuple[Floats, Floats]:
    """Mean and standard deviation by regime, without the outermost per cent; a quantised sensor has no useful median."""
    count = values.shape[1]
    centers, scales = np.full((len(NAMES), count), np.nan), np.ones((len(NAMES), count))
    coarse = np.array([LEAST_SPREAD * _clipped_spread(values[healthy, column]) for column in range(count)])
    for number in range(len(NAMES)):
        rows = values[healthy & (regime == number)]
        known = np.isfinite(rows).sum(axis=0)
        for column in np.flatnonzero(known >= least_rows):
            seen = rows[np.isfinite(rows[:, column]), column]
            low, high = np.quantile(seen, (_CLIP, 1 - _CLIP))
            clipped = np.clip(seen, low, high)
            centers[number, column] = clipped.mean()
            scales[number, column] = max(float(clipped.std()), 1e-3 * abs(float(np.median(seen))), float(coarse[column]), 1e-9)
    return centers, scales


def _clipped_spread(values: Floats) -> float:
    seen = values[np.isfinite(values)]
    return float(np.clip(seen, *np.quantile(seen, (_CLIP, 1 - _CLIP))).std()) if len(seen) else 0.0


def _season(deviation: Floats, times_s: Ints) -> Floats:
    count = deviation.shape[1]
    season, hour = np.zeros((HOURS, count)), hour_of(times_s)
    known = np.isfinite(deviation).any(axis=1)
    days = len(np.unique(times_s[known] // 86_400))
    if days < LEAST_DAYS:
        return season
    for number in range(HOURS):
        rows = deviation[(hour == number) & known]
        if len(rows):
            filled = np.where(np.isfinite(rows).any(axis=0), rows, 0.0)
            season[number] = np.nanmedian(filled, axis=0) * days / (days + DAYS_OF_DOUBT)
    return season


def _correlation(deviation: Floats, constants: Constants) -> Floats:
    """Of the rows in which everything is known, drawn towards none; stays positive definite."""
    rows = deviation[np.isfinite(deviation).all(axis=1)]
    count = deviation.shape[1]
    if len(rows) < 2 * count + 2:
        return np.eye(count)
    clipped = np.clip(rows, *np.quantile(rows, (_CLIP, 1 - _CLIP), axis=0))
    spread = clipped.std(axis=0)
    moving = spread > 1e-9
    raw = np.eye(count)
    raw[np.ix_(moving, moving)] = np.corrcoef(clipped[:, moving].T) if moving.sum() > 1 else np.eye(int(moving.sum()))
    smooth = backward_mean(clipped, constants.smoothing_steps, constants.least_share)
    lasting = np.where(moving, np.nanvar(smooth, axis=0) / np.maximum(spread, 1e-9) ** 2, 0.0)
    # White noise keeps 1 / steps of its variance, what wanders keeps nearly all: then a window is one observation.
    independent = len(rows) / np.clip(lasting * constants.smoothing_steps, 1.0, constants.smoothing_steps)
    belief = np.sqrt(independent / (independent + count))
    found: Floats = raw * np.outer(belief, belief)
    np.fill_diagonal(found, 1.0)
    return found

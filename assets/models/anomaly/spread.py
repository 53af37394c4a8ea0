"""How far the mean of a window may go while the machine is healthy: its noise, and what wanders.

A temperature that rose for the whole training window will go on rising: of such a parameter a deviation says little. A flow that
stayed within its noise will stay there. So what wanders more than noise alone could is allowed to go further still.
"""

from typing import Final

import numpy as np

from assets.models.anomaly.constants import Constants
from assets.models.anomaly.grid import Floats
from assets.models.anomaly.smoothing import backward_mean

_SURE: Final = 1.645
"""Standard normal quantile of 95 %."""


def spread_of(values: Floats, steps: int, constants: Constants) -> Floats:
    """The standard deviation to expect of means of `steps` rows, shape (parameters,); infinite where nothing is known; pure.

    `values`: healthy deviations by row, NaN for rows that are not healthy or not known. What wanders is looked for in the slow means.
    """
    slow = constants.smoothing_steps
    smooth = backward_mean(values, slow, constants.least_share)[min(slow, len(values) // 2) :]
    noise2 = noise_of(values) ** 2
    # Of so few windows even pure noise looks as if it wandered by so much.
    by_chance = _chi2_95(max(len(values) / slow - 1, 1.0)) * noise2 / slow
    wander2 = np.maximum(np.maximum(_variance(smooth), _moved2(smooth, len(values) // 2)) - by_chance, 0.0)
    spread = np.sqrt(noise2 / steps + constants.drift_allowance**2 * wander2)
    found: Floats = np.where(np.isfinite(spread) & (spread > 1e-9), spread, np.inf)
    return found


def noise_of(values: Floats) -> Floats:
    """Standard deviation of what changes from row to row: half the mean square of changes, whatever wanders below (von Neumann 1941)."""
    change = np.diff(values, axis=0)
    known = np.isfinite(change)
    size = np.where(known, np.abs(change), np.nan)
    enough = known.sum(axis=0) > 2
    limit = np.array([6 * np.nanmedian(size[:, i]) if enough[i] else 0.0 for i in range(values.shape[1])]) + 1e-12
    clipped = np.clip(np.where(known, change, 0.0), -limit, limit)
    # A quantised sensor has a median change of zero: then all of it counts.
    square = np.where(limit > 1e-9, (clipped**2).sum(axis=0), (np.where(known, change, 0.0) ** 2).sum(axis=0))
    noise: Floats = np.sqrt(0.5 * square / np.maximum(known.sum(axis=0), 1))
    return noise


def _moved2(smooth: Floats, lag: int) -> Floats:
    """Half the mean square of changes over `lag` rows: the variance of what swings, more of what only goes one way."""
    moved = smooth[lag:] - smooth[:-lag] if 0 < lag < len(smooth) else np.full((1, smooth.shape[1]), np.nan)
    known = np.isfinite(moved)
    half: Floats = 0.5 * (np.where(known, moved, 0.0) ** 2).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return half


def _variance(smooth: Floats) -> Floats:
    """Around zero, without the outermost per cent."""
    found = np.zeros(smooth.shape[1])
    for column in range(smooth.shape[1]):
        seen = smooth[np.isfinite(smooth[:, column]), column]
        if len(seen):
            low, high = np.quantile(seen, (0.005, 0.995))
            found[column] = (np.clip(seen, low, high) ** 2).mean()
    return found


def _chi2_95(freedom: float) -> float:
    """The 95 % quantile of chi square over its degrees of freedom (Wilson, Hilferty 1931)."""
    part = 2 / (9 * freedom)
    return float((1 - part + _SURE * part**0.5) ** 3)

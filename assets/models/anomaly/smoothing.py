"""Smoothing that looks back only, so that what is found in history could have been found at the time."""

import numpy as np

from assets.models.anomaly.grid import Flags, Floats


def backward_mean(values: Floats, steps: int, least_share: float) -> Floats:
    """The mean of the last `steps` rows of each column, without NaN; NaN where fewer than `least_share` of them are known; pure.

    At the beginning, where there are fewer rows, of those that there are.
    """
    known = np.isfinite(values)
    total = _window_sum(np.where(known, values, 0.0), steps)
    count = _window_sum(known.astype(np.float64), steps)
    asked = np.minimum(np.arange(1, len(values) + 1), steps)[:, None] * least_share
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Floats = np.where((count >= asked) & (count > 0), total / count, np.nan)
    return mean


def sureness(values: Floats, steps: int) -> Floats:
    """The root of the share of each row's window that is known: the mean of fewer rows is as much noisier; pure."""
    share = _window_sum(np.isfinite(values).astype(np.float64), steps) / steps
    found: Floats = np.sqrt(share)
    return found


def _window_sum(values: Floats, steps: int) -> Floats:
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    last = np.arange(1, len(values) + 1)
    found: Floats = sums[last] - sums[np.maximum(last - steps, 0)]
    return found


def runs(flags: Flags) -> list[tuple[int, int]]:
    """First and behind-last row of each unbroken stretch of True; pure."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]

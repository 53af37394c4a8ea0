"""How good predictions were: precision and recall, calibration, lead time; errors of forecasts, coverage of intervals. Pure."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score

Floats = NDArray[np.float64]
CALIBRATION_BINS: Final = 10


@dataclass(frozen=True)
class LeadTime:
    """How long before failures a warning came, at the lowest limit that keeps the asked precision."""

    threshold: float
    precision: float
    median_h: float
    """Over machines that were warned of; 0 when there is none."""
    tenth_h: float
    """Nine of ten warned machines were warned of at least this long before."""
    warned_share: float
    """Of the lives that ended in a failure."""


def pr_auc(is_failure: ArrayLike, probability: ArrayLike) -> float:
    """Area under precision over recall (average precision); 0 when nothing failed."""
    truth = np.asarray(is_failure, dtype=bool)
    return float(average_precision_score(truth, np.asarray(probability))) if truth.any() else 0.0


def calibration_error(is_failure: ArrayLike, probability: ArrayLike, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error (Naeini et al. 2015): mean distance of probability and frequency, in bins of equal width."""
    truth, said = np.asarray(is_failure, dtype=float), np.asarray(probability, dtype=float)
    which = np.minimum((said * bins).astype(int), bins - 1)
    weights = np.bincount(which, minlength=bins)
    gaps = np.abs(np.bincount(which, truth, bins) - np.bincount(which, said, bins))
    return float(gaps.sum() / max(1, weights.sum()))


def rmse(truth: ArrayLike, said: ArrayLike) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.mean((np.asarray(truth, dtype=float) - np.asarray(said, dtype=float)) ** 2)))


def threshold_at_precision(is_failure: ArrayLike, probability: ArrayLike, precision: float = 0.9) -> float | None:
    """The lowest limit at which at least `precision` of the warnings are right; None when no limit reaches it."""
    truth, said = np.asarray(is_failure, dtype=float), np.asarray(probability, dtype=float)
    order = np.argsort(-said, kind="stable")
    right = np.cumsum(truth[order]) / np.arange(1, len(said) + 1)
    # Rows with the same probability are warned of together.
    last_of_value = np.append(np.diff(said[order]) != 0, True)
    good = np.flatnonzero((right >= precision) & last_of_value)
    return float(said[order][good[-1]]) if len(good) else None


def lead_time(
    life: NDArray[Any], remaining_h: Floats, is_failure: NDArray[np.bool_], probability: Floats, threshold: float | None
) -> LeadTime:
    """From the first warning of each life that ended in a failure and stayed warned of, to that failure.

    `remaining_h` is NaN in lives without a failure; rows of a life are in order of time. A warning counts from the row after which the
    probability stayed at or above the limit until the end, so that a lucky early flicker is no lead.
    """
    if threshold is None:
        return LeadTime(1.0, 0.0, 0.0, 0.0, 0.0)
    warned = probability >= threshold
    leads, ended = [], 0
    for number in np.unique(life[np.isfinite(remaining_h)]):
        own = np.flatnonzero(life == number)
        ended += 1
        quiet = np.flatnonzero(~warned[own])
        begin = int(quiet[-1]) + 1 if len(quiet) else 0
        if begin < len(own):
            leads.append(float(remaining_h[own[begin]]))
    precision = float(is_failure[warned].mean()) if warned.any() else 0.0
    median, tenth = (float(np.median(leads)), float(np.quantile(leads, 0.1))) if leads else (0.0, 0.0)
    return LeadTime(threshold, precision, median, tenth, len(leads) / max(1, ended))


def wape(truth: ArrayLike, said: ArrayLike) -> float:
    """Sum of absolute errors over the sum of what was measured; where nothing was measured nothing counts. NaN without energy."""
    actual, expected = np.asarray(truth, dtype=float), np.asarray(said, dtype=float)
    known = np.isfinite(actual) & np.isfinite(expected)
    total = float(np.abs(actual[known]).sum())
    return float(np.abs(actual[known] - expected[known]).sum()) / total if total > 0 else float("nan")


def coverage(truth: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Share of measured values within [low, high]; NaN without any."""
    actual = np.asarray(truth, dtype=float)
    known = np.isfinite(actual)
    inside = (actual >= np.asarray(low)) & (actual <= np.asarray(high))
    return float(inside[known].mean()) if known.any() else float("nan")

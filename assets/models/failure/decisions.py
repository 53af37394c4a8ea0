"""What is decided on machines that the learners have not seen: how much each learner counts, steadying, calibration, intervals. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from assets.models import judging
from assets.models.failure.learners import Targets

Floats = NDArray[np.float64]
SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the forest in the mean of forest and boosting."""
HALF_LIVES_H: Final = (0.0, 2.0, 5.0, 10.0)
"""Over which the expected end of a life may be averaged."""
TAIL: Final = 0.1
"""On either side of the interval of the time left."""
BANDS: Final = 6
LEAST_LIVES: Final = 3
"""With failures, before chances are calibrated."""


@dataclass(frozen=True)
class Recipe:
    """What is asked of a model."""

    horizons_h: tuple[float, ...] = (24.0, 168.0)
    cap_h: float = 720.0
    """A machine with more than this left is as good as new."""
    seed: int = 0
    n_jobs: int = 1


@dataclass(frozen=True)
class Answers:
    """Of some machine-hours."""

    left_h: Floats
    low_h: Floats
    high_h: Floats
    """Of 10 machines 8 fail between low and high; at the cap it means "or later"."""
    within: Mapping[float, Floats]
    """Calibrated probability by horizon in hours."""


@dataclass(frozen=True)
class Curve:
    """A line through points; calibrates chances."""

    x: Floats
    y: Floats

    def __call__(self, said: Floats) -> Floats:
        """The calibrated chances."""
        return np.interp(said, self.x, self.y)


@dataclass(frozen=True)
class Decisions:
    """Made by `decide`."""

    share_left: float
    share_within: tuple[float, ...]
    half_life_h: float
    curves: tuple[Curve, ...]
    band_ends_h: Floats
    """Of bands of the expected time left."""
    band_low_h: Floats
    """Quantiles of (true - expected) in each band."""
    band_high_h: Floats
    quality: Mapping[str, float]
    thresholds: Mapping[float, float | None]
    """Of each horizon: the probability from which nine of ten warnings are right; None when there is none."""


def finished(both: Sequence[Targets], rows: pl.DataFrame, recipe: Recipe, decided: Decisions) -> Answers:
    """From what forest and boosting say of rows (`life`, `age_h`)."""
    left, within = _blended(both, decided.share_left, decided.share_within)
    left_h = counted_down(left * recipe.cap_h, rows, decided.half_life_h, recipe.cap_h)
    calibrated = {h: curve(within[:, at]) for at, (h, curve) in enumerate(zip(recipe.horizons_h, decided.curves, strict=True))}
    # Whoever fails within a day fails within a week.
    rising = np.maximum.accumulate([calibrated[h] for h in sorted(calibrated)], axis=0)
    chances = dict(zip(sorted(calibrated), rising, strict=True))
    low, high = _interval(left_h, decided.band_ends_h, decided.band_low_h, decided.band_high_h, recipe.cap_h)
    return Answers(left_h, low, high, chances)


def counted_down(left_h: Floats, rows: pl.DataFrame, half_life_h: float, cap_h: float) -> Floats:
    """The time left, steadied: an hour later an hour less is left, so the expected ends of the last hours may be averaged.

    Only below the cap: where the end is not in sight, the mean of earlier ends would lag behind.
    """
    if not half_life_h:
        return np.clip(left_h, 0.0, cap_h)
    frame = pl.DataFrame({"life": rows["life"], "age": rows["age_h"], "left": left_h})
    ends = (pl.col("left") + pl.col("age")).ewm_mean(half_life=half_life_h).over("life")
    steady = frame.select(ends - pl.col("age")).to_series().to_numpy()
    trust = np.clip(2.0 * (1.0 - left_h / cap_h), 0.0, 1.0)
    return np.clip(trust * steady + (1.0 - trust) * left_h, 0.0, cap_h)


def centred_isotonic(said: Floats, truth: Floats) -> Curve:
    """Rising line of frequency over what was said (Oron and Flournoy 2017): isotonic blocks shrunk to their centres, so that ranks stay."""
    fitted = IsotonicRegression(out_of_bounds="clip", y_min=0.0, y_max=1.0).fit_transform(said, truth)
    levels, block = np.unique(fitted, return_inverse=True)
    centres = np.bincount(block, said) / np.bincount(block)
    x = np.concatenate([[min(0.0, centres[0]) - 1e-9], centres, [max(1.0, centres[-1]) + 1e-9]])
    y = np.concatenate([[max(0.0, levels[0] - 1e-6)], levels, [min(1.0, levels[-1] + 1e-6)]])
    # A trace of what was said, so that ranks stay also where frequency is 0 or 1.
    return Curve(x, (1 - 1e-6) * y + 1e-6 * np.clip(x, 0.0, 1.0))


def decide(rows: pl.DataFrame, targets: Targets, unseen: Sequence[Targets] | None, fold_of: NDArray[np.int64], recipe: Recipe) -> Decisions:
    """From answers of forest and boosting on machines that they had not seen; None: there were too few to validate with."""
    horizons, cap_h = recipe.horizons_h, recipe.cap_h
    if unseen is None:
        same, wide = Curve(np.array([0.0, 1.0]), np.array([0.0, 1.0])), np.array([cap_h])
        nothing: dict[float, float | None] = dict.fromkeys(horizons)
        return Decisions(0.5, (0.5,) * len(horizons), 0.0, (same,) * len(horizons), np.array([cap_h]), -wide, wide, {}, nothing)
    failed = rows["remaining_h"].is_not_null().to_numpy()
    exact = failed | (rows["watched_h"].to_numpy() >= cap_h)
    truth_h = targets.left * cap_h
    share_left, half_life_h = _least_error(rows, truth_h, exact, unseen, cap_h)
    shares = tuple(_least_brier(targets.within[:, at], [each.within[:, at] for each in unseen]) for at in range(len(horizons)))
    left, within = _blended(unseen, share_left, shares)
    left_h = counted_down(left * cap_h, rows, half_life_h, cap_h)
    lives = rows["life"].to_numpy()
    curves: list[Curve] = []
    thresholds: dict[float, float | None] = {}
    quality = {"rmse_h": judging.rmse(truth_h[exact], left_h[exact])}
    for at, horizon in enumerate(horizons):
        known = np.isfinite(targets.within[:, at])
        said, truth = within[known, at], targets.within[known, at]
        curve, crossed = _calibrated(said, truth, fold_of[known], lives[known])
        curves.append(curve)
        thresholds[horizon] = judging.threshold_at_precision(truth, crossed)
        remaining = rows.filter(known)["remaining_h"].cast(float).to_numpy()
        quality |= _quality(f"{horizon:g}h", truth, crossed, lives[known], remaining, thresholds[horizon])
        quality |= {f"pr_auc_{horizon:g}h_{name}": judging.pr_auc(truth, each.within[known, at])
                    for name, each in zip(("forest", "boosting"), unseen, strict=True)}  # fmt: skip
    ends, low, high = _bands(left_h[exact], truth_h[exact])
    quality["interval_covers"] = _covered(left_h[exact], truth_h[exact], fold_of[exact], cap_h)
    return Decisions(share_left, shares, half_life_h, tuple(curves), ends, low, high, quality, thresholds)


def _blended(both: Sequence[Targets], share_left: float, share_within: Sequence[float]) -> tuple[Floats, Floats]:
    forest, boosting = both
    shares = np.asarray(share_within)
    left = share_left * forest.left + (1 - share_left) * boosting.left
    return left, np.clip(shares * forest.within + (1 - shares) * boosting.within, 0.0, 1.0)


def _least_error(
    rows: pl.DataFrame, truth_h: Floats, exact: NDArray[np.bool_], unseen: Sequence[Targets], cap_h: float
) -> tuple[float, float]:
    def error(share: float, half_life_h: float) -> float:
        left_h = (share * unseen[0].left + (1 - share) * unseen[1].left) * cap_h
        return judging.rmse(truth_h[exact], counted_down(left_h, rows, half_life_h, cap_h)[exact])

    share = min(SHARES, key=lambda each: error(each, 0.0))
    return share, min(HALF_LIVES_H, key=lambda each: error(share, each))


def _least_brier(truth: Floats, said: Sequence[Floats]) -> float:
    known = np.isfinite(truth)
    return min(SHARES, key=lambda share: judging.rmse(truth[known], share * said[0][known] + (1 - share) * said[1][known]))


def _calibrated(said: Floats, truth: Floats, fold_of: NDArray[np.int64], lives: NDArray[np.int64]) -> tuple[Curve, Floats]:
    """The curve, and what it would have said of each fold had it not seen it."""
    same = Curve(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    if len(np.unique(lives[truth > 0])) < LEAST_LIVES:
        return same, said
    crossed = said.copy()
    for fold in np.unique(fold_of):
        mine = fold_of == fold
        if 0 < truth[~mine].sum() < (~mine).sum():
            crossed[mine] = centred_isotonic(said[~mine], truth[~mine])(said[mine])
    return centred_isotonic(said, truth), crossed


def _quality(
    horizon: str, truth: Floats, said: Floats, lives: NDArray[np.int64], remaining_h: Floats, threshold: float | None
) -> dict[str, float]:
    lead = judging.lead_time(lives, remaining_h, truth > 0, said, threshold)
    return {
        f"pr_auc_{horizon}": judging.pr_auc(truth, said),
        f"base_rate_{horizon}": float(truth.mean()) if len(truth) else 0.0,
        f"calibration_error_{horizon}": judging.calibration_error(truth, said),
        f"lead_time_{horizon}_median_h": lead.median_h,
        f"lead_time_{horizon}_warned_share": lead.warned_share,
    }


def _bands(left_h: Floats, truth_h: Floats) -> tuple[Floats, Floats, Floats]:
    """Ends of bands of the expected time, and the quantiles of (true - expected) in each."""
    ends = np.unique(np.quantile(left_h, np.linspace(0, 1, BANDS + 1)[1:]))
    at = np.minimum(np.searchsorted(ends, left_h), len(ends) - 1)
    errors = [(truth_h - left_h)[at == band] for band in range(len(ends))]
    low = np.array([np.quantile(each, TAIL) if len(each) else 0.0 for each in errors])
    high = np.array([np.quantile(each, 1 - TAIL) if len(each) else 0.0 for each in errors])
    return ends, low, high


def _interval(left_h: Floats, ends: Floats, low: Floats, high: Floats, cap_h: float) -> tuple[Floats, Floats]:
    at = np.minimum(np.searchsorted(ends, left_h), len(ends) - 1)
    return np.clip(left_h + np.minimum(low[at], 0.0), 0.0, cap_h), np.clip(left_h + np.maximum(high[at], 0.0), 0.0, cap_h)


def _covered(left_h: Floats, truth_h: Floats, fold_of: NDArray[np.int64], cap_h: float) -> float:
    inside = np.zeros(len(left_h))
    for fold in np.unique(fold_of):
        mine = fold_of == fold
        rest = ~mine if (~mine).any() else mine
        low, high = _interval(left_h[mine], *_bands(left_h[rest], truth_h[rest]), cap_h)
        inside[mine] = (truth_h[mine] >= low) & (truth_h[mine] <= high)
    return float(inside.mean()) if len(inside) else float("nan")

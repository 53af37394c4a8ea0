"""What is to be learned of machine-hours, also of machines that have not failed yet. Pure."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from assets.models.failure.learners import Targets


def targets_of(rows: pl.DataFrame, horizons_h: Sequence[float], cap_h: float) -> Targets:
    """`remaining_h` (null: no failure yet) and `watched_h` of machine-hours as targets; the time left is a share of the cap.

    Of a machine that was watched for `w` hours and did not fail only "more than w" is known. Its time left is taken as the mean of the
    known ones that are longer (as Buckley and James 1979 do), or the cap; for horizons beyond w nobody knows.
    """
    remaining = rows["remaining_h"].cast(float).to_numpy()
    watched = rows["watched_h"].cast(float).to_numpy()
    failed = np.isfinite(remaining)
    left = np.where(failed, np.minimum(remaining, cap_h), cap_h)
    known = np.sort(left[failed])
    # Mean of all known times from each position on.
    tails = np.cumsum(known[::-1])[::-1] / np.arange(len(known), 0, -1) if len(known) else np.array([])
    unsure = ~failed & (watched < cap_h)
    at = np.searchsorted(known, watched[unsure], side="right")
    left[unsure] = np.append(tails, cap_h)[at]
    within = np.column_stack([np.where(failed, (remaining <= h).astype(float), np.where(watched >= h, 0.0, np.nan)) for h in horizons_h])
    return Targets(left / cap_h, within)

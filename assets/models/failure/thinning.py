"""Fewer rows that say the same: hours far from a failure resemble their neighbours. Pure."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from assets.models.failure.learners import Targets

MOST_ROWS: Final = 40_000


def thinned(targets: Targets, seed: int) -> NDArray[np.int64]:
    """Positions of at most MOST_ROWS rows, ascending: half of the room for hours before failures, half for the others, drawn by chance.

    Failures are then more frequent than they are; the calibration, which sees every hour, sets the chances right.
    """
    total = len(targets.left)
    if total <= MOST_ROWS:
        return np.arange(total)
    leads = (np.nan_to_num(targets.within, nan=0.0) > 0).any(axis=1)
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(leads), np.flatnonzero(~leads)]
    room = [min(len(groups[at]), max(MOST_ROWS // 2, MOST_ROWS - len(groups[1 - at]))) for at in (0, 1)]
    chosen = [rng.choice(group, size, replace=False) for group, size in zip(groups, room, strict=True)]
    return np.sort(np.concatenate(chosen)).astype(np.int64)

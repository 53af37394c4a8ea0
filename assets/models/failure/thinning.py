"""Fewer rows that say the same: hours far from a failure resemble their neighbours. Pure."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from assets.models.failure.learners import Targets

MOST_ROWS: Final = 40_000
Floats = NDArray[np.float64]


def thinned(targets: Targets, seed: int) -> tuple[NDArray[np.int64], Floats]:
    """Positions of at most MOST_ROWS rows, and the weight of each.

    Rows of machines that were nearing their end are kept up to half of the room, the others are drawn; each stands for those that were left
    out, so that chances stay what they are.
    """
    offered = np.arange(len(targets.left))
    if len(offered) <= MOST_ROWS:
        return offered, np.ones(len(offered))
    near = targets.left < 1.0
    rng = np.random.default_rng(seed)
    chosen, weights = [], []
    for group, room in ((offered[near], MOST_ROWS // 2), (offered[~near], MOST_ROWS // 2)):
        room_here = min(len(group), max(room, MOST_ROWS - (len(offered) - len(group))))
        chosen.append(rng.choice(group, room_here, replace=False))
        weights.append(np.full(room_here, len(group) / max(1, room_here)))
    positions, weight = np.concatenate(chosen), np.concatenate(weights)
    order = np.argsort(positions)
    return positions[order], weight[order]

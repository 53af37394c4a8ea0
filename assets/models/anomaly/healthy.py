"""Which part of a training window shows the machine healthy: blocks that stand apart from most others are left out, a third at most."""

from typing import Final

import numpy as np

from assets.models.anomaly.constants import Constants
from assets.models.anomaly.grid import Flags, Floats

FAR: Final = 6.0
"""In robust standard deviations of the blocks: a normal block is never there, not even one of thousands."""
FEW_BLOCKS: Final = 20
"""Of fewer nobody can say which of them are unusual."""


def healthy_rows(residual: Floats, usable: Flags, constants: Constants) -> Flags:
    """`usable` without the blocks (one smoothing window each) whose mean residual is far from that of most blocks; pure.

    `residual`: shape (rows, parameters), NaN where not known.
    """
    steps = constants.smoothing_steps
    blocks = -(-len(residual) // steps)
    if blocks < FEW_BLOCKS:
        return usable
    means = _block_means(np.where(usable[:, None], residual, np.nan), blocks, steps)
    middle = np.nanmedian(means, axis=0)
    spread = 1.4826 * np.nanmedian(np.abs(means - middle), axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        far = np.abs(means - middle) / np.where(spread > 0, spread, np.nan)
    worst = np.nan_to_num(far).max(axis=1)
    order = np.argsort(-worst)[: int(constants.most_dropped * blocks)]
    dropped = order[worst[order] > FAR]
    healthy = usable.copy()
    for block in dropped:
        # The block before as well: what is far here began there.
        healthy[max(0, block - 1) * steps : (block + 1) * steps] = False
    return healthy if healthy.sum() >= (1 - 2 * constants.most_dropped) * usable.sum() else usable


def _block_means(values: Floats, blocks: int, steps: int) -> Floats:
    padded = np.full((blocks * steps, values.shape[1]), np.nan)
    padded[: len(values)] = values
    known = np.isfinite(padded).reshape(blocks, steps, -1)
    total = np.where(known, padded.reshape(blocks, steps, -1), 0.0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Floats = np.where(known.sum(axis=1) >= steps / 4, total / known.sum(axis=1), np.nan)
    return means

"""Ways of running: off, idle, on. What is usual differs between them, and right after a change nothing has settled.

power share   0        0.03            0.35                     of the power that the machine draws while it works
regime        | off     | idle          | on
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from assets.models.anomaly.grid import Flags, Grid, Ints
from warehouse.health import IDLE_BELOW, OFF_BELOW

NAMES: Final = ("off", "idle", "on")
UNKNOWN: Final = -1
ON: Final = 2
POWER: Final = "power"
LEAST_SHARE: Final = 0.01
"""Less than this below the idle limit is noise of a machine that always runs."""


@dataclass(frozen=True)
class Regimes:
    """How to tell the regimes of one machine."""

    typical_w: float
    """What it draws while it works; 0: it measures no power or always runs, so there is one regime, `on`."""

    def of(self, grid: Grid) -> Ints:
        """The regime of each row: 0 off, 1 idle, 2 on, -1 not known."""
        if not self.typical_w:
            return np.full(len(grid.values), ON, dtype=np.int64)
        if POWER not in grid.names:
            return np.full(len(grid.values), UNKNOWN, dtype=np.int64)
        share = grid.column(POWER) / self.typical_w
        with np.errstate(invalid="ignore"):
            regime = np.where(share < OFF_BELOW, 0, np.where(share < IDLE_BELOW, 1, ON))
        return np.where(np.isfinite(share), regime, UNKNOWN).astype(np.int64)


def learn_regimes(grid: Grid) -> Regimes:
    """From the power of a training window; pure."""
    if POWER not in grid.names:
        return Regimes(0.0)
    power = grid.column(POWER)
    power = power[np.isfinite(power)]
    typical = float(np.quantile(power, 0.95)) if len(power) else 0.0
    if typical <= 0 or np.mean(power < IDLE_BELOW * typical) < LEAST_SHARE:
        return Regimes(0.0)
    # Of the working time only: a machine that works one shift in three must not look as if it worked less.
    return Regimes(float(np.median(power[power >= IDLE_BELOW * typical])))


def settled(regime: Ints, steps: int) -> Flags:
    """False for rows of an unknown regime and for the first `steps` rows after each change of it; pure."""
    changed = np.concatenate([[False], regime[1:] != regime[:-1]])
    since = np.arange(len(regime)) - np.maximum.accumulate(np.where(changed, np.arange(len(regime)), -steps))
    flags: Flags = (since >= steps) & (regime != UNKNOWN)
    return flags

"""Operating regimes: what a parameter reads in the state that the machine is in, and how far it is from that.

A machine that runs fast vibrates more than one that idles. Before wear can be seen, each parameter is compared with what it usually is
at the same settings: a small regression tree splits the machine-hours by the settings ("contexts") until a split explains little, and each
leaf keeps mean and spread of every parameter. With one way of working it stays a single leaf.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeRegressor

Floats = NDArray[np.float64]
MOST_REGIMES: Final = 24
LEAST_SHARE: Final = 0.01
"""Of all machine-hours, in a regime of its own."""
WORTH_SPLITTING: Final = 0.01
"""Share of the parameters' variance that a split must explain."""
LEARNS_FROM: Final = 50_000
"""Machine-hours; more say nothing new about levels."""


@dataclass(frozen=True)
class Regimes:
    """Levels and spreads of parameters by regime, learned by `learn_regimes`."""

    tree: DecisionTreeRegressor | None
    """None: no settings are known."""
    fill: Floats
    """Of each setting: what stands for a missing one."""
    means: Floats
    """Shape (regimes, parameters)."""
    spreads: Floats
    leaves: tuple[int, ...]
    """Number of each regime in the tree."""

    def standardised(self, values: Floats, contexts: Floats) -> Floats:
        """Distance of each value (rows, parameters) from its regime's level, in that regime's spreads; missing values stay missing."""
        at = np.searchsorted(self.leaves, self._leaf_of(contexts, len(values)))
        return (values - self.means[at]) / self.spreads[at]

    def _leaf_of(self, contexts: Floats, rows: int) -> NDArray[np.int64]:
        if self.tree is None:
            return np.zeros(rows, dtype=np.int64)
        return np.asarray(self.tree.apply(np.where(np.isfinite(contexts), contexts, self.fill)), dtype=np.int64)


def learn_regimes(values: Floats, contexts: Floats, seed: int = 0) -> Regimes:
    """Learns from rows of parameters and of settings (the same number of rows; settings may have no column)."""
    if len(values) > LEARNS_FROM:
        chosen = np.sort(np.random.default_rng(seed).choice(len(values), LEARNS_FROM, replace=False))
        values, contexts = values[chosen], contexts[chosen]
    fill = np.array([_middle(column) for column in contexts.T])
    tree, leaf = None, np.zeros(len(values), dtype=np.int64)
    if contexts.shape[1]:
        tree = DecisionTreeRegressor(
            max_leaf_nodes=MOST_REGIMES, min_samples_leaf=LEAST_SHARE, min_impurity_decrease=WORTH_SPLITTING, random_state=seed
        )
        filled = np.where(np.isfinite(contexts), contexts, fill)
        tree.fit(filled, _unit_variance(values))
        leaf = np.asarray(tree.apply(filled), dtype=np.int64)
    leaves = tuple(int(number) for number in np.unique(leaf))
    means = np.array([[_middle(column, np.nanmean) for column in values[leaf == number].T] for number in leaves])
    spreads = np.array([[_spread(column) for column in values[leaf == number].T] for number in leaves])
    return Regimes(tree, fill, means, spreads, leaves)


def _unit_variance(values: Floats) -> Floats:
    """Each parameter as important as the others; the split criterion is then the mean share of variance explained."""
    columns = [(column - _middle(column, np.nanmean)) / _spread(column) for column in values.T]
    return np.nan_to_num(np.column_stack(columns), nan=0.0)


def _middle(column: Floats, how: Callable[..., Any] = np.nanmedian) -> float:
    return float(how(column)) if np.isfinite(column).any() else 0.0


def _spread(column: Floats) -> float:
    """Never 0: a parameter that does not move is then always at 0 spreads from its level."""
    spread = float(np.nanstd(column)) if np.isfinite(column).any() else 0.0
    return spread if spread > 1e-9 * max(1.0, abs(_middle(column))) else 1e9

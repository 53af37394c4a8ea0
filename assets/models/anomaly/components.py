"""Principal components of healthy deviations: T2 looks along them, Q beside them (Jackson, Mudholkar 1979; MacGregor, Kourti 1995).

What machines do together (load up, current up, heat up) lies along the components; a fault breaks the pattern and shows in Q, or is a
stronger move along it than was ever seen and shows in T2.
"""

from dataclasses import dataclass

import numpy as np

from assets.models.anomaly.grid import Floats


@dataclass(frozen=True)
class Components:
    """The pattern of one machine."""

    axes: Floats
    """Shape (parameters, components), orthonormal."""
    variances: Floats
    """Along each component, shape (components,)."""
    rest: float
    """Mean variance of the directions beside them; at least a small share of the whole."""


def components_of(correlation: Floats, kept_variance: float) -> Components:
    """The first components that stand for `kept_variance` of a correlation matrix: at least one, not all unless there is one; pure."""
    variances, axes = np.linalg.eigh(correlation)
    variances, axes = np.maximum(variances[::-1], 1e-9), axes[:, ::-1]
    share = np.cumsum(variances) / variances.sum()
    kept = min(int(np.searchsorted(share, kept_variance)) + 1, max(1, len(variances) - 1))
    rest = float(variances[kept:].mean()) if kept < len(variances) else float(variances.mean())
    return Components(axes[:, :kept], variances[:kept], max(rest, 1e-3 * float(variances.mean())))


def distance(components: Components, deviations: Floats) -> Floats:
    """How far each row is from usual: the root of T2 and Q together, each measured in its own healthy variance; pure.

    `deviations`: standardised, shape (rows, parameters); a NaN counts as no deviation, a row of NaN gives NaN.
    """
    filled = np.where(np.isfinite(deviations), deviations, 0.0)
    along = filled @ components.axes
    t2 = (along**2 / components.variances).sum(axis=1)
    q = (filled**2).sum(axis=1) - (along**2).sum(axis=1)
    both = np.sqrt((t2 + np.maximum(q, 0.0) / components.rest) / deviations.shape[1])
    found: Floats = np.where(np.isfinite(deviations).any(axis=1), both, np.nan)
    return found

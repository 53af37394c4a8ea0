"""Machines made of a few lines of arithmetic, so that a test knows what is usual of them and what is not."""

import numpy as np

from assets.models.anomaly.grid import Floats, Grid

NAMES = ("load", "power", "temperature", "vibration")


def pump(rows: int, *, seed: int = 1, first_row: int = 0, step_s: int = 60) -> Grid:
    """Load wanders, the rest follows it; vibration is 1 + 2 x load, power 1000 x load, temperature 20 + 30 x load, each with noise."""
    random = np.random.default_rng(seed)
    load = 0.7 + 0.2 * np.sin(np.arange(first_row, first_row + rows) / 37.0) + 0.02 * random.standard_normal(rows)
    noise: Floats = random.standard_normal((rows, 3)) * np.array([5.0, 0.3, 0.05])
    columns = [load, 1000 * load + noise[:, 0], 20 + 30 * load + noise[:, 1], 1 + 2 * load + noise[:, 2]]
    return Grid(1_767_225_600 + first_row * step_s, step_s, NAMES, np.stack(columns, axis=1))


def shaken(grid: Grid, first: int, last: int, by: float) -> Grid:
    """The grid with more vibration in rows [first, last)."""
    values = grid.values.copy()
    values[first:last, NAMES.index("vibration")] += by
    return Grid(grid.begin_s, grid.step_s, grid.names, values)

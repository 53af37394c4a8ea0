"""Readings of one machine on a common grid of time: one row a step, one column a parameter, NaN where nothing was measured."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

STEPS_S: Final = (1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600)
MOST_ROWS: Final = 50_000
"""Of a training window: 30 days by the minute."""
HELD_INTERVALS: Final = 3
"""A value holds for so many of its parameter's usual intervals; then it is a gap."""
LONGEST_PACE_S: Final = 3600
_RESET_SHARE: Final = 0.02


@dataclass(frozen=True)
class Grid:
    """Means a step. `values` has the shape (rows, parameters); row i stands for [begin_s + i * step_s, ... + step_s)."""

    begin_s: int
    """UTC epoch seconds."""
    step_s: int
    names: tuple[str, ...]
    values: Floats

    @property
    def times_s(self) -> Ints:
        """The beginning of each row, UTC epoch seconds."""
        return self.begin_s + self.step_s * np.arange(len(self.values), dtype=np.int64)

    def column(self, name: str) -> Floats:
        """One parameter. Raises ValueError for one that is not there."""
        return self.values[:, self.names.index(name)]

    def only(self, names: tuple[str, ...]) -> "Grid":
        """These parameters in this order; one that is missing is all NaN."""
        nothing = np.full(len(self.values), np.nan)
        columns = [self.column(name) if name in self.names else nothing for name in names]
        return replace(self, names=names, values=np.stack(columns, axis=1) if columns else np.empty((len(self.values), 0)))

    def part(self, first: int, last: int) -> "Grid":
        """Rows first to before last."""
        return replace(self, begin_s=self.begin_s + first * self.step_s, values=self.values[first:last])


def step_for(interval_s: float, span_s: float, least_s: int = 1) -> int:
    """The finest step of STEPS_S not finer than the readings, than `least_s` and than MOST_ROWS in a training window allow; pure."""
    wanted = max(interval_s, least_s, span_s / MOST_ROWS)
    return next((step for step in STEPS_S if step >= wanted * 0.999), STEPS_S[-1])


def on_grid(readings: pl.DataFrame, step_s: int, begin_s: int, end_s: int) -> Grid:
    """The readings (`parameter`, `ts`, `value`; any order and rate) on the grid of [begin_s, end_s).

    Several readings in a step become their mean. A parameter that comes less often than once a step holds its last value for three of
    its usual intervals; longer gaps stay NaN. What is no number is left out.
    """
    rows = max(0, -(-(end_s - begin_s) // step_s))
    row = ((pl.col("ts").dt.epoch("ms") / 1000 - begin_s) / step_s).floor().cast(pl.Int64)
    inside = readings.select("parameter", "value", row=row).filter(pl.col("row").is_between(0, rows - 1), pl.col("value").is_finite())
    means = inside.group_by("parameter", "row").agg(pl.col("value").mean()).sort("parameter", "row")
    names = tuple(means["parameter"].unique().sort().to_list())
    values = np.full((rows, len(names)), np.nan)
    for column, name in enumerate(names):
        own = means.filter(pl.col("parameter") == name)
        values[:, column] = _held(own["row"].to_numpy(), own["value"].to_numpy(), rows, max(2, LONGEST_PACE_S // step_s))
    return Grid(begin_s, step_s, names, values)


def _held(at: Ints, seen: Floats, rows: int, longest: int) -> Floats:
    """The values at their rows, each held on over the gaps that are usual for it; a gap of `longest` rows and more is no pace."""
    found = np.full(rows, np.nan)
    found[at] = seen
    gaps = np.sort(np.diff(at))
    gaps = gaps[gaps < longest]
    # Usual for most of the time, not for most of the readings: history may be coarser than what came last.
    usual = int(gaps[np.searchsorted(np.cumsum(gaps), gaps.sum() / 2)]) if len(gaps) else 1
    if usual <= 1:
        return found
    last = np.maximum.accumulate(np.where(np.isnan(found), -1, np.arange(rows)))
    holds = (last >= 0) & (np.arange(rows) - last < HELD_INTERVALS * usual)
    held: Floats = np.where(holds, found[np.maximum(last, 0)], np.nan)
    return held


def is_counter(column: Floats) -> bool:
    """Whether a parameter only ever counts up and now and then begins again, such as parts of a shift or energy of a day; pure.

    Its level says what time it is, not how the machine is.
    """
    change = np.diff(column[np.isfinite(column)])
    moves = change[change != 0]
    if len(moves) < 20:
        return False
    falls = moves[moves < 0]
    rare = len(falls) <= max(2, _RESET_SHARE * len(moves))
    return bool(rare and (len(falls) == 0 or np.median(-falls) > 5 * np.median(moves[moves > 0])))


def judged_parameters(grid: Grid) -> tuple[str, ...]:
    """The parameters from which a machine can be judged: measured in most of the time, not constant, not counters; pure."""
    known = np.isfinite(grid.values)
    most = known.mean(axis=0).max(initial=0.0)
    found = []
    for column, name in enumerate(grid.names):
        seen = grid.values[known[:, column], column]
        if len(seen) > 1 and known[:, column].mean() >= most / 2 and np.ptp(seen) > 0 and not is_counter(grid.values[:, column]):
            found.append(name)
    return tuple(found)

"""The detector of one machine: learned from a healthy window, one score a step, 1 is the limit of what is usual.

    readings -> grid -> regime, hour -> deviations -> what the others do not explain -> means, slow and quick
                                                                                          |- greatest residual   > three ratios to their
                                                                                          |- T2 and Q of PCA     > own limits; the score is
                                                                                          '- isolation forest    > their weighted mean

Each of the three has its own false alarms, and they seldom share them: one alone must be far above its limit.
"""

from dataclasses import dataclass

import numpy as np

from assets.models.anomaly import components, forest
from assets.models.anomaly.constants import CONSTANTS, Constants
from assets.models.anomaly.grid import Flags, Floats, Grid, Ints, judged_parameters
from assets.models.anomaly.healthy import healthy_rows
from assets.models.anomaly.regimes import Regimes, learn_regimes, settled
from assets.models.anomaly.smoothing import backward_mean, sureness
from assets.models.anomaly.spread import spread_of
from assets.models.anomaly.usual import Usual, deviations, expected, learn_usual, residuals
from warehouse.errors import PermanentError

MEMBERS = ("residual", "components", "forest")
ENOUGH_ROWS = 2_000


class NotLearnableError(PermanentError):
    """A training window does not show how the machine usually is. The message says why."""


@dataclass(frozen=True)
class Pattern:
    """What is usual, and how far smoothed deviations from it go in health."""

    usual: Usual
    residual_spread: Floats
    """By window (slow, quick) and parameter."""
    level_spread: Floats
    components: components.Components


@dataclass(frozen=True)
class Model:
    """Everything that scoring needs; plain numbers."""

    names: tuple[str, ...]
    step_s: int
    regimes: Regimes
    pattern: Pattern
    forest: forest.Forest
    limits: Floats
    """Of MEMBERS, shape (3,)."""
    trained_from_s: int
    trained_to_s: int
    rows: int
    """Healthy rows that it was learned from."""
    dropped_share: float
    """Of the usable rows, what was left out as not healthy."""


@dataclass(frozen=True)
class Scored:
    """A scored grid; each array has as many rows as it."""

    score: Floats
    """1 is the limit of what is usual; NaN where nothing can be said."""
    members: Floats
    """The ratios of MEMBERS to their limits, shape (rows, 3)."""
    regime: Ints
    deviation: Floats
    """Smoothed residuals in units of what is usual for them, shape (rows, parameters)."""
    expected: Floats
    """In the parameters' own units."""
    measured: Floats


def learn(grid: Grid, excluded: Flags | None = None, constants: Constants = CONSTANTS) -> Model:
    """A model of a training window. Rows that are `excluded` (failures, maintenance) are not learned from; pure.

    Raises NotLearnableError when no parameter can be judged or no regime has enough rows.
    """
    names = judged_parameters(grid)
    if not names:
        raise NotLearnableError("no parameter that changes and is no counter was measured in most of the time")
    regimes = learn_regimes(grid)
    regime, chosen = regimes.of(grid), grid.only(names)
    usable = settled(regime, constants.settling_steps) & (np.isfinite(chosen.values).mean(axis=1) >= constants.least_share)
    if excluded is not None:
        usable &= ~excluded
    healthy = usable
    for _ in range(2):
        usual = learn_usual(chosen.values, regime, chosen.times_s, healthy, constants)
        healthy = healthy_rows(residuals(usual, deviations(usual, chosen.values, regime, chosen.times_s)), usable, constants)
    if not np.isfinite(usual.centers).any():
        raise NotLearnableError(f"only {int(usable.sum())} usable rows in the longest regime; needs {constants.least_rows_a_regime}")
    pattern = _pattern(chosen, regime, healthy, constants)
    # Not even the means after an unhealthy hour may remember it.
    regime = np.where(healthy, regime, -1)
    grown = _grown(_looks(pattern, chosen, regime, constants).residual[0], healthy, constants)
    limits = _limits(chosen, regime, healthy, grown, constants)
    whole = int(usable.sum())
    return Model(
        names, grid.step_s, regimes, pattern, grown, limits, grid.begin_s, grid.begin_s + grid.step_s * len(grid.values),
        int(healthy.sum()), 1 - float(healthy.sum()) / whole,
    )  # fmt: skip


def score(model: Model, grid: Grid, constants: Constants = CONSTANTS) -> Scored:
    """Scores each row of a grid with the model's step. Rows before the first smoothing window are less sure: give them and cut them off."""
    chosen, regime = grid.only(model.names), model.regimes.of(grid)
    regime = np.where(settled(regime, constants.settling_steps), regime, -1)
    looks = _looks(model.pattern, chosen, regime, constants)
    ratios = _ratios(_members(model.pattern, looks, model.forest), model.limits)
    found = _together(ratios, constants)
    usual = model.pattern.usual
    deviation = deviations(usual, chosen.values, regime, chosen.times_s)
    return Scored(found, ratios, regime, looks.residual[0], expected(usual, deviation, regime, chosen.times_s), chosen.values)


def latest_score(model: Model, grid: Grid, constants: Constants = CONSTANTS) -> float:
    """The score of the last row alone, as `score` gives it, for a fraction of the work; the grid needs one smoothing window."""
    chosen, regime = grid.only(model.names), model.regimes.of(grid)
    regime = np.where(settled(regime, constants.settling_steps), regime, -1)
    last = _looks(model.pattern, chosen, regime, constants).only(slice(-1, None))
    return float(_together(_ratios(_members(model.pattern, last, model.forest), model.limits), constants)[0])


@dataclass(frozen=True)
class _Looks:
    """Mean residuals and levels in units of their healthy spread, by window, shape (windows, rows, parameters)."""

    residual: Floats
    level: Floats

    def only(self, rows: Ints | slice) -> "_Looks":
        return _Looks(self.residual[:, rows], self.level[:, rows])


def _windows(constants: Constants) -> tuple[int, int]:
    return constants.smoothing_steps, constants.quick_steps


def _pattern(grid: Grid, regime: Ints, healthy: Flags, constants: Constants) -> Pattern:
    usual = learn_usual(grid.values, regime, grid.times_s, healthy, constants)
    level = deviations(usual, grid.values, regime, grid.times_s)
    level[~healthy] = np.nan
    residual = residuals(usual, level)
    spreads = [np.stack([spread_of(each, steps, constants) for steps in _windows(constants)]) for each in (residual, level)]
    return Pattern(usual, spreads[0], spreads[1], components.components_of(usual.correlation, constants.kept_variance))


def _looks(pattern: Pattern, grid: Grid, regime: Ints, constants: Constants) -> _Looks:
    level = deviations(pattern.usual, grid.values, regime, grid.times_s)
    residual = residuals(pattern.usual, level)

    def seen(values: Floats, spreads: Floats) -> Floats:
        means = [backward_mean(values, n, constants.least_share) * sureness(values, n) for n in _windows(constants)]
        return np.stack([mean / spread for mean, spread in zip(means, spreads, strict=True)])

    return _Looks(seen(residual, pattern.residual_spread), seen(level, pattern.level_spread))


def _members(pattern: Pattern, looks: _Looks, grown: forest.Forest) -> Floats:
    """How unusual each row is by each of MEMBERS, in their own measure, shape (rows, 3); the forest takes the slow look."""
    known = np.isfinite(looks.residual)
    filled = np.where(known, looks.residual, 0.0)
    some: Flags = np.asarray(known.any(axis=(0, 2)))
    greatest = np.where(some, np.abs(filled).max(axis=(0, 2), initial=0.0), np.nan)
    far = np.fmax(*(components.distance(pattern.components, level) for level in looks.level))
    return np.stack([greatest, far, forest.unusual(grown, np.where(some[:, None], filled[0], np.nan))], axis=1)


def _ratios(members: Floats, limits: Floats) -> Floats:
    """To the limits. The forest's measure ends at 1: of it the distances from 1 are compared."""
    ratios = members / limits
    ratios[:, 2] = (1 - limits[2]) / np.maximum(1 - members[:, 2], 1e-6)
    return ratios


def _together(ratios: Floats, constants: Constants) -> Floats:
    """The weighted geometric mean of the ratios, NaN where one is missing: one alone must be far above its limit."""
    found: Floats = np.exp(np.log(np.maximum(ratios, 1e-9)) @ np.array(constants.weights))
    return found


def _limits(grid: Grid, regime: Ints, healthy: Flags, grown: forest.Forest, constants: Constants) -> Floats:
    """What parts of the healthy window reached that were left out of the learning, but never less than the least limits."""
    reached = []
    for fold in np.array_split(np.flatnonzero(healthy), constants.folds):
        left_out = np.zeros(len(healthy), dtype=np.bool_)
        left_out[fold] = True
        part = _pattern(grid, regime, healthy & ~left_out, constants)
        # Neighbouring means are nearly the same: of long folds some rows tell as much.
        some = fold[:: max(1, len(fold) // ENOUGH_ROWS)]
        reached.append(_members(part, _looks(part, grid, regime, constants).only(some), grown))
    top = np.nanquantile(np.concatenate(reached), constants.reached, axis=0)
    limits: Floats = np.maximum(top, constants.least_limits)
    return limits


def _grown(residual: Floats, healthy: Flags, constants: Constants) -> forest.Forest:
    """A forest of healthy rows, each moved at random by what its parameters may wander: trees see ranges, not spreads."""
    rows = residual[healthy & np.isfinite(residual).all(axis=1)]
    moved = rows + np.random.default_rng(constants.random_seed).standard_normal(rows.shape)
    return forest.grow(moved, constants.trees, constants.rows_a_tree, constants.random_seed)

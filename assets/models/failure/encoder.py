"""From machine-hours to a matrix of features: regimes, one index of wear, windows. Learned on the training machines only."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from assets.models.failure.regimes import Regimes, learn_regimes
from assets.models.failure.windows import window_features

Floats = NDArray[np.float64]
WEAR: Final = "wear"
"""Name of the index of wear: a parameter beside the measured ones."""
FARTHEST: Final = 8.0
"""Spreads from the level; what is farther says no more."""
RIDGE: Final = 10.0


@dataclass(frozen=True)
class Columns:
    """Which columns of machine-hours mean what."""

    parameters: tuple[str, ...]
    """Measured."""
    contexts: tuple[str, ...] = ()
    """Settings that explain the level of the parameters."""
    extras: tuple[str, ...] = ()
    """Used as they are, such as hours since maintenance."""


@dataclass(frozen=True)
class Encoder:
    """Learned by `learn_encoder`."""

    columns: Columns
    regimes: Regimes
    weights: Floats
    """Of each parameter in the index of wear."""

    def standardised(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`life`, the parameters in spreads of their regime, the index of wear, and the extras."""
        values = _standardised(self.regimes, rows, self.columns)
        wear = np.nan_to_num(values, nan=0.0) @ self.weights
        named = {name: values[:, at] for at, name in enumerate(self.columns.parameters)}
        frame = pl.DataFrame({"life": rows["life"], **named, WEAR: wear}).with_columns(
            pl.col(name).fill_nan(None) for name in self.columns.parameters
        )
        return frame.with_columns(rows.select(self.columns.extras)) if self.columns.extras else frame

    def features(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Features of each row (`life`, ascending in time within it), in the same order; no nulls."""
        return window_features(self.standardised(rows), [*self.columns.parameters, WEAR], self.columns.extras)


def learn_encoder(rows: pl.DataFrame, columns: Columns, life_target: Floats, seed: int = 0) -> Encoder:
    """From rows of the training machines; `life_target`: NaN where the time left is not known. Parameters that never move are left out."""
    columns = replace(columns, parameters=tuple(name for name in columns.parameters if rows[name].n_unique() > 1) or columns.parameters)
    regimes = learn_regimes(rows.select(columns.parameters).to_numpy().astype(float), _contexts(rows, columns.contexts), seed)
    values = np.nan_to_num(_standardised(regimes, rows, columns), nan=0.0)
    known = np.isfinite(life_target)
    weights = np.zeros(len(columns.parameters))
    if known.any() and np.ptp(life_target[known]) > 0:
        fitted = Ridge(alpha=RIDGE).fit(values[known], -life_target[known])
        spread = float(np.std(values[known] @ fitted.coef_))
        weights = fitted.coef_ / spread if spread > 0 else weights
    return Encoder(columns, regimes, np.asarray(weights, dtype=float))


def _standardised(regimes: Regimes, rows: pl.DataFrame, columns: Columns) -> Floats:
    values = rows.select(columns.parameters).to_numpy().astype(float)
    return np.clip(regimes.standardised(values, _contexts(rows, columns.contexts)), -FARTHEST, FARTHEST)


def _contexts(rows: pl.DataFrame, contexts: Sequence[str]) -> Floats:
    return rows.select(contexts).to_numpy().astype(float) if contexts else np.empty((rows.height, 0))

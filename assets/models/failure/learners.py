"""The two learners: a random forest for all questions at once, and histogram gradient boosting for each. Pure.

targets   left: time until the failure, capped, as a share of the cap
          within: for each horizon 1 when the machine failed within it, else 0, NaN when nobody knows
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestRegressor

Floats = NDArray[np.float64]
TREES: Final = 40
ROUNDS: Final = 60
LEAST_IN_A_LEAF: Final = 5


@dataclass(frozen=True)
class Targets:
    """What is to be learned of some machine-hours."""

    left: Floats
    within: Floats
    """Shape (rows, horizons)."""

    def rows(self, which: Any) -> "Targets":
        """Those of some rows."""
        return Targets(self.left[which], self.within[which])


class Learner(Protocol):
    """A fitted model."""

    def predict(self, features: Floats) -> Targets:
        """Share of the cap that is left, and the chance of failing within each horizon."""
        ...


@dataclass(frozen=True)
class Forest:
    """Its leaves hold the mean of all targets: for a target of 0 and 1 that is a chance, and the split criterion is Gini's."""

    trees: Any

    def predict(self, features: Floats) -> Targets:
        """As `Learner`."""
        found = self.trees.predict(features.astype(np.float32)).reshape(len(features), -1)
        return Targets(found[:, 0], found[:, 1:])


@dataclass(frozen=True)
class Boosting:
    """One model for the time that is left, one for each horizon; a horizon of which only one answer was seen is answered so."""

    left: HistGradientBoostingRegressor
    within: tuple[HistGradientBoostingClassifier | float, ...]

    def predict(self, features: Floats) -> Targets:
        """As `Learner`."""
        chances = [np.full(len(features), m) if isinstance(m, float) else m.predict_proba(features)[:, 1] for m in self.within]
        return Targets(self.left.predict(features), np.column_stack(chances))


def fit_forest(features: Floats, targets: Targets, seed: int, n_jobs: int = 1) -> Forest:
    """From rows whose targets are all known."""
    known = np.isfinite(targets.within).all(axis=1)
    trees = RandomForestRegressor(
        TREES, min_samples_leaf=LEAST_IN_A_LEAF, max_features=0.3, max_samples=0.35, random_state=seed, n_jobs=n_jobs
    )
    trees.fit(features[known].astype(np.float32), np.column_stack([targets.left, targets.within])[known])
    return Forest(trees)


def fit_boosting(features: Floats, targets: Targets, seed: int) -> Boosting:
    """From all rows; those of which a target is not known are left out for that target."""
    options: dict[str, Any] = {
        "max_iter": ROUNDS, "learning_rate": 0.1, "min_samples_leaf": 4 * LEAST_IN_A_LEAF, "l2_regularization": 1.0,
        "early_stopping": False, "random_state": seed,
    }  # fmt: skip
    left = HistGradientBoostingRegressor(**options).fit(features, targets.left)
    within: list[HistGradientBoostingClassifier | float] = []
    for column in targets.within.T:
        known = np.isfinite(column)
        answers = np.unique(column[known])
        if len(answers) < 2:
            within.append(float(answers[0]) if len(answers) else 0.0)
        else:
            within.append(HistGradientBoostingClassifier(**options).fit(features[known], column[known]))
    return Boosting(left, tuple(within))

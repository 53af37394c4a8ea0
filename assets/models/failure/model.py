"""Failure prediction: how long a machine has left, and how probable it is that it fails within each horizon. Pure.

    machine-hours --encoder--> features --forest, boosting--> answers on unseen machines --> weights of the two, countdown, calibration
                                        --forest, boosting on all machines--> the model

What decides (weights, smoothing, calibration, intervals, quality) is measured on machines, or on lives later in time where there are too
few machines, that the learner in question has not seen. Rows are never split at random: neighbouring hours are nearly the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.models.failure.decisions import Answers, Decisions, Recipe, decide, finished
from assets.models.failure.encoder import Columns, Encoder, learn_encoder
from assets.models.failure.folds import folds_of
from assets.models.failure.learners import Forest, Learner, Targets, fit_boosting, fit_forest
from assets.models.failure.targets import targets_of
from assets.models.failure.thinning import thinned

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Says = Callable[[float, str], None]


@dataclass(frozen=True)
class FailureModel:
    """Learned by `learn`."""

    recipe: Recipe
    encoder: Encoder
    learners: tuple[Learner, ...]
    decisions: Decisions
    usual: Floats
    """Of each feature: what it is on machines that are as good as new."""
    importance: Mapping[str, float]
    """Of each parameter and extra in the forest; adds up to 1."""

    def answer(self, rows: pl.DataFrame) -> Answers:
        """For machine-hours (`life`, `age_h` ascending within it, and the columns that were learned from)."""
        return self.answer_features(self.encoder.features(rows), rows)

    def answer_features(self, features: pl.DataFrame, rows: pl.DataFrame) -> Answers:
        """The same where the features are known."""
        matrix = features.to_numpy()
        return finished([learner.predict(matrix) for learner in self.learners], rows, self.recipe, self.decisions)


def learn(rows: pl.DataFrame, columns: Columns, recipe: Recipe = Recipe(), say: Says | None = None) -> FailureModel:  # noqa: B008  # frozen
    """From machine-hours: `device_id`, `life`, `age_h`, `remaining_h` (null: not failed yet), `watched_h`, and `columns`.

    Sorted by machine and time. Raises ValueError when no life ended in a failure.
    """
    if not rows["remaining_h"].count():
        raise ValueError("no life ended in a failure")
    tell = say or (lambda _share, _stage: None)
    targets = targets_of(rows, recipe.horizons_h, recipe.cap_h)
    folds = folds_of(rows)
    fold_of = np.zeros(rows.height, dtype=np.int64)
    unseen = [Targets(np.zeros(rows.height), np.zeros((rows.height, len(recipe.horizons_h)))) for _ in range(2)]
    for number, fold in enumerate(folds):
        tell(number / (len(folds) + 1), f"validation {number + 1} of {len(folds)}")
        encoder, learners, _, _ = _fitted(rows, targets, columns, recipe, fold.train)
        features = encoder.features(rows.filter(fold.test)).to_numpy()
        fold_of[fold.test] = number
        for into, learner in zip(unseen, learners, strict=True):
            said = learner.predict(features)
            into.left[fold.test], into.within[fold.test] = said.left, said.within
    tell(len(folds) / (len(folds) + 1), "training on all machines")
    encoder, learners, features_, own = _fitted(rows, targets, columns, recipe, np.ones(rows.height, dtype=bool))
    decisions = decide(rows, targets, unseen if folds else None, fold_of, recipe)
    as_new = features_[own.left >= 1.0]
    usual = np.median(as_new if len(as_new) else features_, axis=0)
    names = encoder.features(rows.head(1)).columns
    return FailureModel(recipe, encoder, learners, decisions, usual, _importance(learners[0], names))


def _fitted(
    rows: pl.DataFrame, targets: Targets, columns: Columns, recipe: Recipe, train: Mask
) -> tuple[Encoder, tuple[Forest, Learner], Floats, Targets]:
    """Encoder and learners of the training rows, and the features and targets that they learned from."""
    mine = rows.filter(train)
    exact = np.where(mine["remaining_h"].is_not_null().to_numpy(), targets.left[train], np.nan)
    encoder = learn_encoder(mine, columns, exact, recipe.seed)
    own = targets.rows(train)
    positions = thinned(own, recipe.seed)
    # Thinned afterwards: a window needs the hours before it.
    features = encoder.features(mine).to_numpy()[positions]
    chosen = own.rows(positions)
    forest = fit_forest(features, chosen, recipe.seed, recipe.n_jobs)
    return encoder, (forest, fit_boosting(features, chosen, recipe.seed)), features, chosen


def _importance(forest: Forest, names: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, share in zip(names, forest.trees.feature_importances_, strict=True):
        parameter = name.partition("|")[0]
        found[parameter] = found.get(parameter, 0.0) + float(share)
    return dict(sorted(found.items(), key=lambda item: -item[1]))

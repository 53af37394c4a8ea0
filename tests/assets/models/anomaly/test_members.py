"""The two textbook detectors and the smoothing, each against what is known of it."""

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from assets.models.anomaly.components import components_of, distance
from assets.models.anomaly.constants import CONSTANTS
from assets.models.anomaly.forest import grow, unusual
from assets.models.anomaly.healthy import healthy_rows
from assets.models.anomaly.smoothing import backward_mean, runs


@pytest.fixture(scope="module")
def cloud() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((600, 4))


def test_the_forest_scores_as_scikit_learn_does(cloud: np.ndarray) -> None:
    theirs = IsolationForest(n_estimators=20, max_samples=128, random_state=7).fit(cloud)
    ours = grow(cloud, 20, 128, 7)
    rows = np.vstack([cloud[:50], 6 * np.eye(4)])
    np.testing.assert_allclose(unusual(ours, rows), -theirs.score_samples(rows), rtol=1e-9)


def test_what_is_alone_scores_higher_and_what_is_not_known_not_at_all(cloud: np.ndarray) -> None:
    grown = grow(cloud, 20, 128, 7)
    far, near, unknown = unusual(grown, np.array([[9.0, 9, 9, 9], [0, 0, 0, 0], [np.nan, 0, 0, 0]]))
    assert far > 0.6 > near
    assert np.isnan(unknown)


def test_a_broken_pattern_is_further_away_than_a_step_along_it() -> None:
    found = components_of(np.array([[1.0, 0.95], [0.95, 1.0]]), 0.9)
    assert found.axes.shape == (2, 1)
    along, across, unknown = distance(found, np.array([[2.0, 2.0], [2.0, -2.0], [np.nan, np.nan]]))
    assert across > 4 * along
    assert np.isnan(unknown)


def test_the_backward_mean_never_looks_ahead_and_needs_its_share() -> None:
    values = np.array([[1.0], [3.0], [np.nan], [np.nan], [8.0]])
    np.testing.assert_array_equal(backward_mean(values, 2, 0.5)[:, 0], [1, 2, 3, np.nan, 8])
    np.testing.assert_array_equal(backward_mean(values, 2, 1.0)[:, 0], [1, 2, np.nan, np.nan, np.nan])


def test_runs_of_true() -> None:
    assert runs(np.array([True, False, True, True])) == [(0, 1), (2, 4)]
    assert runs(np.array([False])) == []


def test_a_bad_block_and_the_one_before_it_are_not_learned_from(cloud: np.ndarray) -> None:
    steps = CONSTANTS.smoothing_steps
    residual = np.random.default_rng(5).standard_normal((steps * 40, 2))
    residual[steps * 10 : steps * 11] += 5
    healthy = healthy_rows(residual, np.ones(len(residual), dtype=bool), CONSTANTS)
    assert not healthy[steps * 9 : steps * 11].any()
    assert healthy.sum() == steps * 38


def test_of_a_window_that_is_mostly_bad_nothing_is_left_out() -> None:
    residual = np.cumsum(np.random.default_rng(5).standard_normal((CONSTANTS.smoothing_steps * 40, 1)), axis=0)
    usable = np.ones(len(residual), dtype=bool)
    assert healthy_rows(residual, usable, CONSTANTS).sum() >= usable.sum() / 3

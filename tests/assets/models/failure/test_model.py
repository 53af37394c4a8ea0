"""A failure model finds wear on machines that it has not seen, says how sure it is, and why."""

import numpy as np
import polars as pl
import pytest

from assets.models import judging
from assets.models.failure import learners
from assets.models.failure.decisions import centred_isotonic, counted_down
from assets.models.failure.encoder import Columns
from assets.models.failure.model import FailureModel, Recipe, learn
from assets.models.failure.reasons import reasons_of, sentence
from bench.failure_training import plant

COLUMNS = Columns(("parameter_0", "parameter_1", "vibration"), ("load",), ("age_h",))
RECIPE = Recipe((24.0, 168.0), 300.0)


@pytest.fixture(scope="module")
def small() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learners, "TREES", 15)
        patch.setattr(learners, "ROUNDS", 25)
        yield


@pytest.fixture(scope="module")
def model(small: None) -> FailureModel:
    return learn(plant(machines=6, lives=1, hours=350), COLUMNS, RECIPE)


@pytest.fixture(scope="module")
def unseen() -> pl.DataFrame:
    return plant(machines=3, lives=1, hours=350, seed=9)


def test_unseen_machines_are_judged(model: FailureModel, unseen: pl.DataFrame) -> None:
    said = model.answer(unseen)
    remaining = unseen["remaining_h"].to_numpy()
    assert judging.pr_auc(remaining <= 24, said.within[24.0]) > 0.75
    assert judging.calibration_error(remaining <= 24, said.within[24.0]) < 0.05
    assert judging.rmse(np.minimum(remaining, 300), said.left_h) < 80
    assert judging.coverage(np.minimum(remaining, 300), said.low_h, said.high_h) > 0.6
    assert ((said.low_h <= said.left_h) & (said.left_h <= said.high_h)).all()


def test_what_comes_later_changes_no_answer(model: FailureModel, unseen: pl.DataFrame) -> None:
    one = unseen.filter(pl.col("device_id") == 2)
    whole, part = model.answer(one), model.answer(one.head(200))
    np.testing.assert_allclose(part.left_h, whole.left_h[:200])
    np.testing.assert_allclose(part.within[168.0], whole.within[168.0][:200])


def test_quality_is_measured_on_unseen_machines(model: FailureModel) -> None:
    quality = model.decisions.quality
    assert quality["pr_auc_168h"] > 1.5 * quality["base_rate_168h"]
    assert {"pr_auc_24h_forest", "pr_auc_24h_boosting", "calibration_error_24h", "lead_time_24h_median_h", "rmse_h"} <= set(quality)
    assert 0.4 < quality["interval_covers"] < 0.95


def test_the_reason_is_what_wears(model: FailureModel, unseen: pl.DataFrame) -> None:
    one = unseen.filter(pl.col("device_id") == 0)
    features = model.encoder.features(one)
    worn = reasons_of(model, one, features, one.height - 1, 168.0)
    assert worn[0].parameter in {"vibration", "parameter_1"}
    assert worn[0].direction == "high"
    told = sentence(worn[0], "Vibration", "mm/s")
    assert "higher than usual" in told
    assert "above its first day" in told
    assert reasons_of(model, one, features, 30, 168.0) == []


def test_without_a_failure_nothing_can_be_learned() -> None:
    rows = plant(machines=2, lives=1, hours=50).with_columns(remaining_h=pl.lit(None, pl.Float64))
    with pytest.raises(ValueError, match="no life ended"):
        learn(rows, COLUMNS, RECIPE)


def test_with_a_single_failure_nothing_is_claimed_about_quality(small: None) -> None:
    rows = plant(machines=2, lives=1, hours=120)
    rows = rows.with_columns(remaining_h=pl.when(pl.col("device_id") == 0).then("remaining_h"))
    model = learn(rows, COLUMNS, RECIPE)
    assert model.decisions.quality == {}
    said = model.answer(rows)
    assert np.isfinite(said.left_h).all()
    assert said.low_h.max() < said.left_h.max()


def test_counting_down_steadies_and_never_looks_ahead() -> None:
    rows = pl.DataFrame({"life": [0] * 50, "age_h": np.arange(50.0)})
    truth = 49 - np.arange(50.0)
    noisy = truth + np.random.default_rng(0).normal(0, 5, 50)
    steady = counted_down(noisy, rows, 5.0, 200.0)
    assert judging.rmse(truth[10:], steady[10:]) < 0.7 * judging.rmse(truth[10:], np.clip(noisy[10:], 0, 200))
    np.testing.assert_allclose(counted_down(noisy[:20], rows.head(20), 5.0, 200.0), steady[:20])


def test_calibration_keeps_ranks() -> None:
    rng = np.random.default_rng(0)
    said = rng.random(2_000)
    truth = (rng.random(2_000) < said**3).astype(float)
    curve = centred_isotonic(said, truth)
    asked = np.linspace(0.01, 0.99, 50)
    assert (np.diff(curve(asked)) > 0).all()
    np.testing.assert_allclose(curve(asked), asked**3, atol=0.12)
    assert judging.calibration_error(truth, curve(said)) < 0.02

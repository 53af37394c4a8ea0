"""Features never look ahead or across lives; regimes take the settings out; folds and targets are fair."""

import numpy as np
import polars as pl
import pytest

from assets.models.failure.folds import folds_of
from assets.models.failure.regimes import learn_regimes
from assets.models.failure.targets import targets_of
from assets.models.failure.thinning import MOST_ROWS, thinned
from assets.models.failure.windows import window_features


def series(rows: int, life: int = 0, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    values = [None if at % 17 == 3 else float(value) for at, value in enumerate(rng.normal(size=rows))]
    return pl.DataFrame({"life": [life] * rows, "age_h": np.arange(rows, dtype=float), "vibration": values})


def test_what_comes_later_changes_no_feature() -> None:
    whole = series(200)
    everything = window_features(whole, ["vibration"], ["age_h"])
    for rows in (1, 5, 30, 150):
        assert window_features(whole.head(rows), ["vibration"], ["age_h"]).equals(everything.head(rows), null_equal=True)


def test_a_life_knows_nothing_of_another() -> None:
    alone = window_features(series(60, life=1, seed=1), ["vibration"])
    after = window_features(pl.concat([series(80), series(60, life=1, seed=1)]), ["vibration"]).tail(60)
    np.testing.assert_allclose(after.to_numpy(), alone.to_numpy(), atol=1e-9)


def test_a_rising_line_has_its_slope_a_day() -> None:
    rows = pl.DataFrame({"life": [0] * 100, "age_h": np.arange(100.0), "pressure": np.arange(100) / 24 * 3})
    found = window_features(rows, ["pressure"])
    assert found["pressure|slope_24h"][-1] == pytest.approx(3.0, rel=1e-4)
    assert found["pressure|change"][-1] > 8


def test_regimes_take_the_settings_out() -> None:
    rng = np.random.default_rng(0)
    setting = rng.choice([0.0, 10.0, 20.0], 3_000)
    values = np.column_stack([setting * 5 + rng.normal(size=3_000), -setting + rng.normal(size=3_000)])
    regimes = learn_regimes(values, setting[:, None] + 0.01 * rng.normal(size=(3_000, 1)))
    assert len(regimes.leaves) == 3
    found = regimes.standardised(values, setting[:, None])
    assert abs(np.corrcoef(found[:, 0], setting)[0, 1]) < 0.05
    assert found.std() == pytest.approx(1.0, abs=0.05)


def test_settings_that_explain_nothing_make_one_regime() -> None:
    rng = np.random.default_rng(0)
    regimes = learn_regimes(rng.normal(size=(3_000, 3)), rng.normal(size=(3_000, 2)))
    assert len(regimes.leaves) == 1


def test_a_missing_setting_and_a_parameter_that_never_moves_are_harmless() -> None:
    values = np.column_stack([np.full(100, 7.0), np.arange(100.0)])
    found = learn_regimes(values, np.full((100, 1), np.nan)).standardised(values, np.full((100, 1), np.nan))
    assert np.abs(found[:, 0]).max() == 0.0
    assert np.isfinite(found).all()


def lives(machine_of_life: list[int], failed: list[bool], hours: int = 10) -> pl.DataFrame:
    frames = []
    for number, (machine, has_failed) in enumerate(zip(machine_of_life, failed, strict=True)):
        left = np.arange(hours, 0, -1.0)
        frames.append(
            pl.DataFrame(
                {
                    "device_id": [machine] * hours,
                    "life": [number] * hours,
                    "remaining_h": left if has_failed else [None] * hours,
                    "watched_h": left,
                }
            ).cast({"remaining_h": pl.Float64})
        )
    return pl.concat(frames)


def test_machines_are_validated_by_other_machines() -> None:
    rows = lives([1, 1, 2, 3, 4, 5], [True, False, True, True, True, False])
    folds = folds_of(rows)
    assert len(folds) == 3
    for fold in folds:
        assert not set(rows.filter(fold.train)["device_id"]) & set(rows.filter(fold.test)["device_id"])
        assert rows.filter(fold.test)["remaining_h"].count()
    assert np.sum([fold.test for fold in folds], axis=0).tolist() == [1] * rows.height


def test_lives_of_a_single_machine_are_validated_by_other_lives() -> None:
    rows = lives([1, 1, 1], [True, True, True])
    folds = folds_of(rows)
    assert len(folds) == 3
    for fold in folds:
        assert not set(rows.filter(fold.train)["life"]) & set(rows.filter(fold.test)["life"])


def test_with_one_failure_there_is_nothing_to_validate_with() -> None:
    assert folds_of(lives([1, 2], [True, False])) == []


def test_what_nobody_knows_is_no_target() -> None:
    rows = pl.DataFrame({"remaining_h": [5.0, 100.0, None, None], "watched_h": [5.0, 100.0, 30.0, 500.0]})
    found = targets_of(rows, [24.0], 200.0)
    np.testing.assert_array_equal(found.within[:, 0], [1.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(found.left, [5 / 200, 0.5, 0.5, 1.0])
    assert np.isnan(targets_of(rows, [48.0], 200.0).within[2, 0])


def test_thinning_keeps_the_hours_before_failures() -> None:
    left = np.where(np.arange(4 * MOST_ROWS) % 50 == 0, 0.5, 1.0)
    rows = pl.DataFrame({"remaining_h": left * 100, "watched_h": left * 100})
    targets = targets_of(rows, [60.0], 100.0)
    positions = thinned(targets, seed=0)
    assert len(positions) == MOST_ROWS
    assert targets.within[positions, 0].sum() == 4 * MOST_ROWS / 50
    assert (np.diff(positions) > 0).all()
    assert thinned(targets.rows(slice(0, 100)), seed=0).tolist() == list(range(100))

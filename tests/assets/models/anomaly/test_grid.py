"""Readings of any pace on one grid, and what of them can tell how a machine is."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from assets.models.anomaly.grid import Grid, is_counter, judged_parameters, on_grid, step_for
from warehouse.readings import UTC_TIME

BEGIN = datetime(2026, 1, 5, 8, tzinfo=UTC)
BEGIN_S = int(BEGIN.timestamp())


def frame(*rows: tuple[str, float, float]) -> pl.DataFrame:
    return pl.DataFrame(
        [(name, BEGIN + timedelta(seconds=second), value) for name, second, value in rows],
        schema={"parameter": pl.String, "ts": UTC_TIME, "value": pl.Float64}, orient="row",
    )  # fmt: skip


def test_readings_of_one_step_become_their_mean_and_gaps_stay_gaps() -> None:
    minutes = [("a", 60.0 * i, 5.0) for i in range(1, 5)]
    grid = on_grid(frame(("a", 0, 1.0), ("a", 59, 3.0), *minutes, ("a", 420, 7.0)), 60, BEGIN_S, BEGIN_S + 480)
    np.testing.assert_array_equal(grid.column("a"), [2.0, 5.0, 5.0, 5.0, 5.0, np.nan, np.nan, 7.0])


def test_a_slower_parameter_holds_for_three_of_its_intervals() -> None:
    readings = frame(*(("slow", 240.0 * i, float(i)) for i in range(4)))
    grid = on_grid(readings, 60, BEGIN_S, BEGIN_S + 60 * 30)
    np.testing.assert_array_equal(grid.column("slow")[:6], [0, 0, 0, 0, 1, 1])
    assert np.isfinite(grid.column("slow")).sum() == 3 * 4 + 12


def test_what_is_no_number_or_outside_is_left_out() -> None:
    grid = on_grid(frame(("a", -1, 1.0), ("a", 0, float("nan")), ("a", 61, 2.0), ("a", 120, 9.0)), 60, BEGIN_S, BEGIN_S + 120)
    np.testing.assert_array_equal(grid.column("a"), [np.nan, 2.0])


def test_rows_know_their_times() -> None:
    part = Grid(BEGIN_S, 60, ("a",), np.zeros((5, 1))).part(2, 4)
    assert part.times_s.tolist() == [BEGIN_S + 120, BEGIN_S + 180]


def test_a_parameter_that_is_not_there_is_nan() -> None:
    assert np.isnan(Grid(BEGIN_S, 60, ("a",), np.zeros((5, 1))).only(("b", "a")).values[:, 0]).all()


def test_a_counter_is_known_by_counting_up_and_beginning_again() -> None:
    counted = np.concatenate([np.arange(300.0), np.arange(300.0)])
    assert is_counter(counted)
    assert not is_counter(np.sin(np.arange(600.0)))
    assert not is_counter(np.random.default_rng(1).standard_normal(600))


def test_constants_counters_and_rare_guests_do_not_judge() -> None:
    rows = np.arange(200.0)
    rare = np.where(rows % 5 == 0, np.sin(rows), np.nan)
    grid = Grid(BEGIN_S, 60, ("constant", "counter", "rare", "real"), np.stack([rows * 0, rows, rare, np.sin(rows)], axis=1))
    assert judged_parameters(grid) == ("real",)


@pytest.mark.parametrize(
    ("interval_s", "span_s", "least_s", "step_s"), [(1, 400, 1, 1), (5, 30 * 86_400, 60, 60), (900, 86_400, 60, 900), (0.1, 10, 1, 1)]
)
def test_the_step_is_no_finer_than_the_readings(interval_s: float, span_s: float, least_s: int, step_s: int) -> None:
    assert step_for(interval_s, span_s, least_s) == step_s

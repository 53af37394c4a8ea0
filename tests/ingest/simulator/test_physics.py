import numpy as np
import pytest

from ingest.simulator.physics import counted, first_order


def test_after_one_time_constant_63_percent_of_a_step_has_arrived() -> None:
    response = first_order(np.zeros(1), np.ones((300, 1)), 1.0, 1.0, 300.0)
    assert response[-1, 0] == pytest.approx(1 - np.exp(-1))


def test_a_lag_over_many_times_equals_the_same_lag_step_by_step() -> None:
    target = np.random.default_rng(1).normal(size=(1_000, 3))
    whole = first_order(np.ones(3), target, 7.0, 2.0, 90.0)
    value, step_s, singles = np.ones(3), 7.0, []
    for row in target:
        value = first_order(value, row[None, :], step_s, step_s, 90.0)[-1]
        singles.append(value)
        step_s = 2.0
    assert np.allclose(whole, singles)


def test_a_lag_ends_at_the_same_value_whatever_the_step() -> None:
    fine = first_order(np.zeros(1), np.full((3_600, 1), 50.0), 1.0, 1.0, 600.0)
    coarse = first_order(np.zeros(1), np.full((60, 1), 50.0), 60.0, 60.0, 600.0)
    assert fine[-1, 0] == pytest.approx(coarse[-1, 0])


def test_a_counter_starts_again_when_its_period_changes() -> None:
    # period   7 | 7  7  8  8  9
    # adds       | 2  2  2  2  2
    # reads    5 | 7  9  2  4  2
    found = counted(np.array([5.0]), np.full((5, 1), 2.0), np.array([7, 7, 7, 8, 8, 9]))
    assert found[:, 0].tolist() == [7.0, 9.0, 2.0, 4.0, 2.0]


def test_a_counter_that_is_carried_over_starts_again_in_the_first_step_of_a_new_period() -> None:
    assert counted(np.array([5.0]), np.full((1, 1), 2.0), np.array([7, 8]))[:, 0].tolist() == [2.0]

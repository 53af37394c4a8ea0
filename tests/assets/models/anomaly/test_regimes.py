"""Off, idle and on from the power; nothing is judged right after a change."""

import numpy as np

from assets.models.anomaly.grid import Grid
from assets.models.anomaly.regimes import Regimes, learn_regimes, settled


def grid(power: list[float]) -> Grid:
    return Grid(0, 60, ("power",), np.array(power)[:, None])


def test_the_typical_power_is_that_of_the_working_time() -> None:
    learned = learn_regimes(grid([0.0] * 60 + [200.0] * 20 + [1000.0] * 20))
    assert learned.typical_w == 1000.0
    assert learned.of(grid([0.0, 200.0, 990.0, float("nan")])).tolist() == [0, 1, 2, -1]


def test_a_machine_that_always_runs_or_measures_no_power_has_one_regime() -> None:
    assert learn_regimes(grid([900.0, 1000.0] * 50)) == Regimes(0.0)
    assert learn_regimes(Grid(0, 60, ("a",), np.zeros((5, 1)))).of(grid([0.0, 1.0])).tolist() == [2, 2]


def test_after_each_change_so_many_rows_are_not_settled() -> None:
    regime = np.array([2, 2, 0, 0, 0, 0, -1, 2, 2, 2])
    assert settled(regime, 2).tolist() == [True, True, False, False, True, True, False, False, False, True]

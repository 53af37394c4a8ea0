"""From scores to spans and sentences."""

import numpy as np

from assets.models.anomaly.episodes import Contribution, contributions, spans
from assets.models.anomaly.words import sentence

UNITS = {"flow": "L/min", "vibration": "mm/s"}


def test_a_span_begins_above_the_limit_and_ends_well_below_it() -> None:
    nan = float("nan")
    assert spans(np.array([0.9, 1.1, 0.95, 1.2, 0.6, 1.5, nan, 1.3, 0.95])) == [(1, 4), (5, 6), (7, 9)]
    assert spans(np.array([0.9, 0.99])) == []


def test_the_strongest_contribution_comes_first_and_weak_ones_are_not_named() -> None:
    deviation = np.array([[0.1, -4.0, 2.0]] * 3)
    measured, expected = np.array([[1.0, 6.0, 30.0]] * 3), np.array([[1.0, 10.0, 28.0]] * 3)
    found = contributions(("a", "flow", "heat"), deviation, measured, expected)
    assert [each.parameter for each in found] == ["flow", "heat"]
    assert found[0].percent == -40.0
    assert round(sum(each.share for each in found), 2) == 1.0


def test_sentences() -> None:
    vibration = Contribution("vibration", 0.8, 2.7, 2.0)
    flow = Contribution("flow", 0.2, 8.0, 10.0)
    assert sentence((vibration, flow), {"vibration": "vibration"}, UNITS, with_load=True) == (
        "Vibration was 35 % above what this machine does at this load (2.70 instead of 2.00 mm/s); "
        "also flow −20 % (8.0 instead of 10.0 L/min)."
    )
    assert sentence((), {}, {}, with_load=False).startswith("The parameters together did not fit")


def test_a_percentage_of_nearly_nothing_is_not_told() -> None:
    found = Contribution("offset_x", 1.0, 0.5, 0.0)
    assert (
        sentence((found,), {}, {}, with_load=False)
        == "Offset x was above what is usual under the same conditions (0.500 instead of 0.000)."
    )


def test_a_hair_below_zero_is_zero() -> None:
    found = Contribution("power", 1.0, 12.0, -1e-9)
    assert "(12.0 instead of 0.0)" in sentence((found,), {}, {}, with_load=False)

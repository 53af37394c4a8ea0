"""Scores and states follow the written formula."""

from datetime import timedelta

import pytest

from tests.warehouse.frames import START
from warehouse.health import device_health, device_state, factory_health, is_offline

Machine = tuple[dict[str, int], bool, float]
# The spec's own example: 2 critical, 5 high, 3 offline.
PLANT: list[Machine] = [({"critical": 2, "high": 4, "low": 8}, False, 1), ({"high": 1, "medium": 12}, False, 1), *[({}, True, 1)] * 3]


def test_the_factorys_score_takes_off_5_2_and_1() -> None:
    found = factory_health(PLANT)
    assert found.score == 100 - 10 - 10 - 3
    assert found.deductions == {"critical": 10, "high": 10, "offline": 3}


def test_a_machine_counts_as_much_as_it_is_important() -> None:
    found = factory_health([({"critical": 1}, False, 3), ({"critical": 1, "high": 3}, True, 0), ({"high": 1}, False, 0.2)])
    assert (found.score, found.deductions) == (85, {"critical": 15}), "0.4 points are rounded to none"


def test_a_score_never_falls_below_zero() -> None:
    assert factory_health([({"critical": 30}, False, 1)]).score == 0
    assert device_health({"critical": 3}) == 0


def test_a_machine_without_alerts_has_full_health() -> None:
    assert device_health({"critical": 0, "high": 0, "medium": 0, "low": 0}) == 100


@pytest.mark.parametrize(("silent_s", "expected"), [(299, False), (300, False), (301, True)])
def test_a_machine_is_offline_after_five_silent_minutes(silent_s: int, expected: bool) -> None:
    assert is_offline(START, START + timedelta(seconds=silent_s), timedelta(minutes=5)) is expected


def test_a_machine_that_never_sent_is_offline() -> None:
    assert is_offline(None, START, timedelta(minutes=5))


@pytest.mark.parametrize(
    ("offline", "critical", "power_w", "typical_w", "expected"),
    [
        (True, 1, 1000, 1000, "offline"),
        (False, 1, 1000, 1000, "fault"),
        (False, 0, 1000, 1000, "running"),
        (False, 0, 200, 1000, "idle"),
        (False, 0, 5, 1000, "off"),
        (False, 0, None, 1000, "running"),
        (False, 0, 5, None, "running"),
    ],
)
def test_the_state_of_a_machine(offline: bool, critical: int, power_w: float | None, typical_w: float | None, expected: str) -> None:
    assert device_state(offline=offline, critical_alerts=critical, power_w=power_w, typical_power_w=typical_w) == expected

"""What lists and cards show, from the operational database, always inside one factory."""

import pytest

from tests.warehouse.frames import at
from tests.warehouse.queries.conftest import NOW, OFFLINE_AFTER
from warehouse.db import Database
from warehouse.errors import NotFoundError
from warehouse.queries.alerts import AlertFilter, active_counts, count_alerts, find_alert, list_alerts
from warehouse.queries.devices import device_list
from warehouse.queries.live import find_device, live_values


def test_live_values_give_every_parameter_kpis_first(plant: Database) -> None:
    power, alarm = live_values(plant, 1, 1, NOW)
    assert (power.display_name, power.value, power.unit, power.is_stale) == ("Power", 900.0, "W", False)
    assert (alarm.display_name, alarm.value, alarm.ts, alarm.is_stale) == ("alarm", None, None, True)


def test_a_value_older_than_the_limit_is_stale(plant: Database) -> None:
    (power,) = live_values(plant, 1, 2, NOW, stale_after_s=60)
    assert power.is_stale


@pytest.mark.parametrize("factory_id", [2, 3])
def test_a_machine_of_another_factory_does_not_exist(plant: Database, factory_id: int) -> None:
    with pytest.raises(NotFoundError):
        live_values(plant, factory_id, 1, NOW)
    with pytest.raises(NotFoundError):
        find_device(plant, factory_id, device_id=1)


def test_the_same_key_in_two_factories_means_two_machines(plant: Database) -> None:
    assert find_device(plant, 1, device_key="M1").id == 1
    assert find_device(plant, 2, device_key="M1").id == 9


def test_machines_are_listed_worst_first(plant: Database) -> None:
    rows = device_list(plant, 1, NOW, OFFLINE_AFTER, {1: 1000.0, 3: 1000.0, 4: 1500.0})
    assert [(row.device_key, row.state, row.health, row.power_w) for row in rows] == [
        ("M1", "fault", 52, 900.0),
        ("P2", "offline", None, None),
        ("O3", "idle", 80, 100.0),
        ("E4", "running", 100, 1500.0),
    ]


def test_active_alerts_come_most_severe_first(plant: Database) -> None:
    assert [alert.id for alert in list_alerts(plant, 1)] == [2, 3, 1]


def test_all_alerts_come_newest_first(plant: Database) -> None:
    assert [alert.id for alert in list_alerts(plant, 1, AlertFilter(status="all"))] == [4, 3, 2, 1]
    assert [alert.id for alert in list_alerts(plant, 1, AlertFilter(status="all"), limit=2, offset=1)] == [3, 2]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (AlertFilter(status="new"), [3, 1]),
        (AlertFilter(status="acknowledged"), [2]),
        (AlertFilter(status="resolved"), [4]),
        (AlertFilter(severities=["critical", "medium"]), [2, 1]),
        (AlertFilter(device_id=3), [3]),
        (AlertFilter(device_id=9), []),
        (AlertFilter(search="mill ONE"), [2, 1]),
        (AlertFilter(search="100%"), [2, 3, 1]),
        (AlertFilter(search="1%h"), []),
        (AlertFilter(status="all", since=at(20), until=at(50)), [3, 2]),
    ],
)
def test_filters(plant: Database, asked: AlertFilter, expected: list[int]) -> None:
    assert [alert.id for alert in list_alerts(plant, 1, asked)] == expected
    assert count_alerts(plant, 1, asked) == len(expected)


def test_an_alert_tells_who_has_it(plant: Database) -> None:
    assert (find_alert(plant, 1, 2).status, find_alert(plant, 1, 2).acknowledged_by) == ("acknowledged", "Linh")
    assert (find_alert(plant, 1, 4).status, find_alert(plant, 1, 4).resolved_by) == ("resolved", "Linh")


def test_an_alert_of_another_factory_does_not_exist(plant: Database) -> None:
    with pytest.raises(NotFoundError):
        find_alert(plant, 1, 8)


def test_counts_are_by_machine_and_severity(plant: Database) -> None:
    assert active_counts(plant, 1) == {
        1: {"critical": 1, "high": 0, "medium": 1, "low": 0},
        3: {"critical": 0, "high": 1, "medium": 0, "low": 0},
    }

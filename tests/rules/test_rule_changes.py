"""Rules that are made, changed or deleted while readings arrive, on SQLite and on PostgreSQL."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select, update

from tests.rules.installation import (
    BOTH,
    HOT,
    START,
    add_device,
    add_factory,
    add_rule,
    add_user,
    alert_seconds,
    alerts,
    evaluator,
    land,
    notifications,
    readings,
)
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.models.alerting import Rule
from warehouse.models.devices import Device, LatestValue
from warehouse.tenancy import system_session


def test_a_new_rule_counts_within_a_second(database: Database, manual_clock: ManualClock, plant: tuple[int, int]) -> None:
    factory, device = plant
    one = evaluator(database, manual_clock)
    one.step()
    add_rule(database, factory)
    manual_clock.advance(timedelta(seconds=1))
    land(database, readings(factory, device, [(0, {"spindle_temp": 85})]))
    one.step()
    assert alert_seconds(database) == [0]


@pytest.mark.parametrize("change", [{"is_active": False}, {"conditions": {**HOT, "threshold": 100}}])
def test_a_changed_rule_counts_within_a_second(
    database: Database, manual_clock: ManualClock, plant: tuple[int, int], change: dict[str, object]
) -> None:
    factory, device = plant
    rule = add_rule(database, factory, cooldown_minutes=0)
    one = evaluator(database, manual_clock)
    land(database, readings(factory, device, [(0, {"spindle_temp": 85})]))
    one.step()
    with system_session(database, "test") as session:
        session.execute(update(Rule).where(Rule.id == rule).values(change))
    manual_clock.advance(timedelta(seconds=1))
    land(database, readings(factory, device, [(1, {"spindle_temp": 85})]))
    one.step()
    assert alert_seconds(database) == [0]


def test_a_value_that_arrived_before_the_rule_was_made_is_known(
    database: Database, manual_clock: ManualClock, plant: tuple[int, int]
) -> None:
    """A machine that reports on change may not repeat its coolant flow for days."""
    factory, device = plant
    one = evaluator(database, manual_clock)
    land(database, readings(factory, device, [(0, {"coolant_flow": 3})]))
    with system_session(database, "test") as session:
        session.add(LatestValue(factory_id=factory, device_id=device, parameter_key="coolant_flow", ts=START, value=3.0, received_at=START))
    one.step()
    add_rule(database, factory, BOTH)
    manual_clock.advance(timedelta(seconds=1))
    one.step()
    land(database, readings(factory, device, [(600, {"spindle_temp": 85})]))
    one.step()
    assert alert_seconds(database) == [600]


def test_the_first_evaluator_ever_is_not_confused_by_live_values_that_are_ahead_of_the_log(
    database: Database, manual_clock: ManualClock, plant: tuple[int, int]
) -> None:
    factory, device = plant
    add_rule(database, factory, BOTH)
    with system_session(database, "test") as session:
        at = START + timedelta(seconds=2)
        session.add(LatestValue(factory_id=factory, device_id=device, parameter_key="coolant_flow", ts=at, value=3.0, received_at=at))
    land(database, *(readings(factory, device, [row]) for row in [(0, {"spindle_temp": 85}), (2, {"coolant_flow": 3})]))
    evaluator(database, manual_clock).step()
    assert alert_seconds(database) == [2]


def test_a_rule_that_cannot_be_read_is_left_out_and_the_others_go_on(
    database: Database, manual_clock: ManualClock, plant: tuple[int, int]
) -> None:
    factory, device = plant
    broken = add_rule(database, factory, {"operator": "XOR", "conditions": []})
    add_rule(database, factory)
    one = evaluator(database, manual_clock)
    land(database, readings(factory, device, [(0, {"spindle_temp": 85})]))
    one.step()
    assert alert_seconds(database) == [0]
    assert one.store.broken == {broken: "$.operator 'XOR' does not join conditions; allowed: AND, OR, NOT"}


@pytest.mark.parametrize("model", [Device, Rule])
def test_what_was_deleted_while_its_reading_was_on_the_way_raises_nothing(
    database: Database, manual_clock: ManualClock, plant: tuple[int, int], model: type[Device] | type[Rule]
) -> None:
    factory, device = plant
    add_rule(database, factory, devices=[device])
    other = add_device(database, factory, "M02")
    add_rule(database, factory, devices=[other], name="Other")
    one = evaluator(database, manual_clock)
    one.step()
    land(database, readings(factory, device, [(0, {"spindle_temp": 85})]), readings(factory, other, [(1, {"spindle_temp": 85})]))
    with system_session(database, "test") as session:
        first = session.scalar(select(func.min(model.id)))
        session.execute(delete(model).where(model.id == first))
    one.step()  # the rules were read less than a second ago
    assert alert_seconds(database) == [1]


def test_rules_see_their_own_factory_only(database: Database, manual_clock: ManualClock, plant: tuple[int, int]) -> None:
    factory, device = plant
    other_factory = add_factory(database)
    other_device = add_device(database, other_factory)
    add_rule(database, factory)
    add_user(database, other_factory, "bert@other.example")
    land(
        database,
        readings(other_factory, other_device, [(0, {"spindle_temp": 85})]),
        readings(factory, device, [(1, {"spindle_temp": 85})]),
    )
    evaluator(database, manual_clock).step()
    assert [(alert.factory_id, alert.device_id) for alert in alerts(database)] == [(factory, device)]
    assert notifications(database) == []

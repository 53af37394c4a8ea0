"""From landed batches to alerts, cooldowns and outbox rows, on SQLite and on PostgreSQL."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from rules.evaluation import CONSUMER
from tests.rules.installation import (
    BOTH,
    START,
    add_rule,
    add_user,
    alert_seconds,
    alerts,
    cooldowns,
    cursor,
    evaluator,
    land,
    notifications,
    readings,
)
from warehouse import landing
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.errors import LeaseLostError
from warehouse.models.alerting import Alert
from warehouse.models.streams import ConsumerCursor
from warehouse.tenancy import system_session

MIN = 60.0


def test_the_specifications_alert(database: Database, manual_clock: ManualClock, plant: tuple[int, int]) -> None:
    factory, device = plant
    rule = add_rule(database, factory, BOTH, devices=[device], name="Spindle Overheat Critical")
    add_user(database, factory, "anna@plant.example")
    land(database, readings(factory, device, [(0, {"spindle_temp": 82.5, "coolant_flow": 3.2, "voltage": 231.4, "mode": "auto"})]))

    done = evaluator(database, manual_clock).step()

    assert (done.batches, done.readings, done.alerts) == (1, 4, 1)
    (alert,) = alerts(database)
    assert (alert.factory_id, alert.rule_id, alert.device_id, alert.severity) == (factory, rule, device, "critical")
    assert (alert.triggered_at, alert.created_at, alert.resolved_at, alert.notification_sent) == (START, manual_clock.now(), None, False)
    assert alert.message == "Spindle temperature (82.5°C) exceeded threshold (80°C) AND coolant flow (3.2 L/min) below threshold (5 L/min)"
    assert alert.telemetry_snapshot == {
        "spindle_temp": 82.5, "coolant_flow": 3.2, "voltage": 231.4, "mode": "auto", "timestamp": "2026-01-05T08:00:00Z",
    }  # fmt: skip
    assert cooldowns(database) == {(rule, device): START}
    (mail,) = notifications(database)
    assert (mail.channel, mail.recipient, mail.status) == ("email", "anna@plant.example", "pending")
    assert mail.subject == "[CRITICAL] FactoryOps Alert - Spindle Overheat Critical"
    assert mail.body == (
        "Rule: Spindle Overheat Critical\n"
        "Device: CNC Mill - Station A (M01)\n"
        "Severity: CRITICAL\n"
        "Time: 2026-01-05T08:00:00Z\n"
        "\n"
        "Spindle temperature (82.5°C) exceeded threshold (80°C) AND coolant flow (3.2 L/min) below threshold (5 L/min)\n"
        "\n"
        "Current Values:\n"
        "- coolant_flow: 3.2 L/min\n"
        "- spindle_temp: 82.5°C\n"
        "\n"
        f"Open the alert: http://factory.example:8080/alerts?id={alert.id}\n"
    )


def test_a_message_delivered_again_alerts_once(database: Database, manual_clock: ManualClock, plant: tuple[int, int]) -> None:
    factory, device = plant
    add_rule(database, factory, cooldown_minutes=0)
    add_user(database, factory, "anna@plant.example")
    message = readings(factory, device, [(0, {"spindle_temp": 85})])
    land(database, message, message)
    first = evaluator(database, manual_clock)
    first.step()
    land(database, message)
    first.step()
    land(database, message)
    evaluator(database, manual_clock).step()  # another process, which remembers nothing
    assert alert_seconds(database) == [0]
    assert len(notifications(database)) == 1


def test_the_cooldown_is_respected_over_a_restart(database: Database, manual_clock: ManualClock, plant: tuple[int, int]) -> None:
    factory, device = plant
    add_rule(database, factory, cooldown_minutes=15)
    for minute in range(0, 40, 5):
        land(database, readings(factory, device, [(minute * MIN, {"spindle_temp": 85})]))
        evaluator(database, manual_clock).step()
    assert alert_seconds(database) == [0, 15 * MIN, 30 * MIN]


def test_last_known_values_survive_a_restart(database: Database, manual_clock: ManualClock, plant: tuple[int, int]) -> None:
    factory, device = plant
    add_rule(database, factory, BOTH)
    land(database, readings(factory, device, [(0, {"coolant_flow": 3})]))
    first = evaluator(database, manual_clock)
    first.step()
    first.flush(snapshot=True)
    land(database, readings(factory, device, [(1, {"spindle_temp": 85})]))
    evaluator(database, manual_clock).step()
    assert alert_seconds(database) == [1]


def test_batches_between_snapshot_and_cursor_are_remembered_silently(
    database: Database, manual_clock: ManualClock, plant: tuple[int, int]
) -> None:
    factory, device = plant
    add_rule(database, factory, BOTH, cooldown_minutes=0)
    first = evaluator(database, manual_clock)
    land(database, readings(factory, device, [(0, {"spindle_temp": 70})]))
    first.step()  # the first commit takes a snapshot
    land(database, readings(factory, device, [(1, {"coolant_flow": 3})]), readings(factory, device, [(2, {"spindle_temp": 85})]))
    first.step()  # within 5 s: the cursor moves with the alert, the snapshot stays behind
    assert alert_seconds(database) == [2]
    land(database, readings(factory, device, [(3, {"spindle_temp": 86})]))
    evaluator(database, manual_clock).step()
    assert alert_seconds(database) == [2, 3]


def test_an_alert_that_somebody_deleted_does_not_come_back(database: Database, manual_clock: ManualClock, plant: tuple[int, int]) -> None:
    factory, device = plant
    add_rule(database, factory)
    land(database, readings(factory, device, [(0, {"spindle_temp": 85})]))
    evaluator(database, manual_clock).step()
    with system_session(database, "test") as session:
        session.execute(delete(Alert))
    evaluator(database, manual_clock).step()
    assert alerts(database) == []


def test_without_alerts_the_cursor_moves_once_a_second(database: Database, manual_clock: ManualClock, plant: tuple[int, int]) -> None:
    factory, device = plant
    add_rule(database, factory)
    one = evaluator(database, manual_clock)
    cursors = []
    for second in range(4):
        land(database, readings(factory, device, [(second, {"spindle_temp": 70})]))
        one.step()
        cursors.append(cursor(database))
        manual_clock.advance(timedelta(milliseconds=500))
    assert cursors == [1, 1, 3, 3]
    manual_clock.advance(timedelta(seconds=1))
    one.flush()
    assert cursor(database) == 4


def test_of_two_evaluators_at_work_one_is_fenced_off_and_nothing_is_doubled(
    database: Database, manual_clock: ManualClock, plant: tuple[int, int]
) -> None:
    factory, device = plant
    add_rule(database, factory, cooldown_minutes=0)
    add_user(database, factory, "anna@plant.example")
    one, other = evaluator(database, manual_clock), evaluator(database, manual_clock)
    one.resume()
    other.resume()
    land(database, readings(factory, device, [(0, {"spindle_temp": 85})]))
    one.step()
    with pytest.raises(LeaseLostError):
        other.step()
    other.step()  # from where the first one stands
    assert alert_seconds(database) == [0]
    land(database, readings(factory, device, [(1, {"spindle_temp": 86})]))
    other.step()
    assert alert_seconds(database) == [0, 1]
    assert [alert.repeat_count for alert in alerts(database)] == [1]
    assert len(notifications(database)) == 1


def test_each_active_person_is_told_on_each_channel_of_the_rule(
    database: Database, manual_clock: ManualClock, plant: tuple[int, int]
) -> None:
    factory, device = plant
    add_rule(database, factory, notification_channels={"email": True, "whatsapp": True})
    add_user(database, factory, "anna@plant.example", whatsapp_number="+4915112345678")
    add_user(database, factory, "bert@plant.example")
    add_user(database, factory, "left@plant.example", is_active=False)
    land(database, readings(factory, device, [(0, {"spindle_temp": 85})]))
    evaluator(database, manual_clock).step()
    assert [(row.channel, row.recipient) for row in notifications(database)] == [
        ("email", "anna@plant.example"),
        ("email", "bert@plant.example"),
        ("whatsapp", "+4915112345678"),
    ]


@pytest.mark.parametrize(("channels", "count"), [(None, 1), ({"email": True}, 1), ({"email": False}, 0), ({}, 0)])
def test_mails_are_sent_unless_the_rule_says_otherwise(
    database: Database, manual_clock: ManualClock, plant: tuple[int, int], channels: dict[str, bool] | None, count: int
) -> None:
    factory, device = plant
    add_rule(database, factory, notification_channels=channels)
    add_user(database, factory, "anna@plant.example")
    land(database, readings(factory, device, [(0, {"spindle_temp": 85})]))
    evaluator(database, manual_clock).step()
    assert len(notifications(database)) == count


def test_a_snapshot_that_cannot_be_read_costs_last_values_and_nothing_else(
    database: Database, manual_clock: ManualClock, plant: tuple[int, int]
) -> None:
    factory, device = plant
    add_rule(database, factory)
    land(database, readings(factory, device, [(0, {"spindle_temp": 85})]))
    evaluator(database, manual_clock).step()
    with system_session(database, "test") as session:
        session.execute(update(ConsumerCursor).where(ConsumerCursor.name == CONSUMER).values(state=b"\xff\x00rubbish"))
    land(database, readings(factory, device, [(1, {"spindle_temp": 85}), (900, {"spindle_temp": 85})]))
    evaluator(database, manual_clock).step()
    assert alert_seconds(database) == [0, 900]


def test_late_readings_are_counted_over_a_restart(database: Database, manual_clock: ManualClock, plant: tuple[int, int]) -> None:
    factory, device = plant
    add_rule(database, factory)
    land(database, readings(factory, device, [(600, {"spindle_temp": 70})]), readings(factory, device, [(0, {"spindle_temp": 85})]))
    first = evaluator(database, manual_clock)
    first.step()
    first.flush(snapshot=True)
    second = evaluator(database, manual_clock)
    second.resume()
    assert (first.counts.too_late, second.counts.too_late, alerts(database)) == (1, 1, [])


def test_hundreds_of_alerts_of_one_batch_are_recorded(database: Database, manual_clock: ManualClock, plant: tuple[int, int]) -> None:
    factory, device = plant
    add_rule(database, factory, cooldown_minutes=0)
    add_user(database, factory, "anna@plant.example")
    land(database, readings(factory, device, [(i, {"spindle_temp": 85}) for i in range(1200)]))
    assert evaluator(database, manual_clock).step().alerts == 1200
    (alert,) = alerts(database)
    assert alert.repeat_count == 1199
    assert len(notifications(database)) == 1


def test_the_cursor_of_a_log_that_was_trimmed_goes_on(database: Database, manual_clock: ManualClock, plant: tuple[int, int]) -> None:
    factory, device = plant
    add_rule(database, factory, cooldown_minutes=0)
    land(database, readings(factory, device, [(0, {"spindle_temp": 85})]))
    evaluator(database, manual_clock).step()
    with system_session(database, "test", write=True) as session:
        assert landing.trim(session, START + timedelta(hours=1), [CONSUMER]) == 1
    land(database, readings(factory, device, [(1, {"spindle_temp": 85})]))
    evaluator(database, manual_clock).step()
    assert alert_seconds(database) == [0, 1]


@pytest.mark.parametrize("limit", [1, 3, 20])
def test_how_many_batches_a_step_takes_changes_nothing(
    database: Database, manual_clock: ManualClock, plant: tuple[int, int], limit: int
) -> None:
    """Late readings included: evaluation is a function of the log, so a process that died may go on with other steps."""
    factory, device = plant
    add_rule(database, factory, BOTH, cooldown_minutes=0.1)
    rows = [(i * 2.0 - (7 if i % 5 == 0 else 0), {"spindle_temp": 70 + i * 7 % 20, "coolant_flow": 2 + i * 3 % 7}) for i in range(4, 40)]
    land(database, *(readings(factory, device, [row]) for row in rows))
    one = evaluator(database, manual_clock)
    while one.step(limit).batches:
        pass
    assert alert_seconds(database) == [3, 28, 34, 56, 62]

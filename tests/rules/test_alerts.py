"""Acknowledging and resolving alerts, with a trace of who did it."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from rules.alerts import LONGEST_COMMENT, acknowledge, resolve
from tests.rules.installation import add_device, add_factory, add_rule, add_user, alerts
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.models.alerting import Alert
from warehouse.models.people import AuditEvent
from warehouse.tenancy import system_session


@pytest.fixture
def two_factories(database: Database, manual_clock: ManualClock) -> list[tuple[int, int, int]]:
    """Two factories, each with a person and an active alert: (factory, person, alert)."""
    found = []
    for name in ("north", "south"):
        factory = add_factory(database)
        device, rule = add_device(database, factory), add_rule(database, factory)
        person = add_user(database, factory, f"chief@{name}.example")
        with system_session(database, "test") as session:
            alert = Alert(factory_id=factory, rule_id=rule, device_id=device, triggered_at=manual_clock.now(), severity="high")
            session.add(alert)
            session.flush()
            found.append((factory, person, alert.id))
    return found


def audit_trail(db: Database) -> list[AuditEvent]:
    with system_session(db, "test") as session:
        return list(session.scalars(select(AuditEvent).order_by(AuditEvent.id)))


def test_an_alert_is_acknowledged_then_resolved_and_both_leave_a_trace(
    database: Database, manual_clock: ManualClock, two_factories: list[tuple[int, int, int]]
) -> None:
    factory, person, alert = two_factories[0]
    acknowledged_at = manual_clock.now()
    acknowledge(database, manual_clock, factory, alert, user_id=person, comment="on my way")
    manual_clock.advance(timedelta(minutes=30))
    found = resolve(database, manual_clock, factory, alert, user_id=person, comment="pump replaced")

    assert (found.acknowledged_at, found.acknowledged_by) == (acknowledged_at, person)
    assert (found.resolved_at, found.resolved_by, found.resolution_comment) == (manual_clock.now(), person, "pump replaced")
    first, second = audit_trail(database)
    assert (first.action, first.target, first.reason, first.user_id, first.happened_at) == (
        "alert.acknowledge", f"alert:{alert}", "on my way", person, acknowledged_at,
    )  # fmt: skip
    assert (second.action, second.reason, second.factory_id) == ("alert.resolve", "pump replaced", factory)
    assert second.before is not None
    assert second.after is not None
    assert (second.before["resolved_at"], second.after["resolved_by"]) == (None, person)


@pytest.mark.parametrize("act", [acknowledge, resolve])
def test_the_second_time_changes_nothing_and_leaves_no_trace(
    database: Database, manual_clock: ManualClock, two_factories: list[tuple[int, int, int]], act: object
) -> None:
    factory, person, alert = two_factories[0]
    first = act(database, manual_clock, factory, alert, user_id=person, comment="first")  # type: ignore[operator]
    manual_clock.advance(timedelta(minutes=5))
    second = act(database, manual_clock, factory, alert, user_id=person, comment="second")  # type: ignore[operator]
    for column in ("acknowledged_at", "resolved_at", "resolution_comment"):
        assert getattr(first, column) == getattr(second, column)
    assert len(audit_trail(database)) == 1


def test_a_resolved_alert_is_not_acknowledged_afterwards(
    database: Database, manual_clock: ManualClock, two_factories: list[tuple[int, int, int]]
) -> None:
    factory, person, alert = two_factories[0]
    resolve(database, manual_clock, factory, alert, user_id=person)
    assert acknowledge(database, manual_clock, factory, alert, user_id=person).acknowledged_at is None


@pytest.mark.parametrize("act", [acknowledge, resolve])
def test_the_alert_of_another_factory_does_not_exist(
    database: Database, manual_clock: ManualClock, two_factories: list[tuple[int, int, int]], act: object
) -> None:
    (factory, person, _), (_, _, foreign) = two_factories
    with pytest.raises(NotFoundError):
        act(database, manual_clock, factory, foreign, user_id=person)  # type: ignore[operator]
    assert all(alert.acknowledged_at is None and alert.resolved_at is None for alert in alerts(database))
    assert audit_trail(database) == []


@pytest.mark.parametrize("act", [acknowledge, resolve])
def test_a_person_of_another_factory_does_not_exist(
    database: Database, manual_clock: ManualClock, two_factories: list[tuple[int, int, int]], act: object
) -> None:
    (factory, _, alert), (_, foreigner, _) = two_factories
    with pytest.raises(NotFoundError):
        act(database, manual_clock, factory, alert, user_id=foreigner)  # type: ignore[operator]
    assert audit_trail(database) == []


def test_a_comment_that_is_too_long_is_refused(
    database: Database, manual_clock: ManualClock, two_factories: list[tuple[int, int, int]]
) -> None:
    factory, person, alert = two_factories[0]
    with pytest.raises(InvalidInputError, match="at most 1000 characters"):
        resolve(database, manual_clock, factory, alert, user_id=person, comment="x" * (LONGEST_COMMENT + 1))

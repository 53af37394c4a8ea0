"""A small installation to evaluate rules in: factories, devices, rules, people, and messages that land."""

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from sqlalchemy import select

from rules.evaluation import Evaluator
from warehouse import landing
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.models.alerting import Alert, AlertRaise, Notification, Rule, RuleCooldown, RuleDevice
from warehouse.models.devices import Device, DeviceParameter
from warehouse.models.people import Factory, User
from warehouse.readings import READINGS
from warehouse.tenancy import system_session

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
HOT: dict[str, Any] = {"parameter": "spindle_temp", "operator": "gt", "threshold": 80}
BOTH = {"operator": "AND", "conditions": [HOT, {"parameter": "coolant_flow", "operator": "lt", "threshold": 5}]}
_slugs = itertools.count(1)


def add_factory(db: Database, *, timezone: str = "UTC") -> int:
    number = next(_slugs)
    with system_session(db, "test") as session:
        factory = Factory(name=f"Plant {number}", slug=f"plant-{number}", timezone=timezone)
        session.add(factory)
        session.flush()
        return factory.id


def add_device(db: Database, factory_id: int, key: str = "M01", *, name: str | None = "CNC Mill - Station A") -> int:
    with system_session(db, "test") as session:
        device = Device(factory_id=factory_id, device_key=key, name=name)
        session.add(device)
        session.flush()
        session.add_all(
            DeviceParameter(factory_id=factory_id, device_id=device.id, parameter_key=parameter, display_name=display, unit=unit)
            for parameter, display, unit in (("spindle_temp", "Spindle temperature", "°C"), ("coolant_flow", "Coolant flow", "L/min"))
        )
        return device.id


def add_rule(db: Database, factory_id: int, conditions: dict[str, Any] = HOT, *, devices: Iterable[int] = (), **columns: Any) -> int:
    """A rule of scope `device` when devices are given, else a global one."""
    with system_session(db, "test") as session:
        rule = Rule(
            factory_id=factory_id,
            conditions=conditions,
            **{"name": "Spindle Overheat", "severity": "critical", "cooldown_minutes": 15, "scope": "device" if devices else "global"}
            | columns,
        )
        session.add(rule)
        session.flush()
        session.add_all(RuleDevice(factory_id=factory_id, rule_id=rule.id, device_id=device_id) for device_id in devices)
        return rule.id


def add_user(db: Database, factory_id: int, email: str, **columns: Any) -> int:
    with system_session(db, "test") as session:
        user = User(factory_id=factory_id, email=email, hashed_password="none", **columns)
        session.add(user)
        session.flush()
        return user.id


def readings(
    factory_id: int, device_id: int, rows: Iterable[tuple[float, dict[str, float | str]]], start: datetime = START
) -> pl.DataFrame:
    """READINGS of one device: (seconds after `start`, values by parameter) each."""
    table = []
    for at, values in rows:
        ts = start + timedelta(seconds=at)
        for parameter, value in values.items():
            number, text = (None, value) if isinstance(value, str) else (float(value), None)
            table.append((factory_id, device_id, parameter, ts, number, text, ts))
    return pl.DataFrame(table, schema=READINGS, orient="row")


def land(db: Database, *frames: pl.DataFrame, landed_at: datetime = START) -> int:
    """Lands each frame as a batch of its own; gives the position of the last one."""
    position = 0
    for frame in frames:
        with system_session(db, "test", write=True) as session:
            position = landing.append(session, frame, message_count=1, landed_at=landed_at)
    return position


def alerts(db: Database) -> list[Alert]:
    with system_session(db, "test") as session:
        return list(session.scalars(select(Alert).order_by(Alert.triggered_at, Alert.rule_id, Alert.device_id)))


def raises(db: Database) -> list[AlertRaise]:
    """Every moment at which a rule asked for an alert: the first makes one, the others repeat it."""
    with system_session(db, "test") as session:
        return list(session.scalars(select(AlertRaise).order_by(AlertRaise.raised_at, AlertRaise.rule_id, AlertRaise.device_id)))


def alert_seconds(db: Database) -> list[float]:
    """When rules asked for alerts, in seconds after START."""
    return [(found.raised_at - START).total_seconds() for found in raises(db)]


def notifications(db: Database) -> list[Notification]:
    with system_session(db, "test") as session:
        return list(session.scalars(select(Notification).order_by(Notification.id)))


def cooldowns(db: Database) -> dict[tuple[int, int], datetime]:
    with system_session(db, "test") as session:
        return {(row.rule_id, row.device_id): row.last_triggered for row in session.scalars(select(RuleCooldown))}


def cursor(db: Database) -> int:
    with system_session(db, "test") as session:
        return landing.cursor(session, "evaluator")


def evaluator(db: Database, clock: ManualClock) -> Evaluator:
    """One whose links lead to a made-up address."""
    return Evaluator(db, app_url="http://factory.example:8080/", clock=clock)

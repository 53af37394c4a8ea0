"""What is new since a moment: values that moved, and what happened to alerts. For those who watch."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from warehouse.db import Database
from warehouse.models.alerting import Alert, AlertEvent, Rule
from warehouse.models.devices import Device, LatestValue
from warehouse.tenancy import tenant_session


@dataclass(frozen=True)
class AlertNews:
    """Something that happened to an alert."""

    event_id: int
    """Grows with each event."""
    kind: str
    """One of `warehouse.models.alerting.EVENT_KINDS`."""
    happened_at: datetime
    alert_id: int
    rule_name: str
    device_id: int
    device_key: str
    severity: str
    message: str
    details: dict[str, Any]


def newer_values(db: Database, factory_id: int, received_from: datetime, device_id: int | None = None) -> list[LatestValue]:
    """The newest values of the factory, or of one machine, that were received at or after a moment; by machine and parameter."""
    wanted = select(LatestValue).where(LatestValue.received_at >= received_from)
    if device_id is not None:
        wanted = wanted.where(LatestValue.device_id == device_id)
    with tenant_session(db, factory_id) as session:
        return list(session.scalars(wanted.order_by(LatestValue.device_id, LatestValue.parameter_key)))


def newest_event(db: Database, factory_id: int) -> int:
    """Id of the newest event of any alert; 0 when there is none."""
    with tenant_session(db, factory_id) as session:
        return session.scalar(select(func.max(AlertEvent.id))) or 0


def alert_news(db: Database, factory_id: int, after_id: int, device_id: int | None = None, limit: int = 200) -> list[AlertNews]:
    """What happened to alerts after an event, in order."""
    wanted = (
        select(AlertEvent, Alert, Rule, Device)
        .join(Alert, AlertEvent.alert_id == Alert.id)
        .join(Rule, Alert.rule_id == Rule.id)
        .join(Device, Alert.device_id == Device.id)
        .where(AlertEvent.id > after_id)
    )
    if device_id is not None:
        wanted = wanted.where(Alert.device_id == device_id)
    with tenant_session(db, factory_id) as session:
        rows = session.execute(wanted.order_by(AlertEvent.id).limit(limit)).all()
    return [
        AlertNews(
            event.id, event.kind, event.happened_at, alert.id, rule.name, device.id, device.device_key, alert.severity, alert.message or "",
            event.details or {},
        )
        for event, alert, rule, device in rows
    ]  # fmt: skip

"""Alerts of a factory: lists with filters, and counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, or_, select

from warehouse.db import Database
from warehouse.errors import NotFoundError
from warehouse.models.alerting import Alert, AlertEvent, Rule
from warehouse.models.devices import Device
from warehouse.models.people import User
from warehouse.tenancy import tenant_session
from warehouse.terms import SEVERITIES

STATUSES = ("active", "new", "acknowledged", "resolved", "all")


@dataclass(frozen=True)
class AlertRow:
    """One alert with the names that people know."""

    id: int
    severity: str
    title: str
    """Name of the rule."""
    message: str
    device_id: int
    device_key: str
    device_name: str
    device_kind: str
    region: str
    rule_id: int
    triggered_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str
    resolved_at: datetime | None
    resolved_by: str
    resolution_comment: str
    telemetry_snapshot: dict[str, Any]
    notification_sent: bool
    repeat_count: int = 0
    last_raised_at: datetime | None = None
    cleared_at: datetime | None = None
    assigned_to: str = ""
    assigned_to_id: int | None = None
    is_silenced: bool = False
    is_resolved_automatically: bool = False

    @property
    def status(self) -> str:
        """`new`, `acknowledged` or `resolved`."""
        return "resolved" if self.resolved_at else "acknowledged" if self.acknowledged_at else "new"


@dataclass(frozen=True)
class AlertFilter:
    """Which alerts are asked for; the default is every active one."""

    status: str = "active"
    """One of STATUSES."""
    severities: Sequence[str] = ()
    """Empty: all."""
    device_id: int | None = None
    search: str = ""
    """Part of the rule's name, or of the machine's key or name; upper and lower case are the same."""
    since: datetime | None = None
    """triggered_at is in [since, until)."""
    until: datetime | None = None


def list_alerts(db: Database, factory_id: int, asked: AlertFilter = AlertFilter(), *, limit: int = 200, offset: int = 0) -> list[AlertRow]:
    """The alerts that the filter lets through: active ones by severity then newest first, others newest first."""
    worst_first = case({level: rank for rank, level in enumerate(SEVERITIES)}, value=Alert.severity, else_=len(SEVERITIES))
    newest = (Alert.triggered_at.desc(), Alert.id.desc())
    order = newest if asked.status in {"resolved", "all"} else (worst_first, *newest)
    with tenant_session(db, factory_id) as session:
        rows = session.execute(_joined().where(*_conditions(asked)).order_by(*order).limit(limit).offset(offset)).all()
        names = {user.id: user.name or user.email for user in session.scalars(select(User))}
    return [_row(alert, rule, device, names) for alert, rule, device in rows]


def count_alerts(db: Database, factory_id: int, asked: AlertFilter = AlertFilter()) -> int:
    """How many alerts `list_alerts` would give without a limit."""
    with tenant_session(db, factory_id) as session:
        return (
            session.scalar(select(func.count()).select_from(_joined().where(*_conditions(asked)).with_only_columns(Alert.id).subquery()))
            or 0
        )


def find_alert(db: Database, factory_id: int, alert_id: int) -> AlertRow:
    """One alert. Raises NotFoundError, also for alerts of other factories."""
    with tenant_session(db, factory_id) as session:
        row = session.execute(_joined().where(Alert.id == alert_id)).first()
        names = {user.id: user.name or user.email for user in session.scalars(select(User))}
    if row is None:
        message = f"there is no alert {alert_id} in this factory"
        raise NotFoundError(message, noun="alert", key=alert_id)
    return _row(row[0], row[1], row[2], names)


@dataclass(frozen=True)
class HistoryLine:
    """One line of an alert's history."""

    kind: str
    """One of `warehouse.models.alerting.EVENT_KINDS`."""
    happened_at: datetime
    person: str
    """Empty: the system itself."""
    comment: str
    details: dict[str, Any]


def alert_history(db: Database, factory_id: int, alert_id: int) -> list[HistoryLine]:
    """What happened to an alert, in order. Raises NotFoundError, also for alerts of other factories."""
    with tenant_session(db, factory_id) as session:
        if session.scalar(select(Alert.id).where(Alert.id == alert_id)) is None:
            raise NotFoundError(f"there is no alert {alert_id} in this factory", noun="alert", key=alert_id)
        names = {user.id: user.name or user.email for user in session.scalars(select(User))}
        question = select(AlertEvent).where(AlertEvent.alert_id == alert_id).order_by(AlertEvent.happened_at, AlertEvent.id)
        return [_line(event, names) for event in session.scalars(question)]


def _line(event: AlertEvent, names: dict[int, str]) -> HistoryLine:
    details = dict(event.details or {})
    for key, name in (("assignee_id", "assignee"), ("to_user_id", "to")):
        if isinstance(details.get(key), int):
            details[name] = names.get(details[key], "")
    return HistoryLine(event.kind, event.happened_at, names.get(event.user_id or 0, ""), event.comment or "", details)


def active_counts(db: Database, factory_id: int) -> dict[int, dict[str, int]]:
    """Active alerts by device id and severity; every severity is present, worst first."""
    with tenant_session(db, factory_id) as session:
        rows = session.execute(
            select(Alert.device_id, Alert.severity, func.count(Alert.id))
            .where(Alert.resolved_at.is_(None))
            .group_by(Alert.device_id, Alert.severity)
        ).all()
    found: dict[int, dict[str, int]] = {}
    for device_id, severity, number in rows:
        found.setdefault(device_id, dict.fromkeys(SEVERITIES, 0))[severity] = number
    return found


def _joined() -> Select[Alert, Rule, Device]:
    return select(Alert, Rule, Device).join(Rule, Rule.id == Alert.rule_id).join(Device, Device.id == Alert.device_id)


def _conditions(asked: AlertFilter) -> list[ColumnElement[bool]]:
    by_status: dict[str, list[ColumnElement[bool]]] = {
        "active": [Alert.resolved_at.is_(None)],
        "new": [Alert.resolved_at.is_(None), Alert.acknowledged_at.is_(None)],
        "acknowledged": [Alert.resolved_at.is_(None), Alert.acknowledged_at.is_not(None)],
        "resolved": [Alert.resolved_at.is_not(None)],
    }
    found = list(by_status.get(asked.status, []))
    if asked.severities:
        found.append(Alert.severity.in_(asked.severities))
    if asked.device_id is not None:
        found.append(Alert.device_id == asked.device_id)
    if asked.search:
        places = (Rule.name, Device.device_key, Device.name)
        found.append(or_(*(func.lower(place).contains(asked.search.lower(), autoescape=True) for place in places)))
    if asked.since is not None:
        found.append(Alert.triggered_at >= asked.since)
    if asked.until is not None:
        found.append(Alert.triggered_at < asked.until)
    return found


def _row(alert: Alert, rule: Rule, device: Device, names: dict[int, str]) -> AlertRow:
    return AlertRow(
        id=alert.id,
        severity=alert.severity,
        title=rule.name,
        message=alert.message or "",
        device_id=device.id,
        device_key=device.device_key,
        device_name=device.name or device.device_key,
        device_kind=device.kind or "",
        region=device.region or "",
        rule_id=rule.id,
        triggered_at=alert.triggered_at,
        acknowledged_at=alert.acknowledged_at,
        acknowledged_by=names.get(alert.acknowledged_by or 0, ""),
        resolved_at=alert.resolved_at,
        resolved_by=names.get(alert.resolved_by or 0, ""),
        resolution_comment=alert.resolution_comment or "",
        telemetry_snapshot=alert.telemetry_snapshot or {},
        notification_sent=alert.notification_sent,
        repeat_count=alert.repeat_count,
        last_raised_at=alert.last_raised_at,
        cleared_at=alert.cleared_at,
        assigned_to=names.get(alert.assigned_to or 0, ""),
        assigned_to_id=alert.assigned_to,
        is_silenced=alert.is_silenced,
        is_resolved_automatically=alert.is_resolved_automatically,
    )

"""Texts of notifications, in the specification's format. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from rules.messages import Label, label_of, with_unit


@dataclass(frozen=True, slots=True)
class AlertText:
    """What a notification tells of an alert."""

    alert_id: int
    rule_name: str
    device_name: str
    severity: str
    triggered_at: datetime
    message: str
    values: Mapping[str, float]
    labels: Mapping[str, Label]


def device_title(name: str | None, device_key: str) -> str:
    """`CNC Mill - Station A (M01)`, or the key alone when the device has no name."""
    return f"{name} ({device_key})" if name and name != device_key else device_key


def subject(alert: AlertText) -> str:
    """`[CRITICAL] FactoryOps Alert - Spindle Overheat`; one line whatever the rule is called."""
    return f"[{alert.severity.upper()}] FactoryOps Alert - {' '.join(alert.rule_name.split())}"


def body(alert: AlertText, app_url: str) -> str:
    """The plain text of a notification: rule, device, severity, time in UTC, what happened, current values, link to the alert."""
    lines = [
        f"Rule: {' '.join(alert.rule_name.split())}",
        f"Device: {alert.device_name}",
        f"Severity: {alert.severity.upper()}",
        f"Time: {iso_z(alert.triggered_at)}",
        "",
        alert.message,
        "",
        "Current Values:",
        *(f"- {parameter}: {with_unit(value, _unit(alert, parameter))}" for parameter, value in alert.values.items()),
        "",
        f"Open the alert: {alert_link(app_url, alert.alert_id)}",
        "",
    ]
    return "\n".join(lines)


def alert_link(app_url: str, alert_id: int) -> str:
    """Address of an alert's page."""
    return f"{app_url.rstrip('/')}/alerts?alert={alert_id}"


def iso_z(moment: datetime) -> str:
    """`2026-02-19T14:30:00Z`; with milliseconds only when there are any."""
    utc = moment.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="milliseconds" if utc.microsecond else "seconds") + "Z"


def _unit(alert: AlertText, parameter: str) -> str:
    return (alert.labels.get(parameter) or label_of(parameter, None, None)).unit

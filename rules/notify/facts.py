"""What texts are made of: names of machines and rules, names and units of parameters, read in the caller's transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from rules.messages import Label, label_of
from rules.notify.templates import AlertText, device_title
from warehouse.models.alerting import Alert, Rule
from warehouse.models.devices import Device, DeviceParameter

MOST_VALUES = 20
"""A machine may send hundreds; a message is to be read."""


@dataclass(frozen=True)
class Machine:
    """A machine as texts call it."""

    key: str
    title: str
    region: str | None


@dataclass(frozen=True)
class Facts:
    """By device id."""

    machines: Mapping[int, Machine] = field(default_factory=dict)
    labels: Mapping[int, Mapping[str, Label]] = field(default_factory=dict)


def facts_of(session: Session, device_ids: Iterable[int]) -> Facts:
    """What is known of these machines."""
    wanted = sorted(set(device_ids))
    rows = session.execute(select(Device.id, Device.name, Device.device_key, Device.region).where(Device.id.in_(wanted)))
    machines = {device_id: Machine(key, device_title(name, key), region) for device_id, name, key, region in rows}
    labels: dict[int, dict[str, Label]] = defaultdict(dict)
    for p in session.scalars(select(DeviceParameter).where(DeviceParameter.device_id.in_(wanted))):
        labels[p.device_id][p.parameter_key] = label_of(p.parameter_key, p.display_name, p.unit)
    return Facts(machines, labels)


def texts_of(session: Session, alerts: Sequence[Alert]) -> tuple[dict[int, AlertText], Facts]:
    """What to tell of alerts that exist, by alert id; with the values that they were raised with."""
    facts = facts_of(session, (alert.device_id for alert in alerts))
    rule_ids = sorted({alert.rule_id for alert in alerts})
    names = {row.id: row.name for row in session.execute(select(Rule.id, Rule.name).where(Rule.id.in_(rule_ids)))}
    return {alert.id: text_of(alert, names[alert.rule_id], facts) for alert in alerts}, facts


def text_of(alert: Alert, rule_name: str, facts: Facts, values: Mapping[str, float | str] | None = None) -> AlertText:
    """What to tell of an alert; `values` are those of the rule's parameters, else everything of its snapshot is told."""
    if values is None:
        known = {name: value for name, value in (alert.telemetry_snapshot or {}).items() if name != "timestamp"}
        values = {name: value for name, value in list(known.items())[:MOST_VALUES] if isinstance(value, int | float | str)}
    return AlertText(
        alert_id=alert.id,
        rule_name=rule_name,
        device_name=facts.machines[alert.device_id].title,
        severity=alert.severity,
        triggered_at=alert.triggered_at,
        message=alert.message or "",
        values=values,
        labels=facts.labels.get(alert.device_id, {}),
        repeat_count=alert.repeat_count,
    )

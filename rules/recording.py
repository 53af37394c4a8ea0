"""Turns what the engine raised into rows: alerts with their texts, cooldowns, and one outbox row for each person and channel."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from rules.engine import Raised
from rules.messages import Label, alert_message, label_of
from rules.notify import templates
from rules.schedule import moment_of
from warehouse.alerting import NewAlert, existing_pairs, insert_alerts, insert_notifications, move_cooldowns
from warehouse.models.devices import Device, DeviceParameter
from warehouse.models.people import User

LONGEST_SUBJECT: Final = 500
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Found:
    """What the engine raised, with everything that the device said in the same message."""

    raised: Raised
    telemetry: Mapping[str, float | str]


@dataclass(frozen=True)
class _Facts:
    """What texts and recipients are made of, read in the transaction that writes them."""

    devices: Mapping[int, str]
    labels: Mapping[int, Mapping[str, Label]]
    people: Mapping[int, Sequence[User]] = field(default_factory=dict)


def record(session: Session, found: Sequence[Found], now: datetime, app_url: str) -> int:
    """Writes alerts, cooldowns and outbox rows in the caller's transaction; gives the number of new alerts.

    An alert that exists already is left as it is, and nobody is told twice. Rules and devices that were deleted while their
    readings were on the way are skipped. For a system session that holds the write lock.
    """
    pairs = existing_pairs(session, ((f.raised.rule.rule_id, f.raised.device_id) for f in found))
    kept = [f for f in found if (f.raised.rule.rule_id, f.raised.device_id) in pairs]
    if len(kept) < len(found):
        log.info("alerts_of_deleted_rules_or_devices_skipped", skipped=len(found) - len(kept))
    if not kept:
        return 0
    facts = _facts(session, kept)
    alerts = [_new_alert(f, facts) for f in kept]
    inserted = insert_alerts(session, alerts, now)
    move_cooldowns(session, alerts)
    rows = [
        row
        for f, alert in zip(kept, alerts, strict=True)
        if alert.key in inserted
        for row in _outbox_rows(f, alert, inserted[alert.key], facts, now, app_url)
    ]
    insert_notifications(session, rows)
    return len(inserted)


def idempotency_key(alert_id: int, channel: str, recipient: str) -> str:
    """What makes a message the same message."""
    return f"alert:{alert_id}:{channel}:{recipient}"[:200]


def _facts(session: Session, found: Sequence[Found]) -> _Facts:
    device_ids = {f.raised.device_id for f in found}
    factory_ids = {f.raised.rule.factory_id for f in found if f.raised.rule.channels}
    devices = session.execute(select(Device.id, Device.name, Device.device_key).where(Device.id.in_(device_ids)))
    labels: dict[int, dict[str, Label]] = defaultdict(dict)
    for p in session.scalars(select(DeviceParameter).where(DeviceParameter.device_id.in_(device_ids))):
        labels[p.device_id][p.parameter_key] = label_of(p.parameter_key, p.display_name, p.unit)
    people: dict[int, list[User]] = defaultdict(list)
    for user in session.scalars(select(User).where(User.factory_id.in_(factory_ids), User.is_active).order_by(User.id)):
        people[user.factory_id].append(user)
    return _Facts({device_id: templates.device_title(name, key) for device_id, name, key in devices}, labels, people)


def _new_alert(found: Found, facts: _Facts) -> NewAlert:
    raised = found.raised
    rule, triggered_at = raised.rule, moment_of(raised.at_us)
    return NewAlert(
        factory_id=rule.factory_id,
        rule_id=rule.rule_id,
        device_id=raised.device_id,
        triggered_at=triggered_at,
        severity=rule.severity,
        message=alert_message(rule.condition, raised.values, facts.labels.get(raised.device_id, {})),
        telemetry_snapshot={**found.telemetry, **raised.values, "timestamp": templates.iso_z(triggered_at)},
    )


def _outbox_rows(found: Found, alert: NewAlert, alert_id: int, facts: _Facts, now: datetime, app_url: str) -> list[dict[str, Any]]:
    rule = found.raised.rule
    text = templates.AlertText(
        alert_id=alert_id,
        rule_name=rule.name,
        device_name=facts.devices[alert.device_id],
        severity=alert.severity,
        triggered_at=alert.triggered_at,
        message=alert.message,
        values=found.raised.values,
        labels=facts.labels.get(alert.device_id, {}),
    )
    subject, body = templates.subject(text)[:LONGEST_SUBJECT], templates.body(text, app_url)
    return [
        {
            "factory_id": alert.factory_id,
            "alert_id": alert_id,
            "channel": channel,
            "recipient": recipient,
            "subject": subject,
            "body": body,
            "idempotency_key": idempotency_key(alert_id, channel, recipient),
            "status": "pending",
            "attempts": 0,
            "next_attempt_at": now,
            "created_at": now,
        }
        for channel in rule.channels
        for recipient in _recipients(channel, facts.people.get(alert.factory_id, ()))
    ]


def _recipients(channel: str, people: Sequence[User]) -> list[str]:
    addresses = (user.email if channel == "email" else user.whatsapp_number for user in people)
    return list(dict.fromkeys(address for address in addresses if address))

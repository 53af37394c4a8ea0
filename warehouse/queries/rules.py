"""Rules of a factory with what a list shows of each: how many machines, when it last fired, how often in the last week."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select

from warehouse.db import Database
from warehouse.models.alerting import Alert, Rule, RuleDevice
from warehouse.tenancy import tenant_session

WEEK: Final = timedelta(days=7)


@dataclass(frozen=True)
class RuleRow:
    """One rule in a list."""

    id: int
    name: str
    description: str
    severity: str
    scope: str
    """`global`: all machines of the factory."""
    device_ids: tuple[int, ...]
    """The machines that a rule of scope `device` names."""
    conditions: dict[str, Any]
    schedule_type: str
    schedule_config: dict[str, Any] | None
    cooldown_minutes: float
    is_active: bool
    updated_at: datetime
    last_fired: datetime | None
    """Device time of its newest alert or repeat."""
    fired_this_week: int
    """Alerts of the last seven days."""
    active_alerts: int


def rule_list(db: Database, factory_id: int, now: datetime) -> list[RuleRow]:
    """All rules: those that are on first, then by name."""
    with tenant_session(db, factory_id) as session:
        rules = session.scalars(select(Rule)).all()
        links: dict[int, list[int]] = {}
        for rule_id, device_id in session.execute(select(RuleDevice.rule_id, RuleDevice.device_id).order_by(RuleDevice.device_id)):
            links.setdefault(rule_id, []).append(device_id)
        newest = func.max(func.coalesce(Alert.last_raised_at, Alert.triggered_at))
        last = _by_rule(session.execute(select(Alert.rule_id, newest).group_by(Alert.rule_id)).all())
        week = _by_rule(session.execute(
            select(Alert.rule_id, func.count(Alert.id)).where(Alert.triggered_at >= now - WEEK).group_by(Alert.rule_id)
        ).all())  # fmt: skip
        active = _by_rule(session.execute(
            select(Alert.rule_id, func.count(Alert.id)).where(Alert.resolved_at.is_(None)).group_by(Alert.rule_id)
        ).all())  # fmt: skip
    found = [
        RuleRow(
            id=rule.id,
            name=rule.name,
            description=rule.description or "",
            severity=rule.severity,
            scope=rule.scope,
            device_ids=tuple(links.get(rule.id, ())),
            conditions=rule.conditions,
            schedule_type=rule.schedule_type,
            schedule_config=rule.schedule_config,
            cooldown_minutes=rule.cooldown_minutes,
            is_active=rule.is_active,
            updated_at=rule.updated_at,
            last_fired=last.get(rule.id),
            fired_this_week=week.get(rule.id, 0),
            active_alerts=active.get(rule.id, 0),
        )
        for rule in rules
    ]
    return sorted(found, key=lambda row: (not row.is_active, row.name.casefold(), row.id))


def _by_rule(rows: Sequence[Any]) -> dict[int, Any]:
    return dict(tuple(row) for row in rows)

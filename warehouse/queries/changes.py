"""What changed in a factory since a moment: alerts, machines that went silent, rules, health."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select

from warehouse.db import Database
from warehouse.lake import Lake
from warehouse.models.alerting import Alert
from warehouse.models.people import AuditEvent, User
from warehouse.tenancy import tenant_session
from warehouse.terms import SEVERITIES

SCORE_STANDS_FOR: Final = timedelta(hours=3)
"""Health is kept every hour; a score this old still says how it was."""
MOST_RULES: Final = 5
_RULE_WORDS: Final = {"rule.create": "made", "rule.change": "changed", "rule.toggle": "switched", "rule.delete": "deleted"}


@dataclass(frozen=True)
class RuleChange:
    """Somebody changed a rule."""

    rule_id: int
    name: str
    """Empty: the trail does not say it."""
    word: str
    """`made`, `changed`, `switched on`, `switched off`, `deleted`."""
    by: str
    happened_at: datetime


@dataclass(frozen=True)
class Changes:
    """What happened since a moment."""

    raised: dict[str, int]
    """New alerts by severity, worst first."""
    resolved: int
    rules: tuple[RuleChange, ...]
    """The newest, one a rule."""
    more_rules: int
    """How many others were changed."""


def changes_since(db: Database, factory_id: int, since: datetime) -> Changes:
    """Alerts and rules since a moment. An alert counts from when it was told, also when its readings came late."""
    with tenant_session(db, factory_id) as session:
        found = session.execute(select(Alert.severity, func.count(Alert.id)).where(Alert.created_at >= since).group_by(Alert.severity))
        raised = dict.fromkeys(SEVERITIES, 0) | {str(severity): int(number) for severity, number in found}
        resolved = session.scalar(select(func.count(Alert.id)).where(Alert.resolved_at >= since)) or 0
        events = session.scalars(
            select(AuditEvent)
            .where(AuditEvent.happened_at >= since, AuditEvent.action.in_(tuple(_RULE_WORDS)))
            .order_by(AuditEvent.position.desc())
            .limit(100)
        ).all()
        names = {user.id: user.name or user.email for user in session.scalars(select(User))}
    newest = {event.target: event for event in reversed(events)}
    rules = sorted((_rule_change(event, names) for event in newest.values()), key=lambda change: change.happened_at, reverse=True)
    return Changes(raised, resolved, tuple(rules[:MOST_RULES]), max(0, len(rules) - MOST_RULES))


def scores_at(lake: Lake, factory_id: int, moment: datetime) -> dict[int | None, int]:
    """The health scores that stood at a moment, by device id, None for the factory; empty when none was kept. Raises LakeBusyError."""
    frame = lake.reader(factory_id).query(
        """
        SELECT device_id, arg_max(score, ts) AS score FROM health_scores
        WHERE ts > $oldest AND ts <= $moment GROUP BY device_id
        """,
        {"oldest": moment - SCORE_STANDS_FOR, "moment": moment},
    )
    return {device_id: round(score) for device_id, score in frame.select("device_id", "score").iter_rows()}


def _rule_change(event: AuditEvent, names: dict[int, str]) -> RuleChange:
    facts: dict[str, Any] = (event.after or {}) if event.action != "rule.delete" else (event.before or {})
    word = _RULE_WORDS[event.action]
    if event.action == "rule.toggle":
        word += " on" if facts.get("is_active") else " off"
    rule_id = int(event.target.split(":")[-1])
    return RuleChange(rule_id, str(facts.get("name", "")), word, names.get(event.user_id or 0, "The system"), event.happened_at)

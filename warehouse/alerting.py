"""Writes what rules raised: alerts once, cooldowns forwards, messages to people once. All in the caller's transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from warehouse.models.alerting import Alert, Notification, Rule, RuleCooldown
from warehouse.models.devices import Device

T = TypeVar("T")

_ROWS_A_STATEMENT: Final = 500
"""Stays below the 32,766 variables that SQLite takes in a statement."""
AlertKey = tuple[int, int, datetime]
"""Rule, device, device time: what makes an alert the same alert."""


@dataclass(frozen=True)
class NewAlert:
    """An alert to be recorded; `triggered_at` is device time."""

    factory_id: int
    rule_id: int
    device_id: int
    triggered_at: datetime
    severity: str
    message: str
    telemetry_snapshot: Mapping[str, Any]

    @property
    def key(self) -> AlertKey:
        """What makes it the same alert."""
        return self.rule_id, self.device_id, self.triggered_at


def insert_alerts(session: Session, alerts: Sequence[NewAlert], now: datetime) -> dict[AlertKey, int]:
    """Inserts alerts that do not exist yet; gives the ids of exactly those that were inserted."""
    found: dict[AlertKey, int] = {}
    for chunk in _chunks(alerts):
        rows = [
            {
                "factory_id": alert.factory_id,
                "rule_id": alert.rule_id,
                "device_id": alert.device_id,
                "triggered_at": alert.triggered_at,
                "severity": alert.severity,
                "message": alert.message,
                "telemetry_snapshot": dict(alert.telemetry_snapshot),
                "notification_sent": False,
                "created_at": now,
            }
            for alert in chunk
        ]
        statement = (
            _dialect(session).insert(Alert).values(rows).on_conflict_do_nothing(index_elements=["rule_id", "device_id", "triggered_at"])
        )
        for alert_id, *key in session.execute(statement.returning(Alert.id, Alert.rule_id, Alert.device_id, Alert.triggered_at)):
            found[key[0], key[1], key[2]] = alert_id
    return found


def move_cooldowns(session: Session, alerts: Iterable[NewAlert]) -> None:
    """Notes when each rule last raised an alert on each device; moves forwards only."""
    newest: dict[tuple[int, int], NewAlert] = {}
    for alert in alerts:
        known = newest.get((alert.rule_id, alert.device_id))
        if known is None or known.triggered_at < alert.triggered_at:
            newest[alert.rule_id, alert.device_id] = alert
    for chunk in _chunks(list(newest.values())):
        rows = [
            {"factory_id": a.factory_id, "rule_id": a.rule_id, "device_id": a.device_id, "last_triggered": a.triggered_at} for a in chunk
        ]
        statement = _dialect(session).insert(RuleCooldown).values(rows)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["rule_id", "device_id"],
                set_={"last_triggered": statement.excluded.last_triggered},
                where=RuleCooldown.last_triggered < statement.excluded.last_triggered,
            )
        )


def insert_notifications(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts outbox rows whose idempotency key is new; `rows` hold columns of `notifications` by name."""
    for chunk in _chunks(rows):
        statement = _dialect(session).insert(Notification).values([dict(row) for row in chunk])
        session.execute(statement.on_conflict_do_nothing(index_elements=["idempotency_key"]))


def existing_pairs(session: Session, pairs: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """The (rule, device) pairs of which both still exist; on PostgreSQL they cannot be deleted before the transaction ends.

    SQLite has one writer at a time: in a session that holds the write lock nobody can delete them either.
    """
    wanted = set(pairs)
    rules = _locked_ids(session, Rule, {rule_id for rule_id, _ in wanted})
    devices = _locked_ids(session, Device, {device_id for _, device_id in wanted})
    return {(rule_id, device_id) for rule_id, device_id in wanted if rule_id in rules and device_id in devices}


def recent_triggers(session: Session, limit: int = 5_000) -> list[AlertKey]:
    """Rule, device and device time of the last alert of each rule and device, and of the newest `limit` alerts of all."""
    last = session.execute(select(RuleCooldown.rule_id, RuleCooldown.device_id, RuleCooldown.last_triggered))
    newest = session.execute(select(Alert.rule_id, Alert.device_id, Alert.triggered_at).order_by(Alert.id.desc()).limit(limit))
    return [(rule_id, device_id, at) for rule_id, device_id, at in (*last, *newest)]


def _locked_ids(session: Session, model: type[Rule] | type[Device], ids: set[int]) -> set[int]:
    found: set[int] = set()
    for chunk in _chunks(sorted(ids)):
        found.update(session.scalars(select(model.id).where(model.id.in_(chunk)).with_for_update(key_share=True, read=True)))
    return found


def _dialect(session: Session) -> Any:
    return postgresql if session.get_bind().dialect.name == "postgresql" else sqlite


def _chunks(rows: Sequence[T]) -> Iterable[Sequence[T]]:
    return (rows[start : start + _ROWS_A_STATEMENT] for start in range(0, len(rows), _ROWS_A_STATEMENT))

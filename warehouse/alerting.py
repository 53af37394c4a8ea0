"""What rules raised, as rows: each trigger once, cooldowns forwards, messages to people once. All in the caller's transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from warehouse.models.alerting import Alert, AlertEvent, AlertRaise, Notification, Rule, RuleCooldown
from warehouse.models.devices import Device

T = TypeVar("T")

_ROWS_A_STATEMENT: Final = 500
"""Stays below the 32,766 variables that SQLite takes in a statement."""
AlertKey = tuple[int, int, datetime]
"""Rule, device, device time: what makes a trigger the same trigger."""


@dataclass(frozen=True)
class Trigger:
    """A rule asked for an alert on a device; `at` is device time."""

    factory_id: int
    rule_id: int
    device_id: int
    at: datetime

    @property
    def key(self) -> AlertKey:
        """What makes it the same one."""
        return self.rule_id, self.device_id, self.at


def insert_raises(session: Session, triggers: Sequence[Trigger], now: datetime) -> set[AlertKey]:
    """Notes triggers that are not known yet; gives the keys of exactly those: whatever is evaluated again is not new."""
    found: set[AlertKey] = set()
    for chunk in _chunks(triggers):
        common = {"recorded_at": now}
        rows = [{"factory_id": t.factory_id, "rule_id": t.rule_id, "device_id": t.device_id, "raised_at": t.at, **common} for t in chunk]
        statement = (
            _dialect(session).insert(AlertRaise).values(rows).on_conflict_do_nothing(index_elements=["rule_id", "device_id", "raised_at"])
        )
        returning = statement.returning(AlertRaise.rule_id, AlertRaise.device_id, AlertRaise.raised_at)
        found.update((rule_id, device_id, at) for rule_id, device_id, at in session.execute(returning))
    return found


def open_alerts(session: Session, pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Alert]:
    """The active alert of each (rule, device), the newest if there are several; locked until the transaction ends."""
    wanted = set(pairs)
    found: dict[tuple[int, int], Alert] = {}
    for chunk in _chunks(sorted({rule_id for rule_id, _ in wanted})):
        devices = {device_id for rule_id, device_id in wanted if rule_id in chunk}
        question = select(Alert).where(Alert.resolved_at.is_(None), Alert.rule_id.in_(chunk), Alert.device_id.in_(devices))
        for alert in session.scalars(question.order_by(Alert.triggered_at, Alert.id).with_for_update()):
            if (alert.rule_id, alert.device_id) in wanted:
                found[alert.rule_id, alert.device_id] = alert
    return found


def move_cooldowns(session: Session, triggers: Iterable[Trigger]) -> None:
    """Notes when each rule last raised an alert on each device; moves forwards only."""
    newest: dict[tuple[int, int], Trigger] = {}
    for trigger in triggers:
        known = newest.get((trigger.rule_id, trigger.device_id))
        if known is None or known.at < trigger.at:
            newest[trigger.rule_id, trigger.device_id] = trigger
    for chunk in _chunks(list(newest.values())):
        rows = [{"factory_id": t.factory_id, "rule_id": t.rule_id, "device_id": t.device_id, "last_triggered": t.at} for t in chunk]
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
    """Rule, device and device time of the last trigger of each rule and device, and of the newest `limit` triggers of all."""
    last = session.execute(select(RuleCooldown.rule_id, RuleCooldown.device_id, RuleCooldown.last_triggered))
    newest = session.execute(
        select(AlertRaise.rule_id, AlertRaise.device_id, AlertRaise.raised_at).order_by(AlertRaise.id.desc()).limit(limit)
    )
    return [(rule_id, device_id, at) for rule_id, device_id, at in (*last, *newest)]


def alerts_not_over(session: Session) -> list[tuple[int, int]]:
    """Rule and device of each active alert whose condition is not known to be over."""
    question = select(Alert.rule_id, Alert.device_id).where(Alert.resolved_at.is_(None), Alert.cleared_at.is_(None))
    return [(rule_id, device_id) for rule_id, device_id in session.execute(question)]


def withdraw_raises(session: Session, keys: Iterable[AlertKey]) -> list[Alert]:
    """Forgets triggers that late readings made untrue, as if they had never been; what people were told stays.

    Gives the alerts that they belonged to, whose repeat count is one less for each: -1 when no trigger of an alert is left, until another
    one takes its place.
    """
    touched: list[Alert] = []
    for rule_id, device_id, at in keys:
        mine = (AlertRaise.rule_id == rule_id, AlertRaise.device_id == device_id)
        row = session.scalar(select(AlertRaise).where(*mine, AlertRaise.raised_at == at))
        if row is None:
            continue
        session.delete(row)
        session.flush()
        newest = select(Alert).where(Alert.rule_id == rule_id, Alert.device_id == device_id).order_by(Alert.id.desc()).limit(1)
        for alert in session.scalars(newest):
            alert.repeat_count -= 1
            touched.append(alert)
        last = session.scalar(select(func.max(AlertRaise.raised_at)).where(*mine))
        cooldown = session.get(RuleCooldown, (rule_id, device_id))
        if cooldown is not None and last is not None:
            cooldown.last_triggered = last
        elif cooldown is not None:
            session.delete(cooldown)
    session.flush()
    return touched


def withdraw_clears(session: Session, keys: Iterable[AlertKey]) -> None:
    """Alerts that were over at these moments are not, as late readings showed; those that only resolved by that are active again."""
    for rule_id, device_id, at in keys:
        question = select(Alert).where(Alert.rule_id == rule_id, Alert.device_id == device_id, Alert.cleared_at == at)
        for alert in session.scalars(question):
            if alert.resolved_at is not None and not alert.is_resolved_automatically:
                continue
            alert.cleared_at, alert.resolved_at, alert.is_resolved_automatically = None, None, False
            session.add(AlertEvent(factory_id=alert.factory_id, alert_id=alert.id, kind="repeated", happened_at=at))
    session.flush()


def _locked_ids(session: Session, model: type[Rule] | type[Device], ids: set[int]) -> set[int]:
    found: set[int] = set()
    for chunk in _chunks(sorted(ids)):
        found.update(session.scalars(select(model.id).where(model.id.in_(chunk)).with_for_update(key_share=True, read=True)))
    return found


def _dialect(session: Session) -> Any:
    return postgresql if session.get_bind().dialect.name == "postgresql" else sqlite


def _chunks(rows: Sequence[T]) -> Iterable[Sequence[T]]:
    return (rows[start : start + _ROWS_A_STATEMENT] for start in range(0, len(rows), _ROWS_A_STATEMENT))

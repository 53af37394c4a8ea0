"""What people do with alerts: acknowledge and resolve, each with a trace in the audit trail. Lists are `warehouse.queries.alerts`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from warehouse.access import audit
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.models.alerting import Alert
from warehouse.models.people import User
from warehouse.tenancy import tenant_session

LONGEST_COMMENT: Final = 1000


@dataclass(frozen=True)
class _Deed:
    """Who does what."""

    action: str
    factory_id: int
    user_id: int
    comment: str | None
    now: datetime


def acknowledge(db: Database, clock: Clock, factory_id: int, alert_id: int, *, user_id: int, comment: str | None = None) -> Alert:
    """Notes that somebody has seen an active alert; of several people the first counts. Gives the alert as it is afterwards.

    Raises NotFoundError for an alert or person that this factory does not have, InvalidInputError for a comment that is too long.
    """
    deed = _Deed("alert.acknowledge", factory_id, user_id, _checked(comment), clock.now())

    def change(alert: Alert) -> bool:
        if alert.acknowledged_at is not None or alert.resolved_at is not None:
            return False
        alert.acknowledged_at, alert.acknowledged_by = deed.now, user_id
        return True

    return _changed(db, alert_id, deed, change)


def resolve(db: Database, clock: Clock, factory_id: int, alert_id: int, *, user_id: int, comment: str | None = None) -> Alert:
    """Ends an active alert; one that is resolved stays as it is, with its first comment. Gives the alert as it is afterwards.

    Raises NotFoundError for an alert or person that this factory does not have, InvalidInputError for a comment that is too long.
    """
    deed = _Deed("alert.resolve", factory_id, user_id, _checked(comment), clock.now())

    def change(alert: Alert) -> bool:
        if alert.resolved_at is not None:
            return False
        alert.resolved_at, alert.resolved_by, alert.resolution_comment = deed.now, user_id, comment
        return True

    return _changed(db, alert_id, deed, change)


def _changed(db: Database, alert_id: int, deed: _Deed, change: Callable[[Alert], bool]) -> Alert:
    with tenant_session(db, deed.factory_id, write=True) as session:
        # Locked on PostgreSQL, so that of two people at the same time one is first.
        alert = session.scalar(select(Alert).where(Alert.id == alert_id).with_for_update())
        if alert is None:
            raise NotFoundError(f"there is no alert {alert_id} in this factory", noun="alert", key=alert_id)
        _known_person(session, deed.user_id)
        before = _traced(alert)
        if change(alert):
            actor = audit.Actor(deed.factory_id, deed.user_id)
            target, after = f"alert:{alert_id}", _traced(alert)
            audit.append(session, deed.action, target, deed.now, actor, reason=deed.comment, before=before, after=after)
        return alert


def _checked(comment: str | None) -> str | None:
    if comment is not None and len(comment) > LONGEST_COMMENT:
        message = f"a comment has at most {LONGEST_COMMENT} characters, this one has {len(comment)}"
        raise InvalidInputError(message, path="$.comment")
    return comment


def _known_person(session: Session, user_id: int) -> None:
    if session.scalar(select(User.id).where(User.id == user_id)) is None:
        raise NotFoundError(f"there is no user {user_id} in this factory", noun="user", key=user_id)


def _traced(alert: Alert) -> dict[str, Any]:
    """The part of an alert that people change, as the audit trail keeps it."""
    times = {"acknowledged_at": alert.acknowledged_at, "resolved_at": alert.resolved_at}
    return {
        **{name: None if at is None else at.isoformat() for name, at in times.items()},
        "acknowledged_by": alert.acknowledged_by,
        "resolved_by": alert.resolved_by,
        "resolution_comment": alert.resolution_comment,
    }

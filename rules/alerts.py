"""What people do with alerts: acknowledge, assign, comment, resolve; each in the alert's history and in the audit trail."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from rules.notify.all_clear import all_clear_rows
from rules.notify.directory import contacts_of
from warehouse.access import audit
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.models.alerting import Alert, AlertEvent, Notification
from warehouse.models.people import User
from warehouse.tenancy import tenant_session

LONGEST_COMMENT: Final = 1000


@dataclass(frozen=True)
class _Deed:
    """Who does what."""

    kind: str
    """Of the history."""
    action: str
    """Of the audit trail."""
    factory_id: int
    user_id: int
    comment: str | None
    now: datetime


def acknowledge(db: Database, clock: Clock, factory_id: int, alert_id: int, *, user_id: int, comment: str | None = None) -> Alert:
    """Notes that somebody has seen an active alert; of several people the first counts. Nobody else is told of it from then on.

    Gives the alert as it is afterwards. Raises NotFoundError for an alert or person that this factory does not have, InvalidInputError
    for a comment that is too long.
    """
    deed = _Deed("acknowledged", "alert.acknowledge", factory_id, user_id, _checked(comment), clock.now())

    def change(_session: Session, alert: Alert) -> dict[str, Any] | None:
        if alert.acknowledged_at is not None or alert.resolved_at is not None:
            return None
        alert.acknowledged_at, alert.acknowledged_by, alert.next_step_at = deed.now, user_id, None
        return {}

    return _changed(db, alert_id, deed, change)


def resolve(
    db: Database, clock: Clock, factory_id: int, alert_id: int, *, user_id: int, comment: str | None = None, app_url: str = ""
) -> Alert:
    """Ends an active alert and says so to the others who were told of it; one that is resolved stays as it is, with its first comment.

    Gives the alert as it is afterwards. Raises NotFoundError for an alert or person that this factory does not have, InvalidInputError
    for a comment that is too long.
    """
    deed = _Deed("resolved", "alert.resolve", factory_id, user_id, _checked(comment), clock.now())

    def change(session: Session, alert: Alert) -> dict[str, Any] | None:
        if alert.resolved_at is not None:
            return None
        alert.resolved_at, alert.resolved_by, alert.resolution_comment = deed.now, user_id, deed.comment
        alert.next_step_at = None
        people = contacts_of(session, [factory_id], deed.now)
        person = people[factory_id].people.get(user_id)
        rows = all_clear_rows(session, [alert], people, deed.now, app_url, by=person.name if person else "a colleague", by_user_id=user_id)
        session.add_all(Notification(**row) for row in rows)
        return {}

    return _changed(db, alert_id, deed, change)


def assign(
    db: Database, clock: Clock, factory_id: int, alert_id: int, *, user_id: int, assignee_id: int | None, comment: str | None = None
) -> Alert:
    """Makes one person responsible for an active alert, or nobody (None). Gives the alert as it is afterwards.

    Raises NotFoundError for an alert or person that this factory does not have, InvalidInputError for a comment that is too long, for
    an alert that is resolved, and for a person whose account is not active.
    """
    deed = _Deed("assigned", "alert.assign", factory_id, user_id, _checked(comment), clock.now())

    def change(session: Session, alert: Alert) -> dict[str, Any] | None:
        if alert.resolved_at is not None:
            raise InvalidInputError("a resolved alert is not assigned to anybody any more", path="$.assignee_id")
        if alert.assigned_to == assignee_id:
            return None
        if assignee_id is not None and not _known_person(session, assignee_id).is_active:
            raise InvalidInputError("this person's account is not active", path="$.assignee_id")
        alert.assigned_to = assignee_id
        return {"assignee_id": assignee_id}

    return _changed(db, alert_id, deed, change)


def comment_on(db: Database, clock: Clock, factory_id: int, alert_id: int, *, user_id: int, comment: str) -> Alert:
    """Adds a comment to the alert's thread, also when it is resolved. Gives the alert.

    Raises NotFoundError for an alert or person that this factory does not have, InvalidInputError for a comment that is empty or too long.
    """
    if not comment.strip():
        raise InvalidInputError("a comment needs at least one character", path="$.comment")
    deed = _Deed("commented", "alert.comment", factory_id, user_id, _checked(comment), clock.now())
    return _changed(db, alert_id, deed, lambda _session, _alert: {})


def _changed(db: Database, alert_id: int, deed: _Deed, change: Callable[[Session, Alert], dict[str, Any] | None]) -> Alert:
    """Makes a change, which gives the facts for the history, or None when there was nothing to change."""
    with tenant_session(db, deed.factory_id, write=True) as session:
        # Locked on PostgreSQL, so that of two people at the same time one is first.
        alert = session.scalar(select(Alert).where(Alert.id == alert_id).with_for_update())
        if alert is None:
            raise NotFoundError(f"there is no alert {alert_id} in this factory", noun="alert", key=alert_id)
        _known_person(session, deed.user_id)
        before = _traced(alert)
        details = change(session, alert)
        if details is not None:
            session.add(
                AlertEvent(
                    alert_id=alert_id, kind=deed.kind, happened_at=deed.now, user_id=deed.user_id, comment=deed.comment, details=details
                )
            )
            actor = audit.Actor(deed.factory_id, deed.user_id)
            target, after = f"alert:{alert_id}", _traced(alert)
            audit.append(session, deed.action, target, deed.now, actor, reason=deed.comment, before=before, after=after)
        return alert


def _checked(comment: str | None) -> str | None:
    if comment is not None and len(comment) > LONGEST_COMMENT:
        message = f"a comment has at most {LONGEST_COMMENT} characters, this one has {len(comment)}"
        raise InvalidInputError(message, path="$.comment")
    return (comment or "").strip() or None


def _known_person(session: Session, user_id: int) -> User:
    person = session.scalar(select(User).where(User.id == user_id))
    if person is None:
        raise NotFoundError(f"there is no user {user_id} in this factory", noun="user", key=user_id)
    return person


def _traced(alert: Alert) -> dict[str, Any]:
    """The part of an alert that people change, as the audit trail keeps it."""
    times = {"acknowledged_at": alert.acknowledged_at, "resolved_at": alert.resolved_at}
    return {
        **{name: None if at is None else at.isoformat() for name, at in times.items()},
        "acknowledged_by": alert.acknowledged_by,
        "assigned_to": alert.assigned_to,
        "resolved_by": alert.resolved_by,
        "resolution_comment": alert.resolution_comment,
    }

"""Makes one message of several that were held: for people who want low severities together, outside their hours, or too many at once."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from rules.notify.facts import texts_of
from rules.notify.templates import DigestLine, digest
from warehouse.models.alerting import Alert, Notification
from warehouse.models.people import User
from warehouse.terms import SEVERITIES

MOST_LINES = 100
"""Of more, the rest follows in the next digest."""
Address = tuple[int, str, str]
"""Factory, channel, recipient."""


def make_digests(session: Session, due: Sequence[Notification], now: datetime, app_url: str) -> int:
    """One message to each recipient of a held message in `due`; what else is held for them goes along. Gives how many were made.

    For a system session that holds the write lock.
    """
    groups: dict[Address, list[Notification]] = defaultdict(list)
    for row in due:
        groups[row.factory_id, row.channel, row.recipient].append(row)
    for address in groups:
        _make(session, _all_held(session, address), now, app_url)
    return len(groups)


def _all_held(session: Session, address: Address) -> list[Notification]:
    factory_id, channel, recipient = address
    question = select(Notification).where(
        Notification.factory_id == factory_id,
        Notification.channel == channel,
        Notification.recipient == recipient,
        Notification.status == "held",
    )
    return list(session.scalars(question.order_by(Notification.id).limit(MOST_LINES).with_for_update(skip_locked=True)))


def _is_still_here(session: Session, held: Notification) -> bool:
    """Whether the person may still be told: some time has passed since it was written."""
    person = session.get(User, held.user_id) if held.user_id is not None else None
    return person is not None and person.is_active


def _make(session: Session, held: list[Notification], now: datetime, app_url: str) -> None:
    if not held:
        return
    if not _is_still_here(session, held[0]):
        for one in held:
            one.status, one.last_error = "skipped", "the person's account is not active any more"
        return
    alert_ids = {row.alert_id for row in held if row.alert_id is not None}
    alerts = session.scalars(select(Alert).where(Alert.id.in_(alert_ids))).all()
    alerts = sorted(alerts, key=lambda alert: (SEVERITIES.index(alert.severity), alert.triggered_at))
    texts, _facts = texts_of(session, alerts)
    first, last = held[0], held[-1]
    message = digest(first.channel, [DigestLine(texts[alert.id], alert.resolved_at is not None) for alert in alerts], app_url)
    row = Notification(
        factory_id=first.factory_id,
        alert_id=None,
        channel=first.channel,
        recipient=first.recipient,
        subject=message.subject,
        body=message.body,
        body_html=message.html,
        idempotency_key=f"digest:{first.id}-{last.id}:{first.channel}:{first.recipient}"[:200],
        status="pending",
        attempts=0,
        next_attempt_at=now,
        created_at=now,
        kind="digest",
        user_id=first.user_id,
    )
    session.add(row)
    session.flush()
    for one in held:
        one.status, one.digest_id = "digested", row.id

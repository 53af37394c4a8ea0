"""Says that an alert is over to those who were told of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from rules.notify.composing import outbox_rows
from rules.notify.contacts import Contacts, Delivery
from rules.notify.facts import Facts, texts_of
from rules.notify.templates import Occasion
from warehouse.models.alerting import Alert, Notification


def all_clear_rows(
    session: Session,
    alerts: Sequence[Alert],
    contacts: Mapping[int, Contacts],
    now: datetime,
    app_url: str,
    *,
    by: str | None = None,
    by_user_id: int | None = None,
) -> list[dict[str, Any]]:
    """Outbox rows for alerts that were just resolved, by the person `by` or by themselves.

    Told are those who got, or are about to get, a message of the alert of their own and have not switched the all-clear off; not the
    person who resolved it. Nobody is told while a silence covers the alert.
    """
    if not alerts:
        return []
    told = _told(session, [alert.id for alert in alerts])
    wanted = [alert for alert in alerts if told[alert.id]]
    texts, facts = texts_of(session, wanted)
    rows: list[dict[str, Any]] = []
    for alert in wanted:
        people = contacts[alert.factory_id]
        if people.silence(alert.rule_id, alert.device_id, facts.machines[alert.device_id].region, now):
            continue
        deliveries = [d for d in told[alert.id] if d.user_id is None or d.user_id != by_user_id]
        occasion = Occasion("all_clear", f"Resolved by {by}." if by else "All clear: the condition does not hold any more.")
        deliveries = [_now(d, now) for d in deliveries if _is_wanted(d, people)]
        rows += outbox_rows(deliveries, alert.factory_id, texts[alert.id], now, app_url, occasion, facts=_facts(alert, facts, by))
    return rows


def _told(session: Session, alert_ids: list[int]) -> dict[int, list[Delivery]]:
    found: dict[int, dict[tuple[str, str], Delivery]] = defaultdict(dict)
    question = select(Notification).where(
        Notification.alert_id.in_(alert_ids), Notification.status.in_(("sent", "pending")), Notification.kind != "all_clear"
    )
    for row in session.scalars(question.order_by(Notification.id)):
        if row.alert_id is not None:
            delivery = Delivery(row.channel, row.recipient, "pending", row.created_at, row.user_id, row.webhook_id)
            found[row.alert_id][row.channel, row.recipient] = delivery
    return defaultdict(list, {alert_id: list(deliveries.values()) for alert_id, deliveries in found.items()})


def _is_wanted(delivery: Delivery, people: Contacts) -> bool:
    person = people.people.get(delivery.user_id) if delivery.user_id is not None else None
    if person is None:
        return delivery.webhook_id is not None
    return person.preference(delivery.channel).wants_all_clear


def _now(delivery: Delivery, now: datetime) -> Delivery:
    return Delivery(delivery.channel, delivery.recipient, "pending", now, delivery.user_id, delivery.webhook_id)


def _facts(alert: Alert, facts: Facts, by: str | None) -> dict[str, Any]:
    return {
        "rule_id": alert.rule_id,
        "device_id": alert.device_id,
        "device_key": facts.machines[alert.device_id].key,
        "resolved_at": None if alert.resolved_at is None else alert.resolved_at.isoformat(),
        "resolved_by": by,
    }

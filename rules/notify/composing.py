"""Turns deliveries into rows of the outbox. Pure, but for the column names."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rules.notify.contacts import Delivery
from rules.notify.templates import NEWS, AlertText, Occasion, rendered, webhook_document

LONGEST_KEY = 200


def idempotency_key(alert_id: int, channel: str, recipient: str, occasion: str = "") -> str:
    """What makes a message the same message; `occasion` tells the second reminder from the first."""
    return f"alert:{alert_id}:{occasion + ':' if occasion else ''}{channel}:{recipient}"[:LONGEST_KEY]


def outbox_rows(
    deliveries: Sequence[Delivery],
    factory_id: int,
    text: AlertText,
    now: datetime,
    app_url: str,
    occasion: Occasion = NEWS,
    *,
    number: int = 0,
    facts: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Columns of `notifications` for each delivery; `number` counts escalations and reminders, `facts` go into webhooks."""
    which = "" if occasion.kind == "alert" else f"{occasion.kind}{number}"
    rows = []
    for delivery in deliveries:
        if delivery.channel == "webhook":
            document = webhook_document(text, app_url, occasion, now, facts or {})
            subject, body, html = document["type"], json.dumps(document, ensure_ascii=False), None
            key = idempotency_key(text.alert_id, "webhook", str(delivery.webhook_id), which)
        else:
            message = rendered(delivery.channel, text, app_url, occasion)
            subject, body, html = message.subject, message.body, message.html
            key = idempotency_key(text.alert_id, delivery.channel, delivery.recipient, which)
        rows.append({
            "factory_id": factory_id,
            "alert_id": text.alert_id,
            "channel": delivery.channel,
            "recipient": delivery.recipient,
            "subject": subject,
            "body": body,
            "body_html": html,
            "idempotency_key": key,
            "status": delivery.status,
            "attempts": 0,
            "next_attempt_at": delivery.at,
            "created_at": now,
            "kind": occasion.kind,
            "user_id": delivery.user_id,
            "webhook_id": delivery.webhook_id,
        })  # fmt: skip
    return rows

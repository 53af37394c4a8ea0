"""The audit trail: who did what to what. Rows are only ever added."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from warehouse.models.people import AuditEvent


@dataclass(frozen=True)
class Actor:
    """Who acts, in which factory, and from where. `user_id` None means the system itself."""

    factory_id: int
    user_id: int | None = None
    address: str | None = None


def append(
    session: Session,
    action: str,
    target: str,
    happened_at: datetime,
    actor: Actor,
    *,
    reason: str | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Adds one event in the caller's transaction, so that a change and its trace are stored together or not at all.

    `action` is noun and verb (`alert.resolve`), `target` what it was done to (`alert:150`).
    """
    session.add(
        AuditEvent(
            factory_id=actor.factory_id,
            user_id=actor.user_id,
            address=actor.address,
            action=action,
            target=target,
            happened_at=happened_at,
            reason=reason,
            before=before,
            after=after,
        )
    )

"""Messages that could not be delivered: a person sees them with the reason, and sends them again."""

from datetime import datetime

from sqlalchemy import func, select

from warehouse.access import audit
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.models.alerting import Notification
from warehouse.tenancy import tenant_session

DEAD = ("failed", "skipped")


def undelivered(db: Database, factory_id: int, *, limit: int = 100, offset: int = 0) -> list[Notification]:
    """Messages that were given up or skipped, the newest first."""
    with tenant_session(db, factory_id) as session:
        question = select(Notification).where(Notification.status.in_(DEAD)).order_by(Notification.id.desc())
        return list(session.scalars(question.limit(limit).offset(offset)))


def count_undelivered(db: Database, factory_id: int, *, since: datetime | None = None) -> int:
    """How many there are; of those written since a moment, when one is given."""
    with tenant_session(db, factory_id) as session:
        question = select(func.count(Notification.id)).where(Notification.status.in_(DEAD))
        return session.scalar(question if since is None else question.where(Notification.created_at >= since)) or 0


def resend(db: Database, clock: Clock, factory_id: int, notification_id: int, *, user_id: int) -> None:
    """Puts a message that was given up back into the outbox, with all its tries, under the same idempotency key.

    Raises NotFoundError for a message that this factory does not have, InvalidInputError for one that is not dead.
    """
    now = clock.now()
    with tenant_session(db, factory_id, write=True) as session:
        row = session.scalar(select(Notification).where(Notification.id == notification_id).with_for_update())
        if row is None:
            raise NotFoundError(f"there is no message {notification_id} in this factory", noun="message", key=notification_id)
        if row.status not in DEAD:
            raise InvalidInputError(f"only failed and skipped messages are sent again; this one is {row.status}", path="$")
        before = {"status": row.status, "last_error": row.last_error}
        row.status, row.attempts, row.next_attempt_at, row.last_error = "pending", 0, now, None
        actor = audit.Actor(factory_id, user_id)
        audit.append(session, "notification.resend", f"notification:{row.id}", now, actor, before=before)

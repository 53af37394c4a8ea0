"""The audit trail: who did what to what. Rows are only ever added, and each is chained to the one before (`warehouse.access.chain`)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from warehouse.access.chain import FIELDS, START, chained_hash
from warehouse.access.origin import noted_address
from warehouse.models.access import AuditHead
from warehouse.models.people import AuditEvent

# "audit" as a number: the first half of the lock's name, so that it meets no other advisory lock.
_LOCK = 0x61756469
_LONGEST_REASON, _LONGEST_ADDRESS = 1000, 64


@dataclass(frozen=True)
class Actor:
    """Who acts, in which factory, and from where. `user_id` None means the system itself; `address` None: `origin.noted_address()`."""

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

    `action` is noun and verb (`alert.resolve`), `target` what it was done to (`alert:150`). The session must have been opened with
    `write=True`. Events of one factory are written one after another: call this late in a transaction, and keep the rest of it short.
    """
    head = _locked_head(session, actor.factory_id)
    event = AuditEvent(
        factory_id=actor.factory_id,
        position=head.position + 1,
        user_id=actor.user_id,
        address=(actor.address or noted_address() or "")[:_LONGEST_ADDRESS] or None,
        action=action,
        target=target,
        happened_at=happened_at,
        reason=reason and reason[:_LONGEST_REASON],
        before=before,
        after=after,
    )
    event.hash = chained_hash(head.hash, {name: getattr(event, name) for name in FIELDS})
    head.position, head.hash = event.position, event.hash
    session.add(event)


def _locked_head(session: Session, factory_id: int) -> AuditHead:
    """The newest link, which nobody else can read until this transaction ends: SQLite has one writer, PostgreSQL a lock a factory."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK, factory_id)))
    head = session.get(AuditHead, factory_id)
    if head is None:
        head = AuditHead(factory_id=factory_id, position=0, hash=START)
        session.add(head)
    return head

"""Machines that send although nobody registered them: what they are called, how much they sent, and the newest of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select

from warehouse.db import Database
from warehouse.models.streams import DeadLetter
from warehouse.tenancy import system_session

UNKNOWN_DEVICE: Final = "unknown_device"
"""The reason under which `ingest` keeps their messages."""


@dataclass(frozen=True)
class Stranger:
    """One unknown machine of a factory."""

    device_key: str
    messages: int
    """Kept messages that were not taken in yet."""
    first_at: datetime
    last_at: datetime
    newest: bytes
    """Payload of the newest one, as it was kept."""


def strangers(db: Database, factory_id: int, *, limit: int = 100) -> list[Stranger]:
    """The unknown machines of one factory, the one that sent last first."""
    own = (DeadLetter.factory_id == factory_id, DeadLetter.reason == UNKNOWN_DEVICE, DeadLetter.replayed_at.is_(None))
    last = func.max(DeadLetter.id)
    wanted = (
        select(DeadLetter.device_key, func.count(DeadLetter.id), func.min(DeadLetter.received_at), func.max(DeadLetter.received_at), last)
        .where(*own, DeadLetter.device_key.is_not(None))
        .group_by(DeadLetter.device_key)
        .order_by(last.desc())
        .limit(limit)
    )
    with system_session(db, "list unknown machines") as session:
        found = session.execute(wanted).all()
        payloads = dict(
            session.execute(select(DeadLetter.id, DeadLetter.payload).where(DeadLetter.id.in_([row[4] for row in found]))).all()
        )
    return [Stranger(str(key), number, first, newest, payloads[letter_id]) for key, number, first, newest, letter_id in found]

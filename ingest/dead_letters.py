"""Messages that could not be accepted: recorded where people find them, within bounds, so that a broken device cannot fill the database."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from ingest.flush import Incoming, Letter
from warehouse.dead_letters import counts, listed
from warehouse.models.streams import DeadLetter

__all__ = ["Bounds", "counts", "listed", "record"]
MOST_BYTES: Final = 64 * 1024
"""What is kept of a payload."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class _Allowance:
    left: float
    at_s: float


class Bounds:
    """How many letters of each topic are recorded: `burst` at once, then `per_s` a second. The rest is only counted.

    A device that was never registered has room for more than an hour of messages before it is; a flood does not hide the others.
    """

    def __init__(
        self, *, burst: int = 1000, per_s: float = 1.0, most_topics: int = 10_000, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst, self._per_s, self._most_topics, self._monotonic = burst, per_s, most_topics, monotonic
        self._allowances: OrderedDict[str, _Allowance] = OrderedDict()

    def admit(self, letters: Iterable[Letter]) -> list[Letter]:
        """Those that are to be recorded."""
        now_s = self._monotonic()
        return [letter for letter in letters if self._take(letter.message.topic, now_s)]

    def _take(self, topic: str, now_s: float) -> bool:
        allowance = self._allowances.get(topic)
        if allowance is None:
            allowance = self._allowances[topic] = _Allowance(self._burst, now_s)
            if len(self._allowances) > self._most_topics:
                self._allowances.popitem(last=False)
        allowance.left = min(self._burst, allowance.left + (now_s - allowance.at_s) * self._per_s)
        allowance.at_s = now_s
        if allowance.left < 1:
            return False
        allowance.left -= 1
        return True


def record(session: Session, letters: Iterable[Letter], ingester: str = "") -> None:
    """Writes letters in the caller's transaction; payloads are cut at 64 KiB, with their true size beside them.

    A message that the broker gives the same `ingester` again, because its acknowledgement was lost, is recorded once.
    """
    session.add_all(_row(letter, ingester) for letter in letters if not _is_recorded(session, letter.message, ingester))


def _is_recorded(session: Session, message: Incoming, ingester: str) -> bool:
    if not message.repeated or not message.mid:
        return False
    same = (DeadLetter.message_id == message.mid, DeadLetter.ingester == ingester, DeadLetter.topic == _storable(message.topic))
    content = (DeadLetter.payload_size == len(message.payload), DeadLetter.payload == message.payload[:MOST_BYTES])
    # Letters of this very message are written only after all were looked up, so that one with two faults keeps both.
    with session.no_autoflush:
        return session.scalar(select(DeadLetter.id).where(*same, *content).limit(1)) is not None


def _row(letter: Letter, ingester: str) -> DeadLetter:
    message = letter.message
    return DeadLetter(
        factory_id=letter.factory_id,
        device_id=letter.device_id,
        device_key=letter.device_key,
        reason=letter.reason,
        detail=_storable(letter.detail),
        topic=_storable(message.topic),
        payload=message.payload[:MOST_BYTES],
        payload_size=len(message.payload),
        received_at=_EPOCH + timedelta(microseconds=message.received_us),
        ingester=ingester,
        message_id=message.mid or None,
    )


def _storable(text: str) -> str:
    """A text that every database can keep."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")[:1000]

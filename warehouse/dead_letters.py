"""Messages that were refused, as people work with them: chosen, counted, shown, purged. `ingest.replay` takes them in again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select, update

from warehouse.access.audit import Actor, append
from warehouse.db import Database
from warehouse.errors import NotFoundError
from warehouse.models.streams import DeadLetter
from warehouse.tenancy import system_session


@dataclass(frozen=True)
class Choice:
    """Which dead letters are meant: those of one factory (of all with None) that have everything that is given."""

    factory_id: int | None = None
    ids: Sequence[int] = ()
    reasons: Sequence[str] = ()
    """Of `ingest.reasons.REASONS`."""
    device_key: str = ""
    topic: str = ""
    received_before: datetime | None = None
    with_replayed: bool = False

    def conditions(self) -> list[ColumnElement[bool]]:
        """For a WHERE clause."""
        found: list[ColumnElement[bool]] = [] if self.with_replayed else [DeadLetter.replayed_at.is_(None)]
        if self.factory_id is not None:
            found.append(DeadLetter.factory_id == self.factory_id)
        if self.ids:
            found.append(DeadLetter.id.in_(self.ids))
        if self.reasons:
            found.append(DeadLetter.reason.in_(self.reasons))
        if self.device_key:
            found.append(DeadLetter.device_key == self.device_key)
        if self.topic:
            found.append(DeadLetter.topic == self.topic)
        if self.received_before is not None:
            found.append(DeadLetter.received_at < self.received_before)
        return found


def listed(db: Database, factory_id: int | None = None, *, reason: str = "", limit: int = 100) -> list[DeadLetter]:
    """The newest letters first; of one factory, or of all with None. Replayed ones are left out."""
    return chosen(db, Choice(factory_id, reasons=[reason] if reason else ()), limit=limit)


def chosen(db: Database, choice: Choice, *, limit: int, offset: int = 0) -> list[DeadLetter]:
    """A page of letters, the newest first."""
    wanted = select(DeadLetter).where(*choice.conditions()).order_by(DeadLetter.id.desc()).limit(limit).offset(offset)
    with system_session(db, "list dead letters") as session:
        return list(session.scalars(wanted))


def found(db: Database, factory_id: int | None, letter_id: int) -> DeadLetter:
    """One letter of a factory, or of any with None, replayed or not. Raises NotFoundError, also for letters of other factories."""
    for letter in chosen(db, Choice(factory_id, ids=[letter_id], with_replayed=True), limit=1):
        return letter
    raise NotFoundError(f"there is no dead letter {letter_id}", noun="dead letter", key=letter_id)


def ids_of(db: Database, choice: Choice) -> list[int]:
    """The ids of the chosen letters, the oldest first."""
    with system_session(db, "choose dead letters") as session:
        return list(session.scalars(select(DeadLetter.id).where(*choice.conditions()).order_by(DeadLetter.id)))


def how_many(db: Database, choice: Choice) -> tuple[int, datetime | None, datetime | None]:
    """The number of chosen letters, and when the first and the last of them were received."""
    wanted = select(func.count(DeadLetter.id), func.min(DeadLetter.received_at), func.max(DeadLetter.received_at))
    with system_session(db, "count dead letters") as session:
        number, first, last = session.execute(wanted.where(*choice.conditions())).one()
    return number, first, last


def counts(db: Database, factory_id: int | None = None, *, device_key: str = "") -> dict[str, int]:
    """How many letters there are by reason, without the replayed ones; of one factory, or of all with None."""
    number = func.count(DeadLetter.id)
    conditions = Choice(factory_id, device_key=device_key).conditions()
    wanted = select(DeadLetter.reason, number).where(*conditions).group_by(DeadLetter.reason).order_by(number.desc())
    with system_session(db, "count dead letters") as session:
        return dict(session.execute(wanted).all())


def purge(db: Database, choice: Choice, now: datetime, actor: Actor | None = None) -> int:
    """Deletes letters for good; returns how many. With an actor it is in the audit trail."""
    with system_session(db, "purge dead letters", write=True) as session:
        done = session.execute(delete(DeadLetter).where(*choice.conditions()))
        number = int(done.rowcount)  # type: ignore[attr-defined]  # a DELETE gives a CursorResult
        if actor is not None:
            facts = {"number": number, "reasons": list(choice.reasons), "device_key": choice.device_key}
            append(session, "dead_letter.purge", "dead_letters", now, actor, after=facts)
    return number


def mark_replayed(db: Database, ids: Sequence[int], now: datetime) -> None:
    """Remembers that letters were taken in."""
    with system_session(db, "mark replayed letters", write=True) as session:
        session.execute(update(DeadLetter).where(DeadLetter.id.in_(ids)).values(replayed_at=now))


def text_of(letter: DeadLetter) -> str:
    """The payload as people can read it: UTF-8, and what is none of it as escapes. Cut at 64 KiB, as it was kept."""
    return letter.payload.decode("utf-8", "backslashreplace")

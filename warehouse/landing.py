"""The landing log: durable batches of readings in one total order, appended by ingesters and read by consumers at their own pace."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from warehouse.errors import LeaseLostError
from warehouse.models.base import utc_now
from warehouse.models.streams import ConsumerCursor, LandingBatch
from warehouse.readings import READINGS
from warehouse.shards import shards_of

# Any number that nothing else in the database uses as an advisory lock.
_APPEND_LOCK: Final = 0x4C414E44
TRIM_LOCK: Final = 0x5452494D
"""Who has this advisory lock of PostgreSQL keeps landed batches from being deleted (`warehouse.safekeeping`)."""


@dataclass(frozen=True)
class Batch:
    """One landed batch as a consumer sees it."""

    position: int
    landed_at: datetime
    message_count: int
    readings: pl.DataFrame


@dataclass(frozen=True)
class LogSize:
    """How much the log holds."""

    batches: int
    bytes: int
    oldest: datetime | None
    """When the oldest batch landed; None when it is empty."""


def take_turn(session: Session) -> None:
    """Waits until no other transaction has the turn, and keeps it until this one ends; `append` does it by itself.

    On PostgreSQL an advisory lock, so that positions become visible in their own order: a consumer that has seen position n will
    never find a smaller one later. SQLite has one writer at a time anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _APPEND_LOCK})


def append(
    session: Session, readings: pl.DataFrame, message_count: int, landed_at: datetime, *, ingester: str = "", receipts: bytes | None = None
) -> int:
    """Adds one batch of READINGS to the log and returns its position; durable once the session commits.

    `ingester` and `receipts` are what the ingester wants to find again with `last_receipts`.
    """
    take_turn(session)
    payload = _packed(readings)
    batch = LandingBatch(
        landed_at=landed_at,
        message_count=message_count,
        row_count=readings.height,
        payload=payload,
        byte_count=len(payload),
        ingester=ingester,
        receipts=receipts,
    )
    session.add(batch)
    session.flush()
    return batch.position


def read_after(session: Session, position: int, limit: int = 100) -> list[Batch]:
    """The next batches after `position`, oldest first, at most `limit`."""
    found = session.scalars(select(LandingBatch).where(LandingBatch.position > position).order_by(LandingBatch.position).limit(limit)).all()
    return [Batch(b.position, b.landed_at, b.message_count, _unpacked(b.payload)) for b in found]


def last_receipts(session: Session, ingester: str, batches: int) -> list[tuple[int, bytes | None]]:
    """Message count and receipts of what `ingester` landed among the last `batches` of all, oldest first."""
    found = session.execute(
        select(LandingBatch.message_count, LandingBatch.receipts)
        .where(LandingBatch.position > head(session) - batches, LandingBatch.ingester == ingester)
        .order_by(LandingBatch.position)
    )
    return [(count, stored) for count, stored in found]


def size(session: Session) -> LogSize:
    """How much the log holds; 10 ms for an hour of a busy plant."""
    batches, stored, oldest = session.execute(
        select(func.count(LandingBatch.landed_at), func.sum(LandingBatch.byte_count), func.min(LandingBatch.landed_at))
    ).one()
    return LogSize(batches, int(stored or 0), oldest)


def head(session: Session) -> int:
    """Position of the newest batch; 0 when nothing ever landed."""
    # The cursor counts too: after a trim of everything the log is empty, but its positions go on.
    newest = session.scalar(select(func.max(LandingBatch.position)))
    return max(newest or 0, session.scalar(select(func.max(ConsumerCursor.position))) or 0)


def cursor(session: Session, consumer: str) -> int:
    """How far `consumer` has come; 0 when it never ran."""
    return session.scalar(select(ConsumerCursor.position).where(ConsumerCursor.name == consumer)) or 0


def move_cursor(session: Session, consumer: str, old: int, new: int, state: bytes | None = None) -> None:
    """Moves a cursor from `old` to `new` in the caller's transaction. `state` is kept beside it when given.

    Raises LeaseLostError when it does not stand at `old`: somebody else did the work, and the caller must write nothing.
    """
    values: dict[str, object] = {"position": new, "updated_at": utc_now()}
    if state is not None:
        values["state"] = state
    moved = session.execute(update(ConsumerCursor).where(ConsumerCursor.name == consumer, ConsumerCursor.position == old).values(**values))
    if moved.rowcount == 1:  # type: ignore[attr-defined]  # an UPDATE gives a CursorResult
        return
    if old == 0 and _insert_if_absent(session, consumer, new, state):
        return
    message = f"the cursor of {consumer} is no longer at {old}: another process moved it"
    raise LeaseLostError(message, consumer=consumer, expected_position=old)


def _insert_if_absent(session: Session, consumer: str, position: int, state: bytes | None) -> bool:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(ConsumerCursor).values(name=consumer, position=position, updated_at=utc_now(), state=state)
    # RETURNING, because PostgreSQL's driver does not count the rows of such an insert.
    done = session.execute(statement.on_conflict_do_nothing(index_elements=["name"]).returning(ConsumerCursor.name))
    return done.first() is not None


def trim(session: Session, landed_before: datetime, consumers: Sequence[str], *, lake_position: int | None = None) -> int:
    """Deletes batches that are older than `landed_before` and that every consumer has passed; returns how many.

    `lake_position` is the loader's own cursor, which lives in the lake. A consumer that never ran holds everything back, and so does
    each of its shards.
    """
    passed = [cursor(session, shard.named(consumer)) for consumer in consumers for shard in shards_of(session, consumer)]
    if lake_position is not None:
        passed.append(lake_position)
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": TRIM_LOCK})
    done = session.execute(
        delete(LandingBatch).where(LandingBatch.position <= min(passed, default=0), LandingBatch.landed_at < landed_before)
    )
    return int(done.rowcount)  # type: ignore[attr-defined]  # a DELETE gives a CursorResult


def _packed(readings: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    readings.select(READINGS.names()).cast(READINGS).write_ipc_stream(buffer, compression="zstd")
    return buffer.getvalue()


def _unpacked(payload: bytes) -> pl.DataFrame:
    frame = pl.read_ipc_stream(io.BytesIO(payload))
    # Batches of this version are as they should be, and a cast that changes nothing costs more than reading them.
    return frame if frame.schema == READINGS else frame.select(READINGS.names()).cast(READINGS)

"""Keeping the operational database small. Run by the maintenance job, safe to run again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, or_, select

from warehouse import landing
from warehouse.db import Database
from warehouse.lake import Lake
from warehouse.models.alerting import AlertRaise
from warehouse.models.people import UserSession
from warehouse.models.streams import DeadLetter
from warehouse.tenancy import system_session

KEEP_ENDED_SESSIONS_FOR: Final = timedelta(days=1)
TRIM_STEP: Final = timedelta(seconds=30)
MOST_DEAD_LETTERS: Final = 50_000
KEEP_RAISES_FOR: Final = timedelta(days=400)
"""A little longer than the longest period over which the quality of the alarms is measured."""


def trim_landing(db: Database, lake: Lake, landed_before: datetime, consumers: Sequence[str], loader_shard: str) -> int:
    """Deletes landed batches from before `landed_before` that every consumer and the loader have passed; returns how many.

    Raises LakeBusyError while the lake is away: then nobody knows what the loader still needs, and nothing is deleted.
    """
    lake_position = lake.loader_position(loader_shard)
    with system_session(db, "trim the landing log", write=True) as session:
        return landing.trim(session, landed_before, consumers, lake_position=lake_position)


def trim_some(
    db: Database, landed_before: datetime, consumers: Sequence[str], lake_position: int, *, most_bytes: int | None = None
) -> bool:
    """Deletes at most TRIM_STEP of the landing log: what `trim_landing` would delete, without holding up writers for long.

    `lake_position` is a position that the loader has passed for certain. When the log holds more than half of `most_bytes`, younger
    batches go as well, but never one that a consumer has not passed. True when there may be more to delete.
    """
    with system_session(db, "size of the landing log") as session:
        log = landing.size(session)
    oldest = log.oldest
    if oldest is not None and most_bytes is not None and log.bytes > most_bytes / 2:
        landed_before = max(landed_before, oldest + TRIM_STEP)
    if oldest is None or oldest >= landed_before:
        return False
    step_end = min(landed_before, oldest + TRIM_STEP)
    with system_session(db, "trim the landing log", write=True) as session:
        return landing.trim(session, step_end, consumers, lake_position=lake_position) > 0 and step_end < landed_before


def delete_dead_letters(db: Database, received_before: datetime) -> int:
    """Deletes dead letters from before `received_before`, and of the rest all but the newest MOST_DEAD_LETTERS; returns how many."""
    with system_session(db, "delete old dead letters", write=True) as session:
        oldest_kept = session.scalar(select(DeadLetter.id).order_by(DeadLetter.id.desc()).offset(MOST_DEAD_LETTERS - 1).limit(1)) or 0
        done = session.execute(delete(DeadLetter).where(or_(DeadLetter.received_at < received_before, DeadLetter.id < oldest_kept)))
    return int(done.rowcount)  # type: ignore[attr-defined]  # a DELETE gives a CursorResult


def delete_old_raises(db: Database, raised_before: datetime) -> int:
    """Deletes the moments at which rules asked before `raised_before`; returns how many. Alerts and their repeat counts stay."""
    with system_session(db, "delete old moments of alerts", write=True) as session:
        done = session.execute(delete(AlertRaise).where(AlertRaise.raised_at < raised_before))
    return int(done.rowcount)  # type: ignore[attr-defined]  # a DELETE gives a CursorResult


def delete_ended_sessions(db: Database, now: datetime) -> int:
    """Deletes sign-ins that ended a day ago or earlier; returns how many. What was done with them stays in the audit trail."""
    with system_session(db, "delete sign-ins that have ended", write=True) as session:
        done = session.execute(delete(UserSession).where(UserSession.expires_at < now - KEEP_ENDED_SESSIONS_FOR))
    return int(done.rowcount)  # type: ignore[attr-defined]  # a DELETE gives a CursorResult

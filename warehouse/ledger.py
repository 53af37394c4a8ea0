"""The ledger: for each factory a chain in which every entry holds the hash of the one before. Changing the past breaks it."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from warehouse.db import Database
from warehouse.models.people import Factory
from warehouse.models.reporting import LedgerEntry
from warehouse.tenancy import tenant_session

GENESIS: Final = "0" * 64


@dataclass(frozen=True)
class ChainCheck:
    """Whether a factory's chain is as it was written."""

    entries: int
    broken_at: int | None
    """Sequence of the first entry that does not fit; None when all do."""

    @property
    def is_intact(self) -> bool:
        """True when no entry was changed, removed or put in between."""
        return self.broken_at is None


def append(session: Session, factory_id: int, kind: str, report_id: str, happened_at: datetime, content: dict[str, Any]) -> LedgerEntry:
    """Adds an entry in the caller's transaction, which must be a writing one: two at once wait for each other.

    `content` is kept as canonical JSON. The hash covers everything of the entry and the hash of the one before.
    """
    # Locks the factory's row on PostgreSQL; SQLite's writing transaction is alone anyway.
    session.scalars(select(Factory).where(Factory.id == factory_id).with_for_update()).one()
    last = session.scalars(select(LedgerEntry).order_by(LedgerEntry.sequence.desc()).limit(1)).first()
    sequence, previous = (last.sequence + 1, last.hash) if last else (1, GENESIS)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    moment = happened_at.astimezone(UTC)
    entry = LedgerEntry(
        factory_id=factory_id,
        sequence=sequence,
        kind=kind,
        report_id=report_id,
        happened_at=moment,
        content=text,
        previous_hash=previous,
        hash="",
    )
    entry.hash = entry_hash(entry, previous)
    session.add(entry)
    session.flush()
    return entry


def entry_hash(entry: LedgerEntry, previous: str) -> str:
    """SHA-256 over the entry's fields and the hash before it, in one unambiguous form."""
    moment = entry.happened_at.astimezone(UTC).isoformat()
    fields = [entry.factory_id, entry.sequence, entry.kind, entry.report_id, moment, entry.content, previous]
    return hashlib.sha256(json.dumps(fields, ensure_ascii=False).encode()).hexdigest()


def entries(db: Database, factory_id: int, report_id: str | None = None) -> list[LedgerEntry]:
    """The entries of a factory, or of one of its reports, oldest first."""
    wanted = select(LedgerEntry).order_by(LedgerEntry.sequence)
    if report_id is not None:
        wanted = wanted.where(LedgerEntry.report_id == report_id)
    with tenant_session(db, factory_id) as session:
        return list(session.scalars(wanted))


def check_chain(db: Database, factory_id: int) -> ChainCheck:
    """Computes every hash again, from the first entry on."""
    found = entries(db, factory_id)
    previous = GENESIS
    for number, entry in enumerate(found, start=1):
        if entry.sequence != number or entry.previous_hash != previous or entry.hash != entry_hash(entry, previous):
            return ChainCheck(len(found), number)
        previous = entry.hash
    return ChainCheck(len(found), None)


def content_of(entry: LedgerEntry) -> dict[str, Any]:
    """What was written about the report."""
    found = json.loads(entry.content)
    return dict(found)

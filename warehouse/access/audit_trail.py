"""Reading the audit trail: pages of it, all of it for export, and whether it is whole."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select

from warehouse.access.chain import FIELDS, START, chained_hash, moment_text
from warehouse.db import Database
from warehouse.models.access import AuditHead
from warehouse.models.people import AuditEvent, User
from warehouse.tenancy import tenant_session

COLUMNS: Final = (
    "position", "happened_at", "user_id", "user_email", "address", "action", "target", "reason", "before", "after", "factory_id", "hash",
)  # fmt: skip
MOST_PROBLEMS: Final = 100
_CHUNK: Final = 1_000


@dataclass(frozen=True)
class Event:
    """One event, with the e-mail of who did it."""

    row: AuditEvent
    user_email: str | None


@dataclass(frozen=True)
class Wanted:
    """Which events; None: any. Moments are aware, `start` included and `end` not."""

    start: datetime | None = None
    end: datetime | None = None
    user_id: int | None = None
    action: str | None = None
    """The beginning of it, such as `alert.`."""
    target: str | None = None


@dataclass(frozen=True)
class Verdict:
    """Whether a factory's trail is whole."""

    events: int
    head: str
    """Hash of the newest event."""
    problems: tuple[str, ...]
    """What is wrong, with positions; at most MOST_PROBLEMS."""

    @property
    def is_whole(self) -> bool:
        """Nothing was edited, removed or put in another order."""
        return not self.problems


def page_of(db: Database, factory_id: int, wanted: Wanted, limit: int, offset: int) -> tuple[list[Event], int]:
    """One page, newest first, and how many there are in all."""
    conditions = _conditions(wanted)
    with tenant_session(db, factory_id) as session:
        total = session.scalar(select(func.count(AuditEvent.id)).where(*conditions)) or 0
        found = session.execute(
            select(AuditEvent, User.email)
            .join(User, AuditEvent.user_id == User.id, isouter=True)
            .where(*conditions)
            .order_by(AuditEvent.position.desc())
            .limit(limit)
            .offset(offset)
        ).all()
    return [Event(row, email) for row, email in found], total


def events_of(db: Database, factory_id: int, wanted: Wanted | None = None) -> Iterator[Event]:
    """All events, oldest first, read in chunks."""
    after, conditions = -1, _conditions(wanted or Wanted())
    while True:
        with tenant_session(db, factory_id) as session:
            found = session.execute(
                select(AuditEvent, User.email)
                .join(User, AuditEvent.user_id == User.id, isouter=True)
                .where(AuditEvent.position > after, *conditions)
                .order_by(AuditEvent.position)
                .limit(_CHUNK)
            ).all()
        yield from (Event(row, email) for row, email in found)
        if len(found) < _CHUNK:
            return
        after = found[-1][0].position


def verify(db: Database, factory_id: int, known_head: str | None = None) -> Verdict:
    """Goes through the whole chain. `known_head`: a hash that was noted earlier outside of the database, and that must still be in it."""
    with tenant_session(db, factory_id) as session:
        head = session.get(AuditHead, factory_id)
    written = head.position if head else None
    problems: list[str] = []
    previous, position, knows = START, 0, known_head in {None, START}
    for event in events_of(db, factory_id):
        row = event.row
        # Written since the head was read: the next check's.
        if position == written and row.position == position + 1:
            break
        if row.position != position + 1:
            problems.append(f"after event {position} comes event {row.position}: {row.position - position - 1} were removed")
        if row.hash != chained_hash(previous, {name: getattr(row, name) for name in FIELDS}):
            problems.append(f"event {row.position} ({row.action} {row.target}) was changed, or what stands before it")
        position, previous, knows = row.position, row.hash, knows or row.hash == known_head
    problems += _at_the_end(head, position, previous)
    if not knows:
        problems.append("the noted head is not in this trail: it was made anew or cut off")
    return Verdict(position, previous, tuple(problems[:MOST_PROBLEMS]))


def as_json_lines(events: Iterator[Event]) -> Iterator[str]:
    """One JSON object a line, with everything that is hashed: the chain can be checked from the export alone."""
    for event in events:
        yield json.dumps(facts_of(event), ensure_ascii=False, sort_keys=True) + "\n"


def as_csv(events: Iterator[Event]) -> Iterator[str]:
    """CSV with a heading; `before` and `after` as JSON. Texts that a spreadsheet would run as a formula get an apostrophe before them."""
    yield _csv_line(COLUMNS)
    for event in events:
        facts = facts_of(event)
        yield _csv_line([_cell(facts[name]) for name in COLUMNS])


def facts_of(event: Event) -> dict[str, Any]:
    """An event by COLUMNS."""
    row = event.row
    facts = {name: getattr(row, name) for name in (*FIELDS, "hash")} | {"user_email": event.user_email}
    return facts | {"happened_at": moment_text(row.happened_at)}


def _at_the_end(head: AuditHead | None, position: int, link: str) -> list[str]:
    if head is None:
        return ["the head of the trail was removed"] if position else []
    if position < head.position:
        return [f"the trail ends at event {position}, but {head.position} were written: the end was removed"]
    return [] if link == head.hash else ["the newest event is not the one that was written last"]


def _conditions(wanted: Wanted) -> list[Any]:
    asked: list[Any] = []
    if wanted.start is not None:
        asked.append(AuditEvent.happened_at >= wanted.start)
    if wanted.end is not None:
        asked.append(AuditEvent.happened_at < wanted.end)
    if wanted.user_id is not None:
        asked.append(AuditEvent.user_id == wanted.user_id)
    if wanted.action is not None:
        asked.append(AuditEvent.action.startswith(wanted.action, autoescape=True))
    if wanted.target is not None:
        asked.append(AuditEvent.target == wanted.target)
    return asked


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _csv_line(cells: Any) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()

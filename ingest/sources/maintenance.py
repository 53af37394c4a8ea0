"""Work orders and failures from a maintenance system into `maintenance_events`. Twice is the same as once; what changed changes here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from ingest.sources.carry import carried
from ingest.sources.layouts import DEVICE_NAMES
from ingest.sources.rows import Row, RowSource, matched, moment_of, number_of, rows_resource
from warehouse.factories import factory_zones
from warehouse.installation import Installation
from warehouse.upkeep import EventRow, device_ids, save_events

FIELDS: Final[dict[str, Sequence[str]]] = {
    "external_id": ("external_id", "id", "work_order", "order", "order_id", "number", "no", "auftrag", "auftragsnummer"),
    "device": DEVICE_NAMES,
    "kind": ("kind", "type", "category", "order_type", "art"),
    "began_at": ("began_at", "start", "started_at", "begin", "failed_at", "opened_at", "timestamp", "date", "beginn"),
    "ended_at": ("ended_at", "end", "finished_at", "completed_at", "closed_at", "ende"),
    "title": ("title", "description", "summary", "text", "beschreibung"),
    "reason": ("reason", "cause", "failure_mode", "code", "grund", "ursache"),
    "cost": ("cost", "costs", "price", "kosten"),
}
KINDS: Final = {
    "failure": ("failure", "breakdown", "fault", "stop", "ausfall", "stoerung", "störung"),
    "repair": ("repair", "corrective", "reparatur", "instandsetzung"),
    "planned": ("planned", "preventive", "scheduled", "pm", "wartung"),
    "inspection": ("inspection", "check", "inspektion"),
}
_WORDS: Final = {word: kind for kind, words in KINDS.items() for word in words}
COLUMNS: Final = {
    "line": "bigint", "external_id": "text", "device": "text", "kind": "text", "began_at": "timestamp", "ended_at": "timestamp",
    "title": "text", "reason": "text", "cost": "double", "problem": "text",
}  # fmt: skip


@dataclass
class ImportResult:
    """What became of the rows of a source."""

    source: str
    rows: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)
    """Number of the row and what is wrong with it."""


def import_maintenance(
    installation: Installation, factory_id: int, source: RowSource, named: Mapping[str, str] | None = None, *, dry_run: bool = False
) -> ImportResult:
    """Takes over what a source tells. `named`: our field by its column there. Times without an offset are the factory's.

    Raises InvalidInputError or PermanentError for a source that cannot be read; rows that cannot be taken are told in the result.
    """
    zone = ZoneInfo(factory_zones(installation.db)[factory_id][1])
    resource = rows_resource(source, lambda number, row: converted(number, row, zone, named or {}), COLUMNS, "maintenance")
    with carried(installation.settings, "maintenance", resource) as files:
        rows = [row for path in files for row in pl.read_parquet(path).iter_rows(named=True)]
    result = ImportResult(source.name, len(rows))
    known = device_ids(installation.db, factory_id)
    events = [event for row in rows if (event := _event(row, known, result))]
    saved = save_events(installation.db, factory_id, source.name, events, installation.clock.now(), dry_run=dry_run)
    result.added, result.changed, result.unchanged = saved.added, saved.changed, saved.unchanged
    return result


def converted(number: int, row: Row, zone: tzinfo, named: Mapping[str, str]) -> dict[str, Any]:
    """A typed row, with `problem` when it cannot be taken; pure. An order without a number is known by machine, kind and begin."""
    found = matched(row, FIELDS, named)
    typed: dict[str, Any] = {
        "line": number,
        "problem": None,
        **{name: _text(found[name]) for name in ("external_id", "device", "title", "reason")},
    }
    word = str(found["kind"] or "failure").lower()
    typed["kind"] = _WORDS.get(word)
    try:
        typed |= {"began_at": moment_of(found["began_at"], zone), "ended_at": moment_of(found["ended_at"], zone)}
        typed["cost"] = number_of(found["cost"])
    except (ValueError, OverflowError) as problem:
        return {**typed, "problem": f"not readable: {problem}"}
    began, ended = typed["began_at"], typed["ended_at"]
    if typed["kind"] is None:
        typed["problem"] = f"the kind {word!r} is none of {', '.join(sorted(_WORDS))}"
    elif not typed["device"] or began is None:
        typed["problem"] = "no machine" if not typed["device"] else "no begin"
    elif ended is not None and ended < began:
        typed["problem"] = "it ends before it begins"
    if typed["problem"] is None:
        typed["external_id"] = typed["external_id"] or f"{typed['device']}:{typed['kind']}:{began.isoformat()}"[:100]
    return typed


def _text(value: Any) -> str | None:
    return None if value is None else str(value)[:255]


def _event(row: dict[str, Any], known: Mapping[str, int], result: ImportResult) -> EventRow | None:
    problem = row.get("problem") or ("" if row["device"] in known else f"the factory has no machine {row['device']!r}")
    if problem:
        result.problems.append((row["line"], problem))
        return None
    optional = {name: row.get(name) for name in ("ended_at", "title", "reason", "cost")}
    return EventRow(row["external_id"][:100], known[row["device"]], row["kind"], row["began_at"], **optional)

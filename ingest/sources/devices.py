"""The list of a factory's machines from CSV, Excel, SQL or REST: new ones are registered, known ones brought up to date, none deleted."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from ingest.sources.carry import carried
from ingest.sources.maintenance import ImportResult
from ingest.sources.rows import Row, RowSource, matched, number_of, rows_resource
from ingest.topics import parse, telemetry_topic
from warehouse.device_list import DeviceEntry, save_devices
from warehouse.installation import Installation

FIELDS: Final[dict[str, Sequence[str]]] = {
    "device_key": ("device_key", "key", "device", "machine", "machine_id", "device_id", "asset", "id", "maschine"),
    "name": ("name", "display_name", "description", "bezeichnung"),
    "kind": ("kind", "type", "category", "art", "typ"),
    "manufacturer": ("manufacturer", "maker", "hersteller"),
    "model": ("model", "modell"),
    "region": ("region", "area", "hall", "line", "location", "bereich", "halle"),
    "importance": ("importance", "weight", "criticality", "gewicht"),
    "is_active": ("is_active", "active", "enabled", "aktiv"),
}
TRUTHS: Final = {"true": True, "yes": True, "1": True, "ja": True, "false": False, "no": False, "0": False, "nein": False}
COLUMNS: Final = {
    "line": "bigint", "device_key": "text", "name": "text", "kind": "text", "manufacturer": "text", "model": "text", "region": "text",
    "importance": "double", "is_active": "bool", "problem": "text",
}  # fmt: skip


def import_devices(
    installation: Installation, factory_id: int, source: RowSource, named: Mapping[str, str] | None = None, *, dry_run: bool = False
) -> ImportResult:
    """Takes over a list. A cell that is empty, or a column that is missing, leaves what the machine has. Raises as `import_maintenance`."""
    resource = rows_resource(source, lambda number, row: converted(number, row, named or {}), COLUMNS, "devices")
    with carried(installation.settings, "devices", resource) as files:
        rows = [row for path in files for row in pl.read_parquet(path).iter_rows(named=True)]
    result = ImportResult(source.name, len(rows), problems=[(row["line"], row["problem"]) for row in rows if row.get("problem")])
    optional = [name for name in COLUMNS if name not in {"line", "device_key", "problem"}]
    entries = [DeviceEntry(row["device_key"], **{name: row.get(name) for name in optional}) for row in rows if not row.get("problem")]
    saved = save_devices(installation.db, factory_id, entries, dry_run=dry_run)
    result.added, result.changed, result.unchanged = saved.added, saved.changed, saved.unchanged
    return result


def converted(number: int, row: Row, named: Mapping[str, str]) -> dict[str, Any]:
    """A typed row, with `problem` when it cannot be taken; pure."""
    found = matched(row, FIELDS, named)
    texts = ("device_key", "name", "kind", "manufacturer", "model", "region")
    typed: dict[str, Any] = {
        "line": number,
        "problem": None,
        **{name: None if found[name] is None else str(found[name])[:255] for name in texts},
    }
    active = found["is_active"]
    typed["is_active"] = active if active is None or isinstance(active, bool) else TRUTHS.get(str(active).lower())
    key = typed["device_key"]
    if not key or set(key) & set("+#: ") or parse(telemetry_topic("any", key)) is None:
        typed["problem"] = f"the key {key!r} is none: 1 to 100 printable characters without blanks, colons, +, # and /"
    elif active is not None and typed["is_active"] is None:
        typed["problem"] = f"active is {active!r}, neither yes nor no"
    try:
        typed["importance"] = number_of(found["importance"])
    except ValueError as problem:
        typed["problem"] = f"not readable: {problem}"
    if (typed.get("importance") or 0) < 0:
        typed["problem"] = "importance is not negative"
    return typed

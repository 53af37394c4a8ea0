"""Writes the measured tables of `docs/scaling.md` from what `factoryops bench scaling --json` printed.

    factoryops bench scaling --json > /tmp/scaling.json && python scripts/document_scaling.py /tmp/scaling.json

The figures are kept in `docs/scaling.json`; a test holds the page to them.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "scaling.md"
FIGURES = REPOSITORY / "docs" / "scaling.json"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
WORDS = {
    "ingest_first_us_a_message": "ingest: the first message of a machine, with its 8 parameters, µs",
    "ingest_us_a_message": "ingest: decode and land a later one, each of another machine, µs",
    "evaluator_us_a_message": "evaluator: a message, µs",
    "evaluator_memory_mb": "evaluator: memory for it, MB",
    "evaluator_snapshot_ms": "evaluator: a snapshot, ms",
    "evaluator_shard_of_4_us_a_message": "evaluator: the same log with one shard of four, µs a message",
    "loader_us_a_reading": "loader: a reading into the lake, µs",
    "live_values_of_a_device_ms": "live values of a machine, ms",
    "list_of_machines_ms": "list of all machines of a factory, ms",
    "database_bytes_a_device": "operational database with its landing log, bytes a machine",
    "partition_ms": "a partition of the rollups (a factory's day) mended, ms",
    "rollup_of_the_added_days_s": "rollup of the added days, s",
    "minutes_of_a_day_ms": "minutes of a day, ms",
    "hours_of_all_ms": "hours of all days, ms",
    "days_of_all_ms": "days of all days, ms",
    "bytes_a_reading": "lake: bytes a reading, rollups included",
    "files": "lake: files",
}
CURVES = {"devices": "Machines, in one factory", "factories": "Factories, with 1,000 machines in all", "days": "Days of history"}
_NAME = re.compile(r"(?P<what>\w+)_at_(?P<number>\d+)_(?P<unit>devices|factories|days)")


def tables(figures: dict[str, float]) -> str:
    """A table for each curve: what costs how much at which size. Raises ValueError for a figure that no word is known for."""
    found: dict[str, dict[str, dict[int, float]]] = {unit: {} for unit in CURVES}
    for name, value in figures.items():
        parts = _NAME.fullmatch(name)
        if parts is None or parts["what"] not in WORDS:
            raise ValueError(f"no row for the figure {name}")
        found[parts["unit"]].setdefault(parts["what"], {})[int(parts["number"])] = value
    return "\n".join(_table(CURVES[unit], rows) for unit, rows in found.items() if rows)


def _table(title: str, rows: dict[str, dict[int, float]]) -> str:
    sizes = sorted({size for row in rows.values() for size in row})
    head = [f"| {title} | {' | '.join(f'{size:,}' for size in sizes)} |", f"|---|{'---:|' * len(sizes)}"]
    lines = [f"| {WORDS[what]} | {' | '.join(_shown(row.get(size)) for size in sizes)} |" for what, row in rows.items()]
    return "\n".join([*head, *lines]) + "\n"


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"


def page(text: str, result: dict[str, Any]) -> str:
    """The page with the tables of this result."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{result['notes']}\n\n{tables(result['figures'])}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Keep the figures of a file, when one is named, and write the page."""
    if arguments:
        result: dict[str, Any] = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
        FIGURES.write_text(json.dumps({"figures": result["figures"], "notes": result["notes"]}, indent=1) + "\n", encoding="utf-8")
    known = json.loads(FIGURES.read_text(encoding="utf-8"))
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), known), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(REPOSITORY)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Which hours have no rollup to lean on, remembered for a moment so that a query need not ask."""

import threading
import time
import weakref
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from warehouse.lake import Lake
from warehouse.manifest import Manifest, manifest
from warehouse.marks import HOURS, read_marks

REMEMBERED_S: Final = 2.0
"""A reading that comes late into an old hour shows this much later."""


@dataclass(frozen=True)
class OpenHours:
    """What was true `REMEMBERED_S` ago at most."""

    by_factory: dict[int, tuple[datetime, ...]]
    manifests: dict[str, Manifest | None]
    """Files of rollup tables, read after the marks: what was rolled up then is in them."""
    running_from: datetime
    """The hour that was running: neither it nor what follows has a rollup."""


_known: weakref.WeakKeyDictionary[Lake, tuple[float, int, OpenHours]] = weakref.WeakKeyDictionary()
_guard = threading.Lock()


def open_hours(lake: Lake) -> OpenHours:
    """The marked hours of all factories. Raises LakeBusyError while the lake is away and nothing is remembered."""
    known = _known.get(lake)
    if known is not None and known[1] == lake.commits and time.monotonic() - known[0] < REMEMBERED_S:
        return known[2]
    began, commits = time.monotonic(), lake.commits
    running_from = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with lake.cursor() as cursor:
        rows = read_marks(cursor).rows
    by_factory: dict[int, list[datetime]] = {}
    for factory_id, level, bucket in rows.iter_rows():
        if level == HOURS:
            by_factory.setdefault(factory_id, []).append(bucket)
    found = OpenHours({factory_id: tuple(hours) for factory_id, hours in by_factory.items()}, {}, running_from)
    with _guard:
        _known[lake] = (began, commits, found)
    return found


def rollup_source(lake: Lake, known: OpenHours, level: str, start: datetime, end: datetime) -> dict[str, str]:
    """Where the rollups of [start, end) can be read without DuckLake's planning; empty when they must go through it."""
    table = f"rollup_{level}"
    if table not in known.manifests:
        known.manifests[table] = manifest(lake, table)
    found = known.manifests[table]
    source = found.source(start, end) if found else None
    return {table: source} if source else {}

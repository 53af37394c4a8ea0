"""What the System page shows: how the processes do, how much waits, and how much room is left. In numbers, of all factories together."""

import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dashboards.cache import ask
from dashboards.resources import installation
from warehouse.errors import FactoryOpsError
from warehouse.heartbeat import Heartbeat, heartbeats
from warehouse.maintenance import live_bytes
from warehouse.queries.system import Backlog, Landed, SystemFigures, landed_lately, loader_backlog, system_figures
from warehouse.tables import ROLLUP_LEVELS, TELEMETRY

LOADER_SHARD = "main"
PROGRAMS = ("factoryops", "streamlit", "dagster", "duckdb", "polars", "sqlalchemy")


@dataclass(frozen=True)
class Sizes:
    """Bytes on disk; None where it cannot be said (another host keeps it)."""

    readings: int | None
    sums: int | None
    database: int | None
    disk_free: int
    disk_total: int


@dataclass(frozen=True)
class Data:
    """Everything on the page."""

    figures: SystemFigures
    landed: Landed
    loader: Backlog | None
    """None while the lake is away."""
    beats: list[Heartbeat]
    sizes: Sizes


def load(factory_id: int) -> Data:
    """At most 3 s old; sizes at most a minute."""
    inst = installation()
    now = inst.clock.now()

    def found() -> tuple[SystemFigures, Landed, Backlog | None, list[Heartbeat]]:
        try:
            loader = loader_backlog(inst.db, inst.lake, LOADER_SHARD, now)
        except FactoryOpsError:
            loader = None
        return system_figures(inst.db, now), landed_lately(inst.db, now), loader, heartbeats(inst.db)

    return Data(*ask(("system",), factory_id, 3, found).value, ask(("sizes",), factory_id, 60, _sizes).value)


def _sizes() -> Sizes:
    inst = installation()
    try:
        readings: int | None = live_bytes(inst.lake, TELEMETRY)
        sums: int | None = sum(live_bytes(inst.lake, f"rollup_{level}") for level in ROLLUP_LEVELS)
    except FactoryOpsError:
        readings = sums = None
    disk = shutil.disk_usage(inst.settings.home)
    return Sizes(readings, sums, _file_bytes(inst.db.engine.url.database) if inst.db.is_sqlite else None, disk.free, disk.total)


def _file_bytes(path: str | None) -> int | None:
    """An SQLite database with its log."""
    if not path:
        return None
    return sum(file.stat().st_size for suffix in ("", "-wal") if (file := Path(path + suffix)).is_file())


def versions() -> dict[str, str]:
    """The product and what it stands on."""
    found = {}
    for name in PROGRAMS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "—"
    return found

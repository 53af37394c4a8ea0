"""A history of ten million readings, as CSV, Parquet and line protocol, into a lake that is empty, and once more into one that holds it."""

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import psutil

from ingest.sources.backfill import BackfillResult, backfill
from ingest.sources.history import HistoryFile
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.device_list import DeviceEntry, save_devices
from warehouse.errors import PermanentError
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.models.people import Factory
from warehouse.settings import Settings
from warehouse.tenancy import system_session

READINGS: Final = 10_000_000
MACHINES: Final = 40
PARAMETERS: Final = 8
DAYS: Final = 20
BEGIN: Final = datetime(2026, 1, 5, tzinfo=UTC)
LIMIT: Final = "< 60"


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """Each format into a home of its own; the CSV file twice into the same."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="factoryops-backfill-") as folder:
        for name, path in files(Path(folder), READINGS, progress).items():
            home = Path(folder) / f"home-{name}"
            begin_s = time.process_time()
            done = [timed(home, path, READINGS, progress)]
            figures[f"{name}_cpu_seconds"] = time.process_time() - begin_s
            if name == "csv_wide":
                done.append(timed(home, path, 0, progress))
                figures["csv_wide_again_s"] = done[1].seconds
            figures[f"{name}_s"] = done[0].seconds
            figures[f"{name}_megabytes"] = path.stat().st_size / 1e6
            path.unlink()
    figures["peak_memory_mb"] = psutil.Process().memory_info().rss / 1e6
    return {
        "name": "backfill",
        "figures": {name: round(value, 1) for name, value in figures.items()} | {"readings": READINGS},
        "budgets": [{"figure": name, "limit": LIMIT} for name in figures if name.endswith("_s")],
        "notes": f"{MACHINES} machines x {PARAMETERS} parameters over {DAYS} days, in the order of time; each figure is the whole command: "
        "read, checked, looked up in the lake, written and marked for the rollups. "
        "The processor time beside it tells how busy the machine was.",
    }


def files(folder: Path, readings: int, progress: Callable[[str], None]) -> dict[str, Path]:
    """The same readings as three files."""
    rows = readings // PARAMETERS
    paths = {"csv_wide": folder / "history.csv", "parquet_narrow": folder / "history.parquet", "line_protocol": folder / "history.lp"}
    step_ms = DAYS * 86_400_000 // (rows // MACHINES)
    with closing(duckdb.connect()) as connection:
        connection.execute(f"SET TimeZone = 'UTC'; CREATE TABLE tick AS SELECT 'M' || (i % {MACHINES}) AS device, i // {MACHINES} AS n, "
                           f"TIMESTAMPTZ '{BEGIN.isoformat()}' + to_milliseconds((i // {MACHINES}) * {step_ms} + i % {MACHINES}) "
                           f"AS timestamp FROM range({rows}) t(i)")  # fmt: skip
        values = [f"round({20 + p} + 5 * sin(n / {50 + p}) + (hash(n, {p}) % 100) / 50, 2)" for p in range(PARAMETERS)]
        cells = ", ".join(f"{value} AS p{p}" for p, value in enumerate(values))
        progress("writing CSV")
        connection.execute(
            f"COPY (SELECT strftime(timestamp, '%Y-%m-%dT%H:%M:%S.%gZ') AS timestamp, device, {cells} FROM tick) TO '{paths['csv_wide']}'"
        )
        progress("writing Parquet")
        names = ", ".join(f"p{p}" for p in range(PARAMETERS))
        connection.execute(f"COPY (UNPIVOT (SELECT timestamp, device, {cells} FROM tick) ON {names} INTO NAME parameter VALUE value) "
                           f"TO '{paths['parquet_narrow']}'")  # fmt: skip
        progress("writing line protocol")
        fields = " || ',' || ".join(f"'p{p}=' || {value}" for p, value in enumerate(values))
        connection.execute(f"COPY (SELECT 'machine,device=' || device || ' ' || {fields} || ' ' || epoch_ns(timestamp) FROM tick) "
                           f"TO '{paths['line_protocol']}' (HEADER false, QUOTE '', DELIM '\x01')")  # fmt: skip
    return paths


def timed(home: Path, path: Path, added: int, progress: Callable[[str], None]) -> BackfillResult:
    """One run of the command into a home, which is made when it is new. Raises PermanentError when not exactly `added` readings came."""
    settings = Settings(factoryops_home=home, app_env="demo")
    installation = Installation(settings, Database(settings.operational_url), Lake(settings), ManualClock(BEGIN + timedelta(days=DAYS)))
    try:
        if not (home / "lake.made").exists():
            prepare(installation)
        began = time.perf_counter()
        done = backfill(
            installation, 1, HistoryFile(path), progress=lambda stage, count, _total: progress(f"{path.name}: {stage} {count:,}")
        )
        done.seconds = time.perf_counter() - began
    finally:
        installation.close()
    if done.added != added or done.rejected:
        raise PermanentError(f"the benchmark's file was not taken as it should: {done}")
    return done


def prepare(installation: Installation) -> None:
    """A factory with its machines."""
    installation.db.migrate()
    with system_session(installation.db, "benchmark", write=True) as session:
        session.add(Factory(id=1, name="Bench", slug="bench"))
    save_devices(installation.db, 1, [DeviceEntry(f"M{number}") for number in range(MACHINES)])

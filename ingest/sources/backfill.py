"""A history file into the lake: carried, judged, and written window by window as live readings are.

    file --dlt--> carried rows --judged--> READINGS of a window --anti-join with the lake--> one lake transaction: rows + marks + generation

Under the lake's write lock nobody else adds readings between looking for repeats and writing. The generation tells the loader that what it
remembers of the lake is old (`Lake.append`). `latest_values` moves first: it must never be behind the lake, because the loader takes it as
the newest time that the lake can hold. Killed anywhere, the same file again adds exactly what is missing.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import dlt
import polars as pl
import pyarrow as pa
from sqlalchemy import select

from ingest import reasons
from ingest.discovery import discover
from ingest.sources.carry import carried
from ingest.sources.history import HistoryFile, history
from ingest.sources.judged import AHEAD, JudgedFile, Limits
from warehouse import latest
from warehouse.db import Database
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.models.devices import Device, DeviceParameter
from warehouse.progress import BACKFILL
from warehouse.readings import KEY
from warehouse.retention import retention
from warehouse.rollups import kept_from
from warehouse.scratch import scratch
from warehouse.tenancy import system_session, tenant_session

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how many readings of it are done, and of how many; None when nobody knows."""
READING: Final = "reading"
WRITING: Final = "writing"


@dataclass
class BackfillResult:
    """What became of a file. Counts are readings; a row of a wide file holds several."""

    file: str
    dry_run: bool
    rows: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    """By reason (`ingest.reasons`), most frequent first."""
    unknown_devices: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    """Twice in the file."""
    present: int = 0
    """In the lake already."""
    added: int = 0
    """Written, or in a dry run: to be written."""
    first: datetime | None = None
    last: datetime | None = None
    report: Path | None = None
    seconds: float = 0.0


@dataclass
class _Known:
    """What the factory has of machines and parameters."""

    devices: dict[str, int]
    parameters: dict[tuple[int, str], str]
    """Their types, by device id and name."""
    counts: dict[int, int]
    """Parameters a device."""

    @property
    def texts(self) -> list[tuple[int, str]]:
        """The parameters that are texts."""
        return [key for key, data_type in self.parameters.items() if data_type == "string"]

    def learn(self, types: Mapping[tuple[int, str], str]) -> None:
        """Notes types that were stored."""
        for device_id, _ in types.keys() - self.parameters.keys():
            self.counts[device_id] = self.counts.get(device_id, 0) + 1
        self.parameters.update(types)


def backfill(
    installation: Installation,
    factory_id: int,
    file: HistoryFile,
    *,
    dry_run: bool = False,
    report: Path | None = None,
    progress: Progress = lambda _stage, _done, _total: None,
) -> BackfillResult:
    """Adds what a file holds to a factory's readings; what is there already stays as it is. Twice is the same as once.

    Refused rows go to `report` (CSV) when there are any. With `dry_run` nothing is written but that. Raises InvalidInputError for a file
    that cannot be read, LakeBusyError while the lake is away: the same call goes on then.
    """
    began, now = time.perf_counter(), installation.clock.now()
    result = BackfillResult(file.path.name, dry_run)
    known = _known(installation.db, factory_id)
    limits = Limits(_oldest(installation, factory_id, now), now + AHEAD)
    with carried(installation.settings, "history", _resource(file, result, progress)) as files, scratch() as connection:
        if files:
            judged = JudgedFile(connection, files, known.devices, known.texts, limits)
            result.rejected, result.unknown_devices = judged.rejected(), judged.unknown_devices()
            if result.rejected and report is not None:
                judged.write_report(report, is_csv=file.format == "csv")
                result.report = report
            _write_windows(installation, factory_id, judged, known, result, progress)
    result.seconds = time.perf_counter() - began
    return result


def _resource(file: HistoryFile, result: BackfillResult, progress: Progress) -> Any:
    @dlt.resource(name="history", parallelized=False)
    def rows() -> Iterator[pa.Table]:
        for table in history(file):
            result.rows += table.num_rows
            progress(READING, result.rows, None)
            yield table

    return rows


def _known(db: Database, factory_id: int) -> _Known:
    with tenant_session(db, factory_id) as session:
        devices = {device.device_key: device.id for device in session.scalars(select(Device)).all()}
        found = {(row.device_id, row.parameter_key): row.data_type for row in session.scalars(select(DeviceParameter)).all()}
    known = _Known(devices, {}, {})
    known.learn(found)
    return known


def _oldest(installation: Installation, factory_id: int, now: datetime) -> datetime:
    """Older readings than this have expired, or will at the next maintenance: nobody could tell them from new ones a second time."""
    keep = retention(installation.db, installation.settings.raw_retention_days).keep(factory_id, "raw")
    kept = datetime(1970, 1, 1, tzinfo=now.tzinfo) if keep is None else (now - keep).replace(minute=0, second=0, microsecond=0)
    with installation.lake.cursor() as cursor:
        expired = kept_from(cursor, factory_id)
    return max(kept, expired) if expired is not None else kept


def _write_windows(
    installation: Installation, factory_id: int, judged: JudgedFile, known: _Known, result: BackfillResult, progress: Progress
) -> None:
    now, windows = installation.clock.now(), judged.windows()
    total, done = sum(rows for _, _, rows in windows), 0
    progress(WRITING, 0, total)
    for start, end, rows in windows:
        found = judged.readings(factory_id, start, end, now)
        unique = found.unique(KEY, keep="first", maintain_order=True)
        result.repeated += found.height - unique.height
        unique = _fit(unique, known, result, now)
        fresh = _missing(installation.lake, unique) if result.dry_run else _write(installation, unique, known, now)
        result.present += unique.height - fresh.height
        result.added += fresh.height
        if fresh.height:
            result.first = result.first or fresh["ts"].min()  # type: ignore[assignment]  # a datetime column's minimum
            result.last = fresh["ts"].max()  # type: ignore[assignment]  # as above
        done += rows
        progress(WRITING, done, total)


def _fit(readings: pl.DataFrame, known: _Known, result: BackfillResult, now: datetime) -> pl.DataFrame:
    """Without those of parameters that are too many for their machine."""
    refused = discover(_samples(readings), known.parameters, known.counts, now).refused
    if not refused:
        return readings
    surplus = pl.DataFrame(refused, schema={"device_id": pl.Int32, "parameter": pl.String}, orient="row")
    fit = readings.join(surplus, on=["device_id", "parameter"], how="anti", maintain_order="left")
    reason = reasons.TOO_MANY_PARAMETERS
    result.rejected[reason] = result.rejected.get(reason, 0) + readings.height - fit.height
    return fit


def _samples(readings: pl.DataFrame) -> pl.DataFrame:
    """One reading of each machine's parameter, with a fraction where there is one: it tells the type."""
    fractions = readings.filter(pl.col("value") != pl.col("value").floor())
    return pl.concat([fractions, readings]).unique(["device_id", "parameter"], keep="first", maintain_order=True)


def _missing(lake: Lake, readings: pl.DataFrame) -> pl.DataFrame:
    return readings.join(lake.existing_keys(readings), on=KEY, how="anti", maintain_order="left")


def _write(installation: Installation, readings: pl.DataFrame, known: _Known, now: datetime) -> pl.DataFrame:
    """Adds what the lake lacks, and returns it."""
    found = discover(_samples(readings), known.parameters, known.counts, now)
    with system_session(installation.db, "newest values of a history file", write=True) as session:
        latest.add_parameters(session, found.rows)
        latest.widen_parameters(session, found.widened)
        latest.move_forward(session, latest.newest(readings))
    known.learn(found.learned)
    lake = installation.lake
    with lake.maintenance():
        fresh = _missing(lake, readings)
        if fresh.height:
            # As the table is sorted: DuckLake then writes in half the time.
            fresh = fresh.sort("ts").sort("device_id", "parameter", maintain_order=True)
            generation = lake.loader_position(BACKFILL)
            lake.append(fresh, (BACKFILL, generation + 1), after=generation)
    return fresh

"""Bytes a reading: a day of the demo plant at 5 s as it would arrive, loaded in pieces and compacted, beside PostgreSQL and CSV."""

import gzip
import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl

from bench import query_rivals
from ingest.simulator.history import Piece, simulate_history, to_readings
from ingest.simulator.plant import FACTORIES
from warehouse import maintenance
from warehouse.lake import Lake
from warehouse.settings import Settings

BEGIN_S = 1_793_750_400
HOURS = 24
STEP_S = 5
LOADS_AN_HOUR = 12
CSV_ROWS = 200_000
SAMPLE_ROWS = 1_000_000


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """Makes the readings, loads them as a loader would, and counts bytes before and after compaction."""
    with tempfile.TemporaryDirectory(prefix="factoryops-storage-") as folder:
        frame = readings(progress)
        with closing(Lake(Settings(factoryops_home=Path(folder) / "home", app_env="demo"), memory_limit="4GB")) as lake:
            load(lake, frame, progress)
            loaded, files = maintenance.live_bytes(lake), maintenance.live_files(lake)
            progress("compaction")
            maintenance.compact(lake)
            figures = {
                "bytes_a_reading": maintenance.live_bytes(lake) / frame.height,
                "bytes_a_reading_before_compaction": loaded / frame.height,
                "files_a_day": maintenance.live_files(lake),
                "files_a_day_before_compaction": files,
            }
        progress("PostgreSQL")
        figures["postgresql_bytes_a_reading"] = query_rivals.postgresql_bytes(frame.head(SAMPLE_ROWS)) / SAMPLE_ROWS
        plain = Path(folder) / "plain.parquet"
        frame.write_parquet(plain)
        figures |= {"parquet_as_it_comes_bytes_a_reading": plain.stat().st_size / frame.height, **csv_bytes(frame, Path(folder))}
    return {
        "name": "storage",
        "figures": {name: round(value, 2) for name, value in figures.items()} | {"readings": frame.height},
        "budgets": [{"figure": "bytes_a_reading", "limit": "<= 3"}, {"figure": "files_a_day", "limit": "< 200"}],
        "notes": "49 machines, timestamps in ms with up to 50 ms jitter, receive delay 8 to 30 ms. PostgreSQL: a million of them in a "
        "table with an index over device, parameter and time. InfluxDB 1.6, measured earlier on such data: 8.1 bytes a reading.",
    }


def readings(progress: Callable[[str], None]) -> pl.DataFrame:
    """READINGS of both demo factories; all values of a message share its moment and its delay."""
    frames = []
    for number, factory in enumerate(FACTORIES, 1):
        progress(f"simulating {factory.slug}")
        ids = {machine.device_key: 100 * number + i for i, machine in enumerate(factory.machines)}
        pieces = [Piece(BEGIN_S + hour * 3600, BEGIN_S + (hour + 1) * 3600, STEP_S) for hour in range(HOURS)]
        frames += [to_readings(number, ids, metrics, BEGIN_S + 1e9) for _, metrics in simulate_history(factory, pieces)]
    message = (pl.col("device_id").cast(pl.UInt64) * 1_000_003 + pl.col("ts").cast(pl.Int64).cast(pl.UInt64)).hash(seed=3)
    jitter, delay = (
        pl.duration(milliseconds=(message % 50).cast(pl.Int64)),
        pl.duration(milliseconds=(message // 64 % 23 + 8).cast(pl.Int64)),
    )
    found = pl.concat(frames).with_columns(jitter=jitter, delay=delay).with_columns(ts=pl.col("ts") + pl.col("jitter"))
    return found.with_columns(received_at=pl.col("ts") + pl.col("delay")).drop("jitter", "delay")


def load(lake: Lake, frame: pl.DataFrame, progress: Callable[[str], None]) -> None:
    """Appends in the order of time, a piece each five minutes."""
    piece = (pl.col("ts").dt.timestamp("ms") // (3_600_000 // LOADS_AN_HOUR)).alias("piece")
    parts = frame.with_columns(piece).partition_by("piece", maintain_order=True, include_key=False)
    for number, part in enumerate(parts):
        lake.append(part, ("main", number + 1))
        if number % 48 == 0:
            progress(f"loaded {number} of {len(parts)} pieces")


def csv_bytes(frame: pl.DataFrame, folder: Path) -> dict[str, float]:
    """Of a sample, as CSV and as compressed CSV."""
    sample, path = frame.head(CSV_ROWS), folder / "sample.csv"
    sample.write_csv(path)
    packed = path.with_suffix(".csv.gz")
    with path.open("rb") as source, gzip.open(packed, "wb", compresslevel=6) as target:
        shutil.copyfileobj(source, target)
    return {"csv_bytes_a_reading": path.stat().st_size / sample.height, "csv_gzip_bytes_a_reading": packed.stat().st_size / sample.height}

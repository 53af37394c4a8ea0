"""All readings of a report as one file, unrounded, written piece by piece."""

from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from assets.reporting.run_data import RunData
from assets.reporting.tabular import csv_text
from warehouse.lake import LakeReader
from warehouse.queries.report_data import raw_pieces


def parquet_attachment(reader: LakeReader, run: RunData, path: Path) -> None:
    """Parquet (zstd): device_key, parameter, ts, value, text, received_at."""
    writer = None
    for piece in raw_pieces(reader, list(run.keys), run.start, run.end):
        table = _named(piece, run).to_arrow()
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()


def csv_attachment(reader: LakeReader, run: RunData, path: Path) -> None:
    """CSV with a head; times are UTC in ISO 8601; text that would begin a formula stands behind an apostrophe."""
    with path.open("wb") as file:
        for number, piece in enumerate(raw_pieces(reader, list(run.keys), run.start, run.end)):
            words = {name: pl.col(name).map_elements(csv_text, return_dtype=pl.String) for name in ("device_key", "parameter", "text")}
            _named(piece, run).with_columns(**words).write_csv(file, include_header=number == 0, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")


def _named(piece: pl.DataFrame, run: RunData) -> pl.DataFrame:
    keys = run.devices.select("device_id", "device_key")
    return piece.join(keys, on="device_id", how="left", maintain_order="left").select(
        "device_key", "parameter", "ts", "value", "text", "received_at"
    )

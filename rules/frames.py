"""Batches of the landing log as the engine reads them, and what a device said besides; pure, on READINGS frames."""

from collections.abc import Iterator

import polars as pl

from rules.book import Reading
from rules.engine import Raised


def readings_of(frame: pl.DataFrame) -> Iterator[Reading]:
    """The rows of a READINGS frame as the engine reads them: times in microseconds, numbers and texts in one."""
    columns = [frame[name].to_physical().to_list() for name in ("factory_id", "device_id", "parameter", "ts", "received_at", "value")]
    if frame["text"].null_count() < frame.height:
        columns[-1] = [text if value is None else value for value, text in zip(columns[-1], frame["text"].to_list(), strict=True)]
    return zip(*columns, strict=True)


def telemetry_of(frame: pl.DataFrame, raised: Raised) -> dict[str, float | str]:
    """Everything that the device said at the moment of an alert, from the batch that raised it."""
    rows = frame.filter((pl.col("device_id") == raised.device_id) & (pl.col("ts").to_physical() == raised.at_us))
    said = {parameter: text if value is None else value for parameter, value, text in rows.select("parameter", "value", "text").rows()}
    return {parameter: value for parameter, value in said.items() if value is not None}

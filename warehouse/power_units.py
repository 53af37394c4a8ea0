"""Power in watts, whatever unit a machine's `power` has: kept as it was sent, and turned where it is added up; pure."""

from collections.abc import Mapping
from typing import Final

import polars as pl

WATTS: Final = {"kW": 1e3, "kw": 1e3, "KW": 1e3, "MW": 1e6}
"""Watts a unit; any other unit, and none, is taken for W."""


def watts_a_unit(units: Mapping[int, str | None]) -> dict[int, float]:
    """Of the machines whose unit of power (by device id) is not W; pure."""
    return {device_id: WATTS[unit] for device_id, unit in units.items() if unit in WATTS}


def in_watts(frame: pl.DataFrame, watts: Mapping[int, float], *columns: str) -> pl.DataFrame:
    """The frame with `columns`, which are of each machine's own unit, in watts (or watts times something); by `device_id`; pure."""
    if not watts:
        return frame
    factor = pl.col("device_id").replace_strict(dict(watts), default=1.0, return_dtype=pl.Float64)
    return frame.with_columns(pl.col(*columns) * factor)

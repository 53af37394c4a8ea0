"""Parameters that a device sends for the first time: noted, shown as they are named, and selected as KPI until a person changes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

MOST_PARAMETERS: Final = 2_000
"""Of one device: one that invents names must not fill the database."""


@dataclass(frozen=True)
class Discovery:
    """What a flush brings that is new."""

    rows: list[dict[str, Any]]
    """For `warehouse.latest.add_parameters`."""
    refused: list[tuple[int, str]]
    """(device id, parameter) of those that are too many."""


def discover(newest: pl.DataFrame, known: set[tuple[int, str]], counts: Mapping[int, int], now: datetime) -> Discovery:
    """Which parameters of `newest` (one READINGS row for each device and parameter) are not among `known`. Pure."""
    rows: list[dict[str, Any]] = []
    refused: list[tuple[int, str]] = []
    added: dict[int, int] = {}
    for device_id, name in zip(newest["device_id"].to_list(), newest["parameter"].to_list(), strict=True):
        if (device_id, name) in known:
            continue
        if counts.get(device_id, 0) + added.get(device_id, 0) >= MOST_PARAMETERS:
            refused.append((device_id, name))
            continue
        added[device_id] = added.get(device_id, 0) + 1
        rows.append({"device_id": device_id, "parameter_key": name})
    return Discovery(_completed(rows, newest, now) if rows else [], refused)


def _completed(rows: list[dict[str, Any]], newest: pl.DataFrame, now: datetime) -> list[dict[str, Any]]:
    found = newest.join(pl.DataFrame(rows, schema={"device_id": pl.Int32, "parameter_key": pl.String}),
                        left_on=["device_id", "parameter"], right_on=["device_id", "parameter_key"], how="semi")  # fmt: skip
    return [
        {
            "factory_id": factory_id,
            "device_id": device_id,
            "parameter_key": name,
            "display_name": name,
            "data_type": "float" if is_number else "string",
            "is_kpi_selected": True,
            "discovered_at": now,
            "updated_at": now,
        }
        for factory_id, device_id, name, is_number in found.select(
            "factory_id", "device_id", "parameter", pl.col("text").is_null()
        ).iter_rows()
    ]

"""Parameters that a device sends for the first time: noted with a type, a name and a unit to begin with, and selected as KPI.

A parameter is an `int` until it has a fraction, then a `float`; a `string` while it has never been a number. Types only widen, so one
that flickers costs nothing; that numbers and texts came under one name is said (both are kept as they came).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

import polars as pl

from ingest.naming import suggest

MOST_PARAMETERS: Final = 2_000
"""Of one device: one that invents names must not fill the database."""
_TYPES: Final = ("int", "float", "string")
# Above it a double has no fraction to show.
_LARGEST_INT: Final = 2.0**53


class Mixed(NamedTuple):
    """A parameter that came as a number and as a text."""

    factory_id: int
    device_id: int
    parameter_key: str
    detail: str


@dataclass(frozen=True)
class Discovery:
    """What a flush brings that is new."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    """For `warehouse.latest.add_parameters`."""
    refused: list[tuple[int, str]] = field(default_factory=list)
    """(device id, parameter) of those that are too many."""
    widened: dict[tuple[int, str], str] = field(default_factory=dict)
    """New types of known parameters, by (device id, parameter)."""
    mixed: list[Mixed] = field(default_factory=list)

    @property
    def learned(self) -> dict[tuple[int, str], str]:
        """Types to remember, by (device id, parameter), once all this is stored."""
        return {(row["device_id"], row["parameter_key"]): row["data_type"] for row in self.rows} | self.widened


def discover(newest: pl.DataFrame, known: Mapping[tuple[int, str], str], counts: Mapping[int, int], now: datetime) -> Discovery:
    """What of `newest` (one READINGS row for each device and parameter) is not as `known`, the types by (device id, parameter). Pure."""
    found, added = Discovery(), dict[int, int]()
    types = newest.select(_type_code()).to_series().to_list()
    for index, (device_id, name, code) in enumerate(zip(newest["device_id"].to_list(), newest["parameter"].to_list(), types, strict=True)):
        data_type, before = _TYPES[code], known.get((device_id, name))
        if before == data_type or (before == "float" and data_type == "int"):
            continue
        if before is not None:
            _compare(found, newest.row(index, named=True), before, data_type)
        elif counts.get(device_id, 0) + added.get(device_id, 0) >= MOST_PARAMETERS:
            found.refused.append((device_id, name))
        else:
            added[device_id] = added.get(device_id, 0) + 1
            found.rows.append(_row(newest["factory_id"][index], device_id, name, data_type, now))
    return found


def _type_code() -> pl.Expr:
    """Index of _TYPES."""
    value = pl.col("value")
    has_fraction = (value != value.floor()) | (value.abs() > _LARGEST_INT)
    return pl.when(value.is_null()).then(2).otherwise(has_fraction.cast(pl.Int32))


def _compare(found: Discovery, reading: dict[str, Any], before: str, data_type: str) -> None:
    key = (reading["device_id"], reading["parameter"])
    if data_type != "string":
        found.widened[key] = data_type
    if "string" in (before, data_type):
        came = f"the text {reading['text'][:80]!r}" if data_type == "string" else f"the number {reading['value']:g}"
        was = "text" if before == "string" else f"number ({before})"
        found.mixed.append(Mixed(reading["factory_id"], *key, f"was a {was} and came as {came}"))


def _row(factory_id: int, device_id: int, name: str, data_type: str, now: datetime) -> dict[str, Any]:
    suggestion = suggest(name)
    return {
        "factory_id": factory_id,
        "device_id": device_id,
        "parameter_key": name,
        "display_name": suggestion.display_name,
        "unit": suggestion.unit or None,
        "data_type": data_type,
        "is_kpi_selected": True,
        "discovered_at": now,
        "updated_at": now,
    }

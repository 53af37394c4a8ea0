"""Readings as they were sent, in pieces that fit into memory, for files that people take away."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import polars as pl
from sqlalchemy import select

from warehouse.db import Database
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.lake import Lake
from warehouse.models.devices import Device
from warehouse.readings import UTC_TIME
from warehouse.tenancy import tenant_session

PIECE: Final = timedelta(hours=6)
LONGEST: Final = timedelta(days=92)
EXPORT: Final = pl.Schema(
    {"ts": UTC_TIME, "device_id": pl.Int32(), "device_key": pl.String(), "parameter": pl.String(), "value": pl.Float64(),
     "text": pl.String(), "received_at": UTC_TIME}
)  # fmt: skip
"""Columns of an export; `ts` is device time, the values are in the parameter's own unit."""


def keys_of_devices(db: Database, factory_id: int, device_ids: Sequence[int]) -> dict[int, str]:
    """Key by id of these machines, or of all when none is named. Raises NotFoundError for one that the factory does not have."""
    wanted = select(Device).order_by(Device.id)
    if device_ids:
        wanted = wanted.where(Device.id.in_(device_ids))
    with tenant_session(db, factory_id) as session:
        found = {device.id: device.device_key for device in session.scalars(wanted)}
    for device_id in device_ids:
        if device_id not in found:
            raise NotFoundError(f"there is no machine {device_id} in this factory", noun="device", key=device_id)
    return found


def readings(
    lake: Lake, factory_id: int, devices: dict[int, str], parameters: Sequence[str], start: datetime, end: datetime
) -> Iterator[pl.DataFrame]:
    """EXPORT frames of [start, end), one for each six hours, each sorted by time, machine and parameter; all parameters when none is named.

    Raises InvalidInputError for an empty range or one of more than LONGEST, LakeBusyError while the lake is away.
    """
    if not timedelta(0) < end - start <= LONGEST:
        raise InvalidInputError(f"the range must end after it starts, by at most {LONGEST.days} days", path="end")
    return _pieces(lake, factory_id, devices, parameters, start, end)


def _pieces(
    lake: Lake, factory_id: int, devices: dict[int, str], parameters: Sequence[str], start: datetime, end: datetime
) -> Iterator[pl.DataFrame]:
    sql = (
        "SELECT ts, device_id, parameter, value, text, received_at FROM telemetry WHERE device_id IN (SELECT unnest($devices)) "
        "AND ($every OR parameter IN (SELECT unnest($parameters))) AND ts >= $start AND ts < $end ORDER BY ts, device_id, parameter"
    )
    keys = pl.DataFrame(
        {"device_id": list(devices), "device_key": list(devices.values())}, schema={"device_id": pl.Int32, "device_key": pl.String}
    )
    while start < end:
        until = min(start + PIECE, end)
        bound = {"devices": list(devices), "every": not parameters, "parameters": list(parameters), "start": start, "end": until}
        found = lake.reader(factory_id).query(sql, bound)
        named = found.cast({"device_id": pl.Int32}).join(keys, on="device_id", how="left", maintain_order="left")
        yield named.select(EXPORT.names()).cast(EXPORT)
        start = until

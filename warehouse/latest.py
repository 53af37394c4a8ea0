"""What the ingester keeps up to date beside the landing log, in the same transaction: newest values, last signs of life, parameters."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import polars as pl
from sqlalchemy import text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from warehouse.models.devices import DeviceParameter

# As SQLAlchemy writes moments on SQLite: without a zone, always with microseconds, so that texts compare like times.
_SQLITE_TIME: Final = "%Y-%m-%d %H:%M:%S%.6f"
_NEWEST_COLUMNS: Final = ("device_id", "parameter", "factory_id", "ts", "value", "text", "received_at")
_INTO_NEWEST: Final = "INSERT INTO latest_values (device_id, parameter_key, factory_id, ts, value, text, received_at)"
# Not the factory, which a device never changes: its index and its foreign key would be half of the work.
_FORWARD_ONLY: Final = (
    "ON CONFLICT (device_id, parameter_key) DO UPDATE SET ts = excluded.ts, value = excluded.value, text = excluded.text, "
    "received_at = excluded.received_at WHERE excluded.ts > latest_values.ts"
)
# One row at a time is quick where the database is in our process, and slow over a network.
_NEWEST_SQLITE: Final = f"{_INTO_NEWEST} VALUES (?, ?, ?, ?, ?, ?, ?) {_FORWARD_ONLY}"
_NEWEST_POSTGRESQL: Final = text(
    f"{_INTO_NEWEST} SELECT * FROM unnest(CAST(:device_id AS int[]), CAST(:parameter AS text[]), CAST(:factory_id AS int[]), "
    f"CAST(:ts AS timestamptz[]), CAST(:value AS float8[]), CAST(:text AS text[]), CAST(:received_at AS timestamptz[])) {_FORWARD_ONLY}"
)
_SEEN_SQLITE: Final = "UPDATE devices SET last_seen = ?1 WHERE id = ?2 AND (last_seen IS NULL OR last_seen < ?1)"
_SEEN_POSTGRESQL: Final = text(
    "UPDATE devices SET last_seen = seen.at FROM unnest(CAST(:at AS timestamptz[]), CAST(:id AS int[])) AS seen (at, id) "
    "WHERE devices.id = seen.id AND (devices.last_seen IS NULL OR devices.last_seen < seen.at)"
)


def newest(readings: pl.DataFrame) -> pl.DataFrame:
    """The newest reading of each (device, parameter); of two with the same device time the one that came first."""
    latest_first = readings.sort("ts", descending=True, maintain_order=True)
    return latest_first.unique(["device_id", "parameter"], keep="first", maintain_order=True).sort("device_id", "parameter")


def move_forward(session: Session, newest_readings: pl.DataFrame) -> None:
    """Puts `newest(readings)` into `latest_values`, where that moves them forward in device time."""
    if not newest_readings.height:
        return
    ordered = newest_readings.select(_NEWEST_COLUMNS)
    if _is_sqlite(session):
        session.connection().exec_driver_sql(_NEWEST_SQLITE, _sqlite_rows(ordered))
    else:
        session.execute(_NEWEST_POSTGRESQL, ordered.to_dict(as_series=False))


def _sqlite_rows(ordered: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The rows with moments as texts; each moment is written once, because a message has one for all its values."""
    moments = pl.concat([ordered["ts"], ordered["received_at"]]).unique()
    texts = dict(zip(moments.to_physical().to_list(), moments.dt.strftime(_SQLITE_TIME).to_list(), strict=True))
    columns = [
        [texts[moment] for moment in ordered[name].to_physical().to_list()] if name in {"ts", "received_at"} else ordered[name].to_list()
        for name in _NEWEST_COLUMNS
    ]
    return list(zip(*columns, strict=True))


def touch_devices(session: Session, last_seen: Mapping[int, datetime]) -> None:
    """Moves `devices.last_seen` forward; by device id, aware moments of receipt."""
    if not last_seen:
        return
    ids = sorted(last_seen)
    if _is_sqlite(session):
        rows = [(last_seen[device_id].strftime("%Y-%m-%d %H:%M:%S.%f"), device_id) for device_id in ids]
        session.connection().exec_driver_sql(_SEEN_SQLITE, rows)
    else:
        session.execute(_SEEN_POSTGRESQL, {"at": [last_seen[device_id] for device_id in ids], "id": ids})


def add_parameters(session: Session, parameters: list[dict[str, Any]]) -> None:
    """Adds rows of `device_parameters` (as dictionaries); those that exist already are left as they are."""
    if not parameters:
        return
    dialect = sqlite if _is_sqlite(session) else postgresql
    session.execute(dialect.insert(DeviceParameter).on_conflict_do_nothing(index_elements=["device_id", "parameter_key"]), parameters)


def widen_parameters(session: Session, data_types: Mapping[tuple[int, str], str]) -> None:
    """Sets the type of parameters, by (device id, parameter key), where that is wider: a text may become a number, an int a float."""
    for (device_id, parameter_key), data_type in data_types.items():
        narrower = ("string", "int") if data_type == "float" else ("string",)
        session.execute(
            update(DeviceParameter)
            .where(DeviceParameter.device_id == device_id, DeviceParameter.parameter_key == parameter_key)
            .where(DeviceParameter.data_type.in_(narrower))
            .values(data_type=data_type)
            .execution_options(synchronize_session=False)
        )


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"

"""What a machine says now: the newest value of each parameter, from the operational database, never from the lake."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import and_, bindparam, select

from warehouse.db import Database
from warehouse.errors import NotFoundError
from warehouse.models.devices import Device, DeviceParameter, LatestValue
from warehouse.power_units import WATTS
from warehouse.tenancy import tenant_session
from warehouse.terms import POWER

_SAME: Final = and_(LatestValue.device_id == DeviceParameter.device_id, LatestValue.parameter_key == DeviceParameter.parameter_key)
# Columns and not objects, and made once, for a question that pages and programs ask more often than any other.
_LIVE: Final = (
    select(
        DeviceParameter.parameter_key, DeviceParameter.display_name, DeviceParameter.unit, DeviceParameter.is_kpi_selected,
        LatestValue.ts, LatestValue.received_at, LatestValue.value, LatestValue.text,
    )
    .select_from(DeviceParameter)
    .outerjoin(LatestValue, _SAME)
    .where(DeviceParameter.device_id == bindparam("wanted"))
)  # fmt: skip
_BY_ID: Final = select(Device).where(Device.id == bindparam("wanted"))
_BY_KEY: Final = select(Device).where(Device.device_key == bindparam("wanted"))


@dataclass(frozen=True)
class LiveValue:
    """One parameter of one machine, now."""

    parameter_key: str
    display_name: str
    unit: str
    is_kpi_selected: bool
    ts: datetime | None
    """Device time; None when nothing was ever received."""
    received_at: datetime | None
    value: float | None
    text: str | None
    is_stale: bool


def find_device(db: Database, factory_id: int, *, device_id: int | None = None, device_key: str | None = None) -> Device:
    """The machine with this id or key in this factory. Raises NotFoundError, also for machines of other factories."""
    statement, wanted = (_BY_KEY, device_key) if device_id is None else (_BY_ID, device_id)
    with tenant_session(db, factory_id) as session:
        found = session.scalar(statement, {"wanted": wanted})
    if found is None:
        message = f"there is no machine {device_key if device_id is None else device_id} in this factory"
        raise NotFoundError(message, noun="device", key=device_key if device_id is None else device_id)
    return found


def live_values(db: Database, factory_id: int, device_id: int, now: datetime, stale_after_s: float = 60) -> list[LiveValue]:
    """Every parameter of one machine with its newest value, KPIs first, then by name. Raises NotFoundError."""
    with tenant_session(db, factory_id) as session:
        # Of an outer join: what SQLAlchemy thinks is always there may be None.
        rows: Sequence[Any] = session.execute(_LIVE, {"wanted": device_id}).all()
    if not rows:
        find_device(db, factory_id, device_id=device_id)
    limit = now - timedelta(seconds=stale_after_s)
    found = [
        LiveValue(key, name or key, unit or "", is_kpi_selected, ts, received_at, value, text, is_stale=ts is None or ts < limit)
        for key, name, unit, is_kpi_selected, ts, received_at, value, text in rows
    ]
    return sorted(found, key=lambda v: (not v.is_kpi_selected, v.display_name.lower()))


def newest_power(db: Database, factory_id: int) -> dict[int, tuple[datetime, float]]:
    """Device time and power in W of the newest `power` of every machine of a factory, by device id."""
    same = and_(DeviceParameter.device_id == LatestValue.device_id, DeviceParameter.parameter_key == LatestValue.parameter_key)
    with tenant_session(db, factory_id) as session:
        found = session.execute(
            select(LatestValue.device_id, LatestValue.ts, LatestValue.value, DeviceParameter.unit)
            .outerjoin(DeviceParameter, same)
            .where(LatestValue.parameter_key == POWER, LatestValue.value.is_not(None))
        ).all()
    return {device_id: (ts, (value or 0.0) * WATTS.get(unit or "", 1.0)) for device_id, ts, value, unit in found}

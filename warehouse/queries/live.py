"""What a machine says now: the newest value of each parameter, from the operational database, never from the lake."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, select

from warehouse.db import Database
from warehouse.errors import NotFoundError
from warehouse.models.devices import Device, DeviceParameter, LatestValue
from warehouse.power_units import WATTS
from warehouse.tenancy import tenant_session
from warehouse.terms import POWER


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
    wanted = Device.id == device_id if device_id is not None else Device.device_key == device_key
    with tenant_session(db, factory_id) as session:
        found = session.scalar(select(Device).where(wanted))
    if found is None:
        message = f"there is no machine {device_key if device_id is None else device_id} in this factory"
        raise NotFoundError(message, noun="device", key=device_key if device_id is None else device_id)
    return found


def live_values(db: Database, factory_id: int, device_id: int, now: datetime, stale_after_s: float = 60) -> list[LiveValue]:
    """Every parameter of one machine with its newest value, KPIs first, then by name. Raises NotFoundError."""
    same = and_(LatestValue.device_id == DeviceParameter.device_id, LatestValue.parameter_key == DeviceParameter.parameter_key)
    with tenant_session(db, factory_id) as session:
        rows = session.execute(
            select(DeviceParameter, LatestValue).outerjoin(LatestValue, same).where(DeviceParameter.device_id == device_id)
        ).all()
    if not rows:
        find_device(db, factory_id, device_id=device_id)
    limit = now - timedelta(seconds=stale_after_s)
    found = [_live_value(parameter, latest, limit) for parameter, latest in rows]
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


def _live_value(parameter: DeviceParameter, latest: LatestValue | None, limit: datetime) -> LiveValue:
    return LiveValue(
        parameter_key=parameter.parameter_key,
        display_name=parameter.display_name or parameter.parameter_key,
        unit=parameter.unit or "",
        is_kpi_selected=parameter.is_kpi_selected,
        ts=latest.ts if latest else None,
        received_at=latest.received_at if latest else None,
        value=latest.value if latest else None,
        text=latest.text if latest else None,
        is_stale=latest is None or latest.ts < limit,
    )

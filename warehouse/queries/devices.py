"""Machines of a factory with what a list shows of each, worst first."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from warehouse.db import Database
from warehouse.health import device_health, device_state, is_offline
from warehouse.models.devices import Device
from warehouse.queries.alerts import active_counts
from warehouse.queries.live import newest_power
from warehouse.tenancy import tenant_session
from warehouse.terms import SEVERITIES

_STATE_ORDER = {"fault": 0, "offline": 1, "running": 2, "idle": 2, "off": 2}


@dataclass(frozen=True)
class DeviceRow:
    """One machine in a list."""

    id: int
    device_key: str
    name: str
    kind: str
    manufacturer: str
    model: str
    region: str
    state: str
    """See `warehouse.health.device_state`."""
    last_seen: datetime | None
    health: int | None
    """0 to 100; None while offline, because nobody knows."""
    power_w: float | None
    """Newest power in W; None while offline or when it measures none."""
    alerts: dict[str, int]
    """Active alerts by severity, worst first, zeros included."""
    importance: float = 1.0
    """What it weighs in the factory's health score."""

    @property
    def is_offline(self) -> bool:
        """True when the machine is silent."""
        return self.state == "offline"


def device_list(
    db: Database, factory_id: int, now: datetime, offline_after: timedelta, typical_power_w: dict[int, float] | None = None
) -> list[DeviceRow]:
    """All active machines: faults first, then silent ones, then by health, then by key.

    `typical_power_w`: see `warehouse.queries.energy.typical_power_w`; without it no machine counts as idle or off.
    """
    with tenant_session(db, factory_id) as session:
        devices = session.scalars(select(Device).where(Device.is_active)).all()
    rows = device_rows(db, factory_id, devices, now, offline_after, typical_power_w)
    return sorted(rows, key=lambda row: (_STATE_ORDER[row.state], 101 if row.health is None else row.health, row.device_key))


def device_rows(
    db: Database,
    factory_id: int,
    devices: Iterable[Device],
    now: datetime,
    offline_after: timedelta,
    typical_power_w: dict[int, float] | None = None,
) -> list[DeviceRow]:
    """What lists show of these machines of the factory, in their order; `typical_power_w` as for `device_list`."""
    counts, power = active_counts(db, factory_id), newest_power(db, factory_id)
    typical, rows = typical_power_w or {}, []
    for device in devices:
        alerts = counts.get(device.id, dict.fromkeys(SEVERITIES, 0))
        offline = is_offline(device.last_seen, now, offline_after)
        newest = power[device.id][1] if device.id in power and not offline else None
        state = device_state(offline=offline, critical_alerts=alerts["critical"], power_w=newest, typical_power_w=typical.get(device.id))
        rows.append(_row(device, state, alerts, newest))
    return rows


def _row(device: Device, state: str, alerts: dict[str, int], power_w: float | None) -> DeviceRow:
    return DeviceRow(
        id=device.id,
        device_key=device.device_key,
        name=device.name or device.device_key,
        kind=device.kind or "",
        manufacturer=device.manufacturer or "",
        model=device.model or "",
        region=device.region or "",
        state=state,
        last_seen=device.last_seen,
        health=None if state == "offline" else device_health(alerts),
        power_w=power_w,
        alerts=alerts,
        importance=device.importance,
    )

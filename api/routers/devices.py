"""Machines of the caller's factory. A machine of another factory does not exist here."""

from datetime import timedelta
from typing import Annotated, Literal

import polars as pl
from fastapi import Path, Query, Response
from sqlalchemy import ColumnElement, func, or_, select

from api.dependencies import Acting, Inst, PageOf, Who
from api.routing import Router
from api.schemas.common import Done, MomentIn, Page
from api.schemas.devices import DeviceChange, DeviceInList, DeviceOut, History, LiveKpi, LiveKpis
from warehouse.device_changes import change_device, deactivate_device
from warehouse.errors import NotFoundError
from warehouse.models.devices import Device
from warehouse.queries.devices import DeviceRow, device_rows
from warehouse.queries.history import INTERVALS, history
from warehouse.queries.live import find_device, live_values
from warehouse.tenancy import tenant_session
from warehouse.usual_intervals import intervals_of, stale_after_s

router = Router(prefix="/devices", tags=["devices"])
DeviceId = Annotated[int, Path(ge=1, le=2**31 - 1)]
_MOST_POINTS = 1_000


@router.get("", operation_id="listDevices")
def list_devices(
    who: Who, inst: Inst, paging: PageOf, search: Annotated[str, Query(max_length=100)] = "", is_active: bool | None = None
) -> Page[DeviceInList]:
    """Machines by key, with their health, power and active alerts."""
    wanted: list[ColumnElement[bool]] = []
    if search:
        like = f"%{search.lower()}%"
        wanted.append(or_(func.lower(Device.device_key).like(like), func.lower(Device.name).like(like)))
    if is_active is not None:
        wanted.append(Device.is_active.is_(is_active))
    with tenant_session(inst.db, who.factory_id) as session:
        total = session.scalar(select(func.count(Device.id)).where(*wanted)) or 0
        found = session.scalars(
            select(Device).where(*wanted).order_by(Device.device_key, Device.id).limit(paging.per_page).offset(paging.offset)
        ).all()
    active = [device for device in found if device.is_active]
    now = {row.id: row for row in device_rows(inst.db, who.factory_id, active, inst.clock.now(), _offline_after(inst))}
    return Page(data=[_in_list(device, now.get(device.id)) for device in found], total=total, page=paging.page, per_page=paging.per_page)


@router.get("/{device_id}", operation_id="getDevice")
def get_device(device_id: DeviceId, who: Who, inst: Inst) -> DeviceOut:
    """One machine."""
    return DeviceOut(**_fields(find_device(inst.db, who.factory_id, device_id=device_id)))


@router.patch("/{device_id}", operation_id="updateDevice")
def update_device(device_id: DeviceId, body: DeviceChange, inst: Inst, actor: Acting) -> DeviceOut:
    """Changes a machine; what is not given, or null, stays."""
    return DeviceOut(**_fields(change_device(inst.db, inst.clock, actor, device_id, body.model_dump(exclude_none=True))))


@router.delete("/{device_id}", operation_id="deactivateDevice")
def delete_device(device_id: DeviceId, inst: Inst, actor: Acting) -> Done:
    """Switches a machine off: what it sends is refused from then on, its history stays. PATCH with `is_active` switches it on again."""
    deactivate_device(inst.db, inst.clock, actor, device_id)
    return Done(message="Device deactivated successfully")


@router.get("/{device_id}/kpis/live", operation_id="getLiveKpis")
def get_live_kpis(device_id: DeviceId, who: Who, inst: Inst) -> LiveKpis:
    """The newest value of each selected parameter. Stale after 5 minutes, or three times the machine's usual interval if that is longer."""
    now = inst.clock.now()
    interval_s = intervals_of(inst.lake).of(who.factory_id, device_id, now)
    values = live_values(inst.db, who.factory_id, device_id, now, stale_after_s(interval_s, inst.settings.stale_after_seconds))
    kpis = [
        LiveKpi(
            parameter_key=v.parameter_key,
            display_name=v.display_name,
            unit=v.unit,
            value=v.text if v.value is None else v.value,
            is_stale=v.is_stale,
        )
        for v in values
        if v.is_kpi_selected
    ]
    return LiveKpis(device_id=device_id, timestamp=now, kpis=kpis)


@router.get("/{device_id}/kpis/history", operation_id="getKpiHistory", response_model=History)
def get_kpi_history(
    device_id: DeviceId,
    who: Who,
    inst: Inst,
    parameter: Annotated[str, Query(min_length=1, max_length=100)],
    start: MomentIn,
    end: MomentIn,
    interval: Literal["1m", "5m", "1h", "1d"] | None = None,
) -> Response:
    """One parameter over [start, end), as means of an interval; without `interval` the finest that gives at most 1,000 points."""
    values = live_values(inst.db, who.factory_id, device_id, inst.clock.now())
    known = next((v for v in values if v.parameter_key == parameter), None)
    if known is None:
        raise NotFoundError(f"the machine has no parameter {parameter}", noun="parameter", key=parameter)
    name: str = interval or next((n for n, step in INTERVALS.items() if (end - start) / step <= _MOST_POINTS), "1d")
    frame = history(inst.lake, who.factory_id, [device_id], [parameter], start, end, interval=INTERVALS[name], only=("mean",))
    head = History(parameter_key=parameter, display_name=known.display_name, unit=known.unit, interval=name, points=[])
    return Response(_with_points(head, frame), media_type="application/json")


def _with_points(head: History, frame: pl.DataFrame) -> bytes:
    """The history as JSON, its points written by Polars without an object for each."""
    points = frame.select(timestamp=pl.col("bucket").dt.strftime("%Y-%m-%dT%H:%M:%SZ"), value="mean").write_json().encode()
    return head.model_dump_json().encode().removesuffix(b"[]}") + points + b"}"


def _offline_after(inst: Inst) -> timedelta:
    return timedelta(minutes=inst.settings.offline_after_minutes)


def _fields(device: Device) -> dict[str, object]:
    return {name: getattr(device, name) for name in DeviceOut.model_fields}


def _in_list(device: Device, row: DeviceRow | None) -> DeviceInList:
    power_w = row.power_w if row else None
    return DeviceInList(
        **_fields(device),
        health_score=row.health if row else None,
        current_energy_kw=None if power_w is None else round(power_w / 1000, 3),
        active_alert_count=sum(row.alerts.values()) if row else 0,
    )

"""Key figures of the caller's factory: energy, states, effectiveness, recorded maintenance, health over time."""

import json
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any

import polars as pl
from fastapi import Path, Query

from api.dependencies import Inst, Who
from api.routing import Router
from api.schemas.common import Data, MomentIn
from api.schemas.figures import (
    AvailabilityDay,
    BandCost,
    DeviceEnergy,
    EnergyCompared,
    EnergyDay,
    EnergyNow,
    EnergyPeriod,
    HealthAt,
    Indicators,
    MaintenanceEventOut,
    MaintenanceOut,
    OeeDay,
    RegionEnergy,
    ReliabilityOut,
    StateSpan,
)
from warehouse.day_figures import day_figures, fault_times
from warehouse.errors import InvalidInputError
from warehouse.health_history import health_trend
from warehouse.queries.energy import typical_power_w
from warehouse.queries.energy_overview import PeriodUse, energy_indicators, energy_overview
from warehouse.queries.energy_use import Comparison
from warehouse.queries.live import find_device
from warehouse.queries.states import state_timeline
from warehouse.upkeep import maintenance_events, reliability

router = Router(tags=["figures"])
DeviceId = Annotated[int, Path(ge=1, le=2**31 - 1)]
OneDevice = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
LONGEST = timedelta(days=400)
LONGEST_OF_STATES = timedelta(days=31)
BASELINE = timedelta(days=90)


@router.get("/energy", operation_id="getEnergy")
def get_energy(who: Who, inst: Inst) -> Data[EnergyNow]:
    """Power now, and energy of the running shift, day, week and month against the period before; cost and carbon by the tariff."""
    found = energy_overview(inst.db, inst.lake, who.factory_id, inst.clock.now())
    periods = [_period(name, use) for name, use in found.periods.items()]
    return Data(data=EnergyNow(kw_now=found.kw_now, currency=found.currency, periods=periods))


@router.get("/energy/days", operation_id="listEnergyDays")
def list_energy_days(who: Who, inst: Inst, start: MomentIn, end: MomentIn, device_id: OneDevice = None) -> Data[list[EnergyDay]]:
    """Energy, idle energy, cost and carbon of each machine and day that begins in [start, end), at most 400 days."""
    return Data(data=[EnergyDay(**row) for row in _days(inst, who, "energy_days", start, end, device_id, EnergyDay.model_fields)])


@router.get("/energy/indicators", operation_id="getEnergyIndicators")
def get_energy_indicators(
    who: Who,
    inst: Inst,
    start: MomentIn,
    end: MomentIn,
    baseline_start: MomentIn | None = None,
    baseline_end: MomentIn | None = None,
    device_id: OneDevice = None,
) -> Data[Indicators]:
    """kWh per running hour and per part of the days in [start, end), judged by a baseline; without one named, the 90 days before."""
    _require_range(start, end, LONGEST)
    learned_to = baseline_end or start
    learned = (baseline_start or learned_to - BASELINE, learned_to)
    _require_range(*learned, LONGEST)
    if device_id is not None:
        find_device(inst.db, who.factory_id, device_id=device_id)
    found = energy_indicators(inst.lake, who.factory_id, start, end, baseline=learned, device_id=device_id)
    return Data(
        data=Indicators(
            kwh=found.kwh,
            running_h=found.running_h,
            parts=found.parts,
            kwh_per_running_h=found.kwh_per_running_h,
            kwh_per_part=found.kwh_per_part,
            expected_kwh=found.expected_kwh,
            deviation=found.deviation,
            baseline_r_squared=found.baseline.r_squared if found.baseline else None,
            baseline_days=found.baseline.days if found.baseline else 0,
        )
    )


@router.get("/availability/days", operation_id="listAvailabilityDays")
def list_availability_days(
    who: Who, inst: Inst, start: MomentIn, end: MomentIn, device_id: OneDevice = None
) -> Data[list[AvailabilityDay]]:
    """Seconds in each state, stops and failures of each machine and day that begins in [start, end), at most 400 days."""
    rows = _days(inst, who, "availability_days", start, end, device_id, AvailabilityDay.model_fields)
    return Data(data=[AvailabilityDay(**row) for row in rows])


@router.get("/oee/days", operation_id="listOeeDays")
def list_oee_days(who: Who, inst: Inst, start: MomentIn, end: MomentIn, device_id: OneDevice = None) -> Data[list[OeeDay]]:
    """Availability, performance and quality of machines that count parts, by day that begins in [start, end), at most 400 days."""
    return Data(data=[OeeDay(**row) for row in _days(inst, who, "oee_days", start, end, device_id, OeeDay.model_fields)])


@router.get("/devices/{device_id}/states", operation_id="listStates")
def list_states(device_id: DeviceId, who: Who, inst: Inst, start: MomentIn, end: MomentIn) -> Data[list[StateSpan]]:
    """What a machine did when in [start, end), without gaps, to the minute; at most 31 days."""
    _require_range(start, end, LONGEST_OF_STATES)
    find_device(inst.db, who.factory_id, device_id=device_id)
    factory_id, lake = who.factory_id, inst.lake
    typical = typical_power_w(lake, factory_id, start - timedelta(days=7), end)
    faults = fault_times(inst.db, factory_id, start, end)
    found = state_timeline(lake, factory_id, [device_id], start, end, typical_w=typical, faults=faults)
    return Data(data=[StateSpan(**row) for row in found.drop("device_id").iter_rows(named=True)])


@router.get("/maintenance-events", operation_id="listMaintenanceEvents")
def list_maintenance_events(who: Who, inst: Inst, start: MomentIn, end: MomentIn) -> Data[MaintenanceOut]:
    """Recorded failures, repairs and planned stops of all machines that touch [start, end), at most 400 days."""
    return Data(data=_maintenance(inst, who, start, end, None))


@router.get("/devices/{device_id}/maintenance-events", operation_id="listMaintenanceEventsOfDevice")
def list_maintenance_events_of_device(device_id: DeviceId, who: Who, inst: Inst, start: MomentIn, end: MomentIn) -> Data[MaintenanceOut]:
    """The same of one machine."""
    find_device(inst.db, who.factory_id, device_id=device_id)
    return Data(data=_maintenance(inst, who, start, end, [device_id]))


@router.get("/health/history", operation_id="listHealth")
def list_health(who: Who, inst: Inst, start: MomentIn, end: MomentIn, device_id: OneDevice = None) -> Data[list[HealthAt]]:
    """The health score by the hour in [start, end), at most 400 days: of the factory, or of one machine."""
    _require_range(start, end, LONGEST)
    if device_id is not None:
        find_device(inst.db, who.factory_id, device_id=device_id)
    found = health_trend(inst.lake, who.factory_id, start, end, device_id)
    return Data(data=[HealthAt(at=ts, score=score, deductions=json.loads(lost)) for ts, score, lost in found.iter_rows()])


def _require_range(start: datetime, end: datetime, longest: timedelta) -> None:
    if not start < end <= start + longest:
        message = f"the range must end after it starts, and may have {longest.days} days at most"
        raise InvalidInputError(message, path="end")


def _days(
    inst: Inst, who: Who, table: str, start: datetime, end: datetime, device_id: int | None, fields: Collection[str]
) -> Iterator[dict[str, Any]]:
    _require_range(start, end, LONGEST)
    if device_id is not None:
        find_device(inst.db, who.factory_id, device_id=device_id)
    found = day_figures(inst.lake, who.factory_id, table, start, end).rename({"ts": "day"})
    if device_id is not None:
        found = found.filter(pl.col("device_id") == device_id)
    return found.select(list(fields)).iter_rows(named=True)


def _maintenance(inst: Inst, who: Who, start: datetime, end: datetime, devices: Collection[int] | None) -> MaintenanceOut:
    _require_range(start, end, LONGEST)
    found = maintenance_events(inst.db, who.factory_id, start, end, devices=devices)
    return MaintenanceOut(
        events=[MaintenanceEventOut(**row) for row in found.select(list(MaintenanceEventOut.model_fields)).iter_rows(named=True)],
        reliability=[
            ReliabilityOut(device_id=device_id, failures=r.failures, down_s=r.down_s, mtbf_s=r.mtbf_s, mttr_s=r.mttr_s)
            for device_id, r in sorted(reliability(found, start, end).items())
        ],
    )


def _period(name: str, use: PeriodUse) -> EnergyPeriod:
    return EnergyPeriod(
        period=name,
        begin=use.begin,
        factory=EnergyCompared(**_compared(use.factory)),
        regions=[RegionEnergy(region=region, **_compared(found)) for region, found in use.by_region.items()],
        devices=[DeviceEnergy(device_id=device_id, **_compared(found)) for device_id, found in use.by_device.items()],
        costs=None if use.cost is None else [BandCost(band=band, cost=cost) for band, cost in use.cost.items()],
        before_cost=use.before_cost,
        carbon_kg=use.carbon_kg,
    )


def _compared(found: Comparison) -> dict[str, Any]:
    return {"kwh": found.kwh, "before_kwh": found.before_kwh, "change": found.change}

"""Energy of a factory now and in this shift, day, week and month, by machine and region, against the period before, and what it costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl
from sqlalchemy import select

from warehouse.day_figures import day_figures
from warehouse.db import Database
from warehouse.lake import Lake
from warehouse.models.devices import Device
from warehouse.queries.energy import METER_KIND
from warehouse.queries.energy_performance import Baseline, fit_baseline
from warehouse.queries.energy_use import Comparison, Tariff, carbon_kg, cost, hourly, periods, shift_periods
from warehouse.queries.live import newest_power
from warehouse.queries.summary import factory_of
from warehouse.shifts import clock_of
from warehouse.tariffs import tariff_of
from warehouse.tenancy import tenant_session

PERIODS: Final = ("shift", "today", "week", "month")
ELSEWHERE: Final = ""
"""The region of machines that have none."""


@dataclass(frozen=True)
class PeriodUse:
    """One period so far, beside the one before it up to the same moment. Energy meters are left out of sums (docs/kpis.md)."""

    begin: datetime
    factory: Comparison
    by_region: Mapping[str, Comparison]
    by_device: Mapping[int, Comparison]
    """Meters included."""
    cost: Mapping[str, float] | None
    """By band of the tariff, in its currency; None without a tariff."""
    before_cost: float | None
    carbon_kg: float | None


@dataclass(frozen=True)
class EnergyOverview:
    """Energy of one factory at a moment."""

    kw_now: float
    """Newest power of machines that were heard within the last 5 min."""
    periods: Mapping[str, PeriodUse]
    """By PERIODS; `shift` is missing between shifts."""
    currency: str | None


@dataclass(frozen=True)
class EnergyIndicators:
    """Energy performance indicators of a range of whole days (ISO 50006, 6.3 and 7), of the machines that count parts."""

    kwh: float
    running_h: float
    parts: float
    baseline: Baseline | None
    expected_kwh: float | None
    """What the baseline expects for the output of each day; None without a baseline."""

    @property
    def kwh_per_running_h(self) -> float | None:
        """None when nothing ran."""
        return self.kwh / self.running_h if self.running_h else None

    @property
    def kwh_per_part(self) -> float | None:
        """None when nothing was made."""
        return self.kwh / self.parts if self.parts else None

    @property
    def deviation(self) -> float | None:
        """Used over expected energy less one: 0.1 for ten percent too much."""
        return self.kwh / self.expected_kwh - 1 if self.expected_kwh else None


def energy_overview(db: Database, lake: Lake, factory_id: int, now: datetime) -> EnergyOverview:
    """Raises LakeBusyError while the lake is away."""
    clock, tariff = clock_of(factory_of(db, factory_id)), tariff_of(db, factory_id)
    zone, regions = clock.timezone, _regions(db, factory_id)
    ranges = {**shift_periods(now, clock), **periods(now, zone)}
    found: dict[str, PeriodUse] = {}
    for name in PERIODS:
        if name in ranges:
            hours, before = (hourly(lake, factory_id, *ranges[key]) for key in (name, f"before_{name}"))
            found[name] = period_use(ranges[name][0], hours, before, regions, tariff, zone)
    newest = newest_power(db, factory_id)
    heard = [watts for device_id, (ts, watts) in newest.items() if device_id in regions and (now - ts).total_seconds() <= 300]
    return EnergyOverview(sum(heard) / 1000, found, tariff.currency if tariff else None)


def period_use(
    begin: datetime, hours: pl.DataFrame, before: pl.DataFrame, regions: Mapping[int, str], tariff: Tariff | None, timezone: str
) -> PeriodUse:
    """From energy a machine and hour of both periods (`energy_use.hourly`). `regions`: of the machines that count in sums; pure."""
    used, used_before = _by_device(hours), _by_device(before)
    by_device = {device: Comparison(used.get(device, 0.0), used_before.get(device, 0.0)) for device in sorted({*used, *used_before})}
    names = sorted({regions[device] for device in by_device if device in regions})
    by_region = {name: _sum(by_device, [device for device, region in regions.items() if region == name]) for name in names}
    counted, counted_before = (frame.filter(pl.col("device_id").is_in(list(regions))) for frame in (hours, before))
    return PeriodUse(
        begin,
        _sum(by_device, list(regions)),
        by_region,
        by_device,
        cost(counted, tariff, timezone) if tariff else None,
        sum(cost(counted_before, tariff, timezone).values()) if tariff else None,
        carbon_kg(counted, tariff) if tariff else None,
    )


def energy_indicators(
    lake: Lake, factory_id: int, start: datetime, end: datetime, *, baseline: tuple[datetime, datetime], device_id: int | None = None
) -> EnergyIndicators:
    """Of the days that begin in [start, end), judged by the baseline of those that begin in `baseline`; of one machine or all that count.

    From the tables of days (`warehouse.day_figures`). Raises LakeBusyError.
    """
    days, learned = (_days(lake, factory_id, *span, device_id) for span in ((start, end), baseline))
    fitted = fit_baseline(learned)
    expected = sum(fitted.expected_kwh(parts) for parts in days["parts"]) if fitted and days.height else None
    return EnergyIndicators(float(days["kwh"].sum()), float(days["running_h"].sum()), float(days["parts"].sum()), fitted, expected)


def _days(lake: Lake, factory_id: int, start: datetime, end: datetime, device_id: int | None) -> pl.DataFrame:
    """ts, kwh, running_h, parts a day."""
    energy, states, made = (day_figures(lake, factory_id, name, start, end) for name in ("energy_days", "availability_days", "oee_days"))
    joined = made.join(energy, on=["device_id", "ts"]).join(states.select("device_id", "ts", "running_s"), on=["device_id", "ts"])
    if device_id is not None:
        joined = joined.filter(pl.col("device_id") == device_id)
    return joined.group_by("ts").agg(
        pl.col("kwh").sum(), (pl.col("running_s").sum() / 3600).alias("running_h"), pl.col("good_parts").sum().alias("parts")
    ).sort("ts")  # fmt: skip


def _regions(db: Database, factory_id: int) -> dict[int, str]:
    with tenant_session(db, factory_id) as session:
        found = session.scalars(select(Device).where(Device.is_active)).all()
        return {device.id: device.region or ELSEWHERE for device in found if device.kind != METER_KIND}


def _by_device(hours: pl.DataFrame) -> dict[int, float]:
    return dict(hours.group_by("device_id").agg(pl.col("kwh").sum()).iter_rows())


def _sum(by_device: Mapping[int, Comparison], devices: list[int]) -> Comparison:
    found = [by_device[device] for device in devices if device in by_device]
    return Comparison(sum(each.kwh for each in found), sum(each.before_kwh for each in found))

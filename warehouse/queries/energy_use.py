"""Energy by shift, week and month, against the period before, idle waste, cost and carbon. Pure on hourly energy; see docs/kpis.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from warehouse.lake import Lake
from warehouse.queries.energy import energy_series
from warehouse.rollups import local_day_begin
from warehouse.shifts import GRID_MINUTES, FactoryClock, running_shifts

HOUR: Final = timedelta(hours=1)
BETWEEN_SHIFTS: Final = ""
"""Instead of a shift's name, for what no shift covers."""


@dataclass(frozen=True)
class Comparison:
    """A period beside the one before it, up to the same moment of it."""

    kwh: float
    before_kwh: float

    @property
    def change(self) -> float | None:
        """Relative change, 0.1 for ten percent more; None when there was nothing before."""
        return self.kwh / self.before_kwh - 1 if self.before_kwh else None


@dataclass(frozen=True)
class Band:
    """A part of a time-of-use tariff: weekdays (Monday = 0) and hours in the factory's own time."""

    name: str
    price: float
    """In the tariff's currency a kWh."""
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    begin_hour: int = 0
    end_hour: int = 24


@dataclass(frozen=True)
class Tariff:
    """What a kWh costs when; the first band that fits counts, and what fits none costs `otherwise`."""

    currency: str
    otherwise: float
    bands: tuple[Band, ...] = ()
    carbon_kg_a_kwh: float = 0.0
    """Grid emission factor."""


def hourly(lake: Lake, factory_id: int, start: datetime, end: datetime) -> pl.DataFrame:
    """Energy a machine and hour (UTC) of [start, end): device_id, bucket, kwh, covered_s."""
    return energy_series(lake, factory_id, start, end, HOUR)


def by_shift(hours: pl.DataFrame, clock: FactoryClock) -> pl.DataFrame:
    """kWh a production day and shift (BETWEEN_SHIFTS for the rest): day, shift, kwh; sorted by day and beginning; pure.

    A night shift belongs to the day on which it began. An hour that a shift's beginning cuts is shared out by its quarters.
    """
    minute = pl.col("hour").cast(pl.Int32) * 60 + pl.col("minute").cast(pl.Int32)
    shift, is_of_day_before = pl.lit(BETWEEN_SHIFTS), pl.lit(value=False)
    for each in clock.shifts:
        end = each.begin_minute + each.minutes
        is_after_midnight = minute < end - 24 * 60
        shift = pl.when(((minute >= each.begin_minute) & (minute < end)) | is_after_midnight).then(pl.lit(each.name)).otherwise(shift)
        is_of_day_before |= is_after_midnight
    day = pl.when(is_of_day_before).then(pl.col("day") - timedelta(days=1)).otherwise(pl.col("day"))
    named = _with_local_time(_in_quarters(hours), clock.timezone).with_columns(shift=shift, day=day)
    order = {each.name: number for number, each in enumerate(clock.shifts)}
    place = pl.col("shift").replace_strict(order, default=len(order), return_dtype=pl.Int32)
    return named.group_by("day", "shift").agg(pl.col("kwh").sum()).sort("day", place)


def _in_quarters(hours: pl.DataFrame) -> pl.DataFrame:
    """Each hour as its four quarters, with a fourth of its energy."""
    offsets = pl.DataFrame({"offset": [timedelta(minutes=minute) for minute in range(0, 60, GRID_MINUTES)]})
    quarters = hours.join(offsets, how="cross")
    return quarters.with_columns(bucket=pl.col("bucket") + pl.col("offset"), kwh=pl.col("kwh") / offsets.height).drop("offset")


def _with_local_time(frame: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """Adds `day`, `hour`, `minute` and `weekday` (Monday = 0) of `bucket`, in the factory's own time."""
    local = pl.col("bucket").dt.convert_time_zone(timezone)
    return frame.with_columns(
        day=local.dt.date(), hour=local.dt.hour(), minute=local.dt.minute(), weekday=(local.dt.weekday() - 1).cast(pl.Int32)
    )


def by_group(hours: pl.DataFrame, group_of: Mapping[int, str]) -> dict[str, float]:
    """kWh by region, kind or whatever `group_of` maps machines to; machines that it leaves out are not counted; pure."""
    found: dict[str, float] = {}
    for device_id, kwh in hours.group_by("device_id").agg(pl.col("kwh").sum()).sort("device_id").iter_rows():
        if device_id in group_of:
            found[group_of[device_id]] = found.get(group_of[device_id], 0.0) + kwh
    return found


def periods(now: datetime, timezone: str) -> dict[str, tuple[datetime, datetime]]:
    """Begin and end (now) of `today`, `week` (from Monday) and `month`, and `before_*`: the period before, as far as now is in; pure."""
    zone = ZoneInfo(timezone)
    midnight = local_day_begin(now, timezone)
    local = midnight.astimezone(zone)
    week = local_day_begin(local - timedelta(days=local.weekday()) + timedelta(hours=1), timezone)
    month = local.replace(day=1)
    before_month = (month - timedelta(days=1)).replace(day=1)
    starts = {
        "today": (local, local_day_begin(local - timedelta(hours=12), timezone).astimezone(zone)),
        "week": (week.astimezone(zone), (week.astimezone(zone).replace(tzinfo=None) - timedelta(days=7)).replace(tzinfo=zone)),
        "month": (month, before_month),
    }
    found = {}
    for name, (begin, before) in starts.items():
        found[name] = (begin, now)
        found[f"before_{name}"] = (before, min(before + (now - begin), begin))
    return found


def shift_periods(now: datetime, clock: FactoryClock) -> dict[str, tuple[datetime, datetime]]:
    """Begin and end (now) of the running `shift`, and `before_shift`: the one before, as far as now is in; pure. Empty between shifts."""
    running, before = running_shifts(now, clock)
    if running is None:
        return {}
    so_far = now - running.began_at
    return {"shift": (running.began_at, now), "before_shift": (before.began_at, min(before.began_at + so_far, before.ends_at))}


def cost(hours: pl.DataFrame, tariff: Tariff, timezone: str) -> dict[str, float]:
    """Cost by band (`otherwise` for the rest), in the tariff's currency; pure."""
    return dict(priced(hours, tariff, timezone).group_by("band").agg(pl.col("cost").sum()).sort("band").iter_rows())


def cost_by_device(hours: pl.DataFrame, tariff: Tariff, timezone: str) -> dict[int, float]:
    """Cost by machine, in the tariff's currency; pure."""
    return dict(priced(hours, tariff, timezone).group_by("device_id").agg(pl.col("cost").sum()).sort("device_id").iter_rows())


def priced(hours: pl.DataFrame, tariff: Tariff, timezone: str) -> pl.DataFrame:
    """Adds the tariff's `band` and the `cost` of each row (`bucket` in UTC, `kwh`), in the tariff's currency; pure."""
    local = _with_local_time(hours, timezone)
    band = pl.lit("otherwise")
    price = pl.lit(tariff.otherwise)
    for each in reversed(tariff.bands):
        # The calendar's weekday: the night after Friday is Saturday's for a tariff.
        inside = pl.col("weekday").is_in(each.weekdays) & (pl.col("hour") >= each.begin_hour) & (pl.col("hour") < each.end_hour)
        band = pl.when(inside).then(pl.lit(each.name)).otherwise(band)
        price = pl.when(inside).then(pl.lit(each.price)).otherwise(price)
    return local.with_columns(band=band, cost=pl.col("kwh") * price)


def carbon_kg(hours: pl.DataFrame, tariff: Tariff) -> float:
    """Emissions of the energy by the tariff's grid factor, in kg CO2e; pure."""
    return float(hours["kwh"].sum()) * tariff.carbon_kg_a_kwh

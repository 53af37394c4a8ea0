"""Energy by shift, week and month, against the period before, idle waste, cost and carbon. Pure on hourly energy; see docs/kpis.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from warehouse.lake import Lake
from warehouse.queries.energy import energy_series
from warehouse.rollups import local_day_begin

HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Shift:
    """A part of each production day, in the factory's own time; one that ends before it begins goes over midnight."""

    name: str
    begin_hour: int
    end_hour: int


SHIFTS: Final = (Shift("early", 6, 14), Shift("late", 14, 22), Shift("night", 22, 6))


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


def with_local_time(hours: pl.DataFrame, timezone: str, shifts: Sequence[Shift] = SHIFTS) -> pl.DataFrame:
    """Adds `hour`, `weekday`, `shift` and `day`, in the factory's own time: a night shift belongs to the day on which it began; pure."""
    local = pl.col("bucket").dt.convert_time_zone(timezone)
    named = hours.with_columns(hour=local.dt.hour().cast(pl.Int32), weekday=(local.dt.weekday() - 1).cast(pl.Int32), day=local.dt.date())
    shift = pl.lit("", pl.String)
    over_midnight = pl.lit(value=False)
    for each in reversed(shifts):
        wraps = each.end_hour <= each.begin_hour
        inside = (pl.col("hour") >= each.begin_hour) & (pl.col("hour") < each.end_hour)
        if wraps:
            inside = (pl.col("hour") >= each.begin_hour) | (pl.col("hour") < each.end_hour)
            over_midnight |= pl.col("hour") < each.end_hour
        shift = pl.when(inside).then(pl.lit(each.name)).otherwise(shift)
    day = pl.when(over_midnight).then(pl.col("day") - timedelta(days=1)).otherwise(pl.col("day"))
    return named.with_columns(shift=shift, day=day)


def by_shift(hours: pl.DataFrame, timezone: str, shifts: Sequence[Shift] = SHIFTS) -> pl.DataFrame:
    """kWh a production day and shift: day, shift, kwh; sorted by day and beginning; pure."""
    order = {each.name: number for number, each in enumerate(shifts)}
    found = with_local_time(hours, timezone, shifts).group_by("day", "shift").agg(pl.col("kwh").sum())
    return found.sort("day", pl.col("shift").replace_strict(order, default=len(order), return_dtype=pl.Int32))


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


def idle_waste_kwh(hours: pl.DataFrame, idle_share: pl.DataFrame) -> dict[int, float]:
    """kWh that machines drew in hours in which they idled, by the share of each hour (device_id, bucket, idle_share); pure."""
    joined = hours.join(idle_share, on=["device_id", "bucket"], how="inner")
    found = joined.group_by("device_id").agg((pl.col("kwh") * pl.col("idle_share")).sum()).sort("device_id")
    return dict(found.iter_rows())


def cost(hours: pl.DataFrame, tariff: Tariff, timezone: str) -> dict[str, float]:
    """Cost by band (`otherwise` for the rest), in the tariff's currency; pure."""
    local = with_local_time(hours, timezone)
    band = pl.lit("otherwise")
    price = pl.lit(tariff.otherwise)
    for each in reversed(tariff.bands):
        inside = pl.col("weekday").is_in(each.weekdays) & (pl.col("hour") >= each.begin_hour) & (pl.col("hour") < each.end_hour)
        band = pl.when(inside).then(pl.lit(each.name)).otherwise(band)
        price = pl.when(inside).then(pl.lit(each.price)).otherwise(price)
    summed = local.with_columns(band=band, cost=pl.col("kwh") * price).group_by("band").agg(pl.col("cost").sum()).sort("band")
    return dict(summed.iter_rows())


def carbon_kg(hours: pl.DataFrame, tariff: Tariff) -> float:
    """Emissions of the energy by the tariff's grid factor, in kg CO2e; pure."""
    return float(hours["kwh"].sum()) * tariff.carbon_kg_a_kwh

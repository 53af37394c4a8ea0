"""Energy of machines and of their factory by the quarter of an hour, as forecasts learn from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl
from sqlalchemy import select

from assets.models.energy.days import Days, days_of
from warehouse.installation import Installation
from warehouse.models.devices import Device
from warehouse.queries.energy import energy_series
from warehouse.tenancy import tenant_session
from warehouse.terms import METER_KIND

INTERVAL: Final = timedelta(minutes=15)
"""What electricity is metered by."""
LEAST_COVERED: Final = 0.5
"""Of an interval; one that was measured for less is not known."""
LEAST_MACHINES: Final = 0.8
"""Of the machines of a day, for the sum of the factory."""
READ_AT_ONCE: Final = timedelta(days=60)


@dataclass(frozen=True)
class Series:
    """One machine, or the factory as a whole."""

    device_id: int | None
    """None: the factory."""
    name: str
    days: Days


def series_of(
    installation: Installation, factory_id: int, device_ids: Sequence[int], start: datetime, end: datetime, timezone: str
) -> tuple[list[Series], list[str]]:
    """The factory (sum of its machines without meters) and the machines asked for; and names of those without any energy.

    What a meter measures is what others drew: it is forecast when asked for and left out of the sum. Raises LakeBusyError.
    """
    with tenant_session(installation.db, factory_id) as session:
        devices = {d.id: (d.name or d.device_key, d.kind == METER_KIND) for d in session.scalars(select(Device).where(Device.is_active))}
    found = energy_by_quarter(installation, factory_id, start, end)
    summed = [device_id for device_id, (_, is_meter) in devices.items() if not is_meter]
    total = plant_total(found.filter(pl.col("device_id").is_in(summed)), timezone)
    series = [Series(None, "the factory", days_of(total, timezone, INTERVAL))] if total.height else []
    without = []
    for device_id in device_ids:
        name = devices.get(device_id, (f"machine {device_id}", False))[0]
        own = found.filter(pl.col("device_id") == device_id)
        if own.height:
            series.append(Series(device_id, name, days_of(own.select("ts", "kwh"), timezone, INTERVAL)))
        else:
            without.append(name)
    return series, without


def energy_by_quarter(installation: Installation, factory_id: int, start: datetime, end: datetime) -> pl.DataFrame:
    """device_id, ts, kwh of whole intervals of [start, end); those that were measured for under half are missing. Raises LakeBusyError."""
    frames, begin = [], start
    while begin < end:
        until = min(begin + READ_AT_ONCE, end)
        frames.append(energy_series(installation.lake, factory_id, begin, until, INTERVAL))
        begin = until
    found = pl.concat(frames).filter(pl.col("covered_s").is_not_null(), pl.col("bucket") + INTERVAL <= end)
    covered = pl.col("covered_s") / INTERVAL.total_seconds()
    whole = pl.col("kwh") / covered.clip(upper_bound=1.0)
    return found.filter(covered >= LEAST_COVERED).select("device_id", ts="bucket", kwh=whole)


def plant_total(found: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """ts, kwh of all machines together where at least four fifths of the machines that were measured that day are known; pure."""
    day = pl.col("ts").dt.convert_time_zone(timezone).dt.date()
    counted = found.with_columns(machines=pl.col("device_id").n_unique().over(day))
    summed = counted.group_by("ts").agg(pl.col("kwh").sum(), pl.len(), pl.col("machines").first())
    # Machines that are missing are taken to draw what the others do on average.
    known = summed.filter(pl.col("len") >= LEAST_MACHINES * pl.col("machines"))
    return known.select("ts", kwh=pl.col("kwh") * pl.col("machines") / pl.col("len")).sort("ts")


def measured_days(days: Days) -> int:
    """Days of which at least half was measured."""
    return int((np.isfinite(days.kwh).mean(axis=1) >= 0.5).sum())

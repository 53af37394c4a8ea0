"""Power and energy of a factory from its `power` parameters, which are in W, kW or MW (`warehouse.power_units`).

Energy is the time integral of power (`warehouse.summaries`): the line between readings, and for at most 5 min the last reading before a
longer silence. A machine of kind `Energy meter` measures what others draw already and is left out of sums.
"""

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from warehouse import terms
from warehouse.lake import Lake
from warehouse.power_units import in_watts
from warehouse.queries.summaries import summaries
from warehouse.readings import UTC_TIME

POWER: Final = terms.POWER
METER_KIND: Final = terms.METER_KIND
LONGEST_GAP: Final = terms.LONGEST_GAP
JOULES_PER_KWH: Final = 3.6e6
WHOLE: Final = timedelta(hours=1)
"""Energy of a range is added up from hours: its ends come from the readings."""


def energy_kwh(lake: Lake, factory_id: int, start: datetime, end: datetime) -> dict[int, float]:
    """Energy in kWh of each machine in [start, end), by device id; machines without power readings are missing."""
    found = energy_series(lake, factory_id, start, end, WHOLE).group_by("device_id").agg(pl.col("kwh").sum()).sort("device_id")
    return dict(found.iter_rows())


def energy_series(lake: Lake, factory_id: int, start: datetime, end: datetime, interval: timedelta) -> pl.DataFrame:
    """Energy of each machine a bucket: columns device_id, bucket (UTC), kwh, covered_s; sorted; buckets without readings are missing."""
    found = summaries(lake, factory_id, start, end, interval, parameters=[POWER], with_integral=True)
    energy = found.select("device_id", "bucket", (pl.col("integral") / JOULES_PER_KWH).alias("kwh"), "covered_s")
    return in_watts(energy, lake.watts_a_unit(factory_id), "kwh")


def power_by_device(lake: Lake, factory_id: int, start: datetime, end: datetime, interval: timedelta) -> pl.DataFrame:
    """Mean power of each machine a bucket: columns device_id, bucket (UTC), power_w; sorted; buckets without readings are missing."""
    found = summaries(lake, factory_id, start, end, interval, parameters=[POWER])
    power = found.select("device_id", "bucket", pl.col("mean").alias("power_w")).cast({"bucket": UTC_TIME, "device_id": pl.Int32})
    return in_watts(power, lake.watts_a_unit(factory_id), "power_w")


def typical_power_w(lake: Lake, factory_id: int, start: datetime, end: datetime) -> dict[int, float]:
    """What each machine draws while it works: the 90th percentile of its power a minute in the range, in watts, by device id."""
    found = power_by_device(lake, factory_id, start, end, timedelta(minutes=1)).group_by("device_id")
    ranked = found.agg(pl.col("power_w").quantile(0.9, "nearest")).sort("device_id")
    return dict(ranked.iter_rows())

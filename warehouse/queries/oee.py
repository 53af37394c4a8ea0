"""Overall equipment effectiveness after ISO 22400-2: availability x performance x quality, where machines count parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from warehouse.lake import Lake
from warehouse.queries.states import Availability

GOOD_PARTS: Final = "good_parts"
REJECTED_PARTS: Final = "rejected_parts"
HOUR: Final = timedelta(hours=1)
BEST_SHARE: Final = 0.95
"""The ideal rate of a machine without a nominal one: this percentile of its hourly output in hours in which it made something."""


@dataclass(frozen=True)
class Oee:
    """Of one machine over a range; each factor 0 to 1, None where it cannot be known."""

    availability: float | None
    performance: float | None
    quality: float | None
    good_parts: float
    rejected_parts: float

    @property
    def oee(self) -> float | None:
        """The product; None when a factor is missing."""
        if self.availability is None or self.performance is None or self.quality is None:
            return None
        return self.availability * self.performance * self.quality


def parts_by_hour(lake: Lake, factory_id: int, device_ids: Sequence[int], start: datetime, end: datetime) -> pl.DataFrame:
    """Parts that counters counted: device_id, parameter, bucket (UTC hour), parts; sorted. A counter that falls began anew at zero."""
    found = lake.reader(factory_id).query(
        """
        WITH step AS (
            SELECT device_id, parameter, ts, value, lag(value) OVER (PARTITION BY device_id, parameter ORDER BY ts) AS before
            FROM telemetry WHERE parameter IN ('good_parts', 'rejected_parts') AND device_id IN (SELECT unnest($devices))
              AND ts >= $start AND ts < $end AND value IS NOT NULL
        )
        SELECT device_id, parameter, time_bucket(INTERVAL '1 hour', ts, TIMESTAMPTZ 'epoch') AS bucket,
               sum(CASE WHEN value >= before THEN value - before ELSE value END) AS parts
        FROM step WHERE before IS NOT NULL GROUP BY ALL ORDER BY device_id, parameter, bucket
        """,
        {"devices": list(device_ids), "start": start, "end": end},
    )
    return found.cast({"device_id": pl.Int32})


def oee(parts: pl.DataFrame, availability: dict[int, Availability], ideal_an_hour: dict[int, float] | None = None) -> dict[int, Oee]:
    """By machine, from `parts_by_hour` and availability; pure.

    Performance is made parts over what the ideal rate (`ideal_an_hour`, else learned from the range) would make in the running time.
    """
    made = parts.group_by("device_id", "bucket").agg(pl.col("parts").sum()).filter(pl.col("parts") > 0)
    learned = dict(made.group_by("device_id").agg(pl.col("parts").quantile(BEST_SHARE, "nearest")).iter_rows())
    found = {}
    for device_id, times in availability.items():
        own = parts.filter(pl.col("device_id") == device_id)
        good = float(own.filter(pl.col("parameter") == GOOD_PARTS)["parts"].sum())
        bad = float(own.filter(pl.col("parameter") == REJECTED_PARTS)["parts"].sum())
        ideal = (ideal_an_hour or {}).get(device_id) or learned.get(device_id)
        possible = ideal * times.running_s / 3600 if ideal else 0.0
        performance = min(1.0, (good + bad) / possible) if possible else None
        found[device_id] = Oee(times.availability, performance, good / (good + bad) if good + bad else None, good, bad)
    return found

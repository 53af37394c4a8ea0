"""Energy and output side by side, for performance indicators after ISO 50001 and a baseline after ISO 50006."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from warehouse.queries.availability import NO_FACTORS, SLOT
from warehouse.readings import UTC_TIME
from warehouse.terms import LONGEST_GAP, POWER

if TYPE_CHECKING:
    # Only to name it: what is pure here must not load DuckDB.
    from warehouse.lake import LakeReader

GOOD_PARTS: Final = "good_parts"
"""Key of the counter of good parts; it begins again at zero with each shift."""
ENERGY_AND_OUTPUT: Final = pl.Schema({"bucket": UTC_TIME, "kwh": pl.Float64(), "parts": pl.Float64()})
FEWEST_DAYS: Final = 10


@dataclass(frozen=True)
class Baseline:
    """energy of a day in kWh = base_kwh + kwh_per_part x parts, by least squares."""

    base_kwh: float
    kwh_per_part: float
    r_squared: float
    days: int

    def expected_kwh(self, parts: float) -> float:
        """What a day with that output is expected to use."""
        return self.base_kwh + self.kwh_per_part * parts


def energy_and_output(
    reader: "LakeReader", device_ids: Sequence[int], start: datetime, end: datetime, watts: Mapping[int, float] = NO_FACTORS
) -> pl.DataFrame:
    """ENERGY_AND_OUTPUT of those machines together a quarter of an hour in [start, end), sorted; `parts` is null when none count.

    `watts`: see `warehouse.power_units`.
    """
    units = pl.DataFrame({"device_id": list(watts), "watts": list(watts.values())}, schema={"device_id": pl.Int32, "watts": pl.Float64})
    found = reader.query(
        """
        WITH step AS (
            SELECT device_id, parameter, ts, value, lag(value) OVER w AS before, epoch(ts) - epoch(lag(ts) OVER w) AS seconds
            FROM telemetry WHERE parameter IN ($power, $parts) AND device_id IN (SELECT unnest($devices))
              AND ts >= $start AND ts < $end AND value IS NOT NULL
            WINDOW w AS (PARTITION BY device_id, parameter ORDER BY ts)
        )
        SELECT time_bucket(to_seconds($slot_s), ts, TIMESTAMPTZ 'epoch') AS bucket,
               sum(CASE WHEN parameter = $power AND seconds <= $longest_gap_s
                        THEN (value + before) / 2 * seconds * coalesce(watts, 1) END) / 3.6e6 AS kwh,
               sum(CASE WHEN parameter = $parts THEN CASE WHEN value >= before THEN value - before ELSE value END END) AS parts
        FROM step LEFT JOIN units USING (device_id) WHERE before IS NOT NULL GROUP BY bucket ORDER BY bucket
        """,
        {
            "power": POWER,
            "parts": GOOD_PARTS,
            "devices": list(device_ids),
            "start": start,
            "end": end,
            "slot_s": SLOT.total_seconds(),
            "longest_gap_s": LONGEST_GAP.total_seconds(),
        },
        units=units,
    )
    return found.cast(ENERGY_AND_OUTPUT)


def fit_baseline(days: pl.DataFrame) -> Baseline | None:
    """The baseline of whole days (columns kwh, parts); None when there are fewer than ten or the output never changes; pure."""
    usable = days.drop_nulls(["kwh", "parts"])
    if usable.height < FEWEST_DAYS:
        return None
    parts, kwh = usable["parts"].to_numpy(), usable["kwh"].to_numpy()
    spread = float(np.sum((parts - parts.mean()) ** 2))
    if spread == 0:
        return None
    slope = float(np.sum((parts - parts.mean()) * (kwh - kwh.mean()))) / spread
    base = float(kwh.mean() - slope * parts.mean())
    unexplained = float(np.sum((kwh - base - slope * parts) ** 2))
    whole = float(np.sum((kwh - kwh.mean()) ** 2))
    return Baseline(base, slope, 1 - unexplained / whole if whole else 0.0, usable.height)

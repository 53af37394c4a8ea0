"""What machines did when, to the minute, and what follows: availability, stops, MTBF, MTTR, Pareto. Definitions: docs/kpis.md.

power share   0        0.03            0.35                     of the power that the machine draws while it works
state         | off     | idle          | running
a state parameter of the machine goes before power; a critical alert makes it `fault`; no readings for 5 min `nodata`
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from warehouse.health import IDLE_BELOW, OFF_BELOW
from warehouse.lake import Lake
from warehouse.power_units import in_watts
from warehouse.queries.energy import JOULES_PER_KWH, POWER
from warehouse.queries.summaries import summaries
from warehouse.readings import UTC_TIME

MINUTE: Final = timedelta(minutes=1)
SILENT_AFTER: Final = timedelta(minutes=5)
STATES: Final = ("running", "idle", "off", "fault", "nodata")
STATE_PARAMETER: Final = "state"
"""A machine that tells its state itself sends this parameter, as one of STATES."""
PLANNED_DOWN: Final = frozenset({"off", "nodata"})
"""Neither counts for or against availability: nobody meant the machine to run, or nobody knows."""
TIMELINE: Final = pl.Schema({"device_id": pl.Int32(), "begin": UTC_TIME, "end": UTC_TIME, "state": pl.String()})


@dataclass(frozen=True)
class Availability:
    """Of one machine over a range; times in seconds."""

    running_s: float
    idle_s: float
    fault_s: float
    off_s: float
    nodata_s: float
    stops: int
    """How often it left `running` for `idle` or `fault`."""
    failures: int
    """How often it came into `fault`."""

    @property
    def planned_s(self) -> float:
        """Time in which it was meant to run: all but `off` and `nodata`."""
        return self.running_s + self.idle_s + self.fault_s

    @property
    def availability(self) -> float | None:
        """Running time over planned time, 0 to 1 (ISO 22400-2: APT / PBT); None when nothing was planned."""
        return self.running_s / self.planned_s if self.planned_s else None

    @property
    def mtbf_s(self) -> float | None:
        """Mean operating time between failures (ISO 22400-2, EN 15341): running time over failures; None without a failure."""
        return self.running_s / self.failures if self.failures else None

    @property
    def mttr_s(self) -> float | None:
        """Mean time to restoration: time in `fault` over failures; None without a failure."""
        return self.fault_s / self.failures if self.failures else None


def state_timeline(
    lake: Lake,
    factory_id: int,
    device_ids: Sequence[int],
    start: datetime,
    end: datetime,
    *,
    typical_w: Mapping[int, float],
    faults: pl.DataFrame,
) -> pl.DataFrame:
    """TIMELINE of those machines over [start, end) without gaps, sorted. `faults`: device_id, begin, end of critical alerts."""
    power = power_minutes(lake, factory_id, device_ids, start, end)
    return timeline_of(power, lake, factory_id, device_ids, start, end, typical_w=typical_w, faults=faults)


def power_minutes(lake: Lake, factory_id: int, device_ids: Sequence[int], start: datetime, end: datetime) -> pl.DataFrame:
    """Mean power and energy of those machines a minute of [start, end): device_id, bucket, power_w, kwh; without readings missing."""
    found = summaries(lake, factory_id, start, end, MINUTE, device_ids=device_ids, parameters=[POWER], with_integral=True)
    power = found.select("device_id", "bucket", power_w="mean", kwh=pl.col("integral") / JOULES_PER_KWH)
    return in_watts(power, lake.watts_a_unit(factory_id), "power_w", "kwh")


def timeline_of(
    power: pl.DataFrame,
    lake: Lake,
    factory_id: int,
    device_ids: Sequence[int],
    start: datetime,
    end: datetime,
    *,
    typical_w: Mapping[int, float],
    faults: pl.DataFrame,
) -> pl.DataFrame:
    """As `state_timeline`, with the `power_minutes` at hand."""
    told = lake.reader(factory_id).query(
        "SELECT device_id, ts AS bucket, text AS state FROM telemetry WHERE parameter = $state AND text IS NOT NULL AND ts >= $start "
        "AND ts < $end AND device_id IN (SELECT unnest($devices)) ORDER BY device_id, ts",
        {"state": STATE_PARAMETER, "start": start, "end": end, "devices": list(device_ids)},
    )
    seen = power.select("device_id", "bucket", "power_w")
    return timeline(
        seen, told.cast({"bucket": UTC_TIME, "device_id": pl.Int32}), device_ids, start, end, typical_w=typical_w, faults=faults
    )


def timeline(
    power: pl.DataFrame,
    told: pl.DataFrame,
    device_ids: Sequence[int],
    start: datetime,
    end: datetime,
    *,
    typical_w: Mapping[int, float],
    faults: pl.DataFrame,
) -> pl.DataFrame:
    """TIMELINE from power a minute (device_id, bucket, power_w) and states that machines told (device_id, bucket, state); pure."""
    typical = pl.DataFrame(
        {"device_id": list(typical_w), "typical_w": list(typical_w.values())}, schema={"device_id": pl.Int32, "typical_w": pl.Float64}
    )
    share = pl.col("power_w") / pl.col("typical_w")
    by_power = power.join(typical, on="device_id", how="left", maintain_order="left").select(
        "device_id",
        "bucket",
        state=pl.when(share < OFF_BELOW).then(pl.lit("off")).when(share < IDLE_BELOW).then(pl.lit("idle")).otherwise(pl.lit("running")),
    )
    telling = told.filter(pl.col("state").is_in(STATES)).select("device_id", "bucket", "state").sort("bucket")
    # A machine may tell only changes: what it told last holds on while it is heard.
    held = by_power.sort("bucket").join_asof(
        telling, on="bucket", by="device_id", strategy="backward", suffix="_told", check_sortedness=False
    )
    points = pl.concat([held.select("device_id", "bucket", pl.coalesce("state_told", "state").alias("state")), telling])
    rows: list[tuple[int, datetime, datetime, str]] = []
    for device_id in device_ids:
        own = points.filter(pl.col("device_id") == device_id).sort("bucket").select("bucket", "state").rows()
        broken = faults.filter(pl.col("device_id") == device_id).select("begin", "end").rows()
        rows += [(device_id, *span) for span in _spans(own, broken, start, end)]
    return pl.DataFrame(rows, schema=TIMELINE, orient="row")


def _spans(
    points: Sequence[tuple[datetime, str]], faults: Sequence[tuple[datetime, datetime]], start: datetime, end: datetime
) -> list[tuple[datetime, datetime, str]]:
    """One machine's states in order, without a gap from start to end."""
    cuts: list[tuple[datetime, str]] = [(start, "nodata")]
    for number, (moment, state) in enumerate(points):
        cuts.append((max(moment, start), state))
        follows = points[number + 1][0] if number + 1 < len(points) else end
        if follows - moment > SILENT_AFTER:
            cuts.append((moment + MINUTE, "nodata"))
    spans = [(begin, until, state) for (begin, state), (until, _) in zip(cuts, [*cuts[1:], (end, "")], strict=True) if until > begin]
    for begin, until in faults:
        spans = [part for span in spans for part in _with_fault(span, max(begin, start), min(until, end))]
    return _merged(spans)


def _with_fault(span: tuple[datetime, datetime, str], begin: datetime, until: datetime) -> list[tuple[datetime, datetime, str]]:
    first, last, state = span
    begin, until = max(begin, first), min(until, last)
    # Of a machine that is off or silent nobody can say that it would have run.
    if begin >= until or state in PLANNED_DOWN:
        return [span]
    parts = [(first, begin, state), (begin, until, "fault"), (until, last, state)]
    return [part for part in parts if part[1] > part[0]]


def _merged(spans: Sequence[tuple[datetime, datetime, str]]) -> list[tuple[datetime, datetime, str]]:
    found: list[tuple[datetime, datetime, str]] = []
    for begin, until, state in spans:
        if found and found[-1][2] == state:
            found[-1] = (found[-1][0], until, state)
        else:
            found.append((begin, until, state))
    return found


def availability(states: pl.DataFrame) -> dict[int, Availability]:
    """By machine, from a TIMELINE; pure."""
    found = {}
    for (device_id,), rows in states.sort("device_id", "begin").group_by("device_id", maintain_order=True):
        seconds = dict.fromkeys(STATES, 0.0)
        stops = failures = 0
        before = ""
        for begin, end, state in rows.select("begin", "end", "state").iter_rows():
            seconds[state] += (end - begin).total_seconds()
            stops += before == "running" and state in {"idle", "fault"}
            failures += state == "fault" and before != "fault"
            before = state
        found[int(str(device_id))] = Availability(
            seconds["running"], seconds["idle"], seconds["fault"], seconds["off"], seconds["nodata"], stops, failures
        )
    return found


def pareto(reasons: pl.DataFrame) -> pl.DataFrame:
    """Reasons of stops by lost time, greatest first: reason, stops, lost_s, share, cumulative (0 to 1); pure.

    `reasons`: one row a stop with `reason` and `lost_s`.
    """
    summed = reasons.group_by("reason").agg(pl.len().cast(pl.Int64).alias("stops"), pl.col("lost_s").sum())
    ordered = summed.sort(["lost_s", "reason"], descending=[True, False])
    share = pl.col("lost_s") / pl.col("lost_s").sum()
    return ordered.with_columns(share=share, cumulative=share.cum_sum())


def energy_by_state(power: pl.DataFrame, states: pl.DataFrame) -> pl.DataFrame:
    """What machines drew in which state: device_id, state, kwh; sorted; pure.

    `power`: a row a minute with device_id, bucket and kwh (`power_minutes`); a minute counts for the state at its beginning.
    """
    spans = states.select("device_id", pl.col("begin").alias("bucket"), "state").sort("bucket")
    found = power.sort("bucket").join_asof(spans, on="bucket", by="device_id", strategy="backward", check_sortedness=False)
    return found.drop_nulls("state").group_by("device_id", "state").agg(pl.col("kwh").sum()).sort("device_id", "state")

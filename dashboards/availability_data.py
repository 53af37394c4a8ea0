"""What the availability page shows: what each machine did when, how often it failed, what stopped it, and OEE where parts are counted."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from dashboards import loads
from dashboards.cache import Answer, ask_lake
from dashboards.fmt import Local
from dashboards.resources import installation
from warehouse.queries.devices import DeviceRow
from warehouse.queries.energy import METER_KIND
from warehouse.queries.faults import fault_spans
from warehouse.queries.oee import Oee, oee, parts_by_hour
from warehouse.queries.states import Availability, availability, pareto, power_minutes, timeline_of

RANGES: Final = {"24 h": timedelta(hours=24), "7 d": timedelta(days=7)}
NO_REASON: Final = "Rule was deleted"


@dataclass(frozen=True)
class Found:
    """Of the range: TIMELINE, availability and OEE by machine, and the reasons of faults."""

    start: datetime
    end: datetime
    states: pl.DataFrame
    times: dict[int, Availability]
    oee: dict[int, Oee]
    reasons: pl.DataFrame
    """As `pareto`: reason, stops, lost_s, share, cumulative."""


@dataclass(frozen=True)
class Data:
    """Everything on this page. `found` is at most 5 min old."""

    machines: list[DeviceRow]
    found: Answer[Found]

    @property
    def whole(self) -> Availability:
        """All machines together."""
        times = self.found.value.times.values()
        return Availability(
            running_s=sum(t.running_s for t in times),
            idle_s=sum(t.idle_s for t in times),
            fault_s=sum(t.fault_s for t in times),
            off_s=sum(t.off_s for t in times),
            nodata_s=sum(t.nodata_s for t in times),
            stops=sum(t.stops for t in times),
            failures=sum(t.failures for t in times),
        )


def load(factory_id: int, local: Local, wanted: str) -> Data:
    """`wanted` is one of RANGES. Raises RetryableError when the lake is away and was never read."""
    machines = loads.machines(factory_id)
    ids = sorted(m.id for m in machines if m.kind != METER_KIND)
    typical = loads.typical(factory_id)
    end = local.now.astimezone(UTC).replace(second=0, microsecond=0)
    start = end - RANGES[wanted]
    return Data(machines, ask_lake(("availability", wanted), factory_id, 300, lambda: _found(factory_id, ids, start, end, typical)))


def _found(factory_id: int, ids: list[int], start: datetime, end: datetime, typical: dict[int, float]) -> Found:
    inst = installation()
    faults = fault_spans(inst.db, factory_id, start, end).filter(pl.col("device_id").is_in(ids))
    power = power_minutes(inst.lake, factory_id, ids, start, end)
    states = timeline_of(power, inst.lake, factory_id, ids, start, end, typical_w=typical, faults=faults)
    times = availability(states)
    return Found(start, end, states, times, oee(parts_by_hour(inst.lake, factory_id, ids, start, end), times), pareto(lost(states, faults)))


def lost(states: pl.DataFrame, faults: pl.DataFrame) -> pl.DataFrame:
    """A row a time in fault, with the rule that raised the alert: reason, lost_s; overlapping alerts count the first; pure."""
    broken = states.filter(pl.col("state") == "fault").sort("begin")
    named = broken.join_asof(
        faults.select("device_id", pl.col("begin").alias("raised"), "reason").sort("raised"),
        left_on="begin", right_on="raised", by="device_id", strategy="backward", check_sortedness=False,
    )  # fmt: skip
    spent = (pl.col("end") - pl.col("begin")).dt.total_microseconds() / 1e6
    return named.select(pl.col("reason").fill_null(NO_REASON), lost_s=spent)

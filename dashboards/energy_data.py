"""What the energy page shows: energy of periods against those before, by hour, machine, area and shift, idling, cost and carbon."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from dashboards import loads
from dashboards.cache import Answer, ask, ask_lake
from dashboards.fmt import Local
from dashboards.resources import installation
from warehouse.errors import RetryableError
from warehouse.queries.devices import DeviceRow
from warehouse.queries.energy import METER_KIND
from warehouse.queries.energy_overview import energy_overview
from warehouse.queries.energy_use import Comparison, Tariff, hourly
from warehouse.queries.faults import fault_spans
from warehouse.queries.states import energy_by_state, power_minutes, timeline_of
from warehouse.shifts import FactoryClock, Shift, running_shifts, shifts_of
from warehouse.tariffs import tariff_of

RANGES: Final = {"24 h": timedelta(hours=24), "7 d": timedelta(days=7), "30 d": timedelta(days=30)}
NAMES: Final = {"today": "Today", "shift": "This shift", "week": "This week", "month": "This month"}


@dataclass(frozen=True)
class Data:
    """Everything on this page. `now_kw` is live, the rest at most 5 min old."""

    machines: list[DeviceRow]
    now_kw: float
    compared: Answer[dict[str, Comparison]]
    hours: pl.DataFrame
    """Of the range and the one before it: device_id, bucket (UTC), kwh."""
    states: pl.DataFrame | None
    """Of the range: device_id, state, kwh; None while it is being added up for the first time."""
    start: datetime
    """Where the range begins; the one before it is as long."""
    end: datetime
    tariff: Tariff | None
    clock: FactoryClock

    @property
    def inside(self) -> pl.DataFrame:
        """The hours of the range."""
        return self.hours.filter(pl.col("bucket") >= self.start)

    @property
    def before(self) -> pl.DataFrame:
        """The hours of the range before."""
        return self.hours.filter(pl.col("bucket") < self.start)

    def idle_kwh(self) -> dict[int, float]:
        """What each machine drew while idle in the range, most first; empty while that is not known yet."""
        if self.states is None:
            return {}
        idle = self.states.filter(pl.col("state") == "idle").sort("kwh", descending=True)
        return dict(idle.select("device_id", "kwh").iter_rows())


def shift_now(local: Local, clock: FactoryClock) -> Shift | None:
    """The shift that runs now; None between shifts."""
    running, _ = running_shifts(local.now.astimezone(UTC), clock)
    return running.shift if running else None


def _compared(factory_id: int, local: Local) -> dict[str, Comparison]:
    """By NAMES; without `shift` between shifts."""
    inst = installation()
    found = energy_overview(inst.db, inst.lake, factory_id, local.now.astimezone(UTC)).periods
    return {name: found[name].factory for name in NAMES if name in found}


def _states(factory_id: int, counted: list[int], start: datetime, end: datetime, typical: dict[int, float]) -> pl.DataFrame:
    inst = installation()
    power = power_minutes(inst.lake, factory_id, counted, start, end)
    faults = fault_spans(inst.db, factory_id, start, end)
    states = timeline_of(power, inst.lake, factory_id, counted, start, end, typical_w=typical, faults=faults)
    return energy_by_state(power, states)


def load(factory_id: int, timezone: str, local: Local, wanted: str) -> Data:
    """`wanted` is one of RANGES. Raises RetryableError when the lake is away and was never read."""
    inst = installation()
    machines = loads.machines(factory_id)
    counted = sorted(m.id for m in machines if m.kind != METER_KIND)
    typical = loads.typical(factory_id)
    end = local.now.astimezone(UTC)
    clock = FactoryClock(timezone, ask(("shifts",), factory_id, 30, lambda: shifts_of(inst.db, factory_id)).value)
    # From a full hour, so that hours of the range and of the one before it are whole.
    start = (end - RANGES[wanted]).replace(minute=0, second=0, microsecond=0)
    compared = ask_lake(("energy compared",), factory_id, 60, lambda: _compared(factory_id, local))
    hours = ask_lake(("energy hours", wanted), factory_id, 60, lambda: hourly(inst.lake, factory_id, start - RANGES[wanted], end))
    try:
        states = ask_lake(("energy states", wanted), factory_id, 300, lambda: _states(factory_id, counted, start, end, typical)).value
    except RetryableError:
        states = None  # a month of minutes takes longer than people wait; it is there with a later refresh
    return Data(
        machines=machines,
        now_kw=sum(m.power_w or 0 for m in machines if m.id in counted) / 1000,
        compared=compared,
        hours=hours.value.filter(pl.col("device_id").is_in(counted)),
        states=states,
        start=start,
        end=end,
        tariff=ask(("tariff",), factory_id, 30, lambda: tariff_of(inst.db, factory_id)).value,
        clock=clock,
    )

"""What the machine page shows, by how often it changes: live values each 2 s, history by its step, what is usual once in a while."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from dashboards import limits
from dashboards.cache import Answer, ask, ask_lake
from dashboards.limits import RuleLimit
from dashboards.loads import bucket_start, on_grid
from dashboards.resources import installation
from warehouse.errors import RetryableError
from warehouse.models.devices import Device
from warehouse.queries.alerts import AlertFilter, AlertRow, list_alerts
from warehouse.queries.energy import POWER, energy_kwh
from warehouse.queries.history import history, interval_for, with_gaps
from warehouse.queries.live import LiveValue, find_device, live_values
from warehouse.queries.ranges import UsualRange, usual_ranges
from warehouse.usual_intervals import intervals_of, stale_after_s

SPANS = {"1 h": timedelta(hours=1), "12 h": timedelta(hours=12), "7 d": timedelta(days=7), "30 d": timedelta(days=30)}
MOST_POINTS = 720
SPARK_MINUTES = 60


@dataclass(frozen=True)
class Live:
    """The newest values of a machine; never remembered, so that a new parameter shows at once."""

    values: list[LiveValue]
    usual: dict[str, UsualRange]
    last_hour: dict[str, list[float | None]]
    limits: dict[str, list[RuleLimit]]


@dataclass(frozen=True)
class Past:
    """The history of some parameters over a range."""

    frame: pl.DataFrame
    """HISTORY with gaps marked."""
    start: datetime
    end: datetime
    step: timedelta
    is_stale: bool


def machine(factory_id: int, device_key: str) -> Device:
    """The machine of that key in this factory. Raises NotFoundError, also for machines of other factories."""
    return find_device(installation().db, factory_id, device_key=device_key)


def live(factory_id: int, device_id: int, now: datetime) -> Live:
    """Values now, with what is usual and what the limits are. What needs the lake is missing while it is away."""
    inst = installation()
    interval_s = intervals_of(inst.lake).of(factory_id, device_id, now)
    values = live_values(inst.db, factory_id, device_id, now, stale_after_s(interval_s, inst.settings.stale_after_seconds))
    keys = tuple(v.parameter_key for v in values if v.is_kpi_selected)
    found = ask(("limits", device_id), factory_id, 10, lambda: limits.device_limits(inst.db, factory_id, device_id)).value
    return Live(values, usual(factory_id, device_id, now), last_hour(factory_id, device_id, keys, now), found)


def usual(factory_id: int, device_id: int, now: datetime) -> dict[str, UsualRange]:
    """What is usual, from the last 7 days; at most 15 min old."""
    inst = installation()
    try:
        return ask_lake(
            ("usual", device_id), factory_id, 900, lambda: usual_ranges(inst.lake, factory_id, device_id, now - timedelta(days=7), now)
        ).value
    except RetryableError:
        return {}  # cards then show no band; the chart says that the history is away


def last_hour(factory_id: int, device_id: int, keys: tuple[str, ...], now: datetime) -> dict[str, list[float | None]]:
    """The last hour by minute, None where nothing was measured; at most 20 s old."""
    inst = installation()
    minute = timedelta(minutes=1)
    start = bucket_start(now, minute) - minute * SPARK_MINUTES

    def load() -> dict[str, list[float | None]]:
        frame = history(inst.lake, factory_id, [device_id], keys, start, now, interval=minute)
        return {str(key): on_grid(rows, "mean", start, minute, SPARK_MINUTES + 1) for (key,), rows in frame.group_by("parameter")}

    try:
        return ask_lake(("last_hour", device_id, keys), factory_id, 20, load).value
    except RetryableError:
        return {}


def past(factory_id: int, device_id: int, keys: Sequence[str], span: str, now: datetime) -> Past:
    """History for the chart; at most one bucket old. Raises RetryableError when the lake is away and was never read."""
    inst = installation()
    step = interval_for(now - SPANS[span], now, MOST_POINTS)
    wanted = tuple(sorted(keys))

    def load() -> tuple[pl.DataFrame, datetime, datetime]:
        end = inst.clock.now()
        start = end - SPANS[span]
        return with_gaps(history(inst.lake, factory_id, [device_id], wanted, start, end, interval=step), step), start, end

    lifetime_s = min(max(step.total_seconds(), 3), 60)
    answer: Answer[tuple[pl.DataFrame, datetime, datetime]] = ask_lake(("past", device_id, wanted, span), factory_id, lifetime_s, load)
    frame, start, end = answer.value
    return Past(frame, start, end, step, answer.is_stale)


def alerts_between(factory_id: int, device_id: int, start: datetime, end: datetime) -> list[AlertRow]:
    """The alerts raised on a machine in [start, end), newest first; not remembered."""
    return list_alerts(installation().db, factory_id, AlertFilter("all", device_id=device_id, since=start, until=end), limit=200)


def active_alerts(factory_id: int, device_id: int) -> list[AlertRow]:
    """The active alerts of a machine, worst first."""
    return list_alerts(installation().db, factory_id, AlertFilter(device_id=device_id), limit=50)


def energy_today_kwh(factory_id: int, device_id: int, midnight: datetime) -> float | None:
    """What the machine used since midnight; None when it measures no power or the lake is away. At most 30 s old."""
    inst = installation()
    try:
        found = ask_lake(("energy_today",), factory_id, 30, lambda: energy_kwh(inst.lake, factory_id, midnight, inst.clock.now())).value
    except RetryableError:
        return None
    return found.get(device_id)


def states(frame: pl.DataFrame, typical_w: float, start: datetime, end: datetime, step: timedelta) -> list[tuple[str, float]]:
    """What the machine did, from its power: (state, seconds) in order, without a break from `start` to `end`; pure.

    Buckets without a reading are `offline`.
    """
    rows = frame.filter(pl.col("parameter") == POWER, pl.col("mean").is_not_null()).select("bucket", "mean").sort("bucket").iter_rows()
    found: list[tuple[str, float]] = []

    def add(name: str, seconds: float) -> None:
        if seconds <= 0:
            return
        if found and found[-1][0] == name:
            found[-1] = (name, found[-1][1] + seconds)
        else:
            found.append((name, seconds))

    at = start
    for bucket, watts in rows:
        gap = (bucket - at).total_seconds()
        if gap > step.total_seconds() * 3:
            add("offline", gap)
        elif gap > 0 and found:
            add(found[-1][0], gap)
        share = watts / typical_w
        until = min(bucket + step, end)
        add("off" if share < 0.03 else "idle" if share < 0.35 else "running", (until - max(bucket, at)).total_seconds())
        at = max(at, until)
    rest = (end - at).total_seconds()
    add("offline" if rest > max(step.total_seconds() * 3, 120) or not found else found[-1][0], rest)
    return found

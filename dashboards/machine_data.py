"""What the machine page shows, by how often it changes: live values each 2 s, history by its step, what is usual once in a while."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from dashboards import limits
from dashboards.cache import Answer, ask, ask_lake
from dashboards.limits import RuleLimit
from dashboards.loads import bucket_start, on_grid
from dashboards.resources import installation
from warehouse import dead_letters
from warehouse.errors import RetryableError
from warehouse.kpi_order import kpi_order
from warehouse.models.devices import Device
from warehouse.models.upkeep import MaintenanceEvent
from warehouse.queries.alerts import AlertFilter, AlertRow, list_alerts
from warehouse.queries.analytics import MachineMarks, latest_risks, machine_marks
from warehouse.queries.energy import energy_kwh
from warehouse.queries.faults import fault_spans
from warehouse.queries.history import history, interval_for, with_gaps
from warehouse.queries.live import LiveValue, find_device, live_values
from warehouse.queries.ranges import UsualRange, usual_ranges
from warehouse.queries.states import Availability, availability, state_timeline
from warehouse.upkeep_by_hand import events_of
from warehouse.usual_intervals import intervals_of, stale_after_s

SPANS = {"1 h": timedelta(hours=1), "12 h": timedelta(hours=12), "7 d": timedelta(days=7), "30 d": timedelta(days=30)}
MOST_POINTS = 720
SPARK_MINUTES = 60
SHOWN_EVENTS = 3
SIDE_S = 8.0
LIVE_S = 1.0
"""How old live values may be: everybody who looks at the same machine shares them."""


@dataclass(frozen=True)
class Live:
    """The newest values of a machine; remembered for a second only, so that a new parameter shows at once."""

    values: list[LiveValue]
    usual: dict[str, UsualRange]
    last_hour: dict[str, list[float | None]]
    limits: dict[str, list[RuleLimit]]
    order: list[str]
    """Keys in the order that people chose; empty when nobody did."""


@dataclass(frozen=True)
class Past:
    """The history of some parameters over a range."""

    frame: pl.DataFrame
    """HISTORY with gaps marked."""
    start: datetime
    end: datetime
    step: timedelta
    is_stale: bool


@dataclass(frozen=True)
class Wanted:
    """Which history is wanted."""

    keys: tuple[str, ...]
    span: str = "12 h"
    """One of SPANS, up to now."""
    own: tuple[datetime, datetime] | None = None
    """Goes before `span`: [start, end)."""
    shift: timedelta = timedelta(0)
    """Looks this much further back."""


@dataclass(frozen=True)
class Activity:
    """What a machine did over a range: TIMELINE and its sums."""

    start: datetime
    end: datetime
    states: pl.DataFrame
    times: Availability


def machine(factory_id: int, device_key: str) -> Device:
    """The machine of that key in this factory. Raises NotFoundError, also for machines of other factories."""
    return find_device(installation().db, factory_id, device_key=device_key)


def live(factory_id: int, device_id: int, now: datetime) -> Live:
    """Values now, with what is usual and what the limits are; at most a second old. What needs the lake is missing while it is away."""
    # Asked for first: what needs the lake must not hold up what does not.
    known = usual(factory_id, device_id, now)
    values = ask(("live", device_id), factory_id, LIVE_S, lambda: _values(factory_id, device_id, now)).value
    keys = tuple(v.parameter_key for v in values if v.is_kpi_selected)
    inst = installation()
    found = ask(("limits", device_id), factory_id, 10, lambda: limits.device_limits(inst.db, factory_id, device_id)).value
    order = ask(("kpi_order", device_id), factory_id, 10, lambda: kpi_order(inst.db, device_id)).value
    return Live(values, known, last_hour(factory_id, device_id, keys, now), found, order)


def _values(factory_id: int, device_id: int, now: datetime) -> list[LiveValue]:
    inst = installation()
    interval_s = intervals_of(inst.lake).of(factory_id, device_id, now)
    return live_values(inst.db, factory_id, device_id, now, stale_after_s(interval_s, inst.settings.stale_after_seconds))


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


def range_of(wanted: Wanted, now: datetime) -> tuple[datetime, datetime]:
    """Beginning and end of the history that is wanted, before its `shift`; own dates end now at the latest. Pure."""
    if wanted.own is None:
        return now - SPANS[wanted.span], now
    return wanted.own[0], max(min(wanted.own[1], now), wanted.own[0] + timedelta(minutes=1))


def past(factory_id: int, device_id: int, wanted: Wanted, now: datetime) -> Past:
    """History for the chart; at most one bucket old. Raises RetryableError when the lake is away and was never read.

    With a `shift` the moments are those of the range itself, so that both can be drawn over each other.
    """
    inst = installation()
    step = interval_for(*range_of(wanted, now), MOST_POINTS)

    def load() -> tuple[pl.DataFrame, datetime, datetime]:
        start, end = range_of(wanted, inst.clock.now())
        found = history(inst.lake, factory_id, [device_id], wanted.keys, start - wanted.shift, end - wanted.shift, interval=step)
        return with_gaps(found.with_columns(pl.col("bucket") + wanted.shift), step), start, end

    lifetime_s = min(max(step.total_seconds(), 3), 60)
    answer: Answer[tuple[pl.DataFrame, datetime, datetime]] = ask_lake(("past", device_id, wanted), factory_id, lifetime_s, load)
    frame, start, end = answer.value
    return Past(frame, start, end, step, answer.is_stale)


def activity(factory_id: int, device_id: int, start: datetime, end: datetime, typical_w: float | None) -> Activity | None:
    """What the machine did over the range; at most a minute old. None while the lake is away, or when nothing tells it."""
    inst = installation()
    minute = timedelta(minutes=1)
    begin, until = bucket_start(start, minute), bucket_start(end, minute)

    def load() -> Activity | None:
        faults = fault_spans(inst.db, factory_id, begin, until).filter(pl.col("device_id") == device_id)
        typical = {device_id: typical_w} if typical_w else {}
        states = state_timeline(inst.lake, factory_id, [device_id], begin, until, typical_w=typical, faults=faults)
        if states.filter(pl.col("state") != "nodata").is_empty():
            return None
        return Activity(begin, until, states, availability(states)[device_id])

    try:
        return ask_lake(("activity", device_id, begin, until), factory_id, 60, load).value
    except RetryableError:
        return None


def marks(factory_id: int, device_id: int, start: datetime, end: datetime) -> MachineMarks | None:
    """What analyses found in the range; at most a minute old. None while the lake is away."""
    inst = installation()
    minute = timedelta(minutes=1)
    begin, until = bucket_start(start, minute), bucket_start(end, minute) + minute
    key = ("marks", device_id, begin, until)
    try:
        return ask_lake(key, factory_id, 60, lambda: machine_marks(inst.lake, factory_id, device_id, begin, until)).value
    except RetryableError:
        return None


def risks(factory_id: int, device_id: int, now: datetime) -> pl.DataFrame | None:
    """The newest failure risk of the machine for each horizon, from the last two weeks; at most a minute old. None: the lake is away."""
    inst = installation()
    since = now - timedelta(days=14)
    try:
        return ask_lake(("risks", device_id), factory_id, 60, lambda: latest_risks(inst.lake, factory_id, since, [device_id])).value
    except RetryableError:
        return None


def alerts_between(factory_id: int, device_id: int, start: datetime, end: datetime) -> list[AlertRow]:
    """The alerts raised on a machine in [start, end), newest first; at most 2 s old."""
    inst = installation()
    # By the minute: a range that ends now moves with each second, and a later end holds everything that an earlier one does.
    minute = timedelta(minutes=1)
    begin, until = bucket_start(start, minute), bucket_start(end, minute) + minute
    wanted = AlertFilter("all", device_id=device_id, since=begin, until=until)
    found = ask(("alerts_between", device_id, begin, until), factory_id, 2, lambda: list_alerts(inst.db, factory_id, wanted, limit=200))
    return [a for a in found.value if start <= a.triggered_at < end]


def active_alerts(factory_id: int, device_id: int) -> list[AlertRow]:
    """The active alerts of a machine, worst first; at most 2 s old."""
    inst = installation()
    wanted = AlertFilter(device_id=device_id)
    return ask(("active_alerts", device_id), factory_id, 2, lambda: list_alerts(inst.db, factory_id, wanted, limit=50)).value


def energy_today_kwh(factory_id: int, device_id: int, midnight: datetime) -> float | None:
    """What the machine used since midnight; None when it measures no power or the lake is away. At most 30 s old."""
    inst = installation()
    try:
        found = ask_lake(("energy_today",), factory_id, 30, lambda: energy_kwh(inst.lake, factory_id, midnight, inst.clock.now())).value
    except RetryableError:
        return None
    return found.get(device_id)


def newest_events(factory_id: int, device_id: int) -> list[MaintenanceEvent]:
    """What was done to a machine last, newest first; at most 8 s old."""
    inst = installation()
    return ask(("events", device_id), factory_id, SIDE_S, lambda: events_of(inst.db, factory_id, device_id, limit=SHOWN_EVENTS)).value


def refused_messages(factory_id: int, device_key: str) -> int:
    """How many messages of a machine were refused and still lie there; at most 8 s old."""
    inst = installation()
    found = ask(("refused", device_key), factory_id, SIDE_S, lambda: dead_letters.counts(inst.db, factory_id, device_key=device_key))
    return sum(found.value.values())

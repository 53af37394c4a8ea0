"""What pages show, asked once for all sessions of a factory. Each function says how old its answer may be."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import polars as pl

from dashboards.cache import Answer, ask, ask_lake
from dashboards.resources import installation
from warehouse.errors import RetryableError
from warehouse.queries.alerts import AlertFilter, AlertRow, count_alerts, list_alerts
from warehouse.queries.devices import DeviceRow, device_list
from warehouse.queries.energy import power_by_device, typical_power_w
from warehouse.queries.summary import Summary, dashboard_summary, local_midnight
from warehouse.terms import SEVERITIES

POWER_STEP = timedelta(minutes=10)
TREND_POINTS = 48


def machines(factory_id: int) -> list[DeviceRow]:
    """All machines, worst first; at most 2 s old."""
    inst = installation()
    offline_after = timedelta(minutes=inst.settings.offline_after_minutes)
    # Asked for first: what needs the lake must not hold up what does not.
    usual = typical(factory_id)
    return ask(("machines",), factory_id, 2, lambda: device_list(inst.db, factory_id, inst.clock.now(), offline_after, usual)).value


def machine_names(factory_id: int) -> dict[int, str]:
    """The machines by id, as lists offer them."""
    found = sorted(machines(factory_id), key=lambda machine: machine.device_key)
    return {machine.id: f"{machine.device_key} · {machine.kind}" for machine in found}


def typical(factory_id: int) -> dict[int, float]:
    """What each machine draws while it works, from the last 3 days; at most 10 min old, empty while the lake is away."""
    inst = installation()
    now = inst.clock.now()
    try:
        return ask_lake(("typical",), factory_id, 600, lambda: typical_power_w(inst.lake, factory_id, now - timedelta(days=3), now)).value
    except RetryableError:
        return {}  # machines are then running or silent, never idle: pages say what is missing by themselves


def summary(factory_id: int) -> Answer[Summary]:
    """Energy of today and yesterday among others; at most 30 s old. Raises RetryableError when the lake is away and was never read."""
    inst = installation()
    offline_after = timedelta(minutes=inst.settings.offline_after_minutes)
    rows = machines(factory_id)
    return ask_lake(
        ("summary",), factory_id, 30, lambda: dashboard_summary(inst.db, inst.lake, factory_id, inst.clock.now(), offline_after, rows)
    )


def power_two_days(factory_id: int, timezone: str) -> Answer[pl.DataFrame]:
    """Mean power of each machine in steps of 10 min since yesterday's midnight: device_id, bucket, power_w; at most 30 s old."""
    inst = installation()

    def load() -> pl.DataFrame:
        now = inst.clock.now()
        start = (local_midnight(now, timezone) - timedelta(hours=12)).replace(hour=0).astimezone(UTC)
        return power_by_device(inst.lake, factory_id, start, now, POWER_STEP)

    return ask_lake(("power_two_days",), factory_id, 30, load)


def on_grid(frame: pl.DataFrame, column: str, start: datetime, step: timedelta, count: int) -> list[float | None]:
    """The values of `column` at `count` buckets from `start` on (aligned to the step), None where there is no row; pure."""
    grid = (
        pl.datetime_range(start, start + step * (count - 1), step, eager=True, time_unit="us").dt.convert_time_zone("UTC").alias("bucket")
    )
    return grid.to_frame().join(frame, on="bucket", how="left", maintain_order="left")[column].to_list()


def trends(frame: pl.DataFrame, now: datetime, only: Collection[int]) -> dict[int, list[float | None]]:
    """The last 8 hours of power of these machines, one value each 10 min, None where nothing was measured. Pure."""
    first = bucket_start(now, POWER_STEP) - POWER_STEP * (TREND_POINTS - 1)
    recent = frame.filter(pl.col("bucket") >= first, pl.col("device_id").is_in(list(only)))
    slot = (pl.col("bucket") - first).dt.total_seconds() // int(POWER_STEP.total_seconds())
    found: dict[int, list[float | None]] = {}
    for device_id, place, power in recent.select("device_id", slot, "power_w").iter_rows():
        line = found.setdefault(device_id, [None] * TREND_POINTS)
        if place < TREND_POINTS:
            line[place] = power
    return found


def bucket_start(moment: datetime, step: timedelta) -> datetime:
    """The start of the bucket that a moment falls into, in UTC; buckets are aligned to the epoch."""
    seconds = step.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def active_alerts(factory_id: int) -> list[AlertRow]:
    """All active alerts, worst first then newest; at most 2 s old."""
    inst = installation()
    return ask(("active_alerts",), factory_id, 2, lambda: list_alerts(inst.db, factory_id, limit=500)).value


def raised_between(factory_id: int, start: datetime, end: datetime) -> int:
    """How many alerts were raised in [start, end); at most 30 s old."""
    inst = installation()
    key = ("raised", start.isoformat(), "now" if end > inst.clock.now() - timedelta(minutes=1) else end.isoformat()[:16])
    return ask(key, factory_id, 30, lambda: count_alerts(inst.db, factory_id, AlertFilter("all", since=start, until=end))).value


def critical_count(factory_id: int) -> int:
    """Active critical alerts; at most 2 s old."""
    return sum(a.severity == SEVERITIES[0] for a in active_alerts(factory_id))


def newest_message_at(factory_id: int) -> datetime | None:
    """When the newest message of any machine arrived; at most 2 s old."""
    return max((m.last_seen for m in machines(factory_id) if m.last_seen), default=None)

"""Readings of a plant over days, made once and kept for the next run: what benchmarks of questions ask about."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from warehouse import maintenance, rollups
from warehouse.lake import Lake

PARAMETERS: Final = ("power", "voltage", "current", "load", "temp", "vibration", "flow", "pressure")
TIMEZONE: Final = "Asia/Ho_Chi_Minh"
_MACHINES: Final = """
    SELECT {factory_id} AS factory_id, dev::INTEGER AS device_id, par AS parameter, ts,
           round(CASE p WHEN 1 THEN 8000 + 4000 * sin(epoch(ts) / 2100 + dev) + 20 * random() ELSE 20 * p + 5 * sin(epoch(ts) / 3000 + dev)
                 + 0.3 * random() END, 1) AS value, NULL AS text, (80 + hash(ts) % 20)::BIGINT AS delay_ms
    FROM (SELECT dev, p, {parameters}[p] AS par,
                 TIMESTAMPTZ '{day}' + to_milliseconds((i * {step_ms} + (dev * 37) % {step_ms} + hash(i * 1000 + dev) % 40)::BIGINT) AS ts
          FROM range({first}, {last} + 1) a(dev), range(1, 9) b(p), range(0, 86400 // {step_s}) c(i))
"""


@dataclass(frozen=True)
class Group:
    """Machines of one pace; their ids are `first` to `last`."""

    first: int
    last: int
    step_s: int


@dataclass(frozen=True)
class Plant:
    """A factory whose machines send 8 parameters for `days` days from `start` (midnight UTC) on."""

    start: datetime
    days: int
    groups: tuple[Group, ...]
    factory_id: int = 1

    @property
    def readings(self) -> int:
        """How many there are in all."""
        a_day = sum((one.last - one.first + 1) * (86_400 // one.step_s) for one in self.groups)
        return self.days * len(PARAMETERS) * a_day


def fill(lake: Lake, plant: Plant, progress: Callable[[str], None]) -> None:
    """Adds the days that the lake does not have yet, with the marks of a load. Days that lie in the past of `start` stay."""
    first = plant.groups[0].first
    with lake.cursor() as cursor:
        have = cursor.execute(
            "SELECT DISTINCT time_bucket(INTERVAL '1 day', ts)::DATE FROM lake.telemetry WHERE factory_id = ? AND device_id = ? "
            "AND parameter = 'flow' AND ts >= ?",
            [plant.factory_id, first, plant.start],
        )
        known = {row[0] for row in have.fetchall()}
    for number in range(plant.days):
        day = plant.start + timedelta(days=number)
        if day.date() in known:
            continue
        progress(f"factory {plant.factory_id}, day {number + 1} of {plant.days}")
        parts = [
            _MACHINES.format(
                factory_id=plant.factory_id, parameters=list(PARAMETERS), day=day.isoformat(), first=one.first, last=one.last,
                step_s=one.step_s, step_ms=one.step_s * 1000,
            )
            for one in plant.groups
        ]  # fmt: skip
        with lake.writer() as cursor:
            cursor.execute(f"INSERT INTO lake.telemetry {' UNION ALL '.join(parts)} ORDER BY device_id, parameter, ts")
            marks = "INSERT INTO lake.touched SELECT ?::INTEGER, 'hour', ?::TIMESTAMPTZ + to_hours(i) FROM range(24) r(i)"
            cursor.execute(marks, [plant.factory_id, day])


def roll_up(lake: Lake, now: datetime, factory_ids: tuple[int, ...], progress: Callable[[str], None]) -> float:
    """Rolls up what is marked, and compacts as the maintenance job does; seconds the rollup took, 0 when there was nothing to do."""
    began = time.perf_counter()
    progress("rollup")
    done = rollups.roll_up(lake, now, dict.fromkeys(factory_ids, TIMEZONE))
    took_s = time.perf_counter() - began
    if maintenance.live_files(lake, "rollup_1h") > 2:
        progress("compaction, as the maintenance job does every hour")
        maintenance.compact(lake)
    return took_s if done.rows else 0.0

"""Questions of dashboards on 30 days of readings, beside the same on a plain DuckDB file.

FACTORYOPS_HOME does not matter: it makes an installation of its own in the temporary folder and keeps it there for the next run. The
plant has DEVICES machines with 8 parameters at 5 s for DAYS days, compacted as the maintenance job does; the plain DuckDB file holds the
same readings.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from warehouse import maintenance, rollups
from warehouse.lake import Lake
from warehouse.queries.energy import energy_kwh
from warehouse.queries.history import history, trace
from warehouse.settings import Settings

DAYS = 30
DEVICES = 10
STEP_S = 5
REPEATS = 30
START = datetime(2026, 10, 1, tzinfo=UTC)
PARAMETERS = ("power", "voltage", "current", "load", "temp", "vibration", "flow", "pressure")
FOLDER = Path(tempfile.gettempdir()) / "factoryops-bench-queries"
_DAY = """
    SELECT 1 AS factory_id, dev::INTEGER AS device_id, par AS parameter, ts,
           round(CASE p WHEN 1 THEN 8000 + 4000 * sin(epoch(ts) / 2100 + dev) + 20 * random() ELSE 20 * p + 5 * sin(epoch(ts) / 3000 + dev)
                 + 0.3 * random() END, 1) AS value, NULL AS text, (80 + random() * 20)::BIGINT AS delay_ms
    FROM (SELECT dev, p, {parameters}[p] AS par,
                 TIMESTAMPTZ '{day}' + to_milliseconds((i * {step_ms} + (dev * 37) % {step_ms} + hash(i * 1000 + dev) % 40)::BIGINT) AS ts
          FROM range(1, {devices} + 1) a(dev), range(1, 9) b(p), range(0, 86400 // {step_s}) c(i))
    ORDER BY dev, par, ts
"""


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """Makes the data once, then asks each question often; figures in ms."""
    settings = Settings(factoryops_home=FOLDER, app_env="demo")
    with closing(Lake(settings, memory_limit="4GB")) as lake:
        seconds = make(lake, progress)
    figures: dict[str, float] = {}
    with closing(Lake(settings)) as lake:
        for name, ask in questions(lake).items():
            progress(f"asking: {name}")
            figures |= measured(name, ask)
        readings = DAYS * DEVICES * len(PARAMETERS) * 86_400 // STEP_S
        figures |= {"readings": readings, "bytes_a_reading": maintenance.live_bytes(lake) / readings}
    if seconds:
        figures["rollup_of_30_days_s"] = seconds
    figures |= compared(settings, progress)
    return {
        "name": "queries",
        "figures": {name: round(value, 2) for name, value in figures.items()},
        "budgets": [
            {"figure": "hours_of_30_days_p95_ms", "limit": "< 30"},
            {"figure": "hours_of_30_days_raw_p95_ms", "limit": "< 100"},
            {"figure": "bytes_a_reading", "limit": "<= 3"},
        ],
        "notes": f"{DEVICES} devices x {len(PARAMETERS)} parameters at {STEP_S} s, {DAYS} days; duckdb_file_* is the same data in a table "
        "sorted alike. PostgreSQL is not part of this run.",
    }


def make(lake: Lake, progress: Callable[[str], None]) -> float:
    """Fills the lake unless it is filled, and rolls it up; seconds that the rollup took, 0 when there was nothing to do."""
    with lake.cursor() as cursor:
        have = cursor.execute(
            "SELECT count(DISTINCT time_bucket(INTERVAL '1 day', ts)) FROM lake.telemetry WHERE device_id = 1 AND parameter = 'flow'"
        )
        days = int(have.fetchall()[0][0])
    for number in range(days, DAYS):
        progress(f"day {number + 1} of {DAYS}")
        day = START + timedelta(days=number)
        sql = _DAY.format(parameters=list(PARAMETERS), day=day.isoformat(), devices=DEVICES, step_s=STEP_S, step_ms=STEP_S * 1000)
        with lake.writer() as cursor:
            cursor.execute(f"INSERT INTO lake.telemetry {sql}")
            cursor.execute("INSERT INTO lake.touched SELECT 1, 'hour', ?::TIMESTAMPTZ + to_hours(i) FROM range(24) r(i)", [day])
    began = time.perf_counter()
    progress("rollup")
    done = rollups.roll_up(lake, START + timedelta(days=DAYS + 2), {1: "Asia/Ho_Chi_Minh"})
    took_s = time.perf_counter() - began
    if maintenance.live_files(lake, "rollup_1h") > 2:
        progress("compaction, as the maintenance job does every hour")
        maintenance.compact(lake)
    return took_s if done.rows else 0.0


def questions(lake: Lake) -> dict[str, Callable[[], object]]:
    """What is asked, by name."""
    end = START + timedelta(days=DAYS)
    hour, week = timedelta(hours=1), timedelta(days=7)
    raw = (
        "SELECT time_bucket(INTERVAL '1 hour', ts) AS b, avg(value) FROM telemetry WHERE device_id = 3 AND parameter = 'power' "
        "AND ts >= $start AND ts < $end GROUP BY 1 ORDER BY 1"
    )
    return {
        "hours_of_30_days": lambda: history(lake, 1, [3], ["power"], START, end, interval=hour),
        "hours_of_30_days_raw": lambda: lake.reader(1).query(raw, {"start": START, "end": end}),
        "minutes_of_12_h": lambda: history(lake, 1, [3], ["power"], end - hour * 12, end, interval=timedelta(minutes=1)),
        "five_parameters_of_a_week": lambda: history(lake, 1, [3], list(PARAMETERS[:5]), end - week, end, interval=timedelta(minutes=30)),
        "trace_of_an_hour": lambda: trace(lake, 1, [3], ["power"], end - hour, end, most_points=720),
        "energy_of_a_day": lambda: energy_kwh(lake, 1, end - timedelta(days=1), end),
        "energy_of_30_days": lambda: energy_kwh(lake, 1, START, end),
        "loader_position": lambda: lake.loader_position("main"),
    }


def measured(name: str, ask: Callable[[], object]) -> dict[str, float]:
    """p50, p95 and CPU a question, after two that warm up."""
    ask()
    ask()
    cpu, times = time.process_time(), []
    for _ in range(REPEATS):
        began = time.perf_counter()
        ask()
        times.append((time.perf_counter() - began) * 1000)
    used = (time.process_time() - cpu) / REPEATS * 1000
    return {f"{name}_p50_ms": statistics.median(times), f"{name}_p95_ms": sorted(times)[int(REPEATS * 0.95)], f"{name}_cpu_ms": used}


def compared(settings: Settings, progress: Callable[[str], None]) -> dict[str, float]:
    """The raw question on a plain DuckDB file of the same readings."""
    path = FOLDER / "plain.duckdb"
    with closing(duckdb.connect(str(path), config={"threads": 2})) as connection:
        if not connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'telemetry'").fetchall():
            progress("plain DuckDB file")
            files = f"{settings.lake_files}/main/telemetry/**/*.parquet"
            connection.execute(f"CREATE TABLE telemetry AS SELECT device_id, parameter, ts, value FROM read_parquet('{files}')")
        sql = (
            "SELECT time_bucket(INTERVAL '1 hour', ts) AS b, avg(value) FROM telemetry WHERE device_id = 3 AND parameter = 'power' "
            "GROUP BY 1 ORDER BY 1"
        )
        return measured("duckdb_file_hours_of_30_days", lambda: connection.execute(sql).fetchall())

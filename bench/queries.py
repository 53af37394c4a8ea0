"""Questions of dashboards on 30 days of readings, beside the same questions to PostgreSQL and to a plain DuckDB file.

FACTORYOPS_HOME does not matter: it makes an installation of its own in the temporary folder and keeps it there for the next run. The
plant has DEVICES machines with 8 parameters at 5 s for DAYS days, compacted as the maintenance job does; the rivals hold the same
readings (`bench.query_rivals`). All values of a message share its moment and its delay, as machines send them.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import query_rivals
from bench.readings_plant import PARAMETERS, Group, Plant, fill, roll_up
from warehouse import maintenance
from warehouse.lake import Lake
from warehouse.queries.energy import energy_kwh
from warehouse.queries.history import history, trace
from warehouse.settings import Settings

DAYS = 30
DEVICES = 10
STEP_S = 5
REPEATS = 30
LONGEST_S = 6.0
"""After this long a question is not asked again: some of the rivals' take seconds."""
START = datetime(2026, 10, 1, tzinfo=UTC)
PLANT = Plant(START, DAYS, (Group(1, DEVICES, STEP_S),))
FOLDER = Path(tempfile.gettempdir()) / "factoryops-bench-queries"


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """Makes the data once, then asks each question often; figures in ms."""
    settings = Settings(factoryops_home=FOLDER, app_env="demo")
    with closing(Lake(settings, memory_limit="4GB")) as lake:
        fill(lake, PLANT, progress)
        seconds = roll_up(lake, START + timedelta(days=DAYS + 2), (1,), progress)
    figures: dict[str, float] = {}
    with closing(Lake(settings)) as lake:
        for name, ask in questions(lake).items():
            progress(f"asking: {name}")
            figures |= measured(name, ask)
        figures |= {"readings": PLANT.readings, "bytes_a_reading": maintenance.live_bytes(lake) / PLANT.readings}
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
        "notes": f"{DEVICES} devices x {len(PARAMETERS)} parameters at {STEP_S} s, {DAYS} days; duckdb_file_* and postgresql_* are the "
        "same readings in plain SQL, sorted there, with an index over device, parameter and time here. 100 devices would take 54 GB in "
        "PostgreSQL.",
    }


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
    """p50, p95 and CPU of this process a question, after two that warm up; asked REPEATS times, or for LONGEST_S."""
    ask()
    ask()
    cpu = time.process_time()
    times: list[float] = []
    while len(times) < REPEATS and sum(times) < LONGEST_S * 1000:
        began = time.perf_counter()
        ask()
        times.append((time.perf_counter() - began) * 1000)
    used = (time.process_time() - cpu) / len(times) * 1000
    p95 = sorted(times)[int(len(times) * 0.95)]
    return {f"{name}_p50_ms": statistics.median(times), f"{name}_p95_ms": p95, f"{name}_cpu_ms": used}


def compared(settings: Settings, progress: Callable[[str], None]) -> dict[str, float]:
    """The same questions to both rivals, and what a reading takes there."""
    end = START + timedelta(days=DAYS)
    figures: dict[str, float] = {}
    rivals = {
        "duckdb_file": (query_rivals.duckdb_file(FOLDER / "plain.duckdb", settings.lake_files, progress), query_rivals.DUCKDB_BUCKET),
        "postgresql": (query_rivals.postgresql(settings.lake_files, progress), query_rivals.POSTGRESQL_BUCKET),
    }
    for rival, (opened, bucket) in rivals.items():
        with opened as (asks, size):
            figures[f"{rival}_bytes_a_reading"] = size / PLANT.readings
            for name, sql in query_rivals.statements(bucket, PARAMETERS, START, end).items():
                progress(f"asking {rival}: {name}")
                found = measured(f"{rival}_{name}", asks(sql))
                figures |= {figure: value for figure, value in found.items() if not figure.endswith("cpu_ms")}
    return figures

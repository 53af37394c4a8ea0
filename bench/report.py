"""How long a report takes: 10 machines x 1 week of minutes, PDF + Excel, alone and two at once; memory of process and kernel.

The Excel file is also made by itself, in a process of its own: 100,800 rows of raw readings, and the memory that they add.
"""

import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psutil

from assets.reporting.collect import collect
from assets.reporting.parameters import ReportOrder
from assets.reporting.run import run as make_report
from assets.reporting.run_data import RunData
from assets.reporting.workbook import write_workbook
from warehouse import reports
from warehouse.clock import ManualClock
from warehouse.installation import Installation
from warehouse.logs import configure_logs
from warehouse.models.devices import Device, DeviceParameter
from warehouse.models.people import Factory, User
from warehouse.queries.report_data import wide_readings
from warehouse.readings import READINGS
from warehouse.settings import Settings
from warehouse.tenancy import system_session

MACHINES = 10
PARAMETERS = {
    "power": "W",
    "voltage": "V",
    "current": "A",
    "spindle_temp": "°C",
    "vibration": "mm/s",
    "coolant_flow": "L/min",
    "spindle_load": "%",
    "good_parts": "pcs",
}
END = datetime(2026, 3, 9, tzinfo=UTC)


def opened(home: Path) -> Installation:
    """The installation with a clock that stands."""
    settings = Settings(factoryops_home=home, log_level="WARNING")
    # In each process: standard output is the result's.
    configure_logs(settings)
    return Installation.open(settings, ManualClock(END + timedelta(hours=6)))


def make_plant(home: Path) -> None:
    """A factory with ten machines and two weeks of readings a minute: 1.6 million."""
    installation = opened(home)
    installation.db.migrate()
    with system_session(installation.db, "benchmark") as session:
        session.add(Factory(id=1, name="Bench", slug="bench", timezone="Asia/Ho_Chi_Minh"))
        session.flush()
        session.add(User(id=1, factory_id=1, email="bench@example.com", hashed_password="x", role="admin"))  # noqa: S106  # nobody signs in
        for number in range(1, MACHINES + 1):
            session.add(Device(id=number, factory_id=1, device_key=f"CNC-{number:02d}", kind="CNC mill", region=f"Hall {number % 3}"))
            session.flush()
            for key, unit in PARAMETERS.items():
                session.add(DeviceParameter(factory_id=1, device_id=number, parameter_key=key, display_name=key, unit=unit))
    for day in range(14):
        installation.lake.append(_day(END - timedelta(days=14 - day)))
    installation.close()


def _day(start: datetime) -> pl.DataFrame:
    rng = np.random.default_rng(start.day)
    moments = pl.datetime_range(start, start + timedelta(days=1), "1m", closed="left", eager=True, time_zone="UTC")
    parts = []
    for device in range(1, MACHINES + 1):
        for key in PARAMETERS:
            values = 100 + 10 * rng.standard_normal(len(moments)) if key != "power" else 9000 + 800 * rng.standard_normal(len(moments))
            part = pl.DataFrame({"ts": moments, "value": np.round(values, 2)})
            parts.append(
                part.with_columns(
                    factory_id=1, device_id=device, parameter=pl.lit(key), text=pl.lit(None, pl.String), received_at=pl.col("ts")
                )
            )
    return pl.concat(parts).select(READINGS.names()).cast(READINGS)


@contextmanager
def watched_memory() -> Iterator[dict[str, float]]:
    """The most memory of this process and all its children, in MB (pages that several share are counted once); `rss_mb`: of this one."""
    found, over, me = {"mb": 0.0, "rss_mb": 0.0}, threading.Event(), psutil.Process()
    own_command = me.cmdline()

    def look() -> None:
        while not over.wait(0.05):
            total = 0
            found["rss_mb"] = max(found["rss_mb"], me.memory_info().rss / 1e6)
            for process in (me, *me.children(recursive=True)):
                try:
                    # Between vfork and exec a child has no memory but ours, and the kernel would tell it as the child's once more.
                    if process is me or process.cmdline() != own_command:
                        total += process.memory_full_info().pss
                except psutil.NoSuchProcess:
                    continue
            found["mb"] = max(found["mb"], total / 1e6)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def one(installation: Installation) -> dict[str, Any]:
    """Makes one report and says how long it took."""
    asked = reports.NewReport(END - timedelta(days=7), END, ("pdf", "excel"))
    report = reports.order(installation.db, installation.clock, 1, 1, asked)
    stages: list[tuple[float, str]] = []
    began, cpu = time.perf_counter(), time.process_time()
    status = make_report(installation, report.id, lambda _percent, stage: stages.append((round(time.perf_counter() - began, 2), stage)))
    return {
        "status": status,
        "seconds": round(time.perf_counter() - began, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "stages": stages,
    }


def excel(home: Path) -> dict[str, float]:
    """Writes the Excel file of the week from frames that lie ready: seconds, and the most memory above that before, in MB."""
    installation = opened(home)
    order = ReportOrder(report_id="0" * 8, start=END - timedelta(days=7), end=END, formats=("excel",), prepared_at=END)
    with tempfile.TemporaryDirectory(prefix="factoryops-bench-") as name:
        found = collect(installation.db, installation.lake, installation.settings, 1, order, Path(name))
        reader = installation.lake.reader(1, found.facts["snapshot_id"])
        before = psutil.Process().memory_info().rss / 1e6
        began = time.perf_counter()
        with watched_memory() as memory:
            write_workbook(
                RunData(Path(name)),
                lambda devices, keys, interval: wide_readings(reader, devices, keys, order.start, order.end, interval),
                Path(name) / "x.xlsx",
            )
        found_s = time.perf_counter() - began
        size = (Path(name) / "x.xlsx").stat().st_size / 1e6
    installation.close()
    return {"seconds": round(found_s, 2), "memory_mb": round(memory["rss_mb"] - before), "size_mb": round(size, 1)}


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """All figures. On a busy machine look at `load_before` and at the seconds of CPU first."""
    with tempfile.TemporaryDirectory(prefix="factoryops-bench-") as name:
        progress("two weeks of ten machines")
        # In a process of its own: what making the data took is not the report's memory.
        with ProcessPoolExecutor(1, max_tasks_per_child=1, mp_context=get_context("spawn")) as maker:
            maker.submit(make_plant, Path(name)).result()
            progress("an Excel file of 100,800 rows")
            table = maker.submit(excel, Path(name)).result()
        installation = opened(Path(name))
        load = psutil.getloadavg()[0]
        progress("the first report of a process")
        first = one(installation)
        progress("one report")
        before = _kernel_cpu_s()
        with watched_memory() as memory:
            alone = one(installation)
        kernel = _kernel_cpu_s() - before
        progress("two at once")
        with ThreadPoolExecutor(2) as workers:
            both = list(workers.map(lambda _: one(installation), range(2)))
        installation.close()
    return {
        "figures": {
            "report_s": alone["seconds"], "first_report_s": first["seconds"],
            "slower_of_two_at_once_s": max(made["seconds"] for made in both),
            "cpu_s": round(alone["cpu_seconds"] + kernel, 2), "memory_mb": round(memory["mb"]), "load_before": round(load, 2),
            "excel_s": table["seconds"], "excel_memory_mb": table["memory_mb"], "excel_size_mb": table["size_mb"],
            "readings": MACHINES * len(PARAMETERS) * 7 * 1440,
            "completed": sum(made["status"] == "complete" for made in (first, alone, *both)),
        },
        "budgets": [
            {"figure": "report_s", "limit": "< 10"}, {"figure": "memory_mb", "limit": "< 600"}, {"figure": "completed", "limit": ">= 4"},
            {"figure": "excel_s", "limit": "< 8"}, {"figure": "excel_memory_mb", "limit": "< 150"},
        ],
        "notes": f"PDF + Excel; stages of one report, seconds since its start: {alone['stages']}",
    }  # fmt: skip


def _kernel_cpu_s() -> float:
    """CPU of kernels that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime

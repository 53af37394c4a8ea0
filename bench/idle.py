"""What the whole demo costs while nobody looks at it: memory and processor time of all its processes."""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.demo_process import Demo

QUIET_S: Final = 30
"""Idle begins when no run has been at work for this long: after the first start that of the history's rollups."""
SETTLES_WITHIN_S: Final = 300
RUN: Final = "multiprocessing.spawn"
"""What the command line of a run's process holds."""
MEASURE_S: Final = 90
"""A bit more than four periods of the draining sensors."""
MIB: Final = 1024 * 1024
BUDGETS: Final = [{"figure": "rss_mib", "limit": "< 2048"}, {"figure": "cpu_percent_of_one_core", "limit": "< 25"}]


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """Starts the demo, lets it settle, and measures it over 90 s."""
    with tempfile.TemporaryDirectory(prefix="factoryops-idle-") as folder:
        began = time.monotonic()
        with Demo(Path(folder) / "home") as demo:
            progress(f"the demo runs after {time.monotonic() - began:.0f} s; it settles")
            settle(demo)
            figures, notes = measure(demo, MEASURE_S, progress)
            figures["stop_s"] = round(demo.stop(), 1)
    return {"figures": figures, "budgets": BUDGETS, "notes": notes}


def settle(demo: Demo) -> None:
    """Returns when the demo is idle."""
    give_up = time.monotonic() + SETTLES_WITHIN_S
    busy_at = time.monotonic()
    while time.monotonic() - busy_at < QUIET_S and time.monotonic() < give_up:
        time.sleep(1)
        if any(RUN in line for line in demo.processes().values()):
            busy_at = time.monotonic()


def measure(demo: Demo, seconds: float, progress: Callable[[str], None]) -> tuple[dict[str, float], list[str]]:
    """Figures of all processes over `seconds`, and a line for each process."""
    progress(f"measuring for {seconds:g} s")
    names, before, began = demo.processes(), _cpu_seconds(demo), time.monotonic()
    time.sleep(seconds)
    after, took_s = _cpu_seconds(demo), time.monotonic() - began
    # Processes that came and went in between, such as a rollup's run, count through their parents, which waited for them.
    percent = {pid: 100 * (after[pid] - before.get(pid, 0.0)) / took_s for pid in after}
    rss = {pid: _status_kib(pid, "VmRSS") / 1024 for pid in after}
    pss = sum(_pss_kib(pid) for pid in after) / 1024
    lines = [
        f"{rss[pid]:6.0f} MiB {percent[pid]:5.1f} % {_short(names.get(pid, '(started meanwhile)'))}"
        for pid in sorted(after, key=lambda p: -rss[p])
    ]
    figures = {
        "rss_mib": round(sum(rss.values()), 1),
        "pss_mib": round(pss, 1),
        "cpu_percent_of_one_core": round(sum(percent.values()), 2),
        "processes": len(after),
    }
    return figures, ["RSS counts shared pages once a process, PSS divides them among their users.", *lines]


def _cpu_seconds(demo: Demo) -> dict[int, float]:
    """Processor time of each process and of its children that have ended, in seconds."""
    found = {}
    for pid in demo.processes():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[pid] = sum(int(fields[index]) for index in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")
    return found


def _status_kib(pid: int, name: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return float(next((line.split()[1] for line in lines if line.startswith(f"{name}:")), 0))


def _pss_kib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return _status_kib(pid, "VmRSS")
    return float(next((line.split()[1] for line in lines if line.startswith("Pss:")), 0))


def _short(command: str) -> str:
    return " ".join(part for part in command.split() if "/python" not in part)[:70]

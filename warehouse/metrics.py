"""Figures of processes that nobody can scrape.

Each collects with prometheus_client and sends its samples along with its heartbeat; the web process shows those of all in one place.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

PROCESS: Final = {
    "factoryops_process_memory_bytes": ("gauge", "Memory that the process holds now (resident set)"),
    "factoryops_process_cpu_seconds": ("counter", "Processor time of the process since its start"),
    "factoryops_process_open_files": ("gauge", "Open files, connections among them"),
    "factoryops_process_threads": ("gauge", "Threads of the process"),
}
"""What every process tells of itself, beside what it counts: name, kind and meaning."""


def process_samples(proc: Path = Path("/proc/self")) -> list[dict[str, Any]]:
    """PROCESS of this process, in the form of `samples`; without /proc only what the system's clock of it knows."""
    values = {"factoryops_process_cpu_seconds": time.process_time()}
    try:
        status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        values["factoryops_process_memory_bytes"] = int(status["VmRSS"].split()[0]) * 1024
        values["factoryops_process_threads"] = int(status["Threads"])
        values["factoryops_process_open_files"] = sum(1 for _ in (proc / "fd").iterdir())
    except OSError:
        pass  # not Linux
    return [
        {"name": name, "help": meaning, "type": kind, "samples": [[f"{name}_total" if kind == "counter" else name, {}, values[name]]]}
        for name, (kind, meaning) in PROCESS.items()
        if name in values
    ]


def samples(registry: CollectorRegistry) -> list[dict[str, Any]]:
    """Everything that `registry` holds, as plain data for a heartbeat."""
    return [
        {
            "name": metric.name,
            "help": metric.documentation,
            "type": metric.type,
            "samples": [[s.name, s.labels, s.value] for s in metric.samples if not s.name.endswith("_created")],
        }
        for metric in registry.collect()
    ]


def families(by_process: Iterable[tuple[str, list[dict[str, Any]]]]) -> list[Metric]:
    """The samples of several processes as metrics to be shown; each sample gets the label `process`."""
    found: dict[str, Metric] = {}
    for process, metrics in by_process:
        for metric in metrics:
            family = found.setdefault(metric["name"], Metric(metric["name"], metric["help"], metric["type"]))
            for name, labels, value in metric["samples"]:
                family.add_sample(name, {**labels, "process": process}, value)
    return list(found.values())

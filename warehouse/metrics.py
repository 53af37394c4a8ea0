"""Figures of processes that nobody can scrape.

Each collects with prometheus_client and sends its samples along with its heartbeat; the web process shows those of all in one place.
"""

from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric


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

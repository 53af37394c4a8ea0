"""How the memory of processes develops: sampled while nobody kills them, as a slope in MB an hour."""

import threading
import time
import urllib.request
from collections.abc import Mapping
from typing import Self

import numpy as np

from tests.ingest.processes import Process

EVERY_S = 5.0
SETTLES = 0.3
"""This share of the time at the beginning does not count: caches fill."""


def slope_mb_per_h(samples: list[tuple[float, float]]) -> float:
    """Of (seconds, MB), a straight line through all but the beginning; 0 for too few."""
    kept = samples[int(len(samples) * SETTLES) :]
    if len(kept) < 3:
        return 0.0
    seconds, mb = np.array(kept).T
    return float(np.polyfit(seconds, mb, 1)[0] * 3600)


class MemoryWatch:
    """Samples processes while the block runs, and asks the web process for its metrics as Prometheus would."""

    def __init__(self, processes: Mapping[str, Process], metrics_address: str) -> None:
        self._processes, self._address = processes, metrics_address
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.samples: dict[str, list[tuple[float, float]]] = {name: [] for name in processes}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def slopes(self) -> dict[str, float]:
        """MB an hour by process."""
        return {name: round(slope_mb_per_h(found), 2) for name, found in self.samples.items()}

    def _watch(self) -> None:
        while not self._stop.wait(EVERY_S):
            for name, process in self._processes.items():
                if process.is_running:
                    self.samples[name].append((time.monotonic(), process.resident_mb))
            self.scrape()

    def scrape(self) -> bool:
        """Asks for the metrics; False when there was no answer, or when it told of no evaluator."""
        try:
            with urllib.request.urlopen(self._address, timeout=30) as answer:  # noqa: S310  # an http address of this machine
                return b"factoryops_evaluator_batches_total" in answer.read()
        except OSError:
            return False

"""Signs of life and figures of Dagster's three processes; what evaluator and outbox count is told by the code server, where they run."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from pipelines.stopping import STOP
from rules.figures import EVALUATOR, OUTBOX
from rules.shared import shared_database
from warehouse.settings import Settings
from warehouse.signs import giving_signs

CODE: Final = "code"
_guard = threading.Lock()
_ended_s: dict[str, float] = {}
"""By the first word of a sensor's name."""


class TickFigures:
    """What the sensors of a code server count."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.ticks = Counter("factoryops_sensor_ticks", "Ticks of a sensor that ended, by sensor", ["sensor"], registry=self.registry)
        self.last = Gauge(
            "factoryops_sensor_last_tick_timestamp_seconds",
            "When its last tick ended, by sensor",
            ["sensor"],
            registry=self.registry,
        )


TICKS: Final = TickFigures()


def ticked(sensor: str, now: datetime) -> None:
    """Counts a tick that ended."""
    _ended_s[sensor.partition("_")[0]] = time.monotonic()
    TICKS.ticks.labels(sensor).inc()
    TICKS.last.labels(sensor).set(now.timestamp())


def last_outbox_tick_s() -> float:
    """When the last outbox tick of this process ended, on the steady clock; 0 when none has."""
    return _ended_s.get("outbox", 0.0)


def ensure_signs(settings: Settings) -> None:
    """Begins to give signs of life of this code server, unless it does."""
    name = f"signs of {CODE} server"
    with _guard:
        if not STOP.is_set() and not any(thread.name == name for thread in threading.enumerate()):
            threading.Thread(target=_until_stopped, args=(settings,), name=name, daemon=True).start()


def _until_stopped(settings: Settings) -> None:
    with giving_signs(shared_database(settings), CODE, [EVALUATOR.registry, OUTBOX.registry, TICKS.registry]):
        STOP.wait()


@contextmanager
def signs_of(name: str) -> Iterator[None]:
    """Gives signs of life of a process that has nothing else to do with our database: daemon and UI."""
    with giving_signs(shared_database(Settings.load()), name):
        yield

"""The live simulator: once a second the plant moves on, and the machines whose turn it is publish what they measure."""

import random
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import numpy as np
import structlog

from ingest.simulator.faults import LiveScript
from ingest.simulator.plant import FACTORIES, PARAMETERS, PlantFactory
from ingest.simulator.publisher import Fleet, Telemetry
from ingest.simulator.secrets import broker_of
from ingest.simulator.simulation import Simulation
from ingest.stopping import stop_on_signals
from warehouse.clock import Clock, SystemClock
from warehouse.settings import Settings

TICK_S: Final = 1.0
INTERVAL_S: Final = (2.0, 5.0)
# A computer that slept, or a clock that was set: the plant is then brought to its present state instead of being moved there.
LONGEST_STEP_S: Final = 30.0
REPORT_EVERY_S: Final = 60.0
log = structlog.get_logger()

Message = tuple[str, str, Telemetry]
"""Slug, device key, and what the machine says."""


class LivePlant:
    """One factory that lives. `start_s` (UTC epoch seconds) is when its script begins; `random` decides whose turn it is."""

    def __init__(self, factory: PlantFactory, start_s: float, chance: random.Random) -> None:
        self.factory = factory
        self._simulation = Simulation(factory, LiveScript(factory, start_s))
        self._state = self._simulation.warm_state(start_s)
        self._chance = chance
        self._due_s = {m.device_key: start_s + chance.uniform(0.0, INTERVAL_S[1]) for m in factory.machines if not m.under_overhaul}

    def advance(self, time_s: float) -> list[Message]:
        """Moves to `time_s` and returns what is to be published now; nothing when the clock did not move forward."""
        elapsed_s = time_s - self._state.time_s
        if elapsed_s > LONGEST_STEP_S or elapsed_s < -LONGEST_STEP_S:
            self._state = self._simulation.warm_state(time_s)
            self._due_s = dict.fromkeys(self._due_s, time_s)
        if time_s <= self._state.time_s:
            return []
        self._state, metrics = self._simulation.run(self._state, np.array([time_s]))
        stamp = datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        messages: list[Message] = []
        for kind, found in metrics.items():
            for column, machine in enumerate(found.machines):
                if self._is_due(machine.device_key, time_s) and not found.silent[0, column]:
                    measured = zip(PARAMETERS[kind], found.values[0, column].tolist(), strict=True)
                    telemetry = Telemetry(stamp, {p.key: value if p.decimals else int(value) for p, value in measured})
                    messages.append((self.factory.slug, machine.device_key, telemetry))
        return messages

    def _is_due(self, device_key: str, time_s: float) -> bool:
        due_s = self._due_s.get(device_key)
        if due_s is None or time_s < due_s:
            return False
        self._due_s[device_key] = time_s + self._chance.uniform(*INTERVAL_S) - TICK_S / 2
        return True


def run_simulator(settings: Settings, stop: threading.Event | None = None, clock: Clock | None = None) -> None:
    """Publishes until `stop` is set; without one, until SIGINT or SIGTERM.

    A broker that is away is waited for: machines keep their messages and connect again with pauses of 1 to 30 s.
    Raises PermanentError when the demo was never seeded in this home.
    """
    stop, clock = stop or stop_on_signals(), clock or SystemClock()
    fleet = Fleet(FACTORIES, broker_of(settings))
    try:
        fleet.start(stop)
        _live(fleet, _plants(clock), stop, clock)
    finally:
        fleet.stop()
        log.info("simulator_stopped", published=fleet.published, dropped=fleet.dropped)


def _plants(clock: Clock) -> list[LivePlant]:
    start_s = round(clock.now().timestamp(), 3)
    return [LivePlant(factory, start_s, random.Random(f"{factory.slug} {start_s}")) for factory in FACTORIES]


def _live(fleet: Fleet, plants: Iterable[LivePlant], stop: threading.Event, clock: Clock) -> None:
    tick = report = time.monotonic()
    while not stop.wait(max(0.0, tick - time.monotonic())):
        # After a long pause there is one tick, not a burst of missed ones.
        tick = max(tick + TICK_S, time.monotonic())
        now_s = round(clock.now().timestamp(), 3)
        for plant in plants:
            for message in plant.advance(now_s):
                fleet.publish(*message)
        if time.monotonic() >= report:
            log.info("simulator", connected=fleet.connected, machines=len(fleet.devices), published=fleet.published, dropped=fleet.dropped)
            report += REPORT_EVERY_S

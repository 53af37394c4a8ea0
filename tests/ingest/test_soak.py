"""Ingesters, loader, broker and database are killed at random while numbered messages arrive: every one is in the lake, none twice.

`make test` runs it for a few seconds, with each of them killed once; `make soak` for 30 minutes (`--soak-minutes`).
"""

import random
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from ingest.broker import Mosquitto
from tests.fixtures.postgres import Server, running_server
from tests.helpers import wait_until
from tests.ingest.conftest import Plant
from tests.ingest.grown import grown_plant
from tests.ingest.numbered import NumberedMachine, audit
from tests.ingest.processes import INGESTER, LOADER, Process
from warehouse.heartbeat import heartbeats
from warehouse.lake import Lake
from warehouse.settings import Settings

DEVICES = ("M01", "M02", "M03")
PER_S_OF_EACH = 150
MOST_MB = 700


@pytest.fixture
def server() -> Iterator[Server]:
    """A PostgreSQL that keeps what it confirmed, and that only this test uses."""
    with running_server(durable=True) as made:
        yield made


@pytest.fixture
def plant(settings: Settings, server: Server) -> Iterator[Plant]:
    made = grown_plant(settings, server, *DEVICES)
    yield made
    made.db.dispose()


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_nothing_is_lost_and_nothing_is_there_twice(plant: Plant, broker: Mosquitto, server: Server, pytestconfig: pytest.Config) -> None:
    minutes = float(pytestconfig.getoption("--soak-minutes"))
    ours = [*(Process(plant, INGESTER, MQTT_CLIENT_ID=name) for name in ("one", "two")), Process(plant, LOADER)]
    machines = [NumberedMachine(plant.settings.mqtt_broker_port, device, PER_S_OF_EACH) for device in DEVICES]
    try:
        wait_until(lambda: {beat.name for beat in heartbeats(plant.db) if not beat.problem} >= {"ingester one", "ingester two"}, 30)
        for machine in machines:
            machine.start()
        kills = _kill(ours, broker, server, minutes)
        for machine in machines:
            machine.stop()
        lake = Lake(plant.settings)
        wait_until(lambda: audit(lake, machines, plant.device_ids).is_complete, 120, "every message is in the lake once", interval_s=1)
        found = audit(lake, machines, plant.device_ids)
        lake.close()
        print(f"\n{found.sent} messages, {kills}, memory {[round(process.peak_mb) for process in ours]} MB")
        assert found.found == found.sent > 0
        assert all(process.is_running and process.peak_mb < MOST_MB for process in ours)
    finally:
        for process in ours:
            process.stop()


def _kill(ours: list[Process], broker: Mosquitto, server: Server, minutes: float) -> dict[str, int]:
    """Kills for that long, in this thread because mosquitto dies with the thread that started it; at least each of them once."""
    victims: dict[str, Callable[[], None]] = {
        "ingester": lambda: random.choice(ours[:2]).kill(),
        "database": lambda: _crash(server),
        "loader": ours[2].kill,
        "broker": lambda: _kill_broker(broker),
    }
    kills = dict.fromkeys(victims, 0)
    names, end = list(victims), time.monotonic() + minutes * 60
    while names or time.monotonic() < end:
        time.sleep(random.uniform(1.5, 2.5) if minutes < 1 else random.uniform(2, 15))
        name = names.pop(0) if names else random.choice(list(victims))
        victims[name]()
        kills[name] += 1
    time.sleep(2)
    return kills


def _crash(server: Server) -> None:
    server.crash()
    time.sleep(random.uniform(0.2, 3))
    server.start()


def _kill_broker(broker: Mosquitto) -> None:
    """kill -9. What it had saved last it knows again; here it saves a moment before, so that it knows its subscribers."""
    assert broker._process is not None
    broker._process.send_signal(signal.SIGUSR1)
    time.sleep(0.3)
    broker._process.kill()
    broker._process.wait()
    broker.start()

"""Processes are killed at random while numbered messages arrive: every one is in the lake, none twice, and each alert is raised once.

`make test` runs it for a few seconds with ingesters, loader, broker and database, each killed once. `make soak` runs it with all processes
(evaluators, web, Dagster's three as well) and 1,000 msg/s for `--soak-minutes`: the first half of the time they are killed, in the second
half nobody is, and their memory is watched.
"""

import random
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from ingest.broker import Mosquitto
from rules.sharding import share_out_evaluator
from tests.fixtures.postgres import Server, running_server
from tests.helpers import free_port, wait_until
from tests.ingest.conftest import Plant
from tests.ingest.grown import grown_plant
from tests.ingest.memory import MemoryWatch, slope_mb_per_h
from tests.ingest.numbered import NumberedMachine, audit
from tests.ingest.processes import INGESTER, LOADER, Process
from tests.rules.installation import add_rule, raises
from warehouse.clock import SystemClock
from warehouse.heartbeat import heartbeats
from warehouse.lake import Lake
from warehouse.settings import Settings

DEVICES = ("M01", "M02", "M03")
PER_S_OF_EACH = 150
PER_S_OF_EACH_IN_A_SOAK = 334
MOST_MB = 700
MOST_MB_OF_ALL = 1500
LARGE = {"code", "webserver", "daemon", "web"}
LEAK_MB_PER_H = 1.0
LEAKS_SHOW_AFTER_MINUTES = 30
"""A calm half of less than this tells more of caches than of leaks: then slopes are shown and not judged."""
MARKER = {"parameter": "marker", "operator": "gte", "threshold": 0}


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
    ports = {name: str(free_port()) for name in ("WEB_PORT", "DAGSTER_PORT", "DAGSTER_CODE_PORT")}
    ours = {f"ingester {name}": Process(plant, INGESTER, MQTT_CLIENT_ID=name) for name in ("one", "two")}
    ours["loader"] = Process(plant, LOADER)
    if minutes:
        add_rule(plant.db, 1, MARKER, cooldown_minutes=0)
        share_out_evaluator(plant.db, SystemClock(), 2)
        ours |= {f"evaluator {name}": Process(plant, ["evaluate", "--name", name]) for name in ("one", "two")}
        ours["web"] = Process(plant, ["web"], **ports)
        ours |= {kind: Process(plant, ["dagster", kind], **ports) for kind in ("code", "webserver", "daemon")}
    rate = PER_S_OF_EACH_IN_A_SOAK if minutes else PER_S_OF_EACH
    machines = [NumberedMachine(plant.settings.mqtt_broker_port, device, rate) for device in DEVICES]
    try:
        wait_until(lambda: {beat.name for beat in heartbeats(plant.db) if not beat.problem} >= {"ingester one", "ingester two"}, 60)
        for machine in machines:
            machine.start()
        kills = _kill(ours, broker, server, minutes / 2)
        slopes = _watched(ours, minutes / 2, f"http://127.0.0.1:{ports['WEB_PORT']}/metrics") if minutes else {}
        for machine in machines:
            machine.stop()
        lake = Lake(plant.settings)
        wait_until(lambda: audit(lake, machines, plant.device_ids).is_complete, 120, "every message is in the lake once", interval_s=1)
        found = audit(lake, machines, plant.device_ids)
        lake.close()
        peaks = {name: round(process.peak_mb) for name, process in ours.items()}
        print(f"\n{found.sent} messages, {kills}\npeak MB {peaks}\nMB an hour {slopes}")
        assert found.found == found.sent > 0
        assert all(process.is_running for process in ours.values())
        assert all(peak < (MOST_MB_OF_ALL if name in LARGE else MOST_MB) for name, peak in peaks.items())
        if minutes:
            wanted = sum(machine.markers for machine in machines)
            wait_until(lambda: len(raises(plant.db)) >= wanted, 120, "each marker raised an alert", interval_s=1)
            assert len(raises(plant.db)) == wanted
        if minutes / 2 >= LEAKS_SHOW_AFTER_MINUTES:
            assert {name: slope for name, slope in slopes.items() if slope > LEAK_MB_PER_H} == {}
    finally:
        for process in reversed(ours.values()):
            process.stop()


def _kill(ours: dict[str, Process], broker: Mosquitto, server: Server, minutes: float) -> dict[str, int]:
    """Kills for that long, in this thread because mosquitto dies with the thread that started it; at least each of them once."""
    ingesters = [process for name, process in ours.items() if name.startswith("ingester")]
    victims: dict[str, Callable[[], None]] = {
        "ingester": lambda: random.choice(ingesters).kill(),
        "database": lambda: _crash(server),
        **{name: process.kill for name, process in ours.items() if not name.startswith("ingester")},
        "broker": lambda: _kill_broker(broker),
    }
    kills = dict.fromkeys(victims, 0)
    names, end = list(victims), time.monotonic() + minutes * 60
    while names or time.monotonic() < end:
        time.sleep(random.uniform(1.5, 2.5) if minutes < 0.5 else random.uniform(2, 15))
        name = names.pop(0) if names else random.choice(list(victims))
        victims[name]()
        kills[name] += 1
        _revive(ours)
    time.sleep(2)
    return kills


def _watched(ours: dict[str, Process], minutes: float, metrics_address: str) -> dict[str, float]:
    """Memory slopes while nobody is killed."""
    watch = MemoryWatch(ours, metrics_address)

    def all_are_up() -> bool:
        _revive(ours)
        return watch.scrape()

    wait_until(all_are_up, 120, "the web process answers and tells of the evaluators", interval_s=2)
    with watch:
        time.sleep(minutes * 60)
    return watch.slopes()


def _revive(ours: dict[str, Process]) -> None:
    """What a supervisor does: a process whose database was away as it started has ended, and is started again."""
    for process in ours.values():
        if not process.is_running:
            process.start_again()


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


def test_a_leak_shows_in_the_slope_and_a_cache_that_fills_at_the_beginning_does_not() -> None:
    filled = [(float(second), min(400.0, 300 + second)) for second in range(0, 3600, 10)]
    leaking = [(second, mb + second / 3600 * 5) for second, mb in filled]
    assert abs(slope_mb_per_h(filled)) < 0.01
    assert abs(slope_mb_per_h(leaking) - 5) < 0.01

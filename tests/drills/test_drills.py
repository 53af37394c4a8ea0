"""Failures as they are practised: what is expected stands here and in docs/operations/runbook.md. `make drills` makes them longer."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ingest.broker import Mosquitto
from pipelines.standby import send_without_ticks
from rules.doubts import IS_A_JUMP, MOST_S, WAITS_S, Doubts
from tests.helpers import wait_until
from tests.ingest.conftest import Plant
from tests.ingest.numbered import NumberedMachine, audit
from tests.ingest.processes import EVALUATOR, INGESTER, LOADER, Process, processes
from tests.rules.installation import (
    START,
    add_device,
    add_factory,
    add_rule,
    add_user,
    alerts,
    evaluator,
    land,
    notifications,
    raises,
    readings,
)
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.heartbeat import Heartbeat, beat, heartbeats
from warehouse.lake import Lake
from warehouse.settings import Settings

PER_S = 100
SILENT = {"when": {"missing": "n", "for_minutes": 0.5}}
"""Half a minute: longer than a restart, shorter than what a drill with outages of a minute lasts."""


@contextmanager
def under_load(plant: Plant, *work: str) -> Iterator[tuple[list[Process], NumberedMachine]]:
    """Processes at work and a machine that talks; at the end everything is in the lake once, and nobody was said to be silent."""
    add_rule(plant.db, 1, SILENT, name="Silent machine", devices=[plant.device_ids["M01"]])
    machine = NumberedMachine(plant.settings.mqtt_broker_port, "M01", PER_S)
    with processes(plant, *work) as running:
        wait_until(lambda: any(one.name == "ingester" and not one.problem for one in heartbeats(plant.db)), 60, "the ingester is connected")
        machine.start()
        try:
            yield running, machine
        finally:
            machine.stop()
        lake = Lake(plant.settings)
        wait_until(lambda: audit(lake, [machine], plant.device_ids).is_complete, 60, "all is in the lake once", interval_s=0.3)
        lake.close()
        assert machine.sent > PER_S
        assert raises(plant.db) == [], "nobody was silent"


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_rolling_restart_and_broker_outage(plant: Plant, broker: Mosquitto, outage_s: float) -> None:
    """Nothing is lost, no machine counts as silent: each process is started again under load, and the broker is away for a while."""
    with under_load(plant, INGESTER, LOADER, EVALUATOR) as (running, machine):
        for process in running:
            process.restart()
            time.sleep(outage_s / 4)
        wait_until(lambda: {one.name for one in heartbeats(plant.db)} >= {"ingester", "loader", "evaluator"}, 60, "all are back")
        assert machine.connections_lost == 0
        broker.stop()
        time.sleep(outage_s)
        wait_until(lambda: any(one.name == "ingester" and one.problem for one in heartbeats(plant.db)), 60, "it says so")
        broker.start()
        wait_until(lambda: all(not one.problem for one in heartbeats(plant.db)), 60, "the ingester is back")
    assert machine.connections_lost > 0


def test_clock_jump(sqlite_database: Database, manual_clock: ManualClock) -> None:
    """Set forward by an hour no machine counts as silent that goes on talking; one that is silent is told of half a minute later."""
    db, steady = sqlite_database, Steady(manual_clock)
    factory = add_factory(db)
    device = add_device(db, factory)
    add_rule(db, factory, {"when": {"missing": "spindle_temp", "for_minutes": 1}})
    one = evaluator(db, manual_clock)
    one.doubts = Doubts(db, steady.now_s)
    land(db, readings(factory, device, [(0, {"spindle_temp": 70.0})]))
    one.step()
    manual_clock.advance(timedelta(hours=1))
    one.step()
    assert alerts(db) == [], "the clock went, not the time"
    steady.pass_by(WAITS_S + 1)
    one.step()
    assert len(alerts(db)) == 1, "it did not speak under the new clock either"


class Steady:
    """Seconds that really pass, together with the clock."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock, self._s = clock, 1000.0

    def now_s(self) -> float:
        return self._s

    def pass_by(self, seconds: float) -> None:
        self._s += seconds
        self._clock.advance(timedelta(seconds=seconds))


@pytest.mark.parametrize(("problem", "believed"), [("", True), ("the broker is away", False)])
def test_silence_is_not_believed_while_no_ingester_can_work(
    sqlite_database: Database, manual_clock: ManualClock, problem: str, believed: bool
) -> None:
    steady = Steady(manual_clock)
    doubts = Doubts(sqlite_database, steady.now_s)
    beat(sqlite_database, Heartbeat("ingester", _later(manual_clock, MOST_S * 2), problem))
    found = []
    for _ in range(6):
        found.append(doubts.is_unsure(manual_clock.now()))
        steady.pass_by(100)
    assert any(found) is not believed
    for _ in range(12):
        steady.pass_by(100)
        last = doubts.is_unsure(manual_clock.now())
    assert not last, "not for ever"


def _later(clock: ManualClock, seconds: float) -> datetime:
    return clock.now() + timedelta(seconds=seconds)


def test_a_slow_machine_is_no_jump(sqlite_database: Database, manual_clock: ManualClock) -> None:
    steady = Steady(manual_clock)
    doubts = Doubts(sqlite_database, steady.now_s)
    assert not doubts.is_unsure(manual_clock.now())
    steady.pass_by(3600)
    assert not doubts.is_unsure(manual_clock.now())
    manual_clock.advance(IS_A_JUMP)
    assert not doubts.is_unsure(manual_clock.now())


def test_daemon_dead(embedded_settings: Settings, sqlite_template: Path, manual_clock: ManualClock) -> None:
    """Without sensor ticks the code server's standbys evaluate, and send mails."""
    embedded_settings.home.mkdir()
    (embedded_settings.home / "factoryops.sqlite").write_bytes(sqlite_template.read_bytes())
    db = Database(embedded_settings.operational_url)
    factory = add_factory(db)
    device = add_device(db, factory)
    add_rule(db, factory)
    add_user(db, factory, "anna@plant.example")
    land(db, readings(factory, device, [(0, {"spindle_temp": 85.0})], START))
    evaluator(db, manual_clock).step()
    stop = threading.Event()
    thread = threading.Thread(target=send_without_ticks, args=(embedded_settings, stop, 0.05))
    thread.start()
    try:
        wait_until(lambda: [one.status for one in notifications(db)] == ["sent"], 60, "the mail was sent without the daemon")
    finally:
        stop.set()
        thread.join(20)
        db.dispose()

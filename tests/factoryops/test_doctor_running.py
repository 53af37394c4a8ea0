"""What the doctor finds of a running installation, and that each thing that is wrong comes with what mends it."""

from datetime import timedelta
from pathlib import Path

import pytest

from factoryops import doctor_running
from factoryops.doctor_running import (
    check_broker_limits,
    check_clocks,
    check_cursors,
    check_open_files,
    check_processes,
    check_rights,
    limits_that_hurt,
)
from factoryops.findings import OK, WARNING, WRONG
from ingest.broker import Mosquitto
from tests.helpers import free_port
from tests.ingest.conftest import Plant, broker, plant  # noqa: F401  # fixtures
from warehouse import landing
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.heartbeat import Heartbeat, beat
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.readings import empty_readings
from warehouse.settings import Settings
from warehouse.tenancy import system_session


@pytest.fixture
def installation(settings: Settings, sqlite_database: Database, lake: Lake, manual_clock: ManualClock) -> Installation:
    lake.loader_position("main")  # makes the lake
    return Installation(settings, sqlite_database, lake, manual_clock)


def test_a_cursor_that_stands_still_is_found_with_who_is_to_be_started(installation: Installation, manual_clock: ManualClock) -> None:
    assert [found.state for found in check_cursors(installation)] == [OK]
    with system_session(installation.db, "test", write=True) as session:
        position = landing.append(session, empty_readings(), 1, manual_clock.now())
        landing.move_cursor(session, "evaluator", 0, position - 1 or -1)
    manual_clock.advance(timedelta(minutes=2))
    found = {one.said.split()[0]: one for one in check_cursors(installation)}
    assert {one.state for one in found.values()} == {WRONG}
    assert "sensors" in found["evaluator"].fix
    assert "factoryops load" in found["loader"].fix


def test_a_process_that_fell_silent_is_found(installation: Installation, manual_clock: ManualClock) -> None:
    beat(installation.db, Heartbeat("loader", manual_clock.now()))
    assert [one.state for one in check_processes(installation)] == [OK]
    manual_clock.advance(timedelta(minutes=2))
    [found] = check_processes(installation)
    assert (found.state, found.fix.startswith("start loader again")) == (WARNING, True)


@pytest.mark.postgres
def test_a_database_with_another_time_is_found(
    postgresql_database: Database, installation: Installation, manual_clock: ManualClock
) -> None:
    of_postgresql = Installation(installation.settings, postgresql_database, installation.lake, manual_clock)
    found = check_clocks(of_postgresql)
    assert (found.state, "NTP" in found.fix) == (WRONG, True), "the test's clock stands in January"
    assert check_clocks(installation).state == OK


def test_a_file_that_cannot_be_written_is_found(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (settings.home / "lake").mkdir(parents=True)
    assert check_rights(settings).state == OK
    foreign = settings.home / "lake" / "made-by-root"
    foreign.touch()
    real = doctor_running.os.access
    monkeypatch.setattr(doctor_running.os, "access", lambda path, mode: Path(path) != foreign and real(path, mode))
    found = check_rights(settings)
    assert (found.state, str(foreign) in found.said, "chown" in found.fix) == (WRONG, True, True)


@pytest.mark.parametrize(("limit", "state"), [(1024, WARNING), (65_536, OK), (-1, OK)])
def test_too_few_open_files_are_found(limit: int, state: str) -> None:
    found = check_open_files(limit)
    assert (found.state, "ulimit" in found.fix) == (state, state == WARNING)


@pytest.mark.parametrize(
    ("granted", "word"),
    [
        ({"MaximumQoS": 0}, "QoS"),
        ({"MaximumPacketSize": 1000}, "1000 bytes"),
        ({"SharedSubscriptionAvailable": 0}, "shared"),
        ({"SessionExpiryInterval": 60}, "kept for 60 s"),
    ],
)
def test_a_broker_that_grants_too_little_is_found(granted: dict[str, int], word: str) -> None:
    [(said, fix)] = limits_that_hurt(granted, is_shared=True)
    assert word in said
    assert fix


def test_a_broker_that_grants_all_is_well() -> None:
    assert limits_that_hurt({}, is_shared=True) == []
    assert limits_that_hurt({"SharedSubscriptionAvailable": 0}, is_shared=False) == []


def test_our_own_broker_grants_what_we_need(plant: Plant, broker: Mosquitto) -> None:  # noqa: F811  # fixtures
    assert check_broker_limits(plant.settings).state == OK


def test_a_broker_that_is_away_is_said(embedded_settings: Settings) -> None:
    found = check_broker_limits(embedded_settings.model_copy(update={"mqtt_broker_host": "127.0.0.1", "mqtt_broker_port": free_port()}))
    assert (found.state, bool(found.fix)) == (WARNING, True)

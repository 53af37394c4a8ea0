"""The operational database is away: messages wait, nothing is lost, memory stays bounded, and it is said why nothing happens."""

import time
from collections.abc import Iterator

import pytest

from factoryops.health import examine
from ingest.broker import Mosquitto
from tests.fixtures.postgres import Server, running_server
from tests.helpers import wait_until
from tests.ingest.conftest import Plant
from tests.ingest.grown import grown_plant
from tests.ingest.numbered import NumberedMachine, audit
from tests.ingest.processes import INGESTER, LOADER, processes
from warehouse.heartbeat import heartbeats
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.settings import Settings

PER_S = 500
AWAY_S = 4


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server(durable=True) as made:
        yield made


@pytest.fixture
def plant(settings: Settings, server: Server) -> Iterator[Plant]:
    made = grown_plant(settings, server, "M01")
    yield made
    made.db.dispose()


@pytest.mark.slow
def test_messages_wait_and_are_all_there_afterwards(plant: Plant, broker: Mosquitto, server: Server) -> None:
    installation = Installation.open(plant.settings)
    with processes(plant, INGESTER, LOADER) as (ingester, loader):
        wait_until(lambda: any(beat.name == "ingester" and not beat.problem for beat in heartbeats(plant.db)), 30, "it is connected")
        machine = NumberedMachine(plant.settings.mqtt_broker_port, "M01", PER_S)
        machine.start()
        time.sleep(1)
        server.stop()
        time.sleep(AWAY_S)
        report = examine(installation)
        assert (report.status, report.dependencies) == ("unhealthy", {"database": "cannot be reached"})
        assert ingester.is_running
        assert loader.is_running
        server.start()
        time.sleep(1)
        machine.stop()
        lake = Lake(plant.settings)
        wait_until(lambda: audit(lake, [machine], plant.device_ids).is_complete, 45, "every message is in the lake once", interval_s=0.5)
        lake.close()
        assert machine.sent > PER_S * AWAY_S
        assert ingester.peak_mb < 400
        wait_until(lambda: all(not beat.problem for beat in heartbeats(plant.db)), 15, "nobody complains any more")
    installation.close()

"""Two ingesters share the messages, one is killed under load: all in the lake, none twice. PostgreSQL, and files in S3."""

import time
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from ingest.broker import Mosquitto
from tests.fixtures.object_store import Bucket
from tests.helpers import free_port, wait_until
from tests.ingest.conftest import Plant, add_devices
from tests.ingest.numbered import NumberedMachine, audit
from tests.ingest.processes import INGESTER, LOADER, Process
from warehouse import landing
from warehouse.db import Database
from warehouse.heartbeat import heartbeats
from warehouse.lake import Lake
from warehouse.models.streams import LandingBatch
from warehouse.settings import Settings
from warehouse.tenancy import system_session

DEVICES = ("M01", "M02", "M03")
PER_S = 200


@pytest.fixture
def plant(settings: Settings, postgresql_database: Database, postgres_database: str, bucket: Bucket) -> Plant:
    """An installation that has outgrown the embedded one."""
    settings.home.mkdir(parents=True)
    grown = settings.model_copy(
        update={
            "database_url": postgresql_database.url,
            "lake_catalog_url": postgres_database,
            "lake_data_path": f"s3://{bucket.name}/lake",
            "mqtt_broker_port": free_port(),
            "mqtt_shared_group": "ingest",
            **bucket.settings,
            "s3_secret_access_key": SecretStr(bucket.settings["s3_secret_access_key"]),
        }
    )
    return Plant(grown, postgresql_database, add_devices(postgresql_database, *DEVICES))


@pytest.fixture
def ingesters(plant: Plant, broker: Mosquitto) -> Iterator[list[Process]]:
    """Two of them, and a loader."""
    made = [Process(plant, INGESTER, MQTT_CLIENT_ID=name) for name in ("one", "two")]
    loader = Process(plant, LOADER)
    wait_until(lambda: {beat.name for beat in heartbeats(plant.db) if not beat.problem} >= {"ingester one", "ingester two"}, 30)
    yield made
    for process in (*made, loader):
        process.stop()


@pytest.mark.slow
def test_one_of_two_is_killed_under_load(plant: Plant, ingesters: list[Process]) -> None:
    machines = [NumberedMachine(plant.settings.mqtt_broker_port, device, PER_S) for device in DEVICES]
    for machine in machines:
        machine.start()
    time.sleep(1.5)
    ingesters[0].kill_for_good()
    time.sleep(1)
    ingesters[0].start_again()
    time.sleep(1.5)
    for machine in machines:
        machine.stop()
    lake = Lake(plant.settings)
    wait_until(lambda: audit(lake, machines, plant.device_ids).is_complete, 45, "every message is in the lake once", interval_s=0.5)
    found = audit(lake, machines, plant.device_ids)
    assert found.found == found.sent > 3 * PER_S
    lake.close()
    assert _landed_by(plant, plant.device_ids["M01"]) == {"one", "two"}


def _landed_by(plant: Plant, device_id: int) -> set[str]:
    """Which ingesters landed something of a machine."""
    with system_session(plant.db, "read in a test") as session:
        names = dict(session.execute(select(LandingBatch.position, LandingBatch.ingester)).all())
        batches = landing.read_after(session, 0, 100_000)
    return {names[batch.position] for batch in batches if device_id in batch.readings["device_id"]}

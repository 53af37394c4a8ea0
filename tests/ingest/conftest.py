"""A small plant, a real broker, and machines that speak to it."""

import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from ingest.broker import Mosquitto
from ingest.device_keys import hash_device_key
from tests.helpers import free_port, require_program, wait_until
from warehouse.db import Database
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.settings import Settings
from warehouse.tenancy import system_session

SLUG = "vpc"


def device_key_of(device: str) -> str:
    """The key with which a test's machine signs in."""
    return f"key-of-{device}"


def add_devices(db: Database, *device_keys: str, slug: str = SLUG) -> dict[str, int]:
    """Registers machines, and their factory when it is not there yet; returns their ids by device key."""
    with system_session(db, "set up a test", write=True) as session:
        factory = session.query(Factory).filter_by(slug=slug).one_or_none() or Factory(name=slug.upper(), slug=slug)
        session.add(factory)
        session.flush()
        devices = [Device(factory_id=factory.id, device_key=key, api_key=hash_device_key(device_key_of(key))) for key in device_keys]
        session.add_all(devices)
        session.flush()
        return {device.device_key: device.id for device in devices}


@dataclass(frozen=True)
class Plant:
    """An installation with machines M01 to M03 of factory `vpc`."""

    settings: Settings
    db: Database
    device_ids: dict[str, int]


@pytest.fixture
def plant(settings: Settings, sqlite_template: Path) -> Iterator[Plant]:
    """An embedded installation whose operational database is ready."""
    settings.home.mkdir(parents=True)
    shutil.copy(sqlite_template, settings.home / "factoryops.sqlite")
    settings = settings.model_copy(update={"mqtt_broker_port": free_port(), "loader_interval_ms": 100})
    db = Database(settings.operational_url)
    yield Plant(settings, db, add_devices(db, "M01", "M02", "M03"))
    db.dispose()


@pytest.fixture
def broker(plant: Plant) -> Iterator[Mosquitto]:
    """A real mosquitto with our configuration, the plant's accounts and the plant's port."""
    program = require_program("mosquitto", package="mosquitto")
    running = Mosquitto(str(program), plant.settings, plant.db).start()
    yield running
    running.stop()


class Machine:
    """A device's connection to the broker, by an MQTT client that our ingester does not share."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self.refused = ""
        self.user = user
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"machine-{user}")
        self.client.username_pw_set(user, password)
        self.client.max_inflight_messages_set(2000)
        self.client.on_connect = self._on_connect
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _on_connect(self, _client: object, _data: object, _flags: object, code: ReasonCode, _properties: object) -> None:
        self.refused = str(code) if code.is_failure else ""

    @property
    def topic(self) -> str:
        return f"factories/{self.user}/telemetry"

    def publish(self, payload: bytes, topic: str | None = None, *, qos: int = 1, retain: bool = False) -> None:
        """Publishes and waits until the broker has it."""
        self.client.publish(topic or self.topic, payload, qos, retain=retain).wait_for_publish(10)

    def publish_all(self, payloads: list[bytes], topics: list[str], per_s: float) -> None:
        """Publishes at a steady pace and waits until the broker has everything."""
        start = time.monotonic()
        infos = []
        for number, (topic, payload) in enumerate(zip(topics, payloads, strict=True)):
            while number > (time.monotonic() - start) * per_s:
                time.sleep(0.005)
            infos.append(self.client.publish(topic, payload, 1))
        for info in infos:
            info.wait_for_publish(30)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_connect = None


@pytest.fixture
def machine(plant: Plant, broker: Mosquitto) -> Iterator[Callable[..., Machine]]:
    """Makes connections of machines: `machine("M01")`; signed in as themselves unless told otherwise."""
    made: list[Machine] = []

    def connect(device: str, *, user: str = "", password: str = "", wait: bool = True) -> Machine:
        found = Machine(plant.settings.mqtt_broker_port, user or f"{SLUG}/devices/{device}", password or device_key_of(device))
        made.append(found)
        if wait:
            wait_until(lambda: found.client.is_connected() or found.refused, message="the broker answers")
        return found

    yield connect
    for found in made:
        found.close()


def is_refused(port: int) -> bool:
    """Whether nobody listens on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0

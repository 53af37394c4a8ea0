"""A small installation in a folder of its own for the latency benchmark: broker, ingester, loader and evaluator, each as in production."""

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from ingest import broker
from ingest.device_keys import device_user_name, hash_device_key
from warehouse.db import Database
from warehouse.models.alerting import Rule
from warehouse.models.devices import Device
from warehouse.models.people import Factory, User
from warehouse.settings import Settings, child_environment
from warehouse.tenancy import system_session

SLUG: Final = "bench"
DEVICE_KEY: Final = "known to this benchmark only"
RULES: Final = 200
MARKER: Final = "marker"
"""A parameter that is sent when an alert is wanted."""
PARAMETERS: Final = ("spindle_temp", "coolant_flow", "vibration", "voltage", "current", "speed", "load")
PROCESSES: Final = (("factoryops", "ingest"), ("factoryops", "load"), ("bench.evaluator_process",))


class LatencyPlant:
    """Everything that runs, and machines to publish with; a context manager."""

    def __init__(self, home: Path, port: int, devices: int) -> None:
        self.settings = Settings(factoryops_home=home, mqtt_broker_port=port, log_level="WARNING")
        self.db = Database(self.settings.operational_url)
        self.device_keys = [f"M{number:02}" for number in range(devices)]
        self.factory_id, self.device_ids = 0, dict[str, int]()
        self.processes: list[subprocess.Popen[bytes]] = []
        self.machines: list[mqtt.Client] = []
        self._broker: broker.Broker | None = None

    def __enter__(self) -> Self:
        """Prepares the database and starts everything."""
        self.db.migrate()
        self._add_records()
        self._broker = broker.start(self.settings, self.db)
        environment = child_environment(
            FACTORYOPS_HOME=str(self.settings.home),
            MQTT_BROKER_PORT=str(self.settings.mqtt_broker_port),
            LOG_LEVEL="WARNING",
            NOTIFICATION_LIMIT_PER_10_MINUTES="0",
        )
        for module, *arguments in PROCESSES:
            self.processes.append(subprocess.Popen([sys.executable, "-m", module, *arguments], env=environment))
        self.machines = [self._connected(key) for key in self.device_keys]
        return self

    def __exit__(self, *_: object) -> None:
        """Stops everything."""
        for machine in self.machines:
            machine.disconnect()
            machine.loop_stop()
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(20)
        if self._broker is not None:
            self._broker.stop()
        self.db.dispose()

    def publish(self, number: int, *, wants_alert: bool) -> datetime:
        """Sends one message of a machine with QoS 1; gives the moment, which is its device time."""
        index = number % len(self.device_keys)
        now = datetime.now(UTC)
        metrics = {parameter: round(50 + (number * 7 + i) % 100 / 10, 2) for i, parameter in enumerate(PARAMETERS)}
        if wants_alert:
            metrics[MARKER] = number + 1
        text = ", ".join(f'"{key}": {value}' for key, value in metrics.items())
        payload = f'{{"timestamp": "{now.isoformat()}", "metrics": {{{text}}}}}'
        self.machines[index].publish(f"factories/{device_user_name(SLUG, self.device_keys[index])}/telemetry", payload, qos=1)
        return now

    def check_alive(self) -> None:
        """Raises RuntimeError when a process has ended."""
        ended = [str(process.args) for process in self.processes if process.poll() is not None]
        if ended:
            raise RuntimeError(f"a process ended during the benchmark: {', '.join(ended)}")

    def _add_records(self) -> None:
        with system_session(self.db, "set up a benchmark", write=True) as session:
            factory = Factory(name="Benchmark", slug=SLUG)
            session.add(factory)
            session.flush()
            hashed = hash_device_key(DEVICE_KEY)
            devices = [Device(factory_id=factory.id, device_key=key, api_key=hashed) for key in self.device_keys]
            session.add_all([*devices, User(factory_id=factory.id, email="chief@bench.example", hashed_password="!")])  # noqa: S106  # no hash: nobody signs in
            session.add_all(Rule(factory_id=factory.id, name=f"Rule {i}", **columns) for i, columns in enumerate(_rules()))
            session.flush()
            self.factory_id, self.device_ids = factory.id, {device.device_key: device.id for device in devices}

    def _connected(self, device_key: str) -> mqtt.Client:
        machine = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"bench-{device_key}")
        machine.username_pw_set(device_user_name(SLUG, device_key), DEVICE_KEY)
        ready = threading.Event()
        machine.on_connect = lambda _client, _data, _flags, code, _properties: None if code.is_failure else ready.set()
        machine.connect("127.0.0.1", self.settings.mqtt_broker_port)
        machine.loop_start()
        if not ready.wait(10):
            raise RuntimeError(f"machine {device_key} could not sign in to the broker")
        return machine


def _rules() -> Sequence[dict[str, Any]]:
    """One rule that the marker meets each time, and 199 that watch three parameters of every machine and are never met."""
    wanted = {"parameter": MARKER, "operator": "gt", "threshold": 0}
    common = {"scope": "global", "severity": "high"}
    quiet = [
        {
            "operator": "AND",
            "conditions": [
                {"parameter": PARAMETERS[i % 3], "operator": "gt", "threshold": 40},
                {"parameter": PARAMETERS[3 + i % 4], "operator": "gt", "threshold": 1000},
            ],
        }
        for i in range(RULES - 1)
    ]
    return [{**common, "conditions": wanted, "cooldown_minutes": 0}, *({**common, "conditions": tree} for tree in quiet)]


def wait_until_flowing(plant: LatencyPlant, observed: threading.Event, within_s: float = 60) -> None:
    """Publishes until `observed` is set: every process is at work. Raises TimeoutError."""
    began, number = time.monotonic(), 0
    while not observed.is_set():
        plant.check_alive()
        if time.monotonic() - began > within_s:
            raise TimeoutError(f"nothing came through within {within_s:g} s")
        plant.publish(number, wants_alert=True)
        number += 1
        time.sleep(0.1)

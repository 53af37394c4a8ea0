"""The live simulator on a real broker: every machine signs in as itself, is heard, comes back, and stops when told."""

import json
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ingest.device_keys import hash_device_key
from ingest.simulator.plant import FACTORIES, PARAMETERS, VPC
from ingest.simulator.publisher import Device, Fleet, Telemetry
from ingest.simulator.run import INTERVAL_S, LivePlant, run_simulator
from ingest.simulator.secrets import DEVICES_SECRET, broker_of, demo_device_key, make_device_secret
from tests.helpers import free_port, port_is_open, require_program, wait_until
from warehouse.errors import PermanentError
from warehouse.settings import Settings

START_S = datetime(2026, 11, 24, 6, 0, tzinfo=UTC).timestamp()
SPEAKING = [f"{f.slug}/devices/{m.device_key}" for f in FACTORIES for m in f.machines if not m.under_overhaul]


class Mosquitto:
    """A broker that lets the demo's machines and one listener in, each with what it may do."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.settings, self.folder = settings, folder
        keys = {user: demo_device_key(settings, user) for user in SPEAKING} | {"listener": "heard"}
        lines = "".join(f"{user}:{hash_device_key(key)}\n" for user, key in keys.items())
        self._write("passwd", lines)
        self._write("acl", "pattern write factories/%u/telemetry\nuser listener\ntopic read factories/+/devices/+/telemetry\n")
        self._write(
            "mosquitto.conf",
            f"listener {settings.mqtt_broker_port} 127.0.0.1\nallow_anonymous false\nuser root\n"
            f"password_file {folder}/passwd\nacl_file {folder}/acl\n",
        )
        self.process: subprocess.Popen[bytes] | None = None

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o600)

    def start(self) -> None:
        program = require_program("mosquitto", package="mosquitto")
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([program, "-c", self.folder / "mosquitto.conf"], stdout=log, stderr=log)
        wait_until(lambda: port_is_open(self.settings.mqtt_broker_port), message="mosquitto listens")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


class Listener:
    """Everything that is published, by topic."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self.client.username_pw_set("listener", "heard")
        self.client.on_connect = lambda client, *_: client.subscribe("factories/+/devices/+/telemetry", 1)
        self.client.on_message = lambda _c, _d, message: self.heard.append((message.topic, json.loads(message.payload)))
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        wait_until(self.client.is_connected)

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_connect = self.client.on_message = None


@pytest.fixture
def mosquitto_of_demo(tmp_path: Path) -> Iterator[Mosquitto]:
    settings = Settings(factoryops_home=tmp_path / "home", mqtt_broker_port=free_port())
    make_device_secret(settings)
    broker = Mosquitto(tmp_path, settings)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def listener(mosquitto_of_demo: Mosquitto) -> Iterator[Listener]:
    found = Listener(mosquitto_of_demo.settings.mqtt_broker_port)
    yield found
    found.stop()


@pytest.fixture
def simulating() -> Iterator[Callable[[Settings], threading.Event]]:
    """Starts simulators and stops them at the end of the test."""
    started: list[tuple[threading.Thread, threading.Event]] = []

    def start(settings: Settings) -> threading.Event:
        stop = threading.Event()
        thread = threading.Thread(target=run_simulator, args=(settings, stop))
        thread.start()
        started.append((thread, stop))
        return stop

    yield start
    for thread, stop in started:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def plant(seed: int = 1) -> LivePlant:
    return LivePlant(VPC, START_S, random.Random(seed))


def test_a_machine_speaks_every_2_to_5_seconds_with_jitter() -> None:
    living, heard = plant(), []
    for second in range(1, 61):
        heard += [(key, START_S + second) for _, key, _ in living.advance(START_S + second) if key == "PMP-01"]
    gaps = [later - earlier for (_, earlier), (_, later) in pairwise(heard)]
    assert INTERVAL_S[0] <= min(gaps) < max(gaps) <= INTERVAL_S[1] + 1


def test_a_message_has_an_iso_time_and_every_metric_of_the_machine() -> None:
    living = plant()
    messages = [message for second in range(1, 8) for message in living.advance(START_S + second)]
    assert {key for _, key, _ in messages} == {machine.device_key for machine in VPC.machines if not machine.under_overhaul}
    for slug, key, telemetry in messages:
        assert slug == "vpc"
        assert telemetry.timestamp.endswith(".000Z")
        assert START_S < datetime.fromisoformat(telemetry.timestamp).timestamp() <= START_S + 7
        assert list(telemetry.metrics) == [parameter.key for parameter in PARAMETERS[VPC.machine(key).kind]]


def test_a_clock_that_is_set_back_a_little_publishes_nothing_twice() -> None:
    living = plant()
    for second in range(1, 8):
        living.advance(START_S + second)
    assert living.advance(START_S + 5) == []


def test_after_a_long_sleep_every_machine_speaks_at_once_with_the_present_state() -> None:
    living = plant()
    living.advance(START_S + 1)
    messages = living.advance(START_S + 3 * 3600)
    assert len(messages) >= 26
    assert all(message.timestamp == "2026-11-24T09:00:00.000Z" for _, _, message in messages)


def test_a_home_without_a_demo_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="factoryops up --demo"):
        run_simulator(Settings(factoryops_home=tmp_path), threading.Event())


def test_the_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    settings = Settings(factoryops_home=tmp_path)
    assert make_device_secret(settings) == make_device_secret(settings)
    assert (tmp_path / "secrets" / DEVICES_SECRET).stat().st_mode & 0o777 == 0o600


def test_a_machine_without_a_broker_keeps_its_messages_up_to_a_limit(tmp_path: Path) -> None:
    settings = Settings(factoryops_home=tmp_path, mqtt_broker_port=free_port())
    make_device_secret(settings)
    broker = broker_of(settings)
    device = Device(VPC, VPC.machine("PMP-01"), broker)
    taken = [device.publish(Telemetry("2026-11-24T06:00:00Z", {"flow": 1.0})) for _ in range(1_600)]
    assert taken.count(True) == 1_500
    device.stop()


@pytest.mark.slow
@pytest.mark.broker
def test_all_machines_are_heard_over_a_real_broker(
    mosquitto_of_demo: Mosquitto, listener: Listener, simulating: Callable[[Settings], threading.Event]
) -> None:
    simulating(mosquitto_of_demo.settings)
    topics = {f"factories/{user}/telemetry" for user in SPEAKING}
    # A connection that the plant's own story keeps down is missing: at most one or two at a time.
    wait_until(lambda: len(topics & {topic for topic, _ in listener.heard}) >= len(topics) - 2, 20, "all machines speak")
    assert {topic for topic, _ in listener.heard} <= topics
    assert all(set(payload) == {"timestamp", "metrics"} for _, payload in listener.heard)


@pytest.mark.slow
@pytest.mark.broker
def test_a_machine_cannot_speak_for_another(mosquitto_of_demo: Mosquitto, listener: Listener) -> None:
    own, other = (Device(VPC, VPC.machine(key), broker_of(mosquitto_of_demo.settings)) for key in ("PMP-01", "PMP-02"))
    own.start()
    wait_until(lambda: own.is_connected)
    own.topic, topic = other.topic, own.topic
    own.publish(Telemetry("2026-11-24T06:00:00Z", {"flow": 1.0}))
    own.topic = topic
    own.publish(Telemetry("2026-11-24T06:00:01Z", {"flow": 2.0}))
    wait_until(lambda: listener.heard)
    assert [heard for heard, _ in listener.heard] == [own.topic]
    own.say_goodbye()
    for device in (own, other):
        device.stop()


@pytest.mark.slow
@pytest.mark.broker
def test_what_was_measured_while_the_broker_was_away_arrives_later(mosquitto_of_demo: Mosquitto) -> None:
    fleet = Fleet((VPC,), broker_of(mosquitto_of_demo.settings))
    fleet.start(threading.Event())
    wait_until(lambda: fleet.connected == len(fleet.devices))
    mosquitto_of_demo.stop()
    wait_until(lambda: fleet.connected == 0)
    for number in range(5):
        fleet.publish("vpc", "PMP-01", Telemetry(f"2026-11-24T06:00:0{number}Z", {"flow": float(number)}))
    mosquitto_of_demo.start()
    listener = Listener(mosquitto_of_demo.settings.mqtt_broker_port)
    wait_until(lambda: len({payload["timestamp"] for _, payload in listener.heard}) == 5, 15, "five messages that were kept")
    wait_until(lambda: fleet.connected == len(fleet.devices), 20, "all machines are back")
    listener.stop()
    fleet.stop()


@pytest.mark.slow
@pytest.mark.broker
def test_it_stops_within_two_seconds(
    mosquitto_of_demo: Mosquitto, listener: Listener, simulating: Callable[[Settings], threading.Event]
) -> None:
    stop = simulating(mosquitto_of_demo.settings)
    wait_until(lambda: len(listener.heard) > 20, 15)
    began = time.monotonic()
    stop.set()
    wait_until(lambda: not any(thread.name.startswith("paho-mqtt-client-simulator") for thread in threading.enumerate()), 10)
    assert time.monotonic() - began < 2

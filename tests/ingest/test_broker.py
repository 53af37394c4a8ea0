"""Who may do what at the broker that we start: tried with real clients."""

import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ingest import broker as brokers
from ingest import broker_files
from ingest.broker import Accounts, Mosquitto
from ingest.credentials import ingester_login
from ingest.device_keys import hash_device_key
from ingest.trial_broker import TrialBroker
from tests.helpers import require_program, wait_until
from tests.ingest.conftest import SLUG, Machine, Plant, add_devices, device_key_of, is_refused
from tests.ingest.processes import BROKER, Process
from warehouse.errors import PermanentError
from warehouse.models.devices import Device
from warehouse.tenancy import system_session

Connect = Callable[..., Machine]
PAYLOAD = b'{"metrics":{"a":1}}'


class Listener:
    """A client that reads as the ingester does."""

    def __init__(self, plant: Plant, subscription: str = "factories/+/devices/+/telemetry") -> None:
        login = ingester_login(plant.settings)
        self.topics: list[str] = []
        self.granted: list[int] = []
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="listener")
        self.client.username_pw_set(login.username, login.password)
        self.client.on_message = lambda _c, _d, message: self.topics.append(message.topic)
        self.client.on_subscribe = lambda _c, _d, _mid, codes, _p: self.granted.append(codes[0].value)
        self.client.connect("127.0.0.1", login.port)
        self.client.loop_start()
        self.client.subscribe(subscription, 1)
        wait_until(lambda: self.granted)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_message = self.client.on_subscribe = None


@pytest.fixture(params=["mosquitto", "trial"])
def any_broker(request: pytest.FixtureRequest, plant: Plant) -> Iterator[None]:
    """Each of the two brokers in turn."""
    if request.param == "mosquitto":
        request.getfixturevalue("broker")
        yield
        return
    trial = TrialBroker(plant.settings, Accounts(plant.settings, plant.db)).start()
    yield
    trial.stop()


def change(plant: Plant, device: str, **values: object) -> None:
    with system_session(plant.db, "change a device in a test", write=True) as session:
        found = session.get_one(Device, plant.device_ids[device])
        for name, value in values.items():
            setattr(found, name, value)


@pytest.mark.slow
def test_a_machine_reaches_its_own_topic_and_no_other(plant: Plant, any_broker: None) -> None:
    listener = Listener(plant)
    for topic in (
        f"factories/{SLUG}/devices/M02/telemetry",
        "factories/other/devices/M01/telemetry",
        f"factories/{SLUG}/devices/M01/commands",
        "anything",
    ):
        intruder = Machine(plant.settings.mqtt_broker_port, f"{SLUG}/devices/M01", device_key_of("M01"))
        wait_until(intruder.client.is_connected)
        # mosquitto 2.0.11 confirms and drops such a message, or closes the connection.
        with suppress(RuntimeError):
            intruder.publish(PAYLOAD, topic)
        intruder.close()
    machine = Machine(plant.settings.mqtt_broker_port, f"{SLUG}/devices/M01", device_key_of("M01"))
    wait_until(machine.client.is_connected)
    machine.publish(PAYLOAD)
    wait_until(lambda: listener.topics)
    assert listener.topics == [machine.topic]
    machine.close()
    listener.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("user", "password"),
    [(f"{SLUG}/devices/M01", "wrong"), (f"{SLUG}/devices/M01", device_key_of("M02")), ("nobody", "x"), (f"{SLUG}/devices/M01", "")],
)
def test_without_the_right_key_nobody_gets_in(plant: Plant, any_broker: None, user: str, password: str) -> None:
    machine = Machine(plant.settings.mqtt_broker_port, user, password)
    wait_until(lambda: machine.refused)
    machine.close()


def test_without_a_name_nobody_gets_in(plant: Plant, broker: Mosquitto) -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    codes: list[bool] = []
    client.on_connect = lambda _c, _d, _f, code, _p: codes.append(code.is_failure)
    client.connect("127.0.0.1", plant.settings.mqtt_broker_port)
    client.loop_start()
    wait_until(lambda: codes)
    client.disconnect()
    client.loop_stop()
    client.on_connect = None
    assert codes[0]


def test_a_machine_cannot_read_what_others_send(machine: Connect, plant: Plant) -> None:
    spy, sender = machine("M01"), machine("M02")
    heard: list[str] = []
    spy.client.on_message = lambda _c, _d, message: heard.append(message.topic)
    spy.client.subscribe("#", 1)
    listener = Listener(plant)
    sender.publish(PAYLOAD)
    wait_until(lambda: listener.topics)
    listener.close()
    spy.client.on_message = None
    assert heard == []


def test_the_ingester_cannot_read_anything_but_telemetry(plant: Plant, broker: Mosquitto, machine: Connect) -> None:
    listener = Listener(plant, "#")
    machine("M01").publish(PAYLOAD)
    own = Listener(plant)
    own.close()
    listener.close()
    assert set(listener.topics) <= {f"factories/{SLUG}/devices/M01/telemetry"}


def test_a_new_machine_gets_in_after_a_refresh(plant: Plant, broker: Mosquitto, machine: Connect) -> None:
    assert machine("NEW").refused
    add_devices(plant.db, "NEW")
    broker.refresh()
    wait_until(lambda: not machine("NEW").refused, 10, "the new machine gets in", interval_s=0.2)


def test_a_changed_key_and_a_switched_off_machine_take_effect(plant: Plant, broker: Mosquitto, machine: Connect) -> None:
    first, second = machine("M01"), machine("M02")
    change(plant, "M01", api_key=hash_device_key("another key"))
    change(plant, "M02", is_active=False)
    broker.refresh()
    wait_until(lambda: not first.client.is_connected() or first.refused, 10, "the old key is refused")
    wait_until(lambda: not second.client.is_connected() or second.refused, 10, "the machine is sent away")
    assert not machine("M01", password="another key").refused
    assert machine("M02").refused


def test_only_the_owner_can_read_its_files(plant: Plant, broker: Mosquitto) -> None:
    folder = plant.settings.home / "broker"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in (broker_files.CONFIGURATION, broker_files.PASSWORDS, broker_files.PERMISSIONS):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert ingester_login(plant.settings).password not in (folder / broker_files.PASSWORDS).read_text()


def test_it_listens_on_this_machine_only(plant: Plant, broker: Mosquitto) -> None:
    own = socket.gethostbyname(socket.gethostname())
    if own.startswith("127."):
        pytest.skip("this machine has no other address")
    with socket.socket() as probe:
        assert probe.connect_ex((own, plant.settings.mqtt_broker_port)) != 0


def test_a_taken_port_is_said(plant: Plant, broker: Mosquitto) -> None:
    second = Mosquitto(broker._program, plant.settings.model_copy(update={"factoryops_home": plant.settings.home}), plant.db)
    with pytest.raises(PermanentError, match="MQTT_BROKER_PORT"):
        second.start()


def test_after_stop_the_port_is_free(plant: Plant, broker: Mosquitto) -> None:
    broker.stop()
    assert is_refused(plant.settings.mqtt_broker_port)
    assert not broker.is_running


@pytest.mark.parametrize("name", ["a:b", "a/b", "a+", "#", "", " a", "a\nuser:x"])
def test_names_that_would_change_the_meaning_of_the_files_are_left_out(name: str) -> None:
    assert broker_files.passwords("ingester", "hash", [("vpc", name, "$7$x")]) == "ingester:hash\n"
    assert broker_files.passwords("ingester", "hash", [(name, "M01", "$7$x")]) == "ingester:hash\n"


def test_configuration_has_the_limits_that_keep_messages(tmp_path: Path) -> None:
    """Each of them was measured to lose messages, or speed, at mosquitto's own default."""
    lines = broker_files.configuration(tmp_path, "127.0.0.1", 1883, "user").splitlines()
    for line in (
        "max_inflight_messages 20000",
        "max_queued_messages 0",
        "persistence true",
        "persistent_client_expiration 7d",
        "message_size_limit 1048576",
        "set_tcp_nodelay true",
        "allow_anonymous false",
    ):
        assert line in lines


def test_without_mosquitto_a_broker_for_trying_out_is_started(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "find_mosquitto", lambda: None)
    trial = brokers.start(plant.settings, plant.db)
    assert isinstance(trial, TrialBroker)
    assert trial.is_running
    trial.stop()
    assert not trial.is_running


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent was killed")
def test_the_port_is_free_after_our_process_was_killed(plant: Plant) -> None:
    """Otherwise the next start would find the port taken by a broker that nobody looks after."""
    require_program("mosquitto", package="mosquitto")
    process = Process(plant, BROKER)
    wait_until(lambda: not is_refused(plant.settings.mqtt_broker_port), 20, "the broker listens")
    process._running.kill()
    wait_until(lambda: is_refused(plant.settings.mqtt_broker_port), 10, "mosquitto is gone as well")
    process.stop()

"""Lets the plant speak: every machine has its own connection to the broker and publishes as itself, QoS 1.

What the broker must allow, and nothing more: user `<slug>/devices/<device key>` with the key whose hash is in `devices.api_key`, and
`pattern write factories/%u/telemetry`. The simulator needs no user of its own, so it also proves that each machine gets in.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from ingest.device_keys import device_user_name
from ingest.simulator.plant import Machine, PlantFactory

QOS: Final = 1
KEEP_ALIVE_S: Final = 30
RECONNECT_S: Final = (1, 30)
# What a machine keeps while the broker is away: an hour and more at 2 to 5 s. After that it forgets the newest, as small devices do.
QUEUED_MESSAGES: Final = 1_500
log = structlog.get_logger()


@dataclass(frozen=True)
class Broker:
    """Where to connect, and the key of each machine by its user name."""

    host: str
    port: int
    key_of: Callable[[str], str]


class Telemetry(msgspec.Struct):
    """The payload of one message."""

    timestamp: str
    metrics: dict[str, float | int]


class Device:
    """One machine's connection. Connects in the background, comes back by itself with growing pauses, and keeps messages meanwhile."""

    def __init__(self, factory: PlantFactory, machine: Machine, broker: Broker) -> None:
        self.machine = machine
        self.user_name = device_user_name(factory.slug, machine.device_key)
        self.topic = f"factories/{self.user_name}/telemetry"
        self._refusal = ""
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"simulator-{self.user_name}", protocol=mqtt.MQTTv311)
        self._client.username_pw_set(self.user_name, broker.key_of(self.user_name))
        self._client.reconnect_delay_set(*RECONNECT_S)
        self._client.max_queued_messages_set(QUEUED_MESSAGES)
        self._client.on_connect = self._on_connect
        self._client.connect_async(broker.host, broker.port, KEEP_ALIVE_S)

    @property
    def is_connected(self) -> bool:
        """Whether the broker has let this machine in."""
        return self._client.is_connected()

    def start(self) -> None:
        """Begins to connect, in a thread of its own."""
        self._client.loop_start()

    def publish(self, telemetry: Telemetry) -> bool:
        """Hands one message over; False when it was dropped because too many wait already."""
        return self._client.publish(self.topic, msgspec.json.encode(telemetry), QOS).rc != MQTTErrorCode.MQTT_ERR_QUEUE_SIZE

    def say_goodbye(self) -> None:
        """Disconnects; messages that the broker has not confirmed are lost with the process."""
        self._client.disconnect()

    def stop(self) -> None:
        """Ends the thread, after `say_goodbye`."""
        self._client.loop_stop()
        # The client holds us and we hold it: without this its sockets would stay open until the garbage collector comes by.
        self._client.on_connect = None

    def _on_connect(self, _client: mqtt.Client, _data: Any, _flags: mqtt.ConnectFlags, code: ReasonCode, _properties: Any) -> None:
        refusal = str(code) if code.is_failure else ""
        if refusal and refusal != self._refusal:
            log.warning("machine_refused", user=self.user_name, reason=refusal, advice="is its key in the broker's password file?")
        self._refusal = refusal


class Fleet:
    """All machines of the plant that speak, and what they say counted."""

    def __init__(self, factories: tuple[PlantFactory, ...], broker: Broker) -> None:
        self.devices = {
            (factory.slug, machine.device_key): Device(factory, machine, broker)
            for factory in factories
            for machine in factory.machines
            if not machine.under_overhaul
        }
        self.published = 0
        self.dropped = 0

    def start(self, pause: threading.Event) -> None:
        """Connects all, a few at a time, so that the broker is not asked by all at once; stops early when `pause` is set."""
        for device in self.devices.values():
            if pause.wait(0.01):
                return
            device.start()

    def publish(self, slug: str, device_key: str, telemetry: Telemetry) -> None:
        """Publishes as one machine."""
        taken = self.devices[slug, device_key].publish(telemetry)
        self.published += taken
        self.dropped += not taken

    @property
    def connected(self) -> int:
        """How many machines are connected."""
        return sum(device.is_connected for device in self.devices.values())

    def stop(self) -> None:
        """Disconnects all."""
        for device in self.devices.values():
            device.say_goodbye()
        for device in self.devices.values():
            device.stop()

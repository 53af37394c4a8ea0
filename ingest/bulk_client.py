"""paho's client made fit for 20,000 messages a second. It leans on four of paho's inner parts, so paho is pinned and tests hold it.

paho asks the operating system three times for each packet and once for each acknowledgement, and spends 20 us in Python on each message.
Here one call brings many packets and one takes many acknowledgements away, and complete PUBLISH packets are taken out of what was read
before paho sees them. Everything else (sign-in, subscriptions, pings, packets that came in part) is paho's.
"""

import struct
import time
from collections.abc import Callable, Sequence
from typing import Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

READ_BYTES: Final = 256 * 1024
MOST_TOPICS: Final = 100_000
SESSION_KEPT_S: Final = 7 * 24 * 3600
"""How long an MQTT 5 broker keeps what arrives for a client that is away; one of MQTT 3.1.1 has its own setting for it."""
_PUBACK: Final = 0x40
_PUBLISH: Final = 0x30

Receive = Callable[[str, bytes, int, bool, bool], None]
"""Gets topic, payload, message id (0 for QoS 0), whether the message was retained, and whether the broker had sent it to us before."""


class BulkClient(mqtt.Client):
    """A client whose loop its owner runs: `read_burst` when the socket is readable, `acknowledge_many` in the same thread.

    It speaks MQTT 3.1.1, or MQTT 5 with `mqtt5`; in both the broker keeps its session while it is away.
    """

    def __init__(self, client_id: str, receive: Receive, *, mqtt5: bool = False) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if mqtt5 else False,
            protocol=mqtt.MQTTv5 if mqtt5 else mqtt.MQTTv311,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        self._receive = receive
        self._has_properties = mqtt5
        self._received = b""
        self._offset = 0
        self._topics: dict[bytes, str] = {}
        self.on_message = self._receive_from_paho

    def aim_at(self, host: str, port: int, keep_alive_s: int) -> None:
        """Says where `reconnect` will connect to."""
        if not self._has_properties:
            self.connect_async(host, port, keep_alive_s)
            return
        wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        wishes.SessionExpiryInterval = SESSION_KEPT_S
        self.connect_async(host, port, keep_alive_s, clean_start=False, properties=wishes)

    def reconnect(self) -> MQTTErrorCode:
        """Connects; what was read of the old connection is forgotten with it."""
        self._received, self._offset = b"", 0
        return super().reconnect()

    def read_burst(self) -> MQTTErrorCode:
        """Handles what the socket holds now, up to 256 KiB; a packet that is not complete waits for the next call."""
        code = self.loop_read()
        while code == MQTTErrorCode.MQTT_ERR_SUCCESS and self._offset < len(self._received):
            self._take_publishes()
            if self._offset < len(self._received):
                code = self.loop_read()
        return code

    def acknowledge_many(self, mids: Sequence[int]) -> MQTTErrorCode:
        """Sends the PUBACKs of these messages in one piece."""
        if not mids:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        packets = b"".join([struct.pack("!BBH", _PUBACK, 2, mid) for mid in mids])
        return self._packet_queue(_PUBACK, packets, 0, 0)

    def excuse_silence(self) -> None:
        """For an owner that reads nothing for a while: nor does it hear the answers to pings then, so they are not waited for."""
        self._ping_t = 0.0
        self._last_bytes_received = time.monotonic()

    def _take_publishes(self) -> None:
        """Takes complete PUBLISH packets of QoS 0 and 1 from where we are; stops at anything else, which is then paho's."""
        if self._in_packet["command"]:
            return  # paho is in the middle of a packet
        data, offset, end, receive = self._received, self._offset, len(self._received), self._receive
        has_properties = self._has_properties
        while end - offset > 4 and data[offset] & 0xF4 == _PUBLISH:  # 4: the bit of QoS 2, which we never ask for
            start, length = _remaining_length(data, offset + 1)
            stop = start + length
            if not length or stop > end:
                break
            topic_end = start + 2 + (data[start] << 8 | data[start + 1])
            flags = data[offset]
            body = topic_end + 2 if flags & 0x02 else topic_end
            if has_properties and body < stop:
                first, size = _remaining_length(data, body)
                body = first + size
            if body > stop:
                break
            mid = data[topic_end] << 8 | data[topic_end + 1] if flags & 0x02 else 0
            receive(self._topic(data[start + 2 : topic_end]), data[body:stop], mid, bool(flags & 0x01), bool(flags & 0x08))
            offset = stop
        self._offset = offset
        self._last_bytes_received = time.monotonic()

    def _topic(self, raw: bytes) -> str:
        """The topic as text, remembered, because the same ones come all the time."""
        topic = self._topics.get(raw)
        if topic is None:
            if len(self._topics) >= MOST_TOPICS:
                self._topics.clear()
            topic = self._topics[raw] = topic_text(raw)
        return topic

    def _receive_from_paho(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        topic = topic_text(message._topic)  # noqa: SLF001  # `topic` raises for invalid UTF-8
        self._receive(topic, bytes(message.payload), message.mid if message.qos else 0, message.retain, message.dup)

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._offset >= len(self._received):
            self._received, self._offset = b"", 0
            self._received = super()._sock_recv(max(bufsize, READ_BYTES))
        start = self._offset
        self._offset = min(start + bufsize, len(self._received))
        return self._received[start : self._offset]


def topic_text(raw: bytes) -> str:
    """A topic as text. Brokers refuse topics that are not UTF-8; should one not, it becomes a text that is no topic of ours."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return ascii(raw)


def _remaining_length(data: bytes, offset: int) -> tuple[int, int]:
    """Where the packet's body starts, and its length; length 0 when the length itself is not complete or not valid."""
    length = shift = 0
    for position in range(offset, min(offset + 4, len(data))):
        byte = data[position]
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return position + 1, length
        shift += 7
    return offset, 0

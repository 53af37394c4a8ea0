"""The short cut past paho sees exactly the messages that paho would, however the network cuts the stream."""

import inspect
import socket
import struct
import time
from collections.abc import Iterator

import paho.mqtt.client as mqtt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from ingest.bulk_client import BulkClient, topic_text

Seen = tuple[str, bytes, int, bool, bool]


def remaining_length(length: int) -> bytes:
    out = bytearray()
    while True:
        length, digit = divmod(length, 128)
        out.append(digit | 0x80 if length else digit)
        if not length:
            return bytes(out)


def publish(
    topic: bytes, payload: bytes, mid: int, *, retain: bool = False, repeated: bool = False, properties: bytes | None = None
) -> bytes:
    """A PUBLISH packet; QoS 0 when `mid` is 0; of MQTT 5 with `properties`."""
    own = b"" if properties is None else remaining_length(len(properties)) + properties
    body = struct.pack("!H", len(topic)) + topic + (struct.pack("!H", mid) if mid else b"") + own + payload
    return bytes([0x30 | (0x02 if mid else 0) | retain | repeated << 3]) + remaining_length(len(body)) + body


class Wire:
    """A client and the broker's end of its connection."""

    def __init__(self, *, mqtt5: bool = False) -> None:
        self.seen: list[Seen] = []
        self.client = BulkClient("test", lambda *message: self.seen.append(message), mqtt5=mqtt5)
        self.broker, ours = socket.socketpair()
        ours.setblocking(False)
        self.client._sock = ours
        self.broker.settimeout(1)

    def deliver(self, *pieces: bytes) -> MQTTErrorCode:
        code = MQTTErrorCode.MQTT_ERR_SUCCESS
        for piece in pieces:
            self.broker.sendall(piece)
            code = self.client.read_burst()
        return code

    def close(self) -> None:
        self.broker.close()
        self.client._sock_close()
        self.client.on_message = None


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


MESSAGES = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8", exclude_characters="\0#+"), min_size=1, max_size=30),
        st.binary(max_size=300),
        st.integers(0, 65_535),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


# No property; one user property; one so long that its length takes two bytes.
PROPERTIES = [b"", b"\x26\x00\x01a\x00\x01b", b"\x26\x00\x01a\x00\xc8" + b"b" * 200]


@given(messages=MESSAGES, cuts=st.lists(st.integers(1, 200), max_size=20), properties=st.sampled_from([None, *PROPERTIES]))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_messages_arrive_complete_and_in_order_however_they_are_cut(
    messages: list[Seen], cuts: list[int], properties: bytes | None
) -> None:
    wire = Wire(mqtt5=properties is not None)
    stream = b"".join(
        publish(topic.encode(), payload, mid, retain=retain, repeated=repeated, properties=properties)
        for topic, payload, mid, retain, repeated in messages
    )
    pieces = []
    for cut in cuts:
        pieces.append(stream[:cut])
        stream = stream[cut:]
    assert wire.deliver(*(piece for piece in (*pieces, stream) if piece)) == MQTTErrorCode.MQTT_ERR_SUCCESS
    assert wire.seen == messages
    wire.close()


def test_other_packets_between_messages_are_left_to_paho(wire: Wire) -> None:
    granted: list[int] = []
    wire.client.on_subscribe = lambda _c, _d, mid, _codes, _p: granted.append(mid)
    suback = b"\x90\x03\x00\x07\x01"
    pingresp = b"\xd0\x00"
    first, second, third = (publish(b"t", b"%d" % n, n) for n in (1, 2, 3))
    wire.deliver(first + suback + second + pingresp + third)
    assert [seen[2] for seen in wire.seen] == [1, 2, 3]
    assert granted == [7]
    wire.client.on_subscribe = None


def test_a_large_message_arrives_in_pieces(wire: Wire) -> None:
    packet = publish(b"t", b"x" * 900_000, 5)
    pieces = [packet[start : start + 50_000] for start in range(0, len(packet), 50_000)]
    wire.deliver(*pieces, publish(b"t", b"after", 6))
    assert [(len(payload), mid) for _, payload, mid, *_ in wire.seen] == [(900_000, 5), (5, 6)]


@pytest.mark.parametrize("packet", [b"\x32\x05\x00\x09abc", b"\x32\xff\xff\xff\xff\xff\x01", b"\x32\x03\x00\x01t"])
def test_a_malformed_packet_ends_the_connection_and_delivers_nothing(wire: Wire, packet: bytes) -> None:
    assert wire.deliver(packet + b"\x00" * 10) != MQTTErrorCode.MQTT_ERR_SUCCESS
    assert wire.seen == []


def test_acknowledgements_go_out_in_one_piece(wire: Wire) -> None:
    wire.client.acknowledge_many([1, 2, 65_535])
    assert wire.broker.recv(100) == b"\x40\x02\x00\x01\x40\x02\x00\x02\x40\x02\xff\xff"


def test_a_client_that_reads_nothing_for_long_is_not_taken_for_dead(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading stops while the inbox is full: the answers to pings are not heard, and the connection must not end for it."""
    wire.client._state = mqtt._ConnectionState.MQTT_CS_CONNECTED
    wire.client._keepalive, now = 10, [time.monotonic()]
    monkeypatch.setattr(mqtt, "time_func", lambda: now[0])
    monkeypatch.setattr("ingest.bulk_client.time.monotonic", lambda: now[0])
    for _ in range(20):
        now[0] += 6
        wire.client.excuse_silence()
        wire.client.loop_misc()
    assert wire.client.socket() is not None
    assert wire.broker.recv(100).count(b"\xc0\x00") >= 8


def test_a_topic_that_is_not_utf_8_is_no_topic_of_ours() -> None:
    assert topic_text(b"a/\xff") == "b'a/\\xff'"


def test_topics_are_remembered_within_bounds(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.bulk_client.MOST_TOPICS", 10)
    wire.deliver(b"\xd0\x00" + b"".join(publish(b"t%d" % n, b"x", 1) for n in range(100)))
    assert [topic for topic, *_ in wire.seen] == [f"t{n}" for n in range(100)]
    assert len(wire.client._topics) <= 10


def test_the_inner_parts_of_paho_that_we_lean_on_are_there() -> None:
    """Fails when paho is updated and works differently inside: then ingest.bulk_client must be looked at."""
    assert list(inspect.signature(mqtt.Client._sock_recv).parameters) == ["self", "bufsize"]
    assert list(inspect.signature(mqtt.Client._packet_queue).parameters)[:5] == ["self", "command", "packet", "mid", "qos"]
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    assert client._in_packet["command"] == 0
    assert client._last_bytes_received > 0

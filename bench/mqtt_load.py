"""Publishes numbered messages as fast as the broker takes them, QoS 1: `python -m bench.mqtt_load PORT USER FIRST COUNT`.

Over a plain socket, because a client library would cost more than all that is measured. The password comes over standard input.
"""

import socket
import struct
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Final

SLUG: Final = "bench"
DEVICES: Final = 200
METRICS: Final = (
    '"voltage":%d.4,"current":3.%d,"power":%d.6,"spindle_temp":45.5,"vibration":0.0123,"rpm":12000,"load":77.%d,"energy":123456.789'
)
WINDOW: Final = 4_000
"""Messages that the broker has not confirmed; below its own limit for a client."""
BURST: Final = 200


def device_key(number: int) -> str:
    """Key of a device of the benchmark."""
    return f"D{number:04}"


def payload(number: int, start: datetime) -> bytes:
    """Message `number` with 8 metrics, about 180 bytes; its device time is `start` plus that many tenths of a millisecond."""
    stamp = (start + timedelta(microseconds=100 * number)).strftime("%Y-%m-%dT%H:%M:%S.%f")
    digits = number % 1000
    return f'{{"timestamp":"{stamp}Z","metrics":{{{METRICS % (digits, digits % 10, digits, digits % 10)}}}}}'.encode()


def publish_packet(number: int, mid: int, start: datetime) -> bytes:
    """A whole PUBLISH packet, QoS 1."""
    topic = f"factories/{SLUG}/devices/{device_key(number % DEVICES)}/telemetry".encode()
    body = struct.pack("!H", len(topic)) + topic + struct.pack("!H", mid) + payload(number, start)
    return b"\x32" + remaining_length(len(body)) + body


def remaining_length(length: int) -> bytes:
    """MQTT's way to write a length: seven bits a byte."""
    out = bytearray()
    while True:
        length, digit = divmod(length, 128)
        out.append(digit | 0x80 if length else digit)
        if not length:
            return bytes(out)


def connect(port: int, user: str, password: str, client_id: str) -> socket.socket:
    """Signs in with a clean session. Raises RuntimeError when the broker refuses."""
    sock = socket.create_connection(("127.0.0.1", port))
    texts = b"".join(struct.pack("!H", len(text)) + text for text in (client_id.encode(), user.encode(), password.encode()))
    body = b"\x00\x04MQTT\x04\xc2\x00\x00" + texts
    sock.sendall(b"\x10" + remaining_length(len(body)) + body)
    answer = sock.recv(4)
    if len(answer) != 4 or answer[3] != 0:
        raise RuntimeError(f"the broker refused {user}: {answer!r}")
    return sock


def send_all(sock: socket.socket, first: int, count: int, start: datetime) -> None:
    """Sends all messages, never more than WINDOW unconfirmed, and returns when the last one is confirmed."""
    sent = confirmed = half = 0
    while confirmed < count:
        while sent < count and sent - confirmed < WINDOW:
            end = min(count, sent + BURST)
            sock.sendall(b"".join(publish_packet(first + n, n % 65_535 + 1, start) for n in range(sent, end)))
            sent = end
        # A confirmation is four bytes; what came in part is counted when it is complete.
        half += len(sock.recv(65_536))
        confirmed += half // 4
        half %= 4


def main() -> None:
    """The program."""
    port, user, first, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    sock = connect(port, user, sys.stdin.readline().strip(), f"load-{first}")
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    send_all(sock, first, count, datetime.now(UTC))
    print(time.monotonic() - began, flush=True)
    sock.close()


if __name__ == "__main__":
    main()

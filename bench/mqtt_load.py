"""Publishes numbered messages, QoS 1: `python -m bench.mqtt_load PORT USER FIRST COUNT DEVICES PER_S`.

As fast as the broker takes them when PER_S is 0. It reads the password, says `ready`, waits for a line, and says how many seconds it took,
and of CPU. Over a plain socket, because a client library would cost more than all that is measured.
"""

import socket
import struct
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Final

SLUG: Final = "bench"
METRICS: Final = (
    '"voltage":%d.4,"current":3.%d,"power":%d.6,"spindle_temp":45.5,"vibration":0.0123,"rpm":12000,"load":77.%d,"energy":123456.789'
)
WINDOW: Final = 4_000
"""Messages that the broker has not confirmed; below its own limit for a client."""
BURST: Final = 200
MOST_RENDERED: Final = 250_000
"""More messages than this are made while they are sent: they would take too much memory, and too long before."""


def device_key(number: int) -> str:
    """Key of a device of the benchmark."""
    return f"D{number:04}"


def payload(number: int, moment: datetime) -> bytes:
    """Message `number` with 8 metrics, about 180 bytes; `moment` is its device time."""
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.%f")
    digits = number % 1000
    return f'{{"timestamp":"{stamp}Z","metrics":{{{METRICS % (digits, digits % 10, digits, digits % 10)}}}}}'.encode()


def publish_packet(number: int, mid: int, moment: datetime, devices: int) -> bytes:
    """A whole PUBLISH packet, QoS 1."""
    return telemetry_packet(number % devices, mid, payload(number, moment))


def telemetry_packet(device: int, mid: int, body: bytes) -> bytes:
    """A whole PUBLISH packet of a device, QoS 1."""
    topic = f"factories/{SLUG}/devices/{device_key(device)}/telemetry".encode()
    rest = struct.pack("!H", len(topic)) + topic + struct.pack("!H", mid) + body
    return b"\x32" + remaining_length(len(rest)) + rest


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


def send_all(sock: socket.socket, bursts: list[bytes], count: int, per_s: float) -> None:
    """Sends all messages, never more than WINDOW unconfirmed, and returns when the last one is confirmed.

    As fast as the broker confirms, or at most `per_s` a second when it is not 0.
    """
    sent, began = 0, time.monotonic()
    confirmations = Confirmations(sock)
    while confirmations.number < count:
        while sent < count and sent - confirmations.number < WINDOW and (not per_s or sent <= (time.monotonic() - began) * per_s):
            sock.sendall(bursts[sent // BURST])
            sent = min(count, sent + BURST)
        if sent > confirmations.number:
            confirmations.wait()
        else:
            time.sleep(0.002)


def send_paced(sock: socket.socket, first: int, count: int, devices: int, per_s: float) -> None:
    """Sends `per_s` messages a second, as far as WINDOW lets it, and returns when the last one is confirmed."""
    start, began, sent = _start(first, count), time.monotonic(), 0
    confirmations = Confirmations(sock)
    while confirmations.number < count:
        due = min(count, confirmations.number + WINDOW, int((time.monotonic() - began) * per_s) + 1)
        if due > sent:
            moments = ((n, start + timedelta(microseconds=int(n * 1e6 / per_s))) for n in range(sent, due))
            sock.sendall(b"".join(publish_packet(first + n, n % 65_535 + 1, moment, devices) for n, moment in moments))
            sent = due
        if sent > confirmations.number:
            confirmations.wait()
        else:
            time.sleep(0.002)


def rendered(first: int, count: int, devices: int) -> list[bytes]:
    """All messages, BURST a piece, made beforehand: it is not the making that is measured. Device time goes on by 0.1 ms a message."""
    start = _start(first, count)
    packets = [publish_packet(first + n, n % 65_535 + 1, start + timedelta(microseconds=100 * n), devices) for n in range(count)]
    return [b"".join(packets[begin : begin + BURST]) for begin in range(0, count, BURST)]


def _start(first: int, count: int) -> datetime:
    # A process has its own microsecond: no two of them give a device the same moment twice.
    return datetime.now(UTC).replace(microsecond=0) + timedelta(microseconds=first // max(count, 1))


class Confirmations:
    """Counts what the broker confirms: four bytes a message."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self._half = sock, 0
        self.number = 0

    def wait(self) -> None:
        """Waits for some. What came in part is counted when it is complete."""
        self._half += len(self._sock.recv(65_536))
        self.number += self._half // 4
        self._half %= 4


def main() -> None:
    """The program."""
    port, user, first, count, devices = int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:6])
    per_s = float(sys.argv[6])
    sock = connect(port, user, sys.stdin.readline().strip(), f"load-{first}")
    bursts = rendered(first, count, devices) if count <= MOST_RENDERED else []
    print("ready", flush=True)
    sys.stdin.readline()
    began, used_s = time.monotonic(), time.process_time()
    if bursts:
        send_all(sock, bursts, count, per_s)
    else:
        send_paced(sock, first, count, devices, per_s)
    print(time.monotonic() - began, time.process_time() - used_s, flush=True)
    sock.close()


if __name__ == "__main__":
    main()

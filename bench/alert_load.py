"""Publishes at an even pace, some messages asking for an alert: `python -m bench.alert_load PORT USER COUNT DEVICES PER_S ALERT_EVERY`.

It reads the password, says `ready`, waits for a line, says at which moment message 0 was due, and at the end how many seconds the latest
send was late. Message n is due n / PER_S seconds after message 0: that is its device time, so that a late send counts as delay.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from bench.mqtt_load import Confirmations, connect, payload, telemetry_packet

PAUSE_S: Final = 0.001
MARKER: Final = "marker"
"""A parameter that is sent when an alert is wanted."""


def due_at(start: datetime, number: int, per_s: float) -> datetime:
    """When message `number` is due, which is its device time."""
    return start + timedelta(microseconds=round(number * 1e6 / per_s))


def message(number: int, moment: datetime, alert_every: int) -> bytes:
    """Message `number`; one of `alert_every` carries the marker."""
    body = payload(number, moment)
    return body if number % alert_every else body[:-2] + f',"{MARKER}":{number + 1}}}}}'.encode()


def main() -> None:
    """The program."""
    port, user, count, devices = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    per_s, alert_every = float(sys.argv[5]), int(sys.argv[6])
    sock = connect(port, user, sys.stdin.readline().strip(), "alert-load")
    confirmations = Confirmations(sock)
    print("ready", flush=True)
    sys.stdin.readline()
    start, began = datetime.now(UTC), time.monotonic()
    print(start.isoformat(), flush=True)
    sent, late_s = 0, 0.0
    while sent < count:
        elapsed_s = time.monotonic() - began
        due = min(count, int(elapsed_s * per_s) + 1)
        if due > sent:
            late_s = max(late_s, elapsed_s - sent / per_s)
            bodies = ((n, message(n, due_at(start, n, per_s), alert_every)) for n in range(sent, due))
            sock.sendall(b"".join(telemetry_packet(n % devices, n % 65_535 + 1, body) for n, body in bodies))
            sent = due
        time.sleep(PAUSE_S)
    while confirmations.number < count:
        confirmations.wait()
    print(late_s, flush=True)
    sock.close()


if __name__ == "__main__":
    main()

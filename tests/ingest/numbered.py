"""Machines that send numbered messages whatever happens to the broker, and the audit that looks for each of them in the lake."""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.helpers import wait_until
from tests.ingest.conftest import SLUG, device_key_of
from warehouse.lake import Lake

MARKER_EVERY = 500
"""One message in so many also says `marker`, for a rule to raise an alert at."""
REPEATS_S = 20.0
"""After a lost connection a machine sends once more what it sent in this time: a broker that was killed has forgotten some of it."""


class NumberedMachine:
    """Sends `n` = 0, 1, 2 ... with its device time at a steady pace, in a thread of its own, from `start` to `stop`."""

    def __init__(self, port: int, device: str, per_s: float) -> None:
        self.device, self._port, self._per_s = device, port, per_s
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._recent: list[tuple[float, bytes]] = []
        self._thread = threading.Thread(target=self._run, name=f"machine {device}")
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"numbered-{device}", clean_session=False)
        self._client.username_pw_set(f"{SLUG}/devices/{device}", device_key_of(device))
        self._client.max_inflight_messages_set(1000)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._handed_over = self._confirmed = 0
        self.sent = 0
        self.connections_lost = 0

    @property
    def markers(self) -> int:
        """How many messages said `marker`."""
        return -(-self.sent // MARKER_EVERY)

    def start(self) -> None:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        self._thread.start()

    def stop(self) -> None:
        """Stops, and waits until the broker has everything."""
        self._stop.set()
        self._thread.join(60)
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_disconnect = self._client.on_publish = None

    def _on_disconnect(self, *_: object) -> None:
        self.connections_lost += 1
        self._lost.set()

    def _run(self) -> None:
        begin = time.monotonic()
        while not self._stop.is_set():
            if self._lost.is_set() and self._client.is_connected():
                self._lost.clear()
                self._send_recent()
            # What cannot be sent now is sent later: a machine goes on counting while the broker is away.
            while self.sent < (time.monotonic() - begin) * self._per_s and self._client.is_connected():
                marker = {"marker": self.sent} if self.sent % MARKER_EVERY == 0 else {}
                payload = json.dumps({"timestamp": datetime.now(UTC).isoformat(), "metrics": {"n": self.sent} | marker}).encode()
                self._recent.append((time.monotonic(), payload))
                self._send(payload)
                self.sent += 1
            self._recent = [(at, payload) for at, payload in self._recent if at > time.monotonic() - REPEATS_S]
            time.sleep(0.01)
        if self._lost.is_set():
            self._send_recent()
        # What was handed over while nobody was connected is sent after it, so the count is what tells.
        wait_until(lambda: self._confirmed >= self._handed_over, 45, f"the broker has all of {self.device}", interval_s=0.1)

    def _send_recent(self) -> None:
        for _, payload in self._recent:
            self._send(payload)

    def _send(self, payload: bytes) -> None:
        self._handed_over += 1
        self._client.publish(f"factories/{SLUG}/devices/{self.device}/telemetry", payload, 1)

    def _on_publish(self, *_: object) -> None:
        self._confirmed += 1


@dataclass(frozen=True)
class Audit:
    """What the lake holds of what was sent."""

    sent: int
    found: int
    """Rows, repeats included."""
    missing: dict[str, list[int]] = field(default_factory=dict)
    """The first numbers of each machine that are not there."""
    repeated: int = 0
    foreign: int = 0
    """Rows that nobody sent."""

    @property
    def is_complete(self) -> bool:
        return not (self.missing or self.repeated or self.foreign)


def audit(lake: Lake, machines: Sequence[NumberedMachine], device_ids: dict[str, int]) -> Audit:
    """Looks for each number of each machine."""
    found = lake.reader(1).query(
        "SELECT device_id, value::BIGINT AS n, count(*) AS times FROM telemetry WHERE parameter = 'n' GROUP BY ALL"
    )
    missing, foreign = {}, 0
    for machine in machines:
        numbers = set(found.filter(device_id=device_ids[machine.device])["n"].to_list())
        lost = sorted(set(range(machine.sent)) - numbers)
        if lost:
            missing[machine.device] = lost[:20]
        foreign += len(numbers - set(range(machine.sent)))
    rows = int(found["times"].sum())
    return Audit(sum(machine.sent for machine in machines), rows, missing, rows - found.height, foreign)

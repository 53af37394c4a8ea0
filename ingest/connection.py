"""The connection to the broker: a persistent session, QoS 1, and acknowledgements only for what somebody else has made durable.

This thread reads into the inbox and writes acknowledgements, nothing else. When the inbox is full it stops reading: then the broker keeps
the messages, as it does while we are away.
"""

import select
import socket
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from ingest.backoff import Backoff
from ingest.bulk_client import BulkClient
from ingest.credentials import Login
from ingest.figures import IngestFigures
from ingest.flush import Incoming
from ingest.inbox import Inbox
from ingest.topics import SHARED, SUBSCRIPTION, subscription
from warehouse.clock import Clock

KEEP_ALIVE_S: Final = 30
CONNECT_TIMEOUT_S: Final = 3.0
LOOK_EVERY_S: Final = 0.5
BUFFER_BYTES: Final = 1 << 20
CLOCK_WAS_SET_BACK_US: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
log = structlog.get_logger()


class Connection:
    """One ingester's connection; `run` in a thread of its own, `acknowledge` from another one."""

    def __init__(self, login: Login, inbox: Inbox, figures: IngestFigures, clock: Clock, shared_group: str = "") -> None:
        self._login, self._inbox, self._figures, self._clock = login, inbox, figures, clock
        self._subscription = subscription(shared_group)
        self._number = 0
        self._was_in = False
        self._received_us = 0
        self._done: deque[Sequence[Incoming]] = deque()
        self._wake_r, self._wake_w = socket.socketpair()
        for end in (self._wake_r, self._wake_w):
            end.setblocking(False)  # noqa: FBT003  # socket's own signature
        self._backoff = Backoff(0.1, 5.0)
        self.problem = "the broker was not reached yet"
        """Why nothing arrives, in words; empty while connected and subscribed."""
        self._client = self._made()

    def run(self, stop: threading.Event) -> None:
        """Stays connected until `stop` is set; then sends the acknowledgements that were asked for, and leaves. Comes back by itself."""
        try:
            while not stop.is_set():
                self._connect_and_serve(stop)
                self._figures.connected.set(0)
                stop.wait(self._backoff.next_s() if not stop.is_set() else 0)
            self._acknowledge_done()
            self._client.disconnect()
        finally:
            self._wake_r.close()
            self._wake_w.close()
            # paho and we hold each other: without this its sockets would stay open until the garbage collector comes by.
            self._client.on_message = None
            self._client.on_connect = self._client.on_subscribe = self._client.on_disconnect = None

    def acknowledge(self, messages: Sequence[Incoming]) -> None:
        """Tells the broker that these messages are durable. Those of an earlier connection are left out: the broker sends them again."""
        self._done.append(messages)
        # When it cannot be told, it is awake already, or has left.
        with suppress(OSError):
            self._wake_w.send(b"x")

    def _made(self) -> BulkClient:
        client = BulkClient(self._login.client_id, self._receive, mqtt5=self._subscription.startswith(SHARED))
        client.connect_timeout = CONNECT_TIMEOUT_S
        if self._login.username:
            client.username_pw_set(self._login.username, self._login.password)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.aim_at(self._login.host, self._login.port, KEEP_ALIVE_S)
        return client

    def _connect_and_serve(self, stop: threading.Event) -> None:
        try:
            self._number += 1
            self._client.reconnect()
            sock = self._client.socket()
            if isinstance(sock, socket.socket):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
            self._serve(stop)
        except OSError as failed:
            self._complain(f"the broker at {self._login.host}:{self._login.port} cannot be reached: {failed}")

    def _serve(self, stop: threading.Event) -> None:
        client = self._client
        while not stop.is_set() and (sock := client.socket()) is not None:
            reads = [self._wake_r, sock]
            if self._inbox.is_full:
                reads.pop()
                client.excuse_silence()
            readable, writable, _ = select.select(reads, [sock] if client.want_write() else [], [], LOOK_EVERY_S)
            code = MQTTErrorCode.MQTT_ERR_SUCCESS
            if self._wake_r in readable:
                self._acknowledge_done()
            if sock in readable:
                self._received_us = next_moment_us((self._clock.now() - _EPOCH) // _MICROSECOND, self._received_us)
                code = client.read_burst()
            if sock in writable and code == MQTTErrorCode.MQTT_ERR_SUCCESS:
                code = client.loop_write()
            if code == MQTTErrorCode.MQTT_ERR_SUCCESS:
                client.loop_misc()

    def _acknowledge_done(self) -> None:
        try:
            while self._wake_r.recv(4096):
                pass
        except BlockingIOError:
            pass  # all wake-up calls are read
        mids: list[int] = []
        while self._done:
            mids += [message.mid for message in self._done.popleft() if message.mid and message.connection == self._number]
        self._client.acknowledge_many(mids)

    def _receive(self, topic: str, payload: bytes, mid: int, retained: bool, repeated: bool) -> None:  # noqa: FBT001  # 20,000 a second
        # Each message gets a moment of its own: for one without a time stamp it is what tells its values from those of the next one.
        self._received_us += 1
        self._inbox.put(Incoming(topic, payload, self._received_us, retained, mid, self._number, repeated))

    def _on_connect(self, client: mqtt.Client, _data: Any, flags: mqtt.ConnectFlags, code: ReasonCode, _properties: Any) -> None:
        if code.is_failure:
            self._complain(f"the broker refused us: {code}; are MQTT_USERNAME and MQTT_PASSWORD right?")
            return
        self._figures.connects.inc()
        if self._was_in:
            self._figures.reconnects.inc()
        self._was_in = True
        # Also when the broker kept our session: it may have been made under other settings. With both subscriptions all would come twice.
        if self._subscription != SUBSCRIPTION:
            client.unsubscribe(SUBSCRIPTION)
        client.subscribe(self._subscription, qos=1)
        log.info("broker_connected", host=self._login.host, port=self._login.port, session_was_kept=flags.session_present)

    def _on_subscribe(self, client: mqtt.Client, _data: Any, _mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        if any(code.is_failure for code in codes):
            self._complain(f"the broker does not let us read {self._subscription}: {codes[0]}")
            client.disconnect()
            return
        self.problem = ""
        self._backoff.reset()
        self._figures.connected.set(1)

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        if code.is_failure and not self.problem:
            self._complain(f"the connection to the broker was lost: {code}")

    def _complain(self, problem: str) -> None:
        if problem != self.problem:
            log.warning("broker_problem", problem=problem)
        self.problem = problem


def next_moment_us(now_us: int, last_us: int) -> int:
    """Where the moments of the next messages begin, in microseconds since 1970: now, but not before the last one was.

    When the clock was set back by more than a second, it is now all the same: it must not stand still until then. Pure.
    """
    return now_us if now_us < last_us - CLOCK_WAS_SET_BACK_US else max(now_us, last_us)

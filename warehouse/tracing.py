"""One id from a machine's message to the mail about it, and spans under that id for a collector of OpenTelemetry, when one is set.

The id is worked out and not handed on: whoever knows factory, machine and device time knows it, also before the message arrived and
years later. Only messages that raise an alert get spans; OTLP_ENDPOINT is empty by default, and then nothing is made or sent.
"""

import hashlib
import json
import queue
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MOST_WAITING: Final = 10_000
MOST_A_REQUEST: Final = 500
GATHER_S: Final = 1.0
PATIENCE_S: Final = 5.0
OK: Final = 1
INTERNAL: Final = 1
log = structlog.get_logger()


def trace_id(factory_id: int, device_id: int, at: datetime) -> str:
    """32 hexadecimal digits for what a machine said at a device time (aware); the same wherever it is asked for."""
    microseconds = round((at - EPOCH) / timedelta(microseconds=1))
    return hashlib.sha256(f"{factory_id}/{device_id}/{microseconds}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Span:
    """One step on the way; its id follows from trace and name, so a step that is done again after a crash is the same one."""

    trace: str
    name: str
    begin: datetime
    end: datetime
    facts: dict[str, str | int]
    parent: str = ""
    """Name of the step that it belongs to."""

    def as_otlp(self) -> dict[str, Any]:
        """As OTLP's JSON has it."""
        return {
            "traceId": self.trace,
            "spanId": _span_id(self.trace, self.name),
            **({"parentSpanId": _span_id(self.trace, self.parent)} if self.parent else {}),
            "name": self.name,
            "kind": INTERNAL,
            "startTimeUnixNano": str(_nanoseconds(self.begin)),
            "endTimeUnixNano": str(max(_nanoseconds(self.begin), _nanoseconds(self.end))),
            "attributes": [
                {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
                for key, value in self.facts.items()
            ],
            "status": {"code": OK},
        }


def request_of(spans: list[Span]) -> bytes:
    """The body of a request to `/v1/traces`."""
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "factoryops"}}]}
    scope = {"scope": {"name": "factoryops"}, "spans": [span.as_otlp() for span in spans]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}).encode()


class Exporter:
    """Sends spans to a collector from a thread of its own; what it cannot get rid of is dropped, and said once."""

    def __init__(self, endpoint: str) -> None:
        self._address = endpoint.rstrip("/") + "/v1/traces"
        self._waiting: queue.Queue[Span] = queue.Queue(MOST_WAITING)
        self._is_away = False
        threading.Thread(target=self._work, name="traces", daemon=True).start()

    def add(self, span: Span) -> None:
        """Never waits: alerts are more important than what is told about them."""
        try:
            self._waiting.put_nowait(span)
        except queue.Full:
            self._said_once("traces are dropped: the collector takes them too slowly")

    def _work(self) -> None:
        while True:
            spans = [self._waiting.get()]
            threading.Event().wait(GATHER_S)
            while len(spans) < MOST_A_REQUEST and not self._waiting.empty():
                spans.append(self._waiting.get())
            self._send(request_of(spans))

    def _send(self, body: bytes) -> None:
        request = urllib.request.Request(self._address, body, {"Content-Type": "application/json"})  # noqa: S310  # an address of the settings
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S):  # noqa: S310  # as above
                self._is_away = False
        except (OSError, urllib.error.URLError, ValueError) as failed:
            self._said_once(str(failed))

    def _said_once(self, reason: str) -> None:
        if not self._is_away:
            log.warning("traces_not_sent", reason=reason, address=self._address)
        self._is_away = True


_exporters: dict[str, Exporter] = {}
_guard = threading.Lock()


def exporter_of(endpoint: str) -> Exporter | None:
    """This process's exporter to a collector; None for an empty address: then nothing is traced."""
    if not endpoint:
        return None
    with _guard:
        if endpoint not in _exporters:
            _exporters[endpoint] = Exporter(endpoint)
        return _exporters[endpoint]


def _span_id(trace: str, name: str) -> str:
    return hashlib.sha256(f"{trace}/{name}".encode()).hexdigest()[:16]


def _nanoseconds(moment: datetime) -> int:
    return round((moment - EPOCH) / timedelta(microseconds=1)) * 1000

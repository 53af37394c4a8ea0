"""One id leads from a machine's message to the mail about it: in the logs, in the mail, and at a collector of OpenTelemetry."""

import email
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from rules.notify.email import MailFolderChannel
from tests.helpers import wait_until
from tests.rules.installation import START, add_device, add_factory, add_rule, add_user, evaluator, land, readings
from tests.rules.notify.waiting import outbox
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.tracing import Exporter, exporter_of, trace_id


class Collector(HTTPServer):
    """Takes what is posted to /v1/traces."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler) -> None:  # noqa: N805  # the library's name; `self` is the collector here
                body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
                assert handler.path == "/v1/traces"
                self.spans += body["resourceSpans"][0]["scopeSpans"][0]["spans"]
                handler.send_response(200)
                handler.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    thread = threading.Thread(target=found.serve_forever, args=(0.02,))
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def alert_and_mail(db: Database, clock: ManualClock, folder: Path, exporter: Exporter | None) -> str:
    """Raises an alert and sends its mail; gives the trace of the message."""
    factory = add_factory(db)
    device = add_device(db, factory)
    add_rule(db, factory)
    add_user(db, factory, "anna@plant.example")
    land(db, readings(factory, device, [(0, {"spindle_temp": 85.0})]))
    one = evaluator(db, clock)
    one.exporter = exporter
    assert one.step().alerts == 1
    box = outbox(db, clock, MailFolderChannel(folder, "factoryops@plant.example"))
    box.exporter = exporter
    assert box.send_next() == "sent"
    return trace_id(factory, device, START)


def test_logs_and_mail_carry_the_same_id(sqlite_database: Database, manual_clock: ManualClock, tmp_path: Path) -> None:
    with capture_logs() as logs:
        trace = alert_and_mail(sqlite_database, manual_clock, tmp_path, None)
    assert {line["event"] for line in logs if line.get("trace_id") == trace} == {"alert_raised", "notification"}
    [mail] = tmp_path.glob("*.eml")
    assert email.message_from_bytes(mail.read_bytes())["X-FactoryOps-Trace"] == trace


def test_a_collector_gets_every_step_under_that_id(
    sqlite_database: Database, manual_clock: ManualClock, tmp_path: Path, collector: Collector
) -> None:
    exporter = exporter_of(f"http://127.0.0.1:{collector.server_port}")
    trace = alert_and_mail(sqlite_database, manual_clock, tmp_path, exporter)
    wait_until(lambda: len(collector.spans) == 4, 60, "all spans arrived")
    assert {span["traceId"] for span in collector.spans} == {trace}
    [whole] = [span for span in collector.spans if span["name"] == "message"]
    others = [span for span in collector.spans if span is not whole]
    assert [span["name"].split()[0] for span in others] == ["ingest", "evaluate", "notify"]
    assert {span["parentSpanId"] for span in others} == {whole["spanId"]}
    assert all(int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) for span in collector.spans)


def test_without_an_address_nothing_is_traced() -> None:
    assert exporter_of("") is None


def test_a_collector_that_is_away_holds_nothing_up(sqlite_database: Database, manual_clock: ManualClock, tmp_path: Path) -> None:
    exporter = exporter_of("http://127.0.0.1:1")
    assert alert_and_mail(sqlite_database, manual_clock, tmp_path, exporter)

"""Webhooks against a real HTTP server that checks the signature by itself."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rules.notify.channels import ServiceAwayError, TooManyRequestsError
from rules.notify.outbox import Outbox
from rules.notify.webhook import WebhookChannel, checked_url
from rules.notify.wishes import WebhookChange, add_webhook, change_webhook, delete_webhook
from tests.helpers import free_port
from tests.rules.installation import START, add_device, add_factory, add_rule, add_user, evaluator, land, notifications, readings
from tests.rules.notify.test_email import MESSAGE
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, PermanentError, RetryableError


@dataclass
class Receiver:
    """What came in, and how it answers."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def is_signed(self, secret: str) -> bool:
        """Checks the newest request as standardwebhooks.com says, independently of the product."""
        headers, body = self.requests[-1]
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        mac = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
        return headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join(5)


@dataclass
class Hooked:
    """A factory with a webhook."""

    db: Database
    clock: ManualClock
    factory: int
    person: int
    webhook: int
    secret: str

    @property
    def channel(self) -> WebhookChannel:
        return WebhookChannel(self.db, self.clock, timeout_s=2)

    def send(self) -> None:
        self.channel.send(replace(MESSAGE, channel="webhook", webhook_id=self.webhook, body='{"type": "alert.triggered"}'))


def hooked(db: Database, clock: ManualClock, url: str, least_severity: str = "low") -> Hooked:
    factory = add_factory(db)
    person = add_user(db, factory, "anna@plant.example")
    row = add_webhook(db, clock, factory, "CMMS", url, least_severity, user_id=person)
    return Hooked(db, clock, factory, person, row.id, row.secret)


def test_from_a_reading_to_a_signed_request(sqlite_database: Database, manual_clock: ManualClock, receiver: Receiver) -> None:
    manual_clock.set(START)
    found = hooked(sqlite_database, manual_clock, receiver.url)
    device = add_device(found.db, found.factory)
    rule = add_rule(found.db, found.factory, notification_channels={"email": False})
    land(found.db, readings(found.factory, device, [(0, {"spindle_temp": 85.5})]))
    evaluator(found.db, manual_clock).step()
    assert Outbox(found.db, {"webhook": found.channel}, manual_clock).send_next() == "sent"
    headers, body = receiver.requests[-1]
    assert receiver.is_signed(found.secret)
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (f"alert:1:webhook:{found.webhook}", str(int(START.timestamp())))
    assert json.loads(body) == {
        "type": "alert.triggered",
        "timestamp": "2026-01-05T08:00:00Z",
        "data": {
            "alert_id": 1, "rule_id": rule, "rule_name": "Spindle Overheat", "device_id": device, "device_key": "M01",
            "device_name": "CNC Mill - Station A (M01)", "severity": "critical", "triggered_at": "2026-01-05T08:00:00Z",
            "message": "Spindle temperature (85.5°C) exceeded threshold (80°C)", "values": {"spindle_temp": 85.5},
            "units": {"spindle_temp": "°C"}, "url": "http://factory.example:8080/alerts?id=1",
        },
    }  # fmt: skip


def test_a_webhook_gets_only_the_severities_that_it_wants(sqlite_database: Database, manual_clock: ManualClock) -> None:
    found = hooked(sqlite_database, manual_clock, "https://cmms.example/hook", "critical")
    device = add_device(found.db, found.factory)
    add_rule(found.db, found.factory, severity="high")
    land(found.db, readings(found.factory, device, [(0, {"spindle_temp": 85.5})]))
    evaluator(found.db, manual_clock).step()
    assert [row.channel for row in notifications(found.db)] == ["email"]


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (500, {}, RetryableError),
        (409, {}, RetryableError),
        (429, {"Retry-After": "90"}, TooManyRequestsError),
        (404, {}, PermanentError),
        (410, {}, PermanentError),
        (302, {"Location": "http://127.0.0.1:1/elsewhere"}, PermanentError),
    ],
)
def test_what_an_answer_means(
    sqlite_database: Database, manual_clock: ManualClock, receiver: Receiver, status: int, headers: dict[str, str], error: type[Exception]
) -> None:
    receiver.status, receiver.headers = status, headers
    with pytest.raises(error) as raised:
        hooked(sqlite_database, manual_clock, receiver.url).send()
    assert str(status) in str(raised.value)
    assert getattr(raised.value, "retry_after_s", 90) == 90
    assert len(receiver.requests) == 1


def test_a_receiver_that_is_away_is_tried_for_longer(sqlite_database: Database, manual_clock: ManualClock) -> None:
    with pytest.raises(ServiceAwayError):
        hooked(sqlite_database, manual_clock, f"http://127.0.0.1:{free_port()}/").send()


def test_a_webhook_that_is_switched_off_gets_nothing_until_it_is_on_again(
    sqlite_database: Database, manual_clock: ManualClock, receiver: Receiver
) -> None:
    found = hooked(sqlite_database, manual_clock, receiver.url)

    def switch(*, on: bool) -> None:
        change_webhook(found.db, found.clock, found.factory, found.webhook, WebhookChange(is_active=on), user_id=found.person)

    switch(on=False)
    with pytest.raises(PermanentError, match="switched off"):
        found.send()
    switch(on=True)
    found.send()
    assert receiver.is_signed(found.secret), "its secret stays"


def test_a_webhook_that_was_deleted_gets_nothing(sqlite_database: Database, manual_clock: ManualClock, receiver: Receiver) -> None:
    found = hooked(sqlite_database, manual_clock, receiver.url)
    delete_webhook(found.db, found.clock, found.factory, found.webhook, user_id=found.person)
    with pytest.raises(PermanentError, match="deleted"):
        found.send()
    assert receiver.requests == []


def test_every_try_has_its_own_time_and_the_same_id(sqlite_database: Database, manual_clock: ManualClock, receiver: Receiver) -> None:
    found = hooked(sqlite_database, manual_clock, receiver.url)
    for _ in range(2):
        found.send()
        assert receiver.is_signed(found.secret)
        manual_clock.advance(timedelta(seconds=30))
    first, second = (headers for headers, _ in receiver.requests)
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-timestamp"] != second["webhook-timestamp"]


@pytest.mark.parametrize("url", ["", "cmms.example", "file:///etc/passwd", "https://u:p@cmms.example", "http://[::", "http://0.0.0.0/"])
def test_what_is_no_address_of_another_system_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError):
        checked_url(url)

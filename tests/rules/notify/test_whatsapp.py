"""WhatsApp through Twilio's REST API, against a local HTTP server that speaks it."""

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from rules.notify.channels import ChannelOffError, NullChannel
from rules.notify.outbox import channels_of
from rules.notify.whatsapp import LONGEST_BODY, TwilioChannel, whatsapp_channel
from tests.helpers import free_port
from tests.rules.notify.test_email import MESSAGE as MAIL
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.errors import PermanentError, RetryableError
from warehouse.settings import Settings

ACCOUNT = "AC" + "0" * 32
MESSAGE = replace(MAIL, channel="whatsapp", recipient="+49 151 1234-5678", idempotency_key="alert:150:whatsapp:+4915112345678")


@dataclass
class Twilio:
    """What the server was asked, and how it answers."""

    url: str = ""
    status: int = 201
    answer: dict[str, object] = field(default_factory=lambda: {"sid": "SM" + "1" * 32, "status": "queued"})
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


@pytest.fixture
def twilio() -> Iterator[Twilio]:
    """POST /2010-04-01/Accounts/{sid}/Messages.json with basic authentication and a form."""
    found = Twilio()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            credentials = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
            found.requests.append((self.path, credentials, {name: values[0] for name, values in form.items()}))
            body = json.dumps(found.answer).encode()
            self.send_response(found.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join(5)


def configured(**more: object) -> Settings:
    values = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": "token", "twilio_whatsapp_from": "+14155238886"}
    return Settings(**{**values, **more})


@pytest.fixture
def channel(twilio: Twilio) -> Iterator[TwilioChannel]:
    found = TwilioChannel(configured(), twilio.url, timeout_s=2)
    yield found
    found.close()


def test_the_message_as_twilio_gets_it(twilio: Twilio, channel: TwilioChannel) -> None:
    channel.send(MESSAGE)
    ((path, credentials, form),) = twilio.requests
    assert path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert credentials == f"{ACCOUNT}:token"
    assert form == {
        "To": "whatsapp:+4915112345678", "From": "whatsapp:+14155238886", "Body": f"{MESSAGE.subject}\n\n{MESSAGE.body}",
    }  # fmt: skip


def test_a_long_text_is_cut_to_what_twilio_takes(twilio: Twilio, channel: TwilioChannel) -> None:
    channel.send(replace(MESSAGE, body="x" * 5000))
    assert len(twilio.requests[0][2]["Body"]) == LONGEST_BODY


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, PermanentError) for status in (400, 404)),
        *((status, RetryableError) for status in (401, 429, 500, 503)),
    ],
)
def test_refusals_are_told_apart(twilio: Twilio, channel: TwilioChannel, status: int, kind: type[Exception]) -> None:
    twilio.status, twilio.answer = status, {"code": 63016, "message": "outside the allowed window", "status": status}
    with pytest.raises(kind, match=rf"Twilio answered {status} \(code 63016\): .*outside the allowed window"):
        channel.send(MESSAGE)


def test_a_server_that_is_away_may_come_back() -> None:
    channel = TwilioChannel(configured(), f"http://127.0.0.1:{free_port()}", timeout_s=1)
    with pytest.raises(RetryableError, match="could not be reached"):
        channel.send(MESSAGE)
    channel.close()


@pytest.mark.parametrize("number", ["0151 12345678", "+0151", "anna", "+49151x"])
def test_a_number_that_is_not_international_is_refused_for_good(twilio: Twilio, channel: TwilioChannel, number: str) -> None:
    with pytest.raises(PermanentError, match="international form"):
        channel.send(replace(MESSAGE, recipient=number))
    assert twilio.requests == []


@pytest.mark.parametrize("missing", ["twilio_account_sid", "twilio_auth_token", "twilio_whatsapp_from"])
def test_without_all_three_settings_every_message_is_skipped_with_the_reason(missing: str) -> None:
    channel = whatsapp_channel(configured(**{missing: ""}))
    with pytest.raises(ChannelOffError, match="TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_WHATSAPP_FROM"):
        channel.send(MESSAGE)


def test_a_wrong_sender_in_the_settings_turns_the_channel_off_and_says_so(sqlite_database: Database, manual_clock: ManualClock) -> None:
    channel = channels_of(configured(twilio_whatsapp_from="factory"), sqlite_database, manual_clock)["whatsapp"]
    assert isinstance(channel, NullChannel)
    assert "TWILIO_WHATSAPP_FROM 'factory'" in channel.reason


def test_once_configured_messages_go_to_twilio() -> None:
    channel = whatsapp_channel(configured())
    assert isinstance(channel, TwilioChannel)
    assert channel._host == "api.twilio.com"
    channel.close()

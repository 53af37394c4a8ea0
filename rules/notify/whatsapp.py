"""WhatsApp messages through Twilio's REST API.

Twilio delivers free text to people who wrote to the sender in the last 24 hours; beyond that it wants a template that was approved, and
answers 400 with the reason, which is recorded with the message.
"""

import re
from typing import Final
from urllib.parse import urlparse

from rules.notify.channels import Channel, ChannelOffError, Message, NullChannel, ServiceAwayError
from warehouse.errors import PermanentError, RetryableError
from warehouse.settings import Settings

TWILIO_TIMEOUT_S: Final = 10.0
LONGEST_BODY: Final = 1600
"""Twilio refuses longer ones."""
NOT_CONFIGURED: Final = "WhatsApp is not set up: TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_WHATSAPP_FROM are needed"
_NUMBER: Final = re.compile(r"\+[1-9]\d{6,14}")
_TRY_AGAIN: Final = frozenset({401, 403, 408, 409, 425, 429})
"""Settings that a person may be mending, and a server that is busy."""


def whatsapp_channel(settings: Settings, api_url: str = "") -> Channel:
    """Twilio when all three TWILIO_ settings are set, else a channel that skips every message with the reason.

    `api_url` replaces Twilio's address, for a gateway of one's own.
    """
    configured = settings.twilio_account_sid and settings.twilio_auth_token.get_secret_value() and settings.twilio_whatsapp_from
    return TwilioChannel(settings, api_url) if configured else NullChannel(NOT_CONFIGURED)


class TwilioChannel:
    """Sends WhatsApp messages through Twilio."""

    def __init__(self, settings: Settings, api_url: str = "", timeout_s: float = TWILIO_TIMEOUT_S) -> None:
        # Half a second to import, and most installations never need it.
        from twilio.http.http_client import TwilioHttpClient  # noqa: PLC0415  # see above
        from twilio.rest import Client  # noqa: PLC0415  # see above

        self.sender = _whatsapp(settings.twilio_whatsapp_from, "TWILIO_WHATSAPP_FROM")
        self._http = TwilioHttpClient(timeout=timeout_s)
        self._client = Client(settings.twilio_account_sid, settings.twilio_auth_token.get_secret_value(), http_client=self._http)
        if api_url:
            self._client.api.base_url = api_url.rstrip("/")
        self._host = urlparse(self._client.api.base_url).netloc

    def send(self, message: Message) -> None:
        """Hands the message to Twilio. A number or text that Twilio refuses is a PermanentError; everything else may work later."""
        from requests import RequestException  # noqa: PLC0415  # comes with twilio
        from twilio.base.exceptions import TwilioException, TwilioRestException  # noqa: PLC0415  # imported late, as above

        recipient = _whatsapp(message.recipient, "the WhatsApp number")
        body = f"{message.subject}\n\n{message.body}"[:LONGEST_BODY]
        try:
            self._client.messages.create(to=recipient, from_=self.sender, body=body)
        except TwilioRestException as refused:
            reason = f"Twilio answered {refused.status} (code {refused.code}): {refused.msg}"
            if refused.status >= 500 or refused.status in _TRY_AGAIN:
                raise RetryableError(reason, status=refused.status, code=refused.code) from refused
            raise PermanentError(reason, status=refused.status, code=refused.code) from refused
        except (TwilioException, RequestException, OSError) as failed:
            raise ServiceAwayError(f"{self._host} could not be reached: {failed}") from failed

    def close(self) -> None:
        """Ends the connection."""
        session = getattr(self._http, "session", None)
        if session is not None:
            session.close()


def _whatsapp(number: str, what: str) -> str:
    """A number in the form that Twilio wants. Raises PermanentError when it is not in international form."""
    digits = re.sub(r"[\s()./-]", "", number.removeprefix("whatsapp:"))
    if not _NUMBER.fullmatch(digits):
        error = ChannelOffError if what.isupper() else PermanentError
        raise error(f"{what} {number!r} is not in international form, such as +4915112345678")
    return f"whatsapp:{digits}"

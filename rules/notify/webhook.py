"""Webhooks: other systems are told by POST requests that they can check, signed as https://www.standardwebhooks.com says.

webhook-id: the same for every try of a message, so that the receiver can drop what it has already
webhook-timestamp: seconds since 1970 UTC of this try; receivers refuse old ones, so that a request cannot be replayed
webhook-signature: v1,base64(HMAC-SHA256(secret, id + "." + timestamp + "." + body))
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import secrets
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import select

from rules.notify.channels import Message, ServiceAwayError, TooManyRequestsError
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, PermanentError, RetryableError
from warehouse.models.notifying import Webhook
from warehouse.tenancy import system_session

WEBHOOK_TIMEOUT_S: Final = 10.0
SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # says what a secret is, and is none
SECRET_BYTES: Final = 24
LONGEST_URL: Final = 1000
_TRY_AGAIN: Final = frozenset({408, 409, 425})
_TOO_MANY: Final = 429
_SUCCESS: Final = range(200, 300)
_SERVER_ERRORS: Final = range(500, 600)
_REDIRECTS: Final = range(300, 400)
_DEFAULT_WAIT_S: Final = 30.0
_LONGEST_WAIT_S: Final = 3600.0


def new_secret() -> str:
    """A secret in the form that receivers' libraries take: `whsec_` and base64."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp_s: int, body: str) -> str:
    """The signature of a request. Raises PermanentError for a secret that is not in the form of `new_secret`."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as wrong:
        raise PermanentError("the secret of the webhook cannot be read; delete it and make a new one") from wrong
    digest = hmac.new(key, f"{message_id}.{timestamp_s}.{body}".encode(), hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def checked_url(url: str) -> str:
    """The address of a webhook. Raises InvalidInputError for one that is no http(s) address, or carries a password.

    Link-local addresses are refused as well: there, clouds give their credentials to whoever asks.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as wrong:
        raise InvalidInputError(f"this is no address: {wrong}", path="$.url") from wrong
    if parts.scheme not in {"http", "https"} or not host or len(url) > LONGEST_URL:
        raise InvalidInputError(f"an address begins with https:// or http:// and has at most {LONGEST_URL} characters", path="$.url")
    if parts.username or parts.password:
        raise InvalidInputError("an address with a user or password in it would show them to everybody: use the signature", path="$.url")
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        if address.is_link_local or address.is_unspecified or address.is_multicast:
            raise InvalidInputError(f"{host} is not an address of another system", path="$.url")
    return url


class WebhookChannel:
    """Sends messages to the webhooks that they are for."""

    def __init__(self, db: Database, clock: Clock, timeout_s: float = WEBHOOK_TIMEOUT_S) -> None:
        self.db, self.clock, self.timeout_s = db, clock, timeout_s

    def send(self, message: Message) -> None:
        """Posts the message. What the receiver refuses is a PermanentError; a receiver that is busy or away may take it later."""
        import requests  # noqa: PLC0415  # comes with twilio; most installations have no webhook

        url, secret = self._target(message)
        timestamp_s = int(self.clock.now().timestamp())
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "FactoryOps",
            "webhook-id": message.idempotency_key,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": signature(secret, message.idempotency_key, timestamp_s, message.body),
        }
        try:
            answer = requests.post(url, data=message.body.encode(), headers=headers, timeout=self.timeout_s, allow_redirects=False)
        except requests.RequestException as failed:
            raise ServiceAwayError(f"{urlsplit(url).netloc} could not be reached: {failed}") from failed
        _check(answer.status_code, answer.headers.get("Retry-After", ""), urlsplit(url).netloc)

    def close(self) -> None:
        """Nothing stays open between two messages."""

    def _target(self, message: Message) -> tuple[str, str]:
        with system_session(self.db, "address of a webhook") as session:
            row = session.scalar(select(Webhook).where(Webhook.id == message.webhook_id))
        if row is None or not row.is_active:
            raise PermanentError("the webhook was deleted or switched off", webhook_id=message.webhook_id)
        return row.url, row.secret


def _check(status: int, retry_after: str, host: str) -> None:
    """Raises what the answer means for the message."""
    if status in _SUCCESS:
        return
    reason = f"{host} answered {status}"
    if status == _TOO_MANY or (retry_after and status in _SERVER_ERRORS):
        wait_s = float(retry_after) if retry_after.isdecimal() else _DEFAULT_WAIT_S
        raise TooManyRequestsError(f"{reason} and asks to wait {wait_s:g} s", retry_after_s=min(wait_s, _LONGEST_WAIT_S))
    if status in _SERVER_ERRORS or status in _TRY_AGAIN:
        raise RetryableError(reason, status=status)
    if status in _REDIRECTS:
        reason += "; redirects are not followed: give the address that it leads to"
    raise PermanentError(reason, status=status)

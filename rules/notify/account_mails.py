"""Mails to one person about their account. They carry secrets, so they go out at once and never wait in a table."""

import hashlib
from datetime import UTC, datetime
from typing import Final

import structlog

from rules.notify.channels import Message
from rules.notify.email import email_channel
from warehouse.clock import Clock
from warehouse.errors import PermanentError, RetryableError
from warehouse.settings import Settings

TRIES: Final = 2
log = structlog.get_logger()


def invitation(settings: Settings, email: str, factory: str, token: str, ends: datetime) -> tuple[str, str]:
    """Subject and body of an invitation."""
    link = f"{settings.app_url.rstrip('/')}/session/invitation#{token}"
    body = (
        f"You are invited to FactoryOps of {factory} with the address {email}.\n\nChoose your password here:\n{link}\n\n"
        f"The link works once, until {ends.astimezone(UTC):%Y-%m-%d %H:%M} UTC. If you did not expect this mail, do nothing.\n"
    )
    return f"Invitation to FactoryOps of {factory}", body


def reset(settings: Settings, email: str, factory: str, token: str) -> tuple[str, str]:
    """Subject and body of a mail with a link to a new password."""
    link = f"{settings.app_url.rstrip('/')}/session/new-password#{token}"
    body = (
        f"Somebody asked for a new password for {email} at FactoryOps of {factory}.\n\nChoose it here:\n{link}\n\n"
        f"The link works once, for {settings.reset_link_minutes:g} minutes. If it was not you, do nothing: your password stays.\n"
    )
    return f"New password for FactoryOps of {factory}", body


def send(settings: Settings, clock: Clock, kind: str, email: str, text: tuple[str, str]) -> bool:
    """Sends one mail, with a second try; False, and a line in the log, when the mail server did not take it.

    Takes as long as the mail server does, at most some 20 s: call it after the answer.
    """
    subject, body = text
    key = f"{kind}:{email}:{hashlib.sha256(body.encode()).hexdigest()}"
    channel = email_channel(settings)
    try:
        for attempt in range(1, TRIES + 1):
            message = Message(0, None, "email", email, subject, body, key, clock.now(), attempt, kind=kind)
            try:
                channel.send(message)
            except RetryableError as away:
                log.warning("account_mail_not_sent", kind=kind, recipient=email, attempt=attempt, reason=away.message)
            except PermanentError as refused:
                log.warning("account_mail_refused", kind=kind, recipient=email, reason=refused.message)
                return False
            else:
                return True
    finally:
        channel.close()
    return False

"""Mails: through SMTP, or as .eml files while no mail server is configured."""

import hashlib
import os
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from pathlib import Path
from typing import Final

from rules.notify.channels import Channel, Message, ServiceAwayError
from warehouse.errors import PermanentError, RetryableError
from warehouse.settings import Settings

SMTP_TIMEOUT_S: Final = 10.0
"""For each exchange with the mail server."""
IMPLICIT_TLS_PORT: Final = 465


def email_channel(settings: Settings) -> Channel:
    """SMTP when SMTP_HOST is set, else files in `settings.mail_folder`."""
    return SmtpChannel(settings) if settings.smtp_host else MailFolderChannel(settings.mail_folder, settings.smtp_from)


def composed(message: Message, sender: str) -> EmailMessage:
    """The mail of a message. Its Message-ID is the same for every try, so that mail programs show a repeated one once.

    Raises PermanentError when the address cannot stand in a mail, such as one with a line break.
    """
    mail = EmailMessage(policy=SMTP_POLICY)
    digest = hashlib.sha256(message.idempotency_key.encode()).hexdigest()[:32]
    try:
        mail["From"], mail["To"], mail["Subject"] = sender, message.recipient, message.subject
        mail["Date"] = format_datetime(message.created_at)
        mail["Message-ID"] = f"<{digest}@{sender.rpartition('@')[2].rstrip('>') or 'factoryops.local'}>"
    except (ValueError, IndexError) as wrong:
        raise PermanentError(f"{message.recipient!r} cannot be an address of a mail: {wrong}", recipient=message.recipient) from wrong
    if [bool(address.username and address.domain) for address in mail["To"].addresses] != [True]:
        raise PermanentError(f"{message.recipient!r} is no mail address", recipient=message.recipient)
    # RFC 3834: out-of-office programs do not answer what says that a machine sent it.
    mail["Auto-Submitted"] = "auto-generated"
    if message.trace_id:
        mail["X-FactoryOps-Trace"] = message.trace_id
    mail.set_content(message.body)
    if message.html is not None:
        mail.add_alternative(message.html, subtype="html")
    for attached in message.attachments:
        mail.add_attachment(attached.content, maintype="application", subtype="octet-stream", filename=attached.name)
    return mail


class SmtpChannel:
    """Sends mails through a mail server; one connection for as many mails as wait."""

    def __init__(self, settings: Settings, timeout_s: float = SMTP_TIMEOUT_S) -> None:
        self.settings, self.timeout_s = settings, timeout_s
        self._server: smtplib.SMTP | None = None

    def send(self, message: Message) -> None:
        """Hands the mail to the server. Refused for good (5xx) is a PermanentError; everything else may work later."""
        mail = composed(message, self.settings.smtp_from)
        try:
            self._connected().send_message(mail)
        except smtplib.SMTPRecipientsRefused as refused:
            code, said = next(iter(refused.recipients.values()))
            raise self._failure(code, said) from refused
        except smtplib.SMTPAuthenticationError as refused:
            raise self._retryable(
                f"the mail server refused the sign-in of {self.settings.smtp_user}: {_text(refused.smtp_error)}"
            ) from refused
        except smtplib.SMTPResponseException as refused:
            raise self._failure(refused.smtp_code, refused.smtp_error) from refused
        except smtplib.SMTPNotSupportedError as refused:
            self.close()
            raise PermanentError(f"the mail server cannot do what the settings or the address ask for: {refused}") from refused
        except (smtplib.SMTPException, OSError) as failed:
            self.close()
            reason = f"the mail server {self._address} did not take the mail: {str(failed) or type(failed).__name__}"
            raise ServiceAwayError(reason) from failed

    def close(self) -> None:
        """Ends the connection."""
        server, self._server = self._server, None
        if server is None:
            return
        try:
            server.quit()
        except (smtplib.SMTPException, OSError):
            server.close()  # it is gone already; nothing waits for its answer

    @property
    def _address(self) -> str:
        return f"{self.settings.smtp_host}:{self.settings.smtp_port}"

    def _connected(self) -> smtplib.SMTP:
        if self._server is not None:
            return self._server
        host, port = self.settings.smtp_host, self.settings.smtp_port
        if port == IMPLICIT_TLS_PORT:
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=self.timeout_s, context=ssl.create_default_context())
        else:
            server = smtplib.SMTP(host, port, timeout=self.timeout_s)
        try:
            self._sign_in(server, encrypted=port == IMPLICIT_TLS_PORT)
        except BaseException:
            server.close()
            raise
        self._server = server
        return server

    def _sign_in(self, server: smtplib.SMTP, *, encrypted: bool) -> None:
        if not self.settings.smtp_user:
            return
        if self.settings.smtp_starttls and not encrypted:
            server.starttls(context=ssl.create_default_context())
        server.login(self.settings.smtp_user, self.settings.smtp_password.get_secret_value())

    def _failure(self, code: int, said: bytes | str) -> PermanentError | RetryableError:
        self.close()
        reason = f"the mail server {self._address} answered {code} {_text(said)}"
        return PermanentError(reason, code=code) if 500 <= code < 600 else RetryableError(reason, code=code)

    def _retryable(self, reason: str) -> RetryableError:
        self.close()
        return RetryableError(reason)


class MailFolderChannel:
    """Writes each mail as an .eml file, which any mail program opens: for trying out, and for plants without a mail server."""

    def __init__(self, folder: Path, sender: str) -> None:
        self.folder, self.sender = folder, sender

    def send(self, message: Message) -> None:
        """Writes the file at once or not at all; a second try writes the same file."""
        mail = composed(message, self.sender)
        digest = hashlib.sha256(message.idempotency_key.encode()).hexdigest()[:8]
        what = f"alert-{message.alert_id}" if message.alert_id is not None else message.kind
        name = f"{message.created_at:%Y-%m-%dT%H-%M-%S}-{what}-{digest}.eml"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished = self.folder / f".{name}.{os.getpid()}"
            unfinished.write_bytes(mail.as_bytes())
            unfinished.replace(self.folder / name)
        except OSError as failed:
            raise RetryableError(f"the mail could not be written to {self.folder}: {failed}", folder=str(self.folder)) from failed

    def close(self) -> None:
        """Nothing is open."""


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said

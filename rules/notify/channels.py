"""What a way to reach people must offer, and the one that reaches nobody and says why."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from warehouse.errors import PermanentError, RetryableError


class ChannelOffError(PermanentError):
    """The channel is not set up in this installation; the message says which settings are missing."""


class ServiceAwayError(RetryableError):
    """The service cannot be reached at all. It may be away for a while without this message being to blame, so it is tried for longer."""


class TooManyRequestsError(RetryableError):
    """The service asks to be left alone for `retry_after_s` seconds."""

    retry_after_s: float


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a message where the channel can carry it."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Message:
    """One message to one person, as it waits in the outbox."""

    notification_id: int
    alert_id: int | None
    """None: it tells of several."""
    channel: str
    recipient: str
    subject: str
    body: str
    idempotency_key: str
    """The same for every try of the same message."""
    created_at: datetime
    attempt: int
    """1 for the first try."""
    attachments: tuple[Attachment, ...] = ()
    html: str | None = None
    """The same as a page, for channels that can show one."""
    webhook_id: int | None = None
    kind: str = "alert"
    has_failed_before: bool = False
    """An earlier try ended with an error, and not with the process that tried."""
    trace_id: str = ""
    """Of the machine's message that it tells of; empty when it tells of none or of several."""


class Channel(Protocol):
    """A way to reach people."""

    def send(self, message: Message) -> None:
        """Hands the message over. Raises ChannelOffError, PermanentError (no use to try again) or RetryableError."""
        ...

    def close(self) -> None:
        """Lets go of connections; `send` may be called again later."""
        ...


class NullChannel:
    """Reaches nobody: every message is skipped with the reason."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def send(self, message: Message) -> None:
        """Raises ChannelOffError."""
        raise ChannelOffError(self.reason, channel=message.channel)

    def close(self) -> None:
        """Nothing is open."""

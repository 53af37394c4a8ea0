"""What can go wrong, sorted by what the caller can do about it: try again, or not."""

from typing import Any


class FactoryOpsError(Exception):
    """Base of every error of ours: a message that says what to do, and the facts as attributes.

    `facts` are set as attributes as well, so that handlers need not parse the message.
    """

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts
        for name, value in facts.items():
            setattr(self, name, value)


class RetryableError(FactoryOpsError):
    """The same call may succeed later (a lock, a service that is away)."""


class PermanentError(FactoryOpsError):
    """The same call will never succeed; a person or the caller must change something."""


class SettingsError(PermanentError):
    """Settings are missing or wrong; `problems` lists all of them."""

    problems: list[str]


class NotFoundError(PermanentError):
    """No such thing in this factory. Also the answer for things of another factory. `noun` and `key` say what was asked."""


class TenancyError(PermanentError):
    """A statement or object would have crossed the border of a factory."""


class InvalidInputError(PermanentError):
    """Input that a person can correct; `path` names the place."""


class ConflictError(PermanentError):
    """The thing is in a state that forbids this, such as a job that is running already; look at it again before another try."""


class LakeBusyError(RetryableError):
    """The lake's catalog is locked or away; the loader tries again, ingest and alerts go on."""


class LeaseLostError(RetryableError):
    """Another process holds the lease, or the cursor moved under us; nothing was written."""


class BackfilledError(RetryableError):
    """A history file came into the lake since its contents were looked at; nothing was written."""

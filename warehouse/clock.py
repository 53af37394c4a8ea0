"""Time is injected, so that tests and backtests decide what "now" is. Always aware UTC."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Says what time it is."""

    def now(self) -> datetime:
        """The current moment, timezone-aware, in UTC."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """The current moment of the operating system, in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is moved. Product code for backtests and replays, and what tests use."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            message = "a ManualClock needs an aware datetime"
            raise ValueError(message)
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """The moment it was last set to."""
        return self._now

    def advance(self, step: timedelta) -> None:
        """Moves the clock forward by `step`."""
        self._now += step

    def set(self, moment: datetime) -> None:
        """Sets the clock to `moment` (aware)."""
        self._now = moment.astimezone(UTC)

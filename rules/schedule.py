"""When a rule applies, in the factory's time zone; pure.

A window is one span of real time from the moment it opens to the moment it closes, so it never opens twice on the day when clocks go back:

    days [1] (Monday), 22:00-06:00            Mon 22:00 ================ Tue 06:00          belongs to Monday
    opening time that the clock skips         read with the offset before the gap: 02:30 is 03:30 summer time
    opening or closing time that comes twice  the first of the two

(RFC 5545, 3.3.5, says the same of local times that do not exist or exist twice.)
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final, Protocol

EVERY_DAY: Final = frozenset(range(1, 8))
"""ISO days: Monday is 1, Sunday is 7."""
MIDNIGHT_AFTER: Final = time.max
"""As an end: 24:00, the midnight that ends the day."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DAY: Final = timedelta(days=1)
_SOONEST, _LATEST = -(2**62), 2**62

Span = tuple[int, int, bool]
"""From (included), until (excluded), both in microseconds since 1970 UTC, and whether the rule applies in between."""


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC of an aware datetime; exact."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(at_us: int) -> datetime:
    """The aware UTC datetime of microseconds since 1970; exact."""
    return _EPOCH + timedelta(microseconds=at_us)


class Schedule(Protocol):
    """Says whether a rule applies at a moment."""

    def is_open(self, at_us: int) -> bool:
        """True when the rule applies at `at_us`, microseconds since 1970 UTC."""
        ...

    def changes_at(self, at_us: int) -> int | None:
        """A moment after `at_us` until which `is_open` stays as it is at `at_us`; None: for ever."""
        ...


class Always:
    """Applies at any time."""

    __slots__ = ()

    def is_open(self, at_us: int) -> bool:  # noqa: ARG002  # the protocol's signature
        """True."""
        return True

    def changes_at(self, at_us: int) -> int | None:  # noqa: ARG002  # the protocol's signature
        """Never."""
        return None


ALWAYS: Final = Always()


class TimeWindow:
    """From `start` (included) to `end` (excluded) on the given days; an end before the start is on the next day.

    Remembers the span around the last moment asked for: readings come close together, and working in local time costs 10 us.
    """

    __slots__ = ("_span", "days", "end", "start", "zone")

    def __init__(self, start: time, end: time, days: frozenset[int], zone: tzinfo) -> None:
        self.start, self.end, self.days, self.zone = start, end, days, zone
        self._span: Span = (0, 0, False)

    def is_open(self, at_us: int) -> bool:
        """True when `at_us` lies in a window that began on one of the days."""
        since, until, is_open = self._span
        if since <= at_us < until:
            return is_open
        self._span = self.span_at(at_us)
        return self._span[2]

    def changes_at(self, at_us: int) -> int | None:
        """When the span around `at_us` ends."""
        self.is_open(at_us)
        return self._span[1]

    def span_at(self, at_us: int) -> Span:
        """A span around `at_us` during which the answer stays the same."""
        today = moment_of(at_us).astimezone(self.zone).date()
        windows = [self._window(today + _DAY * offset) for offset in (-1, 0, 1) if (today + _DAY * offset).isoweekday() in self.days]
        for opens, closes in windows:
            if opens <= at_us < closes:
                return opens, closes, True
        next_day = _instant(today + _DAY, time.min, self.zone)
        return at_us, min((opens for opens, _ in windows if opens > at_us), default=next_day), False

    def _window(self, day: date) -> tuple[int, int]:
        """When the window that begins on `day` opens and closes."""
        if self.end == MIDNIGHT_AFTER:
            closes = _instant(day + _DAY, time.min, self.zone)
        else:
            closes = _instant(day if self.end > self.start else day + _DAY, self.end, self.zone)
        return _instant(day, self.start, self.zone), closes


class DateRange:
    """Applies from the beginning of `first` to the end of `last`, days of the factory; None: open on that side."""

    __slots__ = ("first", "last", "since", "until", "zone")

    def __init__(self, first: date | None, last: date | None, zone: tzinfo) -> None:
        self.first, self.last, self.zone = first, last, zone
        self.since = _SOONEST if first is None else _instant(first, time.min, zone)
        self.until = _LATEST if last is None or last == date.max else _instant(last + _DAY, time.min, zone)

    def is_open(self, at_us: int) -> bool:
        """True when `at_us` lies in the range."""
        return self.since <= at_us < self.until

    def changes_at(self, at_us: int) -> int | None:
        """The next of its two ends."""
        return self.since if at_us < self.since else self.until if at_us < self.until else None


class AnyOf:
    """Applies when one of several schedules does."""

    __slots__ = ("parts",)

    def __init__(self, parts: tuple[Schedule, ...]) -> None:
        self.parts = parts

    def is_open(self, at_us: int) -> bool:
        """True when one of them applies."""
        return any(part.is_open(at_us) for part in self.parts)

    def changes_at(self, at_us: int) -> int | None:
        """The first change of one of them."""
        return _first_change(self.parts, at_us)


class AllOf(AnyOf):
    """Applies when all of several schedules do."""

    __slots__ = ()

    def is_open(self, at_us: int) -> bool:
        """True when each of them applies."""
        return all(part.is_open(at_us) for part in self.parts)


def _first_change(parts: tuple[Schedule, ...], at_us: int) -> int | None:
    return min((at for part in parts if (at := part.changes_at(at_us)) is not None), default=None)


def _instant(day: date, clock: time, zone: tzinfo) -> int:
    """When the clocks of `zone` show `clock` on `day`; fold 0 is what the module's docstring says of skipped and repeated times."""
    return microseconds(datetime.combine(day, clock, zone).replace(fold=0).astimezone(UTC))

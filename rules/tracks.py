"""What one rule did on one device during the last minutes, so that a late reading can still change it. Pure.

entries (only where something changed)     |a|   |b|       |c|
late reading                                   x              rewind to a; step x, b', c'; tell the difference to what b and c raised
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from rules.engine import (
    ALLOWED_LATENESS_US,
    CLEARED,
    QUIET,
    RAISED,
    Cleared,
    Event,
    Moment,
    Raised,
    Rule,
    RuleState,
    Withdrawn,
    examine,
    wakes_at,
)

MOST_ENTRIES: Final = 1_000
"""Changes remembered for each rule and device; a rule that changes more often within the lateness is corrected less far back."""
ANY_TIME: Final = -(2**62)
Told = tuple[str, int, int]
"""An event that was told: kind, device, device time."""
ValuesAt = Callable[[int], Moment]
"""What was known at a device time."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A moment at which the state changed."""

    at_us: int
    after: RuleState
    events: tuple[Told, ...] = ()


@dataclass(slots=True)
class Track:
    """The state of one rule on one device now, and the changes that led to it."""

    floor: RuleState = QUIET
    """Before the first entry."""
    entries: list[Entry] = field(default_factory=list)
    wake_us: int | None = None
    """When to look again although nothing arrives."""
    newest_us: int = ANY_TIME
    """Newest moment that was looked at because something arrived."""
    looked_until_us: int = ANY_TIME
    """Up to here (included) what becomes true without a message was looked at as well."""

    @property
    def state(self) -> RuleState:
        """As of the newest entry."""
        return self.entries[-1].after if self.entries else self.floor

    def rewind(self, at_us: int) -> tuple[Told, ...]:
        """Takes back everything from `at_us` on; gives the events that it contained."""
        keep = len(self.entries)
        while keep and self.entries[keep - 1].at_us >= at_us:
            keep -= 1
        undone = tuple(event for entry in self.entries[keep:] for event in entry.events)
        del self.entries[keep:]
        return undone

    def trim(self) -> None:
        """Forgets the changes that no late reading can reach any more."""
        oldest = self.newest_us - ALLOWED_LATENESS_US
        drop = max(0, len(self.entries) - MOST_ENTRIES)
        while drop < len(self.entries) and self.entries[drop].at_us < oldest:
            drop += 1
        if drop:
            self.floor = self.entries[drop - 1].after
            del self.entries[:drop]

    def is_idle(self) -> bool:
        """True when forgetting it changes nothing."""
        return not self.entries and self.wake_us is None and self.floor == QUIET

    def look(self, rule: Rule, moment: Moment) -> tuple[Raised | Cleared, ...]:
        """One step at a moment that is not before the newest entry."""
        before = self.state
        after, events, truth = examine(rule, before, moment)
        if after is not before or events:
            self.entries.append(Entry(moment.at_us, after, tuple(map(_told, events))))
        self.wake_us = wakes_at(rule, after, moment, truth)
        return events

    def wake(self, rule: Rule, until_us: int, values_at: ValuesAt) -> list[Raised | Cleared]:
        """Looks at every moment up to `until_us` (included) at which something may change although nothing arrived."""
        found: list[Raised | Cleared] = []
        while self.wake_us is not None and self.wake_us <= until_us:
            found.extend(self.look(rule, values_at(self.wake_us)))
        return found


def advance(rule: Rule, track: Track, moments: Iterable[int], values_at: ValuesAt) -> list[Event]:
    """Looks at `moments` (device times in order, the first one the earliest that is new); whatever came after it is worked out again.

    Gives what is new in comparison with what was told before.
    """
    told: tuple[Told, ...] = ()
    found: list[Raised | Cleared] = []
    for number, at_us in enumerate(moments):
        if not number and track.entries and track.entries[-1].at_us >= at_us:
            told = track.rewind(at_us)
            track.wake_us = None
        elif track.wake_us is not None and track.wake_us < at_us:
            found.extend(track.wake(rule, at_us - 1, values_at))
        found.extend(track.look(rule, values_at(at_us)))
        track.newest_us = max(track.newest_us, at_us)
    found.extend(track.wake(rule, track.looked_until_us, values_at))
    if len(track.entries) > MOST_ENTRIES or (track.entries and track.entries[0].at_us < track.newest_us - ALLOWED_LATENESS_US):
        track.trim()
    return difference(rule, told, found, track.state) if told else list(found)


def difference(rule: Rule, told: Iterable[Told], found: Iterable[Raised | Cleared], state: RuleState) -> list[Event]:
    """What must be told so that what was `told` becomes `found`: withdrawals first, then new events in order."""
    before, after = list(told), {_told(event): event for event in found}
    gone: list[Event] = [Withdrawn(rule, *key, state.active_device == key[1]) for key in before if key not in after]
    return gone + [event for key, event in after.items() if key not in before]


def _told(event: Raised | Cleared) -> Told:
    return RAISED if isinstance(event, Raised) else CLEARED, event.device_id, event.at_us

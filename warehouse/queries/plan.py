"""Where a question over a range is answered from: the coarsest rollup that fits, and readings where no rollup stands; pure.

asked      |--x------------------------------x------------------x----|
hours      |  |     |     |  marked  |     |     |     | running     |
from       raw| rollup    |  raw     | rollup          | raw         |
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from warehouse.marks import HOUR
from warehouse.summaries import STEPS

Range = tuple[datetime, datetime]
MOST_RAW_RANGES: Final = 6
"""More holes than this are read as one stretch: each costs a scan of its own."""


@dataclass(frozen=True)
class Plan:
    """Ranges [begin, end) that do not overlap and together are the range asked for."""

    level: str
    """Rollup level of `rollup`; empty when everything comes from the readings."""
    rollup: tuple[Range, ...]
    raw: tuple[Range, ...]


def plan(start: datetime, end: datetime, interval: timedelta, open_hours: Iterable[datetime], running_from: datetime) -> Plan:
    """How [start, end) in buckets of `interval` is answered.

    `open_hours`: hours (UTC) whose rollups do not stand. From `running_from` (on the hour) on there are none at all.
    """
    level = next((name for name, step in reversed(STEPS.items()) if interval % step == timedelta(0)), "")
    if not level or end - start < STEPS[level]:
        return Plan("", (), ((start, end),))
    step = STEPS[level]
    first, last = ceiling(start, step), min(floor(end, step), running_from)
    if first >= last:
        return Plan("", (), ((start, end),))
    holes = [(max(hour, first), min(hour + HOUR, last)) for hour in sorted(set(open_hours)) if hour + HOUR > first and hour < last]
    raw = joined([(start, first), *holes, (last, end)])
    if len(raw) > MOST_RAW_RANGES:
        raw = joined([(start, first), (holes[0][0], holes[-1][1]), (last, end)])
    return Plan(level, tuple(rest(start, end, raw)), tuple(raw))


def joined(ranges: Iterable[Range]) -> list[Range]:
    """The ranges in order, touching ones as one, empty ones left out."""
    found: list[Range] = []
    for begin, end in sorted(ranges):
        if begin >= end:
            continue
        if found and found[-1][1] >= begin:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def rest(start: datetime, end: datetime, taken: Iterable[Range]) -> list[Range]:
    """What is left of [start, end) without the taken ranges (in order, not overlapping)."""
    found, at = [], start
    for begin, until in taken:
        if begin > at:
            found.append((at, begin))
        at = max(at, until)
    return [*found, (at, end)] if at < end else found


def floor(moment: datetime, step: timedelta) -> datetime:
    """The begin of the step (aligned to the epoch, UTC) that a moment falls into."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return moment.astimezone(UTC) - (moment - epoch) % step


def ceiling(moment: datetime, step: timedelta) -> datetime:
    """The first beginning of a step at or after a moment."""
    down = floor(moment, step)
    return down if down == moment else down + step

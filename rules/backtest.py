"""What a rule would have raised over the lake's history: the same step as live, run where something can happen instead of at each reading.

readings   . . . . . . . . . . . . . . .     a part of the condition changes its truth: `rules.turns`, all readings at once
looked at        x       x x   w     x       these, what is due without a message (w), and while it holds the end of each cooldown
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from functools import reduce
from typing import Any, Final

import polars as pl

from rules.conditions import WHOLE_DEVICE, Deviation, Missing, TextComparison, Truth, leaves, text_key
from rules.engine import QUIET, Cleared, Moment, Raised, Rule, RuleState, examine, may_raise_from, wakes_at
from rules.schedule import microseconds, moment_of
from rules.truth import device_prefix
from rules.turns import NEVER, momentary, turns
from rules.vectors import AT, Times, with_measures

HOUR_US: Final = 3_600_000_000
ReadingsOf = Callable[[int], pl.DataFrame]
"""Of a device: at (microseconds), parameter (null: only that something came), value, and unless all are numbers text."""
BaselinesOf = Callable[[Deviation, int], pl.DataFrame]
"""Of a leaf and device: hour (microseconds), mean, stddev."""
Progress = Callable[[int, int], None]
"""Told how many devices of how many are done."""


@dataclass(frozen=True)
class Episode:
    """One alert: from its first raise to its end."""

    device_id: int
    start: datetime
    """Before the period when the alert already went on as that began."""
    end: datetime | None
    """None: it goes on at the end of the period."""
    values: Mapping[str, float | str]
    """At the start."""
    repeats: int = 0


@dataclass(frozen=True)
class Backtest:
    """What a rule would have done between two moments."""

    since: datetime
    until: datetime
    device_ids: tuple[int, ...]
    episodes: tuple[Episode, ...]
    readings: int

    def per_day(self, zone: tzinfo) -> dict[str, int]:
        """How many alerts began on each day of the factory's calendar (YYYY-MM-DD), days without any included.

        One that already went on at `since` counts on the first day: the period begins with it.
        """
        day, last = self.since.astimezone(zone).date(), self.until.astimezone(zone).date()
        found: dict[str, int] = {}
        while day <= last:
            found[day.isoformat()] = 0
            day += timedelta(days=1)
        for episode in self.episodes:
            found[self.start_within(episode).astimezone(zone).date().isoformat()] += 1
        return found

    @property
    def share_firing(self) -> float:
        """Share of the devices' time, from 0 to 1, during which an alert was going on."""
        total_s = (self.until - self.since).total_seconds() * max(1, len(self.device_ids))
        firing_s = sum(((episode.end or self.until) - self.start_within(episode)).total_seconds() for episode in self.episodes)
        return firing_s / total_s if total_s else 0.0

    def start_within(self, episode: Episode) -> datetime:
        """When an alert began, or `since` for one that already went on then (found by the readings from before the period)."""
        return max(episode.start, self.since)


@dataclass(frozen=True)
class Comparison:
    """A rule beside its present version."""

    only_new: tuple[Episode, ...]
    only_present: tuple[Episode, ...]
    both: int
    """Alerts that overlap one of the other version on the same device."""


@dataclass
class _Part:
    """The history of one device, and how its keys begin when several are together."""

    prefix: str
    moments: pl.DataFrame
    at: Times = field(init=False)
    columns: list[tuple[str, Any]] = field(init=False)
    _times: memoryview = field(init=False)
    _arrived: dict[str, Times] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        # Of an array that may not be written NumPy's `searchsorted` makes a copy each time: 70 us for a month of readings.
        self.at = self.moments[AT].to_numpy(writable=True)
        self._times = self.at.data
        names = [name for name in self.moments.columns if not name.startswith("\0hour") and name not in {AT, WHOLE_DEVICE}]
        # Null becomes NaN, which is not equal to itself; times of microseconds are exact up to the year 2255.
        self.columns = [(self.prefix + name, _plain(self.moments[name])) for name in names]

    def values_at(self, at_us: int) -> dict[str, Any]:
        row = bisect_right(self._times, at_us) - 1
        if row < 0:
            return {}
        found = ((name, column[row]) for name, column in self.columns)
        return {name: value for name, value in found if value is not None and value == value}  # noqa: PLR0124  # NaN is not

    def after(self, at_us: int) -> int:
        """The first moment after `at_us`, or NEVER."""
        row = bisect_right(self._times, at_us)
        return int(self._times[row]) if row < self.at.size else NEVER

    def before(self, at_us: int) -> int:
        """The last moment before `at_us`, or -NEVER."""
        row = bisect_right(self._times, at_us - 1)
        return int(self._times[row - 1]) if row else -NEVER

    def next_arrival(self, key: str, after_us: int) -> int:
        """When the parameter of a `Missing` next arrives after `after_us`."""
        if key not in self.moments.columns:
            return NEVER
        if key not in self._arrived:
            self._arrived[key] = self.moments[key].drop_nulls().to_numpy(writable=True)
        return _after(self._arrived[key], after_us)


def run(
    rule: Rule,
    device_ids: Sequence[int],
    readings_of: ReadingsOf,
    since: datetime,
    until: datetime,
    *,
    baselines_of: BaselinesOf | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Backtest:
    """Runs a rule over the history of its devices. Readings before `since` may be among those given: they make values known."""
    parts: dict[int, _Part] = {}
    events: list[Raised | Cleared] = []
    count = 0
    for number, device_id in enumerate(device_ids):
        readings = readings_of(device_id)
        count += readings.height
        part = _part(rule, device_id, readings, baselines_of)
        if rule.is_quorum:
            parts[device_id] = part
        else:
            events += replay(rule, device_id, [part], microseconds(until))
        progress(number + 1, len(device_ids))
    if parts:
        events = replay(rule, 0, list(parts.values()), microseconds(until))
    kept = tuple(episode for episode in episodes(events) if episode.end is None or episode.end >= since)
    return Backtest(since, until, tuple(device_ids), kept, count)


def replay(rule: Rule, device_id: int, parts: list[_Part], until_us: int) -> list[Raised | Cleared]:
    """Everything that one rule would have told of one device, or of several that it counts, in order."""
    changed = _changed(rule, parts)
    missing = [leaf for leaf in rule.needs if isinstance(leaf, Missing)]
    found: list[Raised | Cleared] = []
    state, at_us, repeat_us = QUIET, -NEVER, NEVER
    wake_us: int | None = None
    while True:
        next_us = min(_after(changed, at_us), repeat_us)
        if wake_us is not None and wake_us < next_us and wake_us <= until_us:
            fresh_us = _still_due(rule, state, parts, device_id, at_us, wake_us)
            if fresh_us != wake_us:
                wake_us = fresh_us
                continue
            next_us = wake_us
        elif next_us > until_us or next_us == NEVER:
            return found
        at_us = next_us
        moment = Moment(device_id, at_us, _values(parts, at_us))
        state, events, truth = examine(rule, state, moment)
        found.extend(events)
        wake_us = wakes_at(rule, state, moment, truth)
        repeat_us = min(_may_raise_at(rule, state, at_us, truth, parts, until_us), _comes_back(missing, parts, moment))


def episodes(events: Sequence[Raised | Cleared]) -> Iterator[Episode]:
    """Alerts with their ends and repeats, from what a rule told in order, device by device."""
    begun: dict[int, list[Raised]] = {}
    for event in events:
        if isinstance(event, Raised):
            begun.setdefault(event.device_id, []).append(event)
        elif event.device_id in begun:
            yield _episode(begun.pop(event.device_id), moment_of(event.at_us))
    for raises in begun.values():
        yield _episode(raises, None)


def compare(new: Backtest, present: Backtest) -> Comparison:
    """Which alerts only one of two versions of a rule raises."""
    only_new = tuple(episode for episode in new.episodes if not _overlaps(episode, present))
    only_present = tuple(episode for episode in present.episodes if not _overlaps(episode, new))
    return Comparison(only_new, only_present, len(new.episodes) - len(only_new))


def arrivals(readings: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """What arrived at each moment: a column for each parameter, null where none came."""
    texts = {leaf.parameter for leaf in leaves(rule.condition) if isinstance(leaf, TextComparison)}
    wanted = sorted(rule.parameters - {WHOLE_DEVICE})
    frames = [_arrivals_of(readings, parameter, is_text=parameter in texts) for parameter in wanted]
    if WHOLE_DEVICE in rule.parameters:
        frames.append(_in_order(readings.select(pl.col("at").alias(AT))).with_columns(pl.lit(1.0).alias(WHOLE_DEVICE)))
    return reduce(_beside, frames)


def _arrivals_of(readings: pl.DataFrame, parameter: str, *, is_text: bool) -> pl.DataFrame:
    own = readings.filter(pl.col("parameter") == parameter)
    columns = [pl.col("at").alias(AT), pl.col("value").alias(parameter)]
    if "text" in own.columns and (is_text or own["text"].null_count() < own.height):
        columns.append(pl.col("text").alias(text_key(parameter)))
    return _in_order(own.select(columns))


def _in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """By time, each moment once: mostly it is so already."""
    at = frame[AT].to_numpy()
    if (at[1:] > at[:-1]).all():
        return frame
    return frame.sort(AT, maintain_order=True).unique(AT, keep="first", maintain_order=True)


def _beside(moments: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """Both, at all moments of either: mostly they came in the same messages."""
    if moments[AT].equals(frame[AT]):
        return moments.hstack(frame.drop(AT))
    return moments.join(frame, on=AT, how="full", coalesce=True).sort(AT)


def _part(rule: Rule, device_id: int, readings: pl.DataFrame, baselines_of: BaselinesOf | None) -> _Part:
    moments = with_measures(arrivals(readings, rule), rule.needs)
    for leaf in rule.needs:
        if isinstance(leaf, Deviation) and baselines_of is not None:
            moments = _with_baseline(moments, leaf, baselines_of(leaf, device_id))
    return _Part(device_prefix(device_id) if rule.is_quorum else "", moments)


def _plain(column: pl.Series) -> Any:
    """Quick to read by row."""
    return column.to_list() if column.dtype == pl.String else column.cast(pl.Float64).fill_null(float("nan")).to_numpy().data


def _with_baseline(moments: pl.DataFrame, leaf: Deviation, baselines: pl.DataFrame) -> pl.DataFrame:
    hours = baselines.select("hour", pl.col("mean").alias(leaf.mean_key), pl.col("stddev").alias(leaf.deviation_key))
    hour = pl.col(AT) - pl.col(AT) % HOUR_US
    return moments.with_columns(hour.alias("\0hour")).join(hours, left_on="\0hour", right_on="hour", how="left", maintain_order="left")


def _changed(rule: Rule, parts: list[_Part]) -> Times:
    """The moments at which something that the rule looks at is not what it was."""
    both = [rule.condition] if rule.clear is None else [rule.condition, rule.clear]
    return turns([part.moments for part in parts], [part for condition in both for part in momentary(condition)])


def _values(parts: list[_Part], at_us: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in parts:
        found |= part.values_at(at_us)
    return found


def _after(times: Times, at_us: int) -> int:
    row = int(times.searchsorted(at_us, side="right"))
    return int(times[row]) if row < times.size else NEVER


def _still_due(rule: Rule, state: RuleState, parts: list[_Part], device_id: int, at_us: int, wake_us: int) -> int | None:
    """When the look planned for `wake_us` is due by the readings that came meanwhile without changing anything else."""
    last_us = max([at_us, *(part.before(wake_us) for part in parts)])
    return wakes_at(rule, state, Moment(device_id, last_us, _values(parts, last_us)), None)


def _may_raise_at(rule: Rule, state: RuleState, at_us: int, truth: Truth, parts: list[_Part], until_us: int) -> int:
    if truth is not True:
        return NEVER
    soonest_us = may_raise_from(rule, state, at_us) - 1
    found = min(part.after(soonest_us) for part in parts)
    return found if found <= until_us else NEVER


def _comes_back(missing: list[Missing], parts: list[_Part], moment: Moment) -> int:
    """When something that is missing now arrives again."""
    soonest = NEVER
    for part in parts:
        for leaf in missing:
            arrived = moment.values.get(part.prefix + leaf.key)
            if arrived is not None and moment.at_us - int(arrived) >= leaf.for_us:
                soonest = min(soonest, part.next_arrival(leaf.key, moment.at_us))
    return soonest


def _episode(raises: list[Raised], end: datetime | None) -> Episode:
    first = raises[0]
    return Episode(first.device_id, moment_of(first.at_us), end, first.values, len(raises) - 1)


def _overlaps(episode: Episode, other: Backtest) -> bool:
    end = episode.end or other.until
    mine = (one for one in other.episodes if one.device_id == episode.device_id)
    return any(one.start <= end and episode.start <= (one.end or other.until) for one in mine)

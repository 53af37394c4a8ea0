"""The active rules, arranged so that a reading only touches the rules that watch it, and the loop that runs them. I/O-free."""

import heapq
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from typing import Final

from rules.conditions import WHOLE_DEVICE, Missing
from rules.engine import ALLOWED_LATENESS_US, SECOND_US, Event, Moment, Rule
from rules.measures import BaselineAt, no_baseline, worked_out
from rules.memory import DeviceMemory, Memory, Said
from rules.tracks import ANY_TIME, Track, advance
from rules.truth import device_prefix

_MOST_REMEMBERED_LOOKUPS: Final = 200_000
SILENCE_IS_BELIEVED_AFTER_US: Final = 1 * SECOND_US
"""How long a message may be on its way before a rule says that it is missing."""
EVERY_DEVICE: Final = 0
"""Stands for the machines of a rule that counts them."""
# factory, device, parameter, device time and receive time in microseconds since 1970 UTC, value.
Reading = tuple[int, int, str, int, int, Said]
_Key = tuple[int, int, tuple[str, ...]]


class RuleBook:
    """Rules by what they watch."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: rule.rule_id))
        self._of_device: dict[tuple[int, str], list[Rule]] = defaultdict(list)
        self._of_factory: dict[tuple[int, str], list[Rule]] = defaultdict(list)
        for rule in self.rules:
            for parameter in rule.parameters:
                if rule.device_ids is None:
                    self._of_factory[rule.factory_id, parameter].append(rule)
                for device_id in rule.device_ids or ():
                    self._of_device[device_id, parameter].append(rule)
        self._found: dict[_Key, tuple[Rule, ...]] = {}
        self.by_id = {rule.rule_id: rule for rule in self.rules}
        self.windows: dict[str, int] = {}
        for rule in self.rules:
            if rule.window_us:
                for parameter in rule.parameters:
                    self.windows[parameter] = max(rule.window_us, self.windows.get(parameter, 0))
        self._is_anything_watched_whole = any(WHOLE_DEVICE in rule.parameters for rule in self.rules)

    def watches(self, factory_id: int, device_id: int, parameter: str) -> bool:
        """True when a rule reads this parameter of this device."""
        return (device_id, parameter) in self._of_device or (factory_id, parameter) in self._of_factory

    def fingerprints(self) -> dict[int, str]:
        """By rule, what it was evaluated by."""
        return {rule.rule_id: rule.fingerprint for rule in self.rules}

    def watched_parameters(self) -> frozenset[str]:
        """Every parameter that any rule reads."""
        return frozenset(parameter for rule in self.rules for parameter in rule.parameters)

    def rules_for(self, factory_id: int, device_id: int, parameters: tuple[str, ...]) -> tuple[Rule, ...]:
        """The rules to look at when these parameters of this device arrive, by id."""
        key = (factory_id, device_id, parameters)
        found = self._found.get(key)
        if found is None:
            if len(self._found) > _MOST_REMEMBERED_LOOKUPS:
                self._found.clear()
            found = self._found[key] = self._look_up(factory_id, device_id, parameters)
        return found

    def _look_up(self, factory_id: int, device_id: int, parameters: tuple[str, ...]) -> tuple[Rule, ...]:
        found = {
            rule.rule_id: rule
            for parameter in parameters
            for rule in (*self._of_device.get((device_id, parameter), ()), *self._of_factory.get((factory_id, parameter), ()))
            # A device that a rule names must be of the rule's factory.
            if rule.factory_id == factory_id
        }
        return tuple(found[rule_id] for rule_id in sorted(found))


def evaluate(
    book: RuleBook,
    memory: Memory,
    readings: Iterable[Reading],
    *,
    baseline_at: BaselineAt = no_baseline,
    only: frozenset[int] | None = None,
) -> list[Event]:
    """Takes one batch of readings into `memory` and evaluates the rules that watch them, in device-time order; gives what happened.

    Readings of one device and one device time are one moment: all of them are known before the first rule looks. A late moment is
    evaluated as of its own time, and so is everything that came after it. `only`: ids of the rules to evaluate; of the others readings are
    remembered.
    """
    if memory.windows != book.windows:
        memory.look_back(book.windows)
    found: list[Event] = []
    tracks = memory.tracks
    for (at_us, device_id), (factory_id, received_us, values) in sorted(_moments(book, readings).items()):
        accepted, in_order = memory.learn(device_id, at_us, values, received_us)
        if not accepted:
            continue
        device = memory.devices[device_id]
        for rule in book.rules_for(factory_id, device_id, tuple(accepted)):
            if in_order and rule.is_plain and (rule.rule_id, device_id) not in tracks and rule.check(device.current) is not True:
                continue
            if only is None or rule.rule_id in only:
                _run(rule, memory, device_id, at_us, baseline_at, found)
    return found


def tick(book: RuleBook, memory: Memory, now_us: int, *, baseline_at: BaselineAt = no_baseline) -> list[Event]:
    """Looks at what becomes true without any message until `now_us` (server time): missing parameters, conditions that go on, off-delays.

    Call it when every batch that had landed by then was evaluated. What happens carries the device time at which it was due.
    """
    found: list[Event] = []
    while memory.due and memory.due[0][0] <= now_us:
        due, *key = heapq.heappop(memory.due)
        rule_id, device_id = key
        if memory.due_at.get((rule_id, device_id)) != due:
            continue
        del memory.due_at[rule_id, device_id]
        rule, track = book.by_id.get(rule_id), memory.tracks.get((rule_id, device_id))
        if rule is None or track is None:
            continue
        until_us = now_us - _delay_us(memory, rule, device_id)
        if track.wake_us is not None and track.wake_us <= until_us:
            track.looked_until_us = max(track.looked_until_us, until_us)
            found.extend(advance(rule, track, (), partial(_moment, rule, memory, device_id, baseline_at)))
        _schedule(memory, rule, device_id, track)
    return found


def expect(book: RuleBook, memory: Memory, factory_id: int, device_id: int, at_us: int) -> None:
    """Begins to wait for messages of a device that last spoke at `at_us`, before any rule could watch it."""
    for rule in book.rules:
        is_watched = rule.factory_id == factory_id and (rule.device_ids is None or device_id in rule.device_ids)
        key = (rule.rule_id, EVERY_DEVICE if rule.is_quorum else device_id)
        if is_watched and key not in memory.tracks and any(isinstance(leaf, Missing) for leaf in rule.needs):
            track = memory.tracks[key] = Track()
            advance(rule, track, [at_us], partial(_moment, rule, memory, device_id, no_baseline))
            # Live values may be ahead of the log: older messages that are still to be read are not late.
            track.newest_us = ANY_TIME
            _schedule(memory, rule, key[1], track)


def remember(book: RuleBook, memory: Memory, readings: Iterable[Reading]) -> None:
    """As `evaluate`, but no rule is run."""
    evaluate(book, memory, readings, only=frozenset())


def _moments(book: RuleBook, readings: Iterable[Reading]) -> dict[tuple[int, int], tuple[int, int, dict[str, Said]]]:
    """Watched readings by device time and device: factory, receive time, values. Of two readings with one key the first one counts."""
    moments: dict[tuple[int, int], tuple[int, int, dict[str, Said]]] = {}
    of_device, of_factory = book._of_device, book._of_factory  # noqa: SLF001  # the innermost loop: a call for each reading would double it
    whole = book._is_anything_watched_whole  # noqa: SLF001  # the same
    for factory_id, device_id, parameter, at_us, received_us, value in readings:
        is_whole = whole and ((device_id, WHOLE_DEVICE) in of_device or (factory_id, WHOLE_DEVICE) in of_factory)
        if not is_whole and (device_id, parameter) not in of_device and (factory_id, parameter) not in of_factory:
            continue
        moment = moments.get((at_us, device_id))
        if moment is None:
            moment = moments[at_us, device_id] = (factory_id, received_us, {})
            if is_whole:
                moment[2][WHOLE_DEVICE] = None
        if not is_whole or (device_id, parameter) in of_device or (factory_id, parameter) in of_factory:
            moment[2].setdefault(parameter, value)
    return moments


def _run(rule: Rule, memory: Memory, device_id: int, at_us: int, baseline_at: BaselineAt, found: list[Event]) -> None:
    """Looks at a moment of a device, and again at all that came after it."""
    key = (rule.rule_id, EVERY_DEVICE if rule.is_quorum else device_id)
    track = memory.tracks.get(key)
    if track is None:
        track = memory.tracks[key] = Track()
    newest_us = max(track.newest_us, memory.devices[device_id].newest_us)
    if at_us < newest_us - ALLOWED_LATENESS_US:
        return  # one of several machines that is minutes behind the others: its values count from the next moment on
    moments = [at_us] if at_us == newest_us else _moments_from(rule, memory, device_id, at_us)
    found.extend(advance(rule, track, moments, partial(_moment, rule, memory, device_id, baseline_at)))
    if track.is_idle():
        del memory.tracks[key]
    elif track.wake_us is not None:
        _schedule(memory, rule, key[1], track)


def _moments_from(rule: Rule, memory: Memory, device_id: int, at_us: int) -> list[int]:
    if not rule.is_quorum:
        return memory.devices[device_id].moments_from(at_us, rule.parameters)
    devices = (memory.devices[one] for one in rule.device_ids or () if one in memory.devices)
    return sorted({time for device in devices for time in device.moments_from(at_us, rule.parameters)})


def _moment(rule: Rule, memory: Memory, device_id: int, baseline_at: BaselineAt, at_us: int) -> Moment:
    """What was known at a device time, as this rule needs it."""
    if not rule.is_quorum:
        return Moment(device_id, at_us, _values(rule, memory.devices[device_id], device_id, at_us, baseline_at))
    together: dict[str, float | str] = {}
    for one in rule.device_ids or ():
        device = memory.devices.get(one)
        if device is not None:
            prefix = device_prefix(one)
            together.update({prefix + key: value for key, value in _values(rule, device, one, at_us, baseline_at).items()})
    return Moment(device_id, at_us, together)


def _values(rule: Rule, device: DeviceMemory, device_id: int, at_us: int, baseline_at: BaselineAt) -> dict[str, float | str]:
    values = device.current if at_us == device.newest_us else device.values_at(at_us, rule.parameters)
    if not rule.needs:
        return values
    return values | worked_out(rule.needs, device, device_id, at_us, baseline_at)


def _delay_us(memory: Memory, rule: Rule, device_id: int) -> int:
    """How much later than its device time says something due is believed: what the device's messages take, and a little more."""
    devices = rule.device_ids or () if device_id == EVERY_DEVICE else (device_id,)
    offsets = [memory.devices[one].offset_us for one in devices if one in memory.devices]
    return max(offsets, default=0) + SILENCE_IS_BELIEVED_AFTER_US


def _schedule(memory: Memory, rule: Rule, device_id: int, track: Track) -> None:
    if track.wake_us is None:
        return
    key, due = (rule.rule_id, device_id), track.wake_us + _delay_us(memory, rule, device_id)
    planned = memory.due_at.get(key)
    # What is planned earlier is looked at then and planned again: a machine that talks each second does not fill the heap.
    if planned is None or due < planned:
        memory.due_at[key] = due
        heapq.heappush(memory.due, (due, *key))


def plan_looks(book: RuleBook, memory: Memory) -> None:
    """Plans every look that is due without a message, after `memory` came from elsewhere."""
    memory.due, memory.due_at = [], {}
    for (rule_id, device_id), track in memory.tracks.items():
        if rule_id in book.by_id:
            _schedule(memory, book.by_id[rule_id], device_id, track)

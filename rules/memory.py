"""The last known values of each device, in device time: what lets a rule see two parameters that came in different messages. I/O-free.

    device time ->    newest - 2 min                 newest
    --------------------|------------------------------|---------->
      too late: counted | every reading is remembered: | in order
      and left out      | a repeat is dropped, a late  |
                        | one is put in its place      |

A reading is its key (device, parameter, device time), and the first one wins: the rule of `warehouse.readings.deduplicate`, decided here
from the remembered readings themselves, which an evaluator needs anyway and which takes microseconds a batch instead of milliseconds.
A last known value holds until a newer one arrives, however long that takes: machines that report on change depend on it.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from rules.conditions import WHOLE_DEVICE, text_key
from rules.engine import ALLOWED_LATENESS_US, MINUTE_US
from rules.tracks import Track

MOST_READINGS_A_SERIES: Final = 2_000
"""Readings remembered for one parameter of one device; a series that is faster than 16 Hz is complete for less than two minutes."""
MOST_AHEAD_US: Final = 24 * 60 * MINUTE_US
"""A device clock further ahead of the receive time than this is nonsense; its readings are counted as from the future and left out."""
CLOCK_WAS_SET_BACK_US: Final = 5 * MINUTE_US
"""When the newest known device time is this far ahead of the receive time, an older reading means that the device's clock was corrected."""
MOST_READINGS_IN_A_WINDOW: Final = 20_000
"""The same for a parameter whose aggregates a rule looks at: 4 hours at 1 Hz and more."""
_TRIM_EVERY: Final = 64
Said = float | str | None
"""A value: a number or a text. None: a text whose words nobody kept, or only that something arrived."""
_ANY_TIME: Final = -(2**62)


@dataclass(slots=True)
class Counts:
    """Readings of watched parameters since the evaluator's very first start, by what became of them."""

    evaluated: int = 0
    repeated: int = 0
    too_late: int = 0
    from_future: int = 0


@dataclass(slots=True)
class Series:
    """The remembered readings of one parameter of one device, by device time in microseconds since 1970 UTC."""

    times: "array[int]" = field(default_factory=lambda: array("q"))
    values: list[Said] = field(default_factory=list)
    complete_from: int = _ANY_TIME
    """Readings from here on are all remembered; of older ones only the newest."""
    next_trim: int = _TRIM_EVERY
    window_us: int = 0
    """How far back aggregates look at it."""

    def value_at(self, at_us: int) -> Said:
        """The last known value at `at_us`; None when there is none."""
        index = bisect_right(self.times, at_us)
        return self.values[index - 1] if index else None

    def arrived_at(self, at_us: int) -> int | None:
        """Device time of the last reading at `at_us`."""
        index = bisect_right(self.times, at_us)
        return self.times[index - 1] if index else None

    def window(self, at_us: int, window_us: int) -> "tuple[array[int], list[Said]]":
        """The readings after `at_us - window_us` up to `at_us`."""
        first, last = bisect_right(self.times, at_us - window_us), bisect_right(self.times, at_us)
        return self.times[first:last], self.values[first:last]

    def has(self, at_us: int) -> bool:
        """True when a reading of exactly this time is remembered."""
        index = bisect_left(self.times, at_us)
        return index < len(self.times) and self.times[index] == at_us

    def insert(self, at_us: int, value: Said) -> None:
        """Puts a reading in its place."""
        index = bisect_left(self.times, at_us)
        self.times.insert(index, at_us)
        self.values.insert(index, value)

    def trim(self, newest_us: int) -> None:
        """Forgets what is older than the allowed lateness, except the last value before it, and keeps the series short."""
        most = MOST_READINGS_IN_A_WINDOW if self.window_us else MOST_READINGS_A_SERIES
        keep = max(bisect_right(self.times, newest_us - ALLOWED_LATENESS_US - self.window_us) - 1, len(self.times) - most, 0)
        if keep:
            self.complete_from = max(self.complete_from, self.times[keep - 1] + 1)
            del self.times[:keep], self.values[:keep]
        self.next_trim = len(self.times) + _TRIM_EVERY


@dataclass(slots=True)
class DeviceMemory:
    """What is known of one device."""

    newest_us: int = _ANY_TIME
    current: dict[str, float | str] = field(default_factory=dict)
    """Last known values at `newest_us`; of a parameter whose last reading was a text, the text by `text_key`."""
    series: dict[str, Series] = field(default_factory=dict)
    offset_us: int = 0
    """How much later than the device's clock says its newest reading was received."""

    def values_at(self, at_us: int, parameters: Iterable[str]) -> dict[str, float | str]:
        """The last known values of some parameters at an earlier moment."""
        found: dict[str, float | str] = {}
        for parameter in parameters:
            series = self.series.get(parameter)
            if series is not None:
                know(found, parameter, series.value_at(at_us))
        return found

    def moments_from(self, at_us: int, parameters: Iterable[str]) -> list[int]:
        """The remembered times from `at_us` on at which one of the parameters arrived, in order."""
        times: set[int] = set()
        for parameter in parameters:
            if parameter in self.series:
                found = self.series[parameter].times
                times.update(found[bisect_left(found, at_us) :])
        return sorted(times)

    def seed(self, parameter: str, at_us: int, value: Said) -> None:
        """Makes a value known that arrived before anybody watched the parameter; the reading itself may still arrive and counts then."""
        if parameter not in self.series:
            self.series[parameter] = Series(array("q", [at_us - 1]), [value], at_us)
            know(self.current, parameter, value)

    def forget_after(self, at_us: int) -> None:
        """Forgets everything from `at_us` on: the device's clock was ahead and has been corrected."""
        for series in self.series.values():
            keep = bisect_left(series.times, at_us)
            # The last value stays known, as of now: it is the time that was wrong.
            last = series.values[-1] if series.values else None
            if keep < len(series.times):
                series.times[keep:], series.values[keep:] = array("q", [at_us - 1]), [last]
            series.complete_from = min(series.complete_from, at_us)
        self.newest_us = at_us - 1


@dataclass(slots=True)
class Memory:
    """Everything that the evaluator remembers; changed in place, because copying it for each batch would be most of the work."""

    devices: dict[int, DeviceMemory] = field(default_factory=dict)
    tracks: dict[tuple[int, int], Track] = field(default_factory=dict)
    """By rule and device; device 0 stands for all of a rule that counts machines. What is not here is quiet."""
    due: list[tuple[int, int, int]] = field(default_factory=list, compare=False)
    """A heap of server time, rule and device: when to look although nothing arrives."""
    due_at: dict[tuple[int, int], int] = field(default_factory=dict, compare=False)
    """What of the heap still counts."""
    windows: dict[str, int] = field(default_factory=dict, compare=False)
    """How far back aggregates look, by parameter."""
    counts: Counts = field(default_factory=Counts)
    received_us: int = _ANY_TIME
    """Receive time of the newest reading of any device: the clock that device clocks are judged by."""

    def device(self, device_id: int) -> DeviceMemory:
        """What is known of a device; empty for a new one."""
        found = self.devices.get(device_id)
        if found is None:
            found = self.devices[device_id] = DeviceMemory()
        return found

    def forget_unwatched(self, parameters: frozenset[str]) -> None:
        """Forgets parameters that no rule reads any more."""
        for device in self.devices.values():
            for parameter in device.series.keys() - parameters:
                del device.series[parameter]
                device.current.pop(parameter, None)
                device.current.pop(text_key(parameter), None)

    def look_back(self, windows: dict[str, int]) -> None:
        """From now on remembers what aggregates of these parameters look at."""
        self.windows = windows
        for device in self.devices.values():
            for parameter, series in device.series.items():
                series.window_us = windows.get(parameter, 0)

    def learn(self, device_id: int, at_us: int, values: Mapping[str, Said], received_us: int) -> tuple[list[str], bool]:
        """Takes in the readings of one device at one device time. Gives the parameters that are new, and whether they came in order.

        Repeats, readings that are too late and those from a nonsensical future are counted and left out.
        """
        self.received_us = max(self.received_us, received_us)
        if at_us - received_us > MOST_AHEAD_US:
            self.counts.from_future += len(values) - (WHOLE_DEVICE in values)
            return [], True
        device = self.device(device_id)
        if at_us < device.newest_us - ALLOWED_LATENESS_US:
            if device.newest_us - self.received_us <= CLOCK_WAS_SET_BACK_US:
                self.counts.too_late += len(values) - (WHOLE_DEVICE in values)
                return [], False
            device.forget_after(at_us)
            self._forget_tracks_after(device_id, at_us)
        in_order = at_us >= device.newest_us
        if in_order:
            device.offset_us = received_us - at_us
        accepted = self._append(device, at_us, values) if in_order else self._insert(device, at_us, values)
        self.counts.evaluated += len(accepted) - (WHOLE_DEVICE in values and WHOLE_DEVICE in accepted)
        return accepted, in_order

    def _append(self, device: DeviceMemory, at_us: int, values: Mapping[str, Said]) -> list[str]:
        accepted, current = [], device.current
        for parameter, value in values.items():
            series = device.series.get(parameter)
            if series is None:
                series = device.series[parameter] = Series(window_us=self.windows.get(parameter, 0))
            times = series.times
            if times and times[-1] >= at_us:
                if times[-1] == at_us:
                    self.counts.repeated += parameter != WHOLE_DEVICE
                    continue
                # Only a seeded value can be ahead of its device: what arrives counts instead.
                del times[:]
                series.values.clear()
            times.append(at_us)
            series.values.append(value)
            if value.__class__ is float:
                if current.get(parameter) is None:
                    current.pop(text_key(parameter), None)
                current[parameter] = value
            else:
                know(current, parameter, value)
            if len(times) > series.next_trim:
                series.trim(at_us)
            accepted.append(parameter)
        if accepted:
            device.newest_us = at_us
        return accepted

    def _insert(self, device: DeviceMemory, at_us: int, values: Mapping[str, Said]) -> list[str]:
        accepted = []
        for parameter, value in values.items():
            series = device.series.get(parameter)
            if series is None:
                series = device.series[parameter] = Series(window_us=self.windows.get(parameter, 0))
            if series.has(at_us):
                self.counts.repeated += parameter != WHOLE_DEVICE
            elif at_us < series.complete_from:
                self.counts.too_late += parameter != WHOLE_DEVICE
            else:
                series.insert(at_us, value)
                accepted.append(parameter)
        for parameter in accepted:
            know(device.current, parameter, device.series[parameter].values[-1])
        return accepted

    def _forget_tracks_after(self, device_id: int, at_us: int) -> None:
        """What rules did later than that on this device, by its wrong clock."""
        for (_, of_device), track in self.tracks.items():
            if of_device == device_id:
                track.rewind(at_us)
                kept = tuple(time for time in track.state.triggers if time < at_us)
                track.floor, track.entries = replace(track.state, triggers=kept), []
                track.newest_us = track.looked_until_us = at_us - 1
                track.wake_us = None


def know(values: dict[str, float | str], parameter: str, value: Said) -> None:
    """Puts a last value where the conditions look for it; a text makes the number unknown and a number the text."""
    if isinstance(value, str):
        values.pop(parameter, None)
        values[text_key(parameter)] = value
        return
    values.pop(text_key(parameter), None)
    if value is None:
        values.pop(parameter, None)
    else:
        values[parameter] = value

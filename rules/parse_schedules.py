"""JSON of schedules to schedules. Every error names the place and what is allowed there. Pure."""

from collections.abc import Mapping
from datetime import date, time, tzinfo
from typing import Final

from rules.reading_json import known_keys, mapping_at, refused
from rules.schedule import ALWAYS, EVERY_DAY, MIDNIGHT_AFTER, AllOf, AnyOf, DateRange, Schedule, TimeWindow

_WINDOW_KEYS: Final = ("start_time", "end_time", "days")
# The overview of the specification writes start and end; its table of rules start_time and end_time. Both are understood.
_WINDOW_ALIASES: Final = {"start": "start_time", "end": "end_time"}
_SHIFT_KEYS: Final = ("shift", "days")
_RANGE_KEYS: Final = ("start_date", "end_date")
_SCHEDULE_TYPES: Final = ("always", "time_window", "date_range")
MOST_PARTS: Final = 50
"""Windows or date ranges of one schedule."""
ShiftTimes = Mapping[str, tuple[time, time]]
"""The factory's shifts: beginning and end in its own time, by name."""


def parse_schedule(schedule_type: str, config: object, zone: tzinfo, path: str = "$", shifts: ShiftTimes | None = None) -> Schedule:
    """The schedule of a rule, in the factory's time zone.

    `time_window`: {"start_time": "22:00", "end_time": "06:00", "days": [1, 2]} with Monday = 1 ... Sunday = 7, all days when left out;
    {"shift": "night", "days": [...]} for a named shift of the factory; {"windows": [...]} for several of either.
    `date_range`: {"start_date": "2026-01-01", "end_date": "2026-12-31"}, both days included; one of them may be left out;
    {"ranges": [...]} for several; with "windows" beside them only inside these.
    """
    if schedule_type == "always":
        return ALWAYS
    if schedule_type not in _SCHEDULE_TYPES:
        raise refused(f"{path}.schedule_type", f"{schedule_type!r} is no type of schedule", _SCHEDULE_TYPES)
    place = f"{path}.schedule_config"
    if schedule_type == "date_range":
        return _ranges(config, zone, place, shifts or {})
    if isinstance(config, Mapping) and "windows" in config:
        return _windows(mapping_at(config, place, ("windows",)), zone, place, shifts or {})
    return _window(config, zone, place, shifts or {})


def _ranges(config: object, zone: tzinfo, path: str, shifts: ShiftTimes) -> Schedule:
    found = mapping_at(
        config, path, ("ranges", "windows") if isinstance(config, Mapping) and "ranges" in config else (*_RANGE_KEYS, "windows")
    )
    if "ranges" in found:
        parts = [_date_range(mapping_at(part, at, _RANGE_KEYS), zone, at) for at, part in _parts(found, "ranges", path)]
        ranges: Schedule = parts[0] if len(parts) == 1 else AnyOf(tuple(parts))
    else:
        ranges = _date_range(found, zone, path)
    return AllOf((ranges, _windows(found, zone, path, shifts))) if "windows" in found else ranges


def _windows(config: Mapping[str, object], zone: tzinfo, path: str, shifts: ShiftTimes) -> Schedule:
    parts = tuple(_window(part, zone, at, shifts) for at, part in _parts(config, "windows", path))
    return parts[0] if len(parts) == 1 else AnyOf(parts)


def _parts(config: Mapping[str, object], key: str, path: str) -> list[tuple[str, object]]:
    """Path and JSON of each part of a list."""
    found = config[key]
    if not isinstance(found, list) or not 0 < len(found) <= MOST_PARTS:
        raise refused(f"{path}.{key}", f"must be a list of 1 to {MOST_PARTS}")
    return [(f"{path}.{key}[{i}]", part) for i, part in enumerate(found)]


def _window(config: object, zone: tzinfo, path: str, shifts: ShiftTimes) -> TimeWindow:
    if isinstance(config, Mapping) and "shift" in config:
        known_keys(config, path, _SHIFT_KEYS)
        name = config["shift"]
        if not isinstance(name, str) or name not in shifts:
            raise refused(f"{path}.shift", f"{name!r} is no shift of this factory", sorted(shifts))
        start, end = shifts[name]
        return TimeWindow(start, end, _days(config.get("days"), f"{path}.days"), zone)
    found = mapping_at(config, path, (*_WINDOW_KEYS, *_WINDOW_ALIASES, *_SHIFT_KEYS[:1]))
    return _time_window({_WINDOW_ALIASES.get(key, key): value for key, value in found.items()}, zone, path)


def _time_window(config: Mapping[str, object], zone: tzinfo, path: str) -> TimeWindow:
    start = _time_of_day(config.get("start_time"), f"{path}.start_time")
    given_end = config.get("end_time")
    end = MIDNIGHT_AFTER if given_end == "24:00" else _time_of_day(given_end, f"{path}.end_time")
    if start == end:
        raise refused(f"{path}.end_time", 'equals start_time; for the whole day use schedule_type "always", or 00:00 to 24:00 with days')
    return TimeWindow(start, end, _days(config.get("days"), f"{path}.days"), zone)


def _time_of_day(value: object, path: str) -> time:
    if isinstance(value, str) and len(value) in {5, 8} and value[2] == ":":
        try:
            return time.fromisoformat(value)
        except ValueError:
            pass  # refused below, together with everything else that is no time of day
    raise refused(path, f"{value!r} is no time of day", ("HH:MM", "HH:MM:SS"))


def _days(value: object, path: str) -> frozenset[int]:
    if value is None:
        return EVERY_DAY
    if not isinstance(value, list) or not value:
        raise refused(path, "must be a list of at least one day", sorted(EVERY_DAY))
    for i, day in enumerate(value):
        if isinstance(day, bool) or day not in EVERY_DAY:
            raise refused(f"{path}[{i}]", f"{day!r} is no day (Monday is 1, Sunday is 7)", sorted(EVERY_DAY))
    return frozenset(value)


def _date_range(config: Mapping[str, object], zone: tzinfo, path: str) -> DateRange:
    start, end = (_date(config.get(key), f"{path}.{key}") for key in _RANGE_KEYS)
    if start is None and end is None:
        raise refused(path, "needs start_date, end_date or both", _RANGE_KEYS)
    if start is not None and end is not None and end < start:
        raise refused(f"{path}.end_date", f"{end} is before start_date {start}")
    return DateRange(start, end, zone)


def _date(value: object, path: str) -> date | None:
    if value is None:
        return None
    if isinstance(value, str) and len(value) == len("YYYY-MM-DD"):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass  # refused below
    raise refused(path, f"{value!r} is no date", ("YYYY-MM-DD",))

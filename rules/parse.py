"""JSON of rules, as the API and the rules table hold it, to condition trees and schedules, and back.

Every error is an InvalidInputError that names the place (`path`, such as `$.conditions[1].operator`) and what is allowed there.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import date, time, tzinfo
from typing import Any, Final

from rules.conditions import Combination, Comparison, Condition, Group, Operator, comparisons
from rules.schedule import ALWAYS, EVERY_DAY, MIDNIGHT_AFTER, DateRange, Schedule, TimeWindow
from warehouse.errors import InvalidInputError

DEEPEST: Final = 10
"""Levels of groups within groups."""
MOST_COMPARISONS: Final = 200
LONGEST_PARAMETER: Final = 100

_COMPARISON_KEYS: Final = ("parameter", "operator", "threshold")
_GROUP_KEYS: Final = ("operator", "conditions")
_WINDOW_KEYS: Final = ("start_time", "end_time", "days")
# The overview of the specification writes start and end; its table of rules start_time and end_time. Both are understood.
_WINDOW_ALIASES: Final = {"start": "start_time", "end": "end_time"}
_RANGE_KEYS: Final = ("start_date", "end_date")
_SCHEDULE_TYPES: Final = ("always", "time_window", "date_range")


def parse_condition(document: object, path: str = "$") -> Condition:
    """The condition tree of a JSON document (already decoded).

    A group is {"operator": "AND" | "OR", "conditions": [...]}, a comparison {"parameter", "operator", "threshold"}; either may be the
    root. Raises InvalidInputError for anything else.
    """
    condition = _condition(document, path, depth=1)
    count = sum(1 for _ in comparisons(condition))
    if count > MOST_COMPARISONS:
        raise _refused(path, f"has {count} comparisons; at most {MOST_COMPARISONS} are allowed: split the rule")
    return condition


def condition_to_json(condition: Condition) -> dict[str, Any]:
    """The tree as the JSON that `parse_condition` reads."""
    if isinstance(condition, Comparison):
        threshold = int(condition.threshold) if condition.threshold.is_integer() else condition.threshold
        return {"parameter": condition.parameter, "operator": condition.operator.value, "threshold": threshold}
    return {"operator": condition.operator.value, "conditions": [condition_to_json(part) for part in condition.conditions]}


def parse_schedule(schedule_type: str, config: object, zone: tzinfo, path: str = "$") -> Schedule:
    """The schedule of a rule, in the factory's time zone.

    `time_window`: {"start_time": "22:00", "end_time": "06:00", "days": [1, 2]} with Monday = 1 ... Sunday = 7, all days when left out.
    `date_range`: {"start_date": "2026-01-01", "end_date": "2026-12-31"}, both days included; one of them may be left out.
    """
    if schedule_type == "always":
        return ALWAYS
    if schedule_type not in _SCHEDULE_TYPES:
        raise _refused(f"{path}.schedule_type", f"{schedule_type!r} is no type of schedule", _SCHEDULE_TYPES)
    place = f"{path}.schedule_config"
    if schedule_type == "date_range":
        return _date_range(_mapping(config, place, _RANGE_KEYS), zone, place)
    found = _mapping(config, place, (*_WINDOW_KEYS, *_WINDOW_ALIASES))
    return _time_window({_WINDOW_ALIASES.get(key, key): value for key, value in found.items()}, zone, place)


def _condition(document: object, path: str, depth: int) -> Condition:
    if not isinstance(document, Mapping):
        raise _refused(path, f"must be an object, not {_kind(document)}", _GROUP_KEYS + _COMPARISON_KEYS)
    if "conditions" in document or document.get("operator") in tuple(Combination):
        return _group(document, path, depth)
    return _comparison(document, path)


def _group(document: Mapping[str, object], path: str, depth: int) -> Group:
    _known_keys(document, path, _GROUP_KEYS)
    if depth > DEEPEST:
        raise _refused(path, f"is nested deeper than {DEEPEST} levels: flatten the tree")
    found = document.get("operator")
    if not isinstance(found, str) or found not in tuple(Combination):
        raise _refused(f"{path}.operator", f"{found!r} does not join conditions", tuple(Combination))
    parts = document.get("conditions")
    if not isinstance(parts, list) or not parts:
        raise _refused(f"{path}.conditions", "must be a list of at least one condition")
    return Group(Combination(found), tuple(_condition(part, f"{path}.conditions[{i}]", depth + 1) for i, part in enumerate(parts)))


def _comparison(document: Mapping[str, object], path: str) -> Comparison:
    _known_keys(document, path, _COMPARISON_KEYS)
    parameter, found, threshold = (document.get(key) for key in _COMPARISON_KEYS)
    if not isinstance(parameter, str) or not 0 < len(parameter) <= LONGEST_PARAMETER:
        raise _refused(f"{path}.parameter", f"must be the key of a parameter, a text of 1 to {LONGEST_PARAMETER} characters")
    if not isinstance(found, str) or found not in tuple(Operator):
        raise _refused(f"{path}.operator", f"{found!r} compares nothing", tuple(Operator))
    if isinstance(threshold, bool) or not isinstance(threshold, int | float):
        raise _refused(f"{path}.threshold", f"must be a number, not {_kind(threshold)}")
    number = _finite(threshold)
    if number is None:
        raise _refused(f"{path}.threshold", "must be a finite number")
    return Comparison(parameter, Operator(found), number)


def _finite(number: float) -> float | None:
    try:
        found = float(number)
    except OverflowError:  # an integer of hundreds of digits
        return None
    return found if math.isfinite(found) else None


def _time_window(config: Mapping[str, object], zone: tzinfo, path: str) -> TimeWindow:
    start = _time_of_day(config.get("start_time"), f"{path}.start_time")
    given_end = config.get("end_time")
    end = MIDNIGHT_AFTER if given_end == "24:00" else _time_of_day(given_end, f"{path}.end_time")
    if start == end:
        raise _refused(f"{path}.end_time", 'equals start_time; for the whole day use schedule_type "always", or 00:00 to 24:00 with days')
    return TimeWindow(start, end, _days(config.get("days"), f"{path}.days"), zone)


def _time_of_day(value: object, path: str) -> time:
    if isinstance(value, str) and len(value) in {5, 8} and value[2] == ":":
        try:
            return time.fromisoformat(value)
        except ValueError:
            pass  # refused below, together with everything else that is no time of day
    raise _refused(path, f"{value!r} is no time of day", ("HH:MM", "HH:MM:SS"))


def _days(value: object, path: str) -> frozenset[int]:
    if value is None:
        return EVERY_DAY
    if not isinstance(value, list) or not value:
        raise _refused(path, "must be a list of at least one day", sorted(EVERY_DAY))
    for i, day in enumerate(value):
        if isinstance(day, bool) or day not in EVERY_DAY:
            raise _refused(f"{path}[{i}]", f"{day!r} is no day (Monday is 1, Sunday is 7)", sorted(EVERY_DAY))
    return frozenset(value)


def _date_range(config: Mapping[str, object], zone: tzinfo, path: str) -> DateRange:
    start, end = (_date(config.get(key), f"{path}.{key}") for key in _RANGE_KEYS)
    if start is None and end is None:
        raise _refused(path, "needs start_date, end_date or both", _RANGE_KEYS)
    if start is not None and end is not None and end < start:
        raise _refused(f"{path}.end_date", f"{end} is before start_date {start}")
    return DateRange(start, end, zone)


def _date(value: object, path: str) -> date | None:
    if value is None:
        return None
    if isinstance(value, str) and len(value) == len("YYYY-MM-DD"):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass  # refused below
    raise _refused(path, f"{value!r} is no date", ("YYYY-MM-DD",))


def _mapping(document: object, path: str, keys: Iterable[str]) -> Mapping[str, object]:
    if not isinstance(document, Mapping):
        raise _refused(path, f"must be an object, not {_kind(document)}", tuple(keys))
    _known_keys(document, path, keys)
    return document


def _known_keys(document: Mapping[str, object], path: str, keys: Iterable[str]) -> None:
    for key in document:
        if key not in keys:
            raise _refused(f"{path}.{key}", "is not known here", tuple(keys))


def _kind(value: object) -> str:
    names = {
        type(None): "null",
        bool: "true or false",
        str: "a text",
        list: "a list",
        dict: "an object",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), type(value).__name__)


def _refused(path: str, problem: str, allowed: Iterable[object] = ()) -> InvalidInputError:
    choices = [str(value) for value in allowed]
    advice = f"; allowed: {', '.join(choices)}" if choices else ""
    return InvalidInputError(f"{path} {problem}{advice}", path=path, allowed=choices)

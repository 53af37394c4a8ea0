"""When a rule applies, in words: `06:00 to 14:00 from Monday to Friday`. Pure; for schedules that `rules.parse_schedules` accepts."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from rules.wording import listed

DAY_NAMES: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EVERY_DAY: Final = list(range(1, 8))


def schedule_words(schedule_type: str, config: Mapping[str, Any] | None) -> str:
    """Empty for `always`."""
    found = config or {}
    if schedule_type == "always":
        return ""
    if schedule_type == "time_window":
        return _windows(found.get("windows") or [found])
    ranges = listed([_dates(one) for one in found.get("ranges") or [found]], "and")
    return f"{ranges}, {_windows(found['windows'])}" if found.get("windows") else ranges


def _windows(windows: Sequence[Mapping[str, Any]]) -> str:
    return listed([_window(one) for one in windows], "and")


def _window(one: Mapping[str, Any]) -> str:
    days = _days(one.get("days") or EVERY_DAY)
    if "shift" in one:
        return f"in the {one['shift']} shift{days}"
    start, end = (str(one.get(f"{name}_time", one.get(name)))[:5] for name in ("start", "end"))
    return f"from {start} to {end}{days}"


def _days(days: Sequence[int]) -> str:
    wanted = sorted(set(days))
    if wanted == EVERY_DAY:
        return ""
    if len(wanted) > 2 and wanted == list(range(wanted[0], wanted[-1] + 1)):
        return f" from {DAY_NAMES[wanted[0] - 1]} to {DAY_NAMES[wanted[-1] - 1]}"
    return f" on {listed([DAY_NAMES[day - 1] for day in wanted], 'and')}"


def _dates(one: Mapping[str, Any]) -> str:
    start, end = one.get("start_date"), one.get("end_date")
    parts = [f"from {_day(start)}"] if start else []
    return " ".join([*parts, *([f"until {_day(end)}"] if end else [])])


def _day(text: str) -> str:
    return f"{date.fromisoformat(text):%-d %b %Y}"

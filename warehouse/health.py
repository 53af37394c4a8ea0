"""Scores and states that people see on cards; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

# The spec's formula for a factory: points taken off for each.
FACTORY_POINTS: Final = {"critical": 5, "high": 2, "offline": 1}
# A machine has few alerts at a time, so each weighs more; ours, since the spec scores factories only.
DEVICE_POINTS: Final = {"critical": 40, "high": 20, "medium": 8, "low": 2}
IDLE_BELOW: Final = 0.35
OFF_BELOW: Final = 0.03


@dataclass(frozen=True)
class HealthScore:
    """A score from 0 to 100 and what was taken off for what."""

    score: int
    deductions: dict[str, int]
    """Points taken off by reason: `critical`, `high`, `offline`."""


def factory_health(machines: Iterable[tuple[dict[str, int], bool, float]]) -> HealthScore:
    """100 less 5 a critical alert, 2 a high alert and 1 an offline machine (spec, flow 4), each times the machine's importance.

    Never below 0. `machines`: active alerts by severity, whether it is offline, and its importance (1 unless configured). Points are
    rounded by reason, so that score and deductions add up.
    """
    lost = dict.fromkeys(FACTORY_POINTS, 0.0)
    for alerts, is_silent, importance in machines:
        found = {"critical": alerts.get("critical", 0), "high": alerts.get("high", 0), "offline": int(is_silent)}
        for reason, number in found.items():
            lost[reason] += FACTORY_POINTS[reason] * number * importance
    deductions = {reason: round(points) for reason, points in lost.items() if round(points)}
    return HealthScore(max(0, 100 - sum(deductions.values())), deductions)


def device_health(alerts: dict[str, int]) -> int:
    """100 less 40, 20, 8 and 2 for each active critical, high, medium and low alert, never below 0."""
    return max(0, 100 - sum(DEVICE_POINTS[level] * number for level, number in alerts.items()))


def is_offline(last_seen: datetime | None, now: datetime, offline_after: timedelta) -> bool:
    """True when nothing was received for `offline_after`, or ever."""
    return last_seen is None or now - last_seen > offline_after


def device_state(*, offline: bool, critical_alerts: int, power_w: float | None, typical_power_w: float | None) -> str:
    """`offline`, `fault`, `off`, `idle` or `running`.

    Until a machine reports its state itself: a critical alert is a fault, and power against what it draws while it works tells
    the rest. A machine without power readings that sends data counts as running.
    """
    if offline:
        return "offline"
    if critical_alerts:
        return "fault"
    if power_w is None or not typical_power_w:
        return "running"
    share = power_w / typical_power_w
    return "off" if share < OFF_BELOW else "idle" if share < IDLE_BELOW else "running"

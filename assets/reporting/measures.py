"""The figures that reports print, each from the frames of one run; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from warehouse.queries.availability import SLOT, STATES
from warehouse.terms import SEVERITIES

SLOT_H: Final = SLOT.total_seconds() / 3600
HEALTH_POINTS: Final = {"critical": 22.0, "high": 7.0, "medium": 0.8, "low": 0.3}


@dataclass(frozen=True)
class Hours:
    """Machine hours by state over some machines and some time."""

    running: float = 0
    idle: float = 0
    off: float = 0
    fault: float = 0
    nodata: float = 0

    @property
    def total(self) -> float:
        """All hours."""
        return self.running + self.idle + self.off + self.fault + self.nodata

    @property
    def known_on(self) -> float:
        """Hours that count: neither switched off nor unknown."""
        return self.running + self.idle + self.fault

    @property
    def availability(self) -> float | None:
        """Running share of the hours that count (ISO 22400-2); None when there are none."""
        return self.running / self.known_on if self.known_on > 0 else None

    @property
    def without_fault(self) -> float | None:
        """Share of the hours that count in which no critical alert stood."""
        return 1 - self.fault / self.known_on if self.known_on > 0 else None

    @property
    def shares(self) -> list[float]:
        """Shares of all hours in the order of STATES."""
        whole = self.total or 1
        return [getattr(self, state) / whole for state in STATES]


def hours_of(grid: pl.DataFrame) -> Hours:
    """Hours by state of a STATE_GRID (`warehouse.queries.availability`)."""
    counts = dict(grid.group_by("state").len().iter_rows())
    return Hours(**{state: counts.get(state, 0) * SLOT_H for state in STATES})


def hours_by_device(grid: pl.DataFrame) -> dict[int, Hours]:
    """The same for each machine."""
    return {int(str(key[0])): hours_of(part) for key, part in grid.group_by("device_id", maintain_order=True)}


def energy_kwh(grid: pl.DataFrame) -> float | None:
    """Energy of a STATE_GRID; None when no machine in it measures power."""
    return float(grid["kwh"].sum()) if grid["kwh"].count() else None


def energy_by_device(grid: pl.DataFrame) -> dict[int, float | None]:
    """Energy of each machine in kWh; None for one that measures no power."""
    found = grid.group_by("device_id").agg(kwh=pl.when(pl.col("kwh").count() > 0).then(pl.col("kwh").sum()))
    return dict(found.iter_rows())


def local_days(start: datetime, end: datetime, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """The period cut at the factory's midnights, as UTC moments; the first and last day may be parts."""
    days, begin = [], start
    while begin < end:
        midnight = (begin.astimezone(zone) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        until = min(midnight.astimezone(start.tzinfo), end)
        days.append((begin, until))
        begin = until
    return days


def within(frame: pl.DataFrame, begin: datetime, end: datetime, column: str = "bucket") -> pl.DataFrame:
    """The rows of [begin, end)."""
    return frame.filter(pl.col(column).is_between(begin, end, closed="left"))


def alert_counts(alerts: pl.DataFrame) -> dict[int, dict[str, int]]:
    """Number of alerts by machine and severity; every severity is present."""
    found: dict[int, dict[str, int]] = {}
    for device, severity, number in alerts.group_by("device_id", "severity").len().iter_rows():
        found.setdefault(device, dict.fromkeys(SEVERITIES, 0))[severity] = number
    return found


def health_of(counts: dict[str, int]) -> int:
    """0 to 100: less 22, 7, 0.8 and 0.3 for each critical, high, medium and low alert raised in the period."""
    return max(0, round(100 - sum(points * counts.get(level, 0) for level, points in HEALTH_POINTS.items())))


def stretches(states: Sequence[str]) -> list[tuple[int, int, str]]:
    """Runs of equal states as (first, after the last, state)."""
    found, first = [], 0
    for i in range(1, len(states) + 1):
        if i == len(states) or states[i] != states[first]:
            found.append((first, i, states[first]))
            first = i
    return found

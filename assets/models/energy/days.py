"""Energy of a machine or plant as a matrix: a row a day of its own clock, a column a slot of the day. Pure.

    slots   00:00  00:15  ...  23:45
    Mon 5   [ kWh    kWh  ...   kWh ]
    Tue 6   [ kWh    nan  ...   kWh ]     nan: not measured
    Wed 7   [ kWh    kWh  .. nan nan]     the day that runs

Slots are on the wall clock, so that a shift begins at the same slot all year; the hour that the clocks skip is missing, the one that they
repeat is the mean of both.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
HOLIDAY: Final = 7
"""Kind of day beside the weekdays 0 (Monday) to 6."""


@dataclass(frozen=True)
class Calendar:
    """What is known of days in advance."""

    holidays: frozenset[date] = frozenset()
    shift_hours: tuple[float, ...] = (6, 14, 22)
    """Hours at which shifts begin."""

    def kind(self, day: date) -> int:
        """0 (Monday) to 6, or HOLIDAY."""
        return HOLIDAY if day in self.holidays else day.weekday()


@dataclass(frozen=True)
class Days:
    """Energy in kWh, shape (days, slots); what was not measured is NaN."""

    first: date
    kwh: Floats

    @property
    def slots(self) -> int:
        """Of a day."""
        return int(self.kwh.shape[1])

    @property
    def dates(self) -> list[date]:
        """Of the rows."""
        return [self.first + timedelta(days=at) for at in range(len(self.kwh))]

    def until(self, day: date) -> "Days":
        """What was known when `day` began."""
        return Days(self.first, self.kwh[: max(0, (day - self.first).days)])

    def between(self, day: date, days: int) -> Floats:
        """The rows of `days` days from `day` on; NaN where there are none."""
        found = np.full((days, self.slots), np.nan)
        begin = (day - self.first).days
        rows = self.kwh[max(0, begin) : max(0, begin + days)]
        found[max(0, -begin) : max(0, -begin) + len(rows)] = rows
        return found


def days_of(readings: pl.DataFrame, timezone: str, interval: timedelta) -> Days:
    """From `ts` (UTC, begin of an interval) and `kwh`, one row an interval at most; must not be empty."""
    local = pl.col("ts").dt.convert_time_zone(timezone).dt.replace_time_zone(None)
    found = readings.select(ts=local, kwh="kwh").group_by("ts").agg(pl.col("kwh").mean()).sort("ts")
    first, last = found["ts"][0].date(), found["ts"][-1].date()
    slots = int(timedelta(days=1) / interval)
    kwh = np.full(((last - first).days + 1) * slots, np.nan)
    since = found["ts"] - found["ts"].dt.truncate("1d")[0]
    kwh[(since.dt.total_microseconds() // (interval // timedelta(microseconds=1))).to_numpy()] = found["kwh"].to_numpy()
    return Days(first, kwh.reshape(-1, slots))


def in_utc(first: date, matrix: Floats, timezone: str, start: datetime, end: datetime) -> tuple[list[datetime], Floats]:
    """The intervals of [start, end) in UTC and their values from a matrix of days on the wall clock that begins with `first`."""
    slots = matrix.shape[1]
    interval = timedelta(days=1) / slots
    moments = [start + interval * number for number in range(int((end - start) / interval))]
    zone = ZoneInfo(timezone)
    local = [moment.astimezone(zone) for moment in moments]
    row = np.array([(each.date() - first).days for each in local], dtype=int)
    column = np.array([(each.hour * 3600 + each.minute * 60 + each.second) * slots // 86_400 for each in local], dtype=int)
    return moments, matrix[row, column]


def like_days(days: Days, calendar: Calendar, target: date, most: int) -> list[int]:
    """Rows of the last `most` days that are like `target`, the newest first; only days of which at least half was measured.

    Like a weekday are the same weekdays that were no holidays. Like a holiday are holidays, up to half, and Sundays.
    """
    wanted = calendar.kind(target)
    known = np.isfinite(days.kwh).mean(axis=1) >= 0.5
    dates = days.dates
    found, sundays = [], []
    for at in range(len(dates) - 1, -1, -1):
        if not known[at] or dates[at] >= target:
            continue
        kind = calendar.kind(dates[at])
        if kind == wanted:
            found.append(at)
        elif wanted == HOLIDAY and kind == 6:
            sundays.append(at)
        if len(found) >= most and wanted != HOLIDAY:
            break
    return (found[: most // 2] + sundays)[:most] if wanted == HOLIDAY else found[:most]

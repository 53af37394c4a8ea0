"""Energy forecast on the UCI steel data: 15 min, 7-day horizon, rolled week by week from `--split` on.

`--data FILE`: "Steel Industry Energy Consumption" (Sathishkumar et al. 2021) as UCI publishes it; only time and kWh are read. Each week is
forecast by the product's own code from what was measured before it, candidates compared on earlier weeks only. The plant stands in Korea,
so its holidays are Korea's.
"""

from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from assets.analytics.holiday_calendar import holidays_of
from assets.models import judging
from assets.models.energy.days import Calendar, Days, Floats
from assets.models.energy.forecast import Remembered, forecast
from bench.runner import Progress
from warehouse.errors import InvalidInputError

HORIZON_DAYS: Final = 7
SLOTS: Final = 96
COUNTRY: Final = "KR"


def read(path: Path) -> Days:
    """The kWh of a UCI steel file. Its time stamps name the end of an interval, and midnight carries the date of the day that ended.

    Raises InvalidInputError for another format.
    """
    try:
        found = pl.read_csv(path, columns=["date", "Usage_kWh"])
    except (OSError, pl.exceptions.PolarsError) as failed:
        raise InvalidInputError(f"{path} cannot be read as UCI steel: {failed}", path="data") from failed
    parts = found["date"].str.extract_groups(r"^(\d+)/(\d+)/(\d+) (\d+):(\d+)$").struct.unnest().cast(pl.Int64)
    day, month, year, hour, minute = (parts[name] for name in parts.columns)
    slot = (hour * 60 + minute) // 15 - 1
    # 00:00 ends the day whose date it carries.
    slot = slot.to_frame("s").select(pl.when(pl.col("s") < 0).then(SLOTS - 1).otherwise(pl.col("s"))).to_series()
    dates = pl.DataFrame({"y": year, "m": month, "d": day}).select(pl.date("y", "m", "d")).to_series()
    first, last = dates.min(), dates.max()
    if not isinstance(first, date) or not isinstance(last, date):
        raise InvalidInputError(f"{path} has no times like 31/12/2018 23:45", path="data")
    kwh = np.full(((last - first).days + 1, SLOTS), np.nan)
    kwh[(dates - first).dt.total_days().to_numpy(), slot.to_numpy()] = found["Usage_kWh"].to_numpy()
    return Days(first, kwh)


def run(progress: Progress, *, data: str, split: str) -> dict[str, Any]:
    """WAPE and coverage over all weeks from `split` (a date such as 2018-08-06) to the end of the file; a last part of a week counts."""
    days = read(Path(data))
    try:
        week = date.fromisoformat(split)
    except ValueError as failed:
        raise InvalidInputError(f"--split {split!r} is no date such as 2018-08-06", path="split") from failed
    last = days.dates[-1]
    if not days.first + timedelta(days=28) <= week <= last:
        raise InvalidInputError(f"--split must lie between {days.first + timedelta(days=28)} and {last}", path="split")
    calendar = Calendar(holidays_of(COUNTRY, range(days.first.year, last.year + 2)))
    truth, said, low, high, models = [], [], [], [], []
    each_said: dict[str, list[Floats]] = {}
    remembered: Remembered = {}
    while week <= last:
        found = forecast([days.until(week)], calendar, week, HORIZON_DAYS, remembered=remembered)[0]
        progress(f"week from {week}: {found.model}")
        truth.append(days.between(week, HORIZON_DAYS))
        said.append(found.kwh)
        for name, matrix in remembered[week][0].items():
            each_said.setdefault(name, []).append(matrix)
        low.append({level: found.low[level] for level in found.low})
        high.append({level: found.high[level] for level in found.high})
        models.append(found.model)
        week += timedelta(days=HORIZON_DAYS)
    actual = np.concatenate(truth)
    figures: dict[str, Any] = {"wape": judging.wape(actual, np.concatenate(said))}
    figures |= {f"wape_{name}": judging.wape(actual, np.concatenate(rows)) for name, rows in each_said.items() if len(rows) == len(truth)}
    for level in (80, 95):
        inside = judging.coverage(actual, np.concatenate([each[level] for each in low]), np.concatenate([each[level] for each in high]))
        figures[f"interval_{level}_covers"] = inside
    figures["interval_80_is_off_by"] = abs(figures["interval_80_covers"] - 0.8)
    figures |= {"weeks": len(truth), "values": int(np.isfinite(actual).sum())}
    budgets = [
        {"figure": "wape", "limit": "<= 0.40"},
        {"figure": "interval_80_is_off_by", "limit": "<= 0.05"},
    ]
    chosen = ", ".join(f"{name} {models.count(name)}x" for name in sorted(set(models)))
    return {"figures": figures, "budgets": budgets, "notes": f"{Path(data).name} from {split}; chosen: {chosen}"}
